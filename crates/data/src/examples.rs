//! Rows of a table under the names a recipe gives its columns: ids, texts, raw labels, groups, sources.
//!
//! Labels stay text here; `labels` turns them into targets.

use std::collections::{HashMap, HashSet};

use xxhash_rust::xxh3::Xxh3;

use crate::config::DataConfig;
use crate::error::{DataError, Place, Result};
use crate::fingerprint::update;
use crate::table::{Column, Table};

/// How messages call the setting that named a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyStyle {
    /// `data.text_pair`: the recipe's key.
    #[default]
    Recipe,
    /// `--text-pair`: the flag of a command.
    Flag,
    /// This, whatever the column is for.
    Key(&'static str),
}

/// Which columns of a table hold what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns {
    /// Unique id of a row; without it ids are hashes of the texts.
    pub id: Option<String>,
    /// The text.
    pub text: String,
    /// The second text.
    pub text_pair: Option<String>,
    /// The label; `None` where labels are not needed.
    pub label: Option<String>,
    /// Rows of one group stay together.
    pub group: Option<String>,
    /// Where a row came from.
    pub source: Option<String>,
    /// What messages call these settings.
    pub keys: KeyStyle,
}

impl Columns {
    /// The columns of a table without labels: id and texts alone.
    pub fn unlabelled(&self) -> Self {
        Self { label: None, group: None, source: None, ..self.clone() }
    }

    pub(crate) fn key(&self, name: &str) -> String {
        match self.keys {
            KeyStyle::Recipe => format!("data.{name}"),
            KeyStyle::Flag => format!("--{}", name.replace('_', "-")),
            KeyStyle::Key(key) => key.to_owned(),
        }
    }
}

impl From<&DataConfig> for Columns {
    fn from(config: &DataConfig) -> Self {
        Self {
            id: config.id.clone(),
            text: config.text.clone(),
            text_pair: config.text_pair.clone(),
            label: Some(config.label.clone()),
            group: config.group.clone(),
            source: config.source.clone(),
            keys: KeyStyle::Recipe,
        }
    }
}

/// The rows of one table; every vector has one entry a row, in file order.
#[derive(Debug, Clone)]
pub struct Examples {
    /// Unique ids.
    pub ids: Vec<String>,
    /// Texts; empty where the table has none.
    pub texts: Vec<String>,
    /// Second texts, if the task has them.
    pub pairs: Option<Vec<String>>,
    /// Labels as the table has them, empty where missing; absent if no label column was named.
    pub labels: Option<Vec<String>>,
    /// Groups, if named; empty where missing (such a row is a group of its own).
    pub groups: Option<Vec<String>>,
    /// Sources, if named; empty where missing.
    pub sources: Option<Vec<String>>,
    columns: Columns,
    file: String,
    lines: Vec<u64>,
    /// The further tables joined to the first: the row each begins at, and its file.
    joined: Vec<(usize, String)>,
}

impl Examples {
    /// Picks `columns` out of `table`.
    ///
    /// # Errors
    /// A named column is not there or holds nested values; an id is missing or occurs twice.
    pub fn from_table(table: &Table, columns: &Columns) -> Result<Self> {
        let owned = |column: &Column| column.iter().map(|cell| cell.unwrap_or_default().to_owned()).collect();
        let required =
            |name: &str, key: &str| -> Result<Vec<String>> { Ok(owned(table.column(name, &columns.key(key))?)) };
        let optional = |name: &Option<String>, key: &str| name.as_deref().map(|n| required(n, key)).transpose();

        let texts = required(&columns.text, "text")?;
        let pairs = optional(&columns.text_pair, "text_pair")?;
        let ids = match &columns.id {
            Some(name) => unique_ids(table, name, &columns.key("id"))?,
            None => content_ids(&texts, pairs.as_deref()),
        };
        Ok(Self {
            ids,
            labels: optional(&columns.label, "label")?,
            groups: optional(&columns.group, "group")?,
            sources: optional(&columns.source, "source")?,
            texts,
            pairs,
            columns: columns.clone(),
            file: table.file().to_owned(),
            lines: table.lines().to_vec(),
            joined: Vec::new(),
        })
    }

