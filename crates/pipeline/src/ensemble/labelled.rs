//! The tables that hold the labels of members' rows, each read once, and what the labels of one are called in another.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use gyeol_data::{Columns, Examples, KeyStyle, Table};

use super::member::Member;
use crate::division::Division;
use crate::prepare::pick;
use crate::recipe::Recipe;
use crate::{Error, Watcher};

/// Where the labels are, if no member is a run that tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TruthTable {
    /// The table.
    pub path: PathBuf,
    /// Its label column.
    pub label: String,
    /// Its id column.
    pub id: String,
}

/// A labelled table.
#[derive(Debug)]
pub(super) struct LabelTable {
    /// The rows, with labels.
    pub(super) examples: Examples,
    /// The recipe it was read by; `None` for one named on the command line.
    pub(super) recipe: Option<Recipe>,
    /// Row by id.
    rows: HashMap<String, usize>,
}

impl LabelTable {
    fn new(examples: Examples, recipe: Option<Recipe>) -> Self {
        let rows = examples.ids.iter().cloned().zip(0..).collect();
        Self { examples, recipe, rows }
    }

    /// The row of `id`.
    pub(super) fn row(&self, id: &str) -> Option<usize> {
        self.rows.get(id).copied()
    }

    /// The label of `id`, as the table has it.
    pub(super) fn label(&self, id: &str) -> Option<&str> {
        Some(&self.examples.labels.as_ref()?[self.row(id)?])
    }
}

/// The tables of all members, those of equal recipes once.
#[derive(Debug, Default)]
pub(super) struct LabelTables(Vec<LabelTable>);

impl LabelTables {
    /// The place of the table of `member`, which is read unless it was; `None` for files of another tool.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn add(&mut self, member: &Member, watcher: &mut dyn Watcher) -> Result<Option<usize>, Error> {
        let Some(recipe) = &member.recipe else { return Ok(None) };
        let known = self.0.iter().position(|table| table.recipe.as_ref().is_some_and(|other| alike(other, recipe)));
        if known.is_none() {
            watcher.phase("reading labels");
            self.0.push(LabelTable::new(read(recipe, &mut Silent(watcher))?, Some(recipe.clone())));
        }
        Ok(Some(known.unwrap_or(self.0.len() - 1)))
    }

    /// Adds the table that is `given` for files of other tools alone.
    ///
    /// # Errors
    /// If it cannot be read; if there is none, or one is given where runs tell which.
    pub(super) fn complete(&mut self, given: Option<&TruthTable>) -> Result<(), Error> {
        match (self.0.is_empty(), given) {
            (false, None) => Ok(()),
            (true, Some(TruthTable { path, label, id })) => {
                let columns = Columns {
                    id: Some(id.clone()),
                    text: id.clone(),
                    label: Some(label.clone()),
                    keys: KeyStyle::Flag,
                    ..Columns::default()
                };
                self.0.push(LabelTable::new(Examples::from_table(&Table::read(path)?, &columns)?, None));
                Ok(())
            }
            (true, None) => {
                let problem = "no member is a run, so nothing says where the labels are; name the labelled table, \
                               and its columns with --label and --id";
                Err(Error::Setting { key: "--truth", problem: problem.to_owned() })
            }
            (false, Some(_)) => {
                let problem = "the members' recipes say where their labels are; remove it";
                Err(Error::Setting { key: "--truth", problem: problem.to_owned() })
            }
        }
    }

    /// The table whose labels count: that of the first run, or the one given.
    ///
    /// # Panics
    /// If they are not complete.
    pub(super) fn first(&self) -> &LabelTable {
        &self.0[0]
    }

    /// The table at a place, if it is another than the first.
    pub(super) fn other(&self, place: Option<usize>) -> Option<&LabelTable> {
        place.filter(|&place| place > 0).map(|place| &self.0[place])
    }
}

/// The labelled rows that a run of `recipe` predicts without having trained on them.
fn read(recipe: &Recipe, watcher: &mut dyn Watcher) -> Result<Examples, Error> {
    let (Division::Split, Some(path)) = (Division::of(recipe), &recipe.data.valid) else {
        return Ok(Division::of(recipe).read(recipe, watcher)?.train);
    };
    // A training leaves its groups aside, as it never splits this table. Here it is split.
    let table = Table::read(path)?;
    let columns = Columns::from(&recipe.data);
    let [group, source] = [&columns.group, &columns.source].map(|name| name.clone().filter(|name| table.has(name)));
    pick(&table, &Columns { group, source, ..columns }, watcher)
}

/// Whether two recipes read the same labels of the same rows.
fn alike(one: &Recipe, other: &Recipe) -> bool {
    let key = |recipe: &Recipe| {
        let data = &recipe.data;
        let joined = Division::of(recipe) != Division::Split;
        let texts = (data.text.clone(), data.text_pair.clone());
        (data.train.clone(), data.valid.clone(), data.id.clone(), data.label.clone(), data.group.clone(), texts, joined)
    };
    key(one) == key(other)
}

