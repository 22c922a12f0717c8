//! What sets two resolved recipes apart.

use std::{collections::BTreeSet, fmt};

use toml::{Table, Value};

/// A key whose values differ.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Difference {
    key: String,
    theirs: Option<Value>,
    ours: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |value: &Option<Value>| value.as_ref().map_or_else(|| "not set".to_owned(), Value::to_string);
        write!(formatter, "its {} is {}, the recipe's is {}", self.key, word(&self.theirs), word(&self.ours))
    }
}

/// The first key, by name, in which two texts of resolved recipes differ as values, however they are written; `None`
/// where they agree, or where one is no TOML.
pub(crate) fn difference(theirs: &str, ours: &str) -> Option<Difference> {
    let (Ok(theirs), Ok(ours)) = (theirs.parse::<Table>(), ours.parse::<Table>()) else { return None };
    in_tables(&theirs, &ours, "")
}

fn in_tables(theirs: &Table, ours: &Table, prefix: &str) -> Option<Difference> {
    let keys: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    keys.into_iter().find_map(|name| {
        let key = format!("{prefix}{name}");
        match (theirs.get(name), ours.get(name)) {
            (Some(Value::Table(theirs)), Some(Value::Table(ours))) => in_tables(theirs, ours, &format!("{key}.")),
            (theirs, ours) if theirs == ours => None,
            (theirs, ours) => Some(Difference { key, theirs: theirs.cloned(), ours: ours.cloned() }),
        }
    })
}