    /// The rows of `self`, then those of `other`, as one table. Where only one of them has groups or sources, the other's
    /// are empty; second texts and labels are kept where both have them. Ids made from the texts are made anew, as the
    /// same texts may be in both.
    ///
    /// # Errors
    /// [`DataError::SharedId`] for an id that is in both.
    pub fn join(mut self, other: Self) -> Result<Self> {
        let (rows, more) = (self.len(), other.len());
        if let Some(column) = &self.columns.id {
            let known: HashMap<&str, usize> = self.ids.iter().map(String::as_str).zip(0..).collect();
            if let Some((row, &first)) =
                other.ids.iter().enumerate().find_map(|(row, id)| Some((row, known.get(&**id)?)))
            {
                return Err(DataError::SharedId {
                    place: Box::new(other.place(row)),
                    id: other.ids[row].clone(),
                    column: column.clone(),
                    first: Box::new(self.place(first)),
                });
            }
        }
        let both = |one: Option<Vec<String>>, two: Option<Vec<String>>| Some([one?, two?].concat());
        let either = |one: Option<Vec<String>>, two: Option<Vec<String>>| match (one, two) {
            (None, None) => None,
            (one, two) => {
                let empty = |rows| vec![String::new(); rows];
                Some([one.unwrap_or_else(|| empty(rows)), two.unwrap_or_else(|| empty(more))].concat())
            }
        };
        self.joined.push((rows, other.file.clone()));
        self.joined.extend(other.joined.into_iter().map(|(row, file)| (rows + row, file)));
        self.file = format!("{} and {}", self.file, other.file);
        self.lines.resize(if other.lines.is_empty() { self.lines.len() } else { rows }, 0);
        self.lines.extend(other.lines);
        self.texts.extend(other.texts);
        self.pairs = both(self.pairs, other.pairs);
        self.labels = both(self.labels, other.labels);
        self.groups = either(self.groups, other.groups);
        self.sources = either(self.sources, other.sources);
        self.ids = match &self.columns.id {
            Some(_) => [self.ids, other.ids].concat(),
            None => content_ids(&self.texts, self.pairs.as_deref()),
        };
        Ok(self)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are no rows; a [`Table`] always has some.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Rows whose text, or whose second text, is empty: they keep their place and deserve a warning.
    pub fn empty_texts(&self) -> usize {
        let empty_pair = |row: usize| self.pairs.as_ref().is_some_and(|pairs| pairs[row].is_empty());
        (0..self.len()).filter(|&row| self.texts[row].is_empty() || empty_pair(row)).count()
    }

    /// The names these rows were read by.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The table as the user named it; of tables joined, all names.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Where row `row` (from 0) is, for a message.
    pub fn place(&self, row: usize) -> Place {
        let line = self.lines.get(row).copied().filter(|&line| line > 0);
        let part = self.joined.iter().rposition(|&(start, _)| start <= row);
        match part.map(|part| &self.joined[part]) {
            Some((start, file)) => Place { file: file.clone(), row: row - start + 1, line },
            None => Place { file: self.first_file().to_owned(), row: row + 1, line },
        }
    }

    /// The file of the first table of those joined.
    fn first_file(&self) -> &str {
        let more: usize = self.joined.iter().map(|(_, file)| " and ".len() + file.len()).sum();
        &self.file[..self.file.len() - more]
    }

    /// What each row is parted by: rows of equal keys never part. The group where there is one, else the id, else,
    /// for a table without ids, the texts themselves, so that identical rows stay together.
    pub fn split_keys(&self) -> Vec<u128> {
        (0..self.len())
            .map(|row| {
                let group = self.groups.as_ref().map(|groups| groups[row].as_str()).filter(|group| !group.is_empty());
                let mut hash = Xxh3::new();
                // The kind is hashed too: a group and an id that read alike are different things.
                match group {
                    Some(group) => update(&mut hash, &["group", group]),
                    None if self.columns.id.is_some() => update(&mut hash, &["id", &self.ids[row]]),
                    None => return content_hash(&self.texts[row], self.pairs.as_ref().map(|p| p[row].as_str())),
                }
                hash.digest128()
            })
            .collect()
    }

    /// How many rows of `other` have the text (and second text) of a row of `self`: leakage, if one trains on `self`
    /// and validates on `other`.
    pub fn overlap(&self, other: &Self) -> usize {
        let contents = |examples: &Self| -> Vec<u128> {
            let pair = |row: usize| examples.pairs.as_ref().map(|pairs| pairs[row].as_str());
            (0..examples.len()).map(|row| content_hash(&examples.texts[row], pair(row))).collect()
        };
        let known: HashSet<u128> = contents(self).into_iter().collect();
        contents(other).iter().filter(|content| known.contains(content)).count()
    }
}

/// The id column's cells, checked to be there and distinct.
fn unique_ids(table: &Table, name: &str, key: &str) -> Result<Vec<String>> {
    let column = table.column(name, key)?;
    let mut seen = HashMap::with_capacity(column.len());
    for (row, cell) in column.iter().enumerate() {
        let Some(id) = cell else {
            return Err(DataError::MissingValue {
                place: table.place(row),
                key: key.to_owned(),
                column: name.to_owned(),
            });
        };
        if let Some(first) = seen.insert(id, row) {
            return Err(DataError::DuplicateId {
                place: table.place(row),
                id: id.to_owned(),
                column: name.to_owned(),
                first: first + 1,
            });
        }
    }
    Ok(column.iter().flatten().map(str::to_owned).collect())
}

/// Ids made of the texts: 32 hexadecimal digits, and `-2`, `-3`… for further rows of the same texts.
///
/// Labels and other columns have no part in them, so adding a column or correcting a label renames nobody.
fn content_ids(texts: &[String], pairs: Option<&[String]>) -> Vec<String> {
    let mut occurrences: HashMap<u128, usize> = HashMap::with_capacity(texts.len());
    texts
        .iter()
        .enumerate()
        .map(|(row, text)| {
            let hash = content_hash(text, pairs.map(|pairs| pairs[row].as_str()));
            let occurrence = occurrences.entry(hash).and_modify(|n| *n += 1).or_insert(1);
            if *occurrence == 1 { format!("{hash:032x}") } else { format!("{hash:032x}-{occurrence}") }
        })
        .collect()
}

fn content_hash(text: &str, pair: Option<&str>) -> u128 {
    let mut hash = Xxh3::new();
    update(&mut hash, &["text", text]);
    if let Some(pair) = pair {
        update(&mut hash, &[pair]);
    }
    hash.digest128()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::TextFormat;

    fn named(file: &str, text: &str, columns: &Columns) -> Examples {
        Examples::from_table(&Table::from_reader(text.as_bytes(), TextFormat::Csv, file).unwrap(), columns).unwrap()
    }

    #[test]
    fn joined_tables_keep_their_rows_and_places() {
        let wide = Columns { source: Some("from".into()), ..columns(Some("ID")) };
        let train = named("train.csv", "ID,text,label,from\na,x,0,web\nb,y,1,app\n", &wide);
        let dev = named("dev.csv", "ID,text,label\nc,x,1\n", &columns(Some("ID")));
        let joined = train.clone().join(dev).unwrap();
        assert_eq!(joined.ids, ["a", "b", "c"]);
        assert_eq!(joined.sources.as_deref().unwrap(), ["web", "app", ""]);
        assert_eq!((joined.file(), joined.labels.as_ref().unwrap().len()), ("train.csv and dev.csv", 3));
        assert_eq!(joined.place(1).to_string(), "train.csv: row 2 (line 3)");
        assert_eq!(joined.place(2).to_string(), "dev.csv: row 1 (line 2)");
        let same = named("dev.csv", "ID,text,label\nd,z,1\nb,z,1\n", &columns(Some("ID")));
        assert_eq!(
            train.join(same).unwrap_err().to_string(),
            "dev.csv: row 2 (line 3): id \"b\" (column \"ID\") is also that of train.csv: row 2 (line 3); \
             tables that are joined need ids of their own"
        );
    }

    #[test]
    fn ids_made_of_texts_count_over_joined_tables() {
        let one = named("a.csv", "text,label\nx,0\ny,1\n", &columns(None));
        let two = named("b.csv", "text,label\nx,0\n", &columns(None));
        let first = one.ids[0].clone();
        assert_eq!(one.join(two).unwrap().ids[2], format!("{first}-2"));
    }

    fn table(text: &str) -> Table {
        Table::from_reader(text.as_bytes(), TextFormat::Csv, "train.csv").unwrap()
    }

    fn columns(id: Option<&str>) -> Columns {
        Columns { id: id.map(str::to_owned), text: "text".into(), label: Some("label".into()), ..Columns::default() }
    }

    #[test]
    fn named_columns_are_picked_and_empty_texts_counted() {
        let table = table("label,text,ID\n1,좋아요,a\n0,,b\n");
        let examples = Examples::from_table(&table, &columns(Some("ID"))).unwrap();
        assert_eq!(examples.ids, ["a", "b"]);
        assert_eq!(examples.texts, ["좋아요", ""]);
        assert_eq!(examples.labels.as_deref().unwrap(), ["1", "0"]);
        assert_eq!((examples.len(), examples.empty_texts()), (2, 1));
        assert!(Examples::from_table(&table, &columns(Some("ID")).unlabelled()).unwrap().labels.is_none());
    }

    #[test]
    fn messages_use_the_recipes_key_or_the_flag() {
        let table = table("text,label\na,0\n");
        let recipe = Columns { text_pair: Some("other".into()), ..columns(None) };
        let error = Examples::from_table(&table, &recipe).unwrap_err().to_string();
        assert!(error.starts_with("data.text_pair: column \"other\" not in train.csv (text, label)"), "{error}");
        let flag = Columns { keys: KeyStyle::Flag, ..recipe };
        assert!(Examples::from_table(&table, &flag).unwrap_err().to_string().starts_with("--text-pair: "));
    }

    #[test]
    fn duplicate_and_missing_ids_name_their_rows() {
        let error = Examples::from_table(&table("ID,text,label\na,x,0\nb,y,1\na,z,0\n"), &columns(Some("ID")));
        assert_eq!(
            error.unwrap_err().to_string(),
            "train.csv: row 3 (line 4): id \"a\" (column \"ID\") is already that of row 1; ids must be unique"
        );
        let error = Examples::from_table(&table("ID,text,label\na,x,0\n,y,1\n"), &columns(Some("ID"))).unwrap_err();
        assert!(error.to_string().contains("row 2 (line 3): no value in column \"ID\" (data.id)"), "{error}");
    }

    #[test]
    fn absent_ids_depend_on_the_texts_and_their_occurrence_alone() {
        let first = Examples::from_table(&table("text,label\nx,0\ny,1\nx,1\n"), &columns(None)).unwrap();
        assert_eq!(first.ids[2], format!("{}-2", first.ids[0]));
        let wider = Examples::from_table(&table("new,label,text\n1,1,y\n2,0,x\n3,0,x\n"), &columns(None)).unwrap();
        assert_eq!(wider.ids, [first.ids[1].clone(), first.ids[0].clone(), first.ids[2].clone()]);
        assert_eq!(first.ids[0].len(), 32);
    }

    #[test]
    fn a_pair_is_not_the_same_as_its_texts_joined() {
        assert_ne!(content_hash("ab", Some("c")), content_hash("a", Some("bc")));
        assert_ne!(content_hash("ab", None), content_hash("ab", Some("")));
    }

    #[test]
    fn shared_texts_between_two_tables_are_counted() {
        let train = Examples::from_table(&table("text,label\nx,0\ny,1\n"), &columns(None)).unwrap();
        let valid = Examples::from_table(&table("text,label\ny,0\nz,1\ny,1\n"), &columns(None)).unwrap();
        assert_eq!(train.overlap(&valid), 2);
    }
}