/// How many of the rows `ids` are among the `tested` ones: by id, and by text too where the recipe names the test table, as
/// ids that count the rows of a file say little.
///
/// # Errors
/// If the test table cannot be read.
pub(super) fn tested(
    ids: &[String],
    tested: &[String],
    first: &LabelTable,
    watcher: &mut dyn Watcher,
) -> Result<usize, Error> {
    let known: HashSet<&str> = tested.iter().map(String::as_str).collect();
    let shared: Vec<&String> = ids.iter().filter(|id| known.contains(id.as_str())).collect();
    let Some((recipe, path)) = first.recipe.as_ref().and_then(|recipe| Some((recipe, recipe.data.test.as_ref()?)))
    else {
        return Ok(shared.len());
    };
    if shared.is_empty() {
        return Ok(0);
    }
    let columns = Columns::from(&recipe.data).unlabelled();
    let test = LabelTable::new(pick(&Table::read(path)?, &columns, &mut Silent(watcher))?, None);
    let texts = |table: &LabelTable, id: &str| -> Option<(String, Option<String>)> {
        let row = table.row(id)?;
        let examples = &table.examples;
        Some((examples.texts[row].clone(), examples.pairs.as_ref().map(|pairs| pairs[row].clone())))
    };
    Ok(shared.into_iter().filter(|id| texts(&test, id).is_none_or(|own| texts(first, id) == Some(own))).count())
}

/// What the labels of `theirs` are called in `ours`, see [`renamed`]; nothing where most rows that both have are called the same,
/// and then how many are not.
///
/// # Errors
/// As [`renamed`].
pub(super) fn reconciled(
    labels: &[String],
    theirs: &LabelTable,
    ours: &LabelTable,
    same: bool,
) -> Result<(Vec<(String, String)>, usize), String> {
    let ids = theirs.examples.ids.iter();
    let pairs: Vec<(&str, &str)> = ids.filter_map(|id| Some((theirs.label(id)?, ours.label(id)?))).collect();
    let other = pairs.iter().filter(|(their, our)| their != our).count();
    if same && 2 * other < pairs.len().max(1) {
        return Ok((Vec::new(), other));
    }
    Ok((renamed(labels, theirs, ours)?, 0))
}

/// What the labels of `theirs` are called in `ours`: theirs and ours, for each that has another name. It is read off the rows
/// that both tables have, of which each pair of labels has to say the same.
///
/// # Errors
/// Why not: a label that is two in the other table, or that no common row has.
pub(super) fn renamed(
    labels: &[String],
    theirs: &LabelTable,
    ours: &LabelTable,
) -> Result<Vec<(String, String)>, String> {
    let mut known: HashMap<&str, &str> = HashMap::new();
    for id in &theirs.examples.ids {
        let (Some(their), Some(our)) = (theirs.label(id), ours.label(id)) else { continue };
        match known.insert(their, our) {
            Some(before) if before != our => {
                return Err(format!("its label \"{their}\" is \"{before}\" of some rows and \"{our}\" of others"));
            }
            _ => {}
        }
    }
    let mut taken = HashMap::new();
    let mut pairs = Vec::new();
    for label in labels {
        let Some(&our) = known.get(label.as_str()) else {
            return Err(format!("no row that both tables have is of its label \"{label}\""));
        };
        if let Some(before) = taken.insert(our, label) {
            return Err(format!("its labels \"{before}\" and \"{label}\" are both \"{our}\""));
        }
        pairs.push((label.clone(), our.to_owned()));
    }
    Ok(pairs)
}

/// Leaves out what was said of the tables when they trained.
struct Silent<'a>(&'a mut dyn Watcher);

impl Watcher for Silent<'_> {
    fn warning(&mut self, _: &str) {}

    fn interrupted(&self) -> bool {
        self.0.interrupted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(&str, &str)]) -> LabelTable {
        let csv: String = rows.iter().map(|(id, label)| format!("{id},{label}\n")).collect();
        let table = Table::from_reader(format!("id,label\n{csv}").as_bytes(), gyeol_data::TextFormat::Csv, "t.csv");
        let columns =
            Columns { id: Some("id".into()), text: "id".into(), label: Some("label".into()), ..Columns::default() };
        LabelTable::new(Examples::from_table(&table.unwrap(), &columns).unwrap(), None)
    }

    fn of(labels: &[&str], theirs: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
        let ours = table(&[("a", "0"), ("b", "1"), ("c", "0"), ("d", "1")]);
        let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        renamed(&labels, &table(theirs), &ours)
    }

    #[test]
    fn labels_are_reconciled_by_the_rows_that_both_tables_have() {
        let pairs = of(&["neg", "pos"], &[("d", "pos"), ("a", "neg"), ("x", "pos"), ("c", "neg")]).unwrap();
        assert_eq!(pairs, [("neg".to_owned(), "0".to_owned()), ("pos".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn labels_that_are_exchanged_have_the_same_names_and_another_meaning() {
        let ours = table(&[("a", "0"), ("b", "1"), ("c", "0"), ("d", "1")]);
        let labels = ["0".to_owned(), "1".to_owned()];
        let of = |rows: &[(&str, &str)]| reconciled(&labels, &table(rows), &ours, true).unwrap();
        let swapped = of(&[("a", "1"), ("b", "0"), ("d", "0")]);
        assert_eq!(swapped.0, [("0".to_owned(), "1".to_owned()), ("1".to_owned(), "0".to_owned())]);
        assert_eq!(of(&[("a", "0"), ("b", "1"), ("d", "0")]), (Vec::new(), 1), "a label that was corrected");
    }

    #[test]
    fn labels_that_are_not_the_same_under_another_name_are_refused() {
        let split = of(&["neg", "pos"], &[("a", "neg"), ("b", "neg")]).unwrap_err();
        assert_eq!(split, "its label \"neg\" is \"0\" of some rows and \"1\" of others");
        let unseen = of(&["neg", "pos"], &[("a", "neg")]).unwrap_err();
        assert_eq!(unseen, "no row that both tables have is of its label \"pos\"");
        let merged = of(&["neg", "bad"], &[("a", "neg"), ("c", "bad")]).unwrap_err();
        assert_eq!(merged, "its labels \"neg\" and \"bad\" are both \"0\"");
    }
}
