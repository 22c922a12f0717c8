//! The tables that hold the labels of members' rows, each read once, and what the labels of one are called in another.

use std::collections::HashMap;
use std::path::PathBuf;

use gyeol_data::{Columns, Examples, KeyStyle, Table};

use super::member::Member;
use crate::division::{Division, Labelled};
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

/// The tables of all members, and which is whose.
#[derive(Debug)]
pub(super) struct LabelTables {
    tables: Vec<LabelTable>,
    /// For each member the place of its table; `None` for files of another tool.
    of: Vec<Option<usize>>,
}

impl LabelTables {
    /// Reads the tables of `members`, those of equal recipes once; `given` is the one for files of other tools alone.
    ///
    /// # Errors
    /// If a table cannot be read; if there is none, or one is given where runs tell which.
    pub(super) fn read(
        members: &[Member],
        given: Option<&TruthTable>,
        watcher: &mut dyn Watcher,
    ) -> Result<Self, Error> {
        let mut tables: Vec<LabelTable> = Vec::new();
        let mut of = Vec::with_capacity(members.len());
        for member in members {
            let Some(recipe) = &member.recipe else {
                of.push(None);
                continue;
            };
            refuse_test_labels(member, recipe)?;
            let known = tables.iter().position(|table| table.recipe.as_ref().is_some_and(|other| alike(other, recipe)));
            of.push(Some(known.unwrap_or(tables.len())));
            if known.is_none() {
                watcher.phase("reading labels");
                let Labelled { train, valid, .. } = Division::of(recipe).read(recipe, &mut Silent(watcher))?;
                tables.push(LabelTable::new(valid.unwrap_or(train), Some(recipe.clone())));
            }
        }
        match (tables.first(), given) {
            (Some(_), None) => {}
            (None, Some(TruthTable { path, label, id })) => {
                let columns = Columns {
                    id: Some(id.clone()),
                    text: id.clone(),
                    label: Some(label.clone()),
                    keys: KeyStyle::Flag,
                    ..Columns::default()
                };
                tables.push(LabelTable::new(Examples::from_table(&Table::read(path)?, &columns)?, None));
            }
            (None, None) => {
                let problem = "no member is a run, so nothing says where the labels are; name the labelled table, \
                               and its columns with --label and --id";
                return Err(Error::Setting { key: "--truth", problem: problem.to_owned() });
            }
            (Some(_), Some(_)) => {
                let problem = "the members' recipes say where their labels are; remove it";
                return Err(Error::Setting { key: "--truth", problem: problem.to_owned() });
            }
        }
        Ok(Self { tables, of })
    }

    /// The table whose labels count: that of the first run, or the one given.
    pub(super) fn first(&self) -> &LabelTable {
        &self.tables[0]
    }

    /// The table of a member, if it is another than the first.
    pub(super) fn other(&self, member: usize) -> Option<&LabelTable> {
        self.of[member].filter(|&table| table > 0).map(|table| &self.tables[table])
    }
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

/// Weights are never fitted to the labels of the rows to be predicted.
fn refuse_test_labels(member: &Member, recipe: &Recipe) -> Result<(), Error> {
    match (&recipe.data.valid, &recipe.data.test) {
        (Some(valid), Some(test)) if valid == test => {
            let problem = format!(
                "it validates on its test table {}; weights fitted there would be fitted to test labels",
                test.display()
            );
            Err(Error::Ensemble { ensemble: member.name.clone(), problem })
        }
        _ => Ok(()),
    }
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
    fn labels_that_are_not_the_same_under_another_name_are_refused() {
        let split = of(&["neg", "pos"], &[("a", "neg"), ("b", "neg")]).unwrap_err();
        assert_eq!(split, "its label \"neg\" is \"0\" of some rows and \"1\" of others");
        let unseen = of(&["neg", "pos"], &[("a", "neg")]).unwrap_err();
        assert_eq!(unseen, "no row that both tables have is of its label \"pos\"");
        let merged = of(&["neg", "bad"], &[("a", "neg"), ("c", "bad")]).unwrap_err();
        assert_eq!(merged, "its labels \"neg\" and \"bad\" are both \"0\"");
    }
}
