//! A mapping of a sweep file, read key by key.

use super::{
    Place, SweepFileError,
    yaml::{Data, Key, Mark, Node},
};
use crate::nearest::nearest;

/// A mapping whose keys are all known.
pub(super) struct Keys<'a> {
    file: &'a str,
    /// What the mapping is the value of, with dots; empty for the file itself.
    path: &'a str,
    at: Mark,
    entries: &'a [(Key, Node)],
}

impl<'a> Keys<'a> {
    /// Of a value that has to be a mapping with keys that are all among `known`.
    pub(super) fn new(
        file: &'a str,
        path: &'a str,
        node: &'a Node,
        known: &'static [&'static str],
    ) -> Result<Self, SweepFileError> {
        let keys = Self::any(file, path, node)?;
        match keys.entries.iter().find(|(key, _)| !known.contains(&key.text.as_str())) {
            None => Ok(keys),
            Some((key, _)) => Err(SweepFileError::UnknownKey {
                at: keys.place(key.at),
                key: keys.full(&key.text),
                suggestion: nearest(&key.text, known.iter().copied()),
                known,
            }),
        }
    }

    /// Of a value that has to be a mapping, with any keys.
    pub(super) fn any(file: &'a str, path: &'a str, node: &'a Node) -> Result<Self, SweepFileError> {
        match &node.data {
            Data::Map(entries) => Ok(Self { file, path, at: node.at, entries }),
            _ => {
                let at = Place { file: file.into(), line: node.at.line, column: node.at.column };
                let key = if path.is_empty() { "the file" } else { path }.into();
                Err(SweepFileError::Value {
                    at,
                    key,
                    problem: format!("is {}, has to be a mapping of keys", node.what()),
                })
            }
        }
    }

    /// The keys and values, in the order of the file.
    pub(super) fn entries(&self) -> &'a [(Key, Node)] {
        self.entries
    }

    /// The names of the keys, in the order of the file.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.entries.iter().map(|(key, _)| key.text.as_str())
    }

    /// A key's value, which may be null.
    pub(super) fn get(&self, name: &str) -> Option<&'a Node> {
        self.entries.iter().find(|(key, _)| key.text == name).map(|(_, node)| node)
    }

    /// A key's value, unless it is null.
    pub(super) fn given(&self, name: &str) -> Option<&'a Node> {
        self.get(name).filter(|node| node.data != Data::Null)
    }

    /// A text. Numbers and words for true and false are texts here, as a name may look like one.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, SweepFileError> {
        self.given(name)
            .map(|node| match &node.data {
                Data::Text(text) => Ok(text.clone()),
                Data::List(_) | Data::Map(_) => Err(self.wrong(name, node, "a text")),
                _ => Ok(node.what()),
            })
            .transpose()
    }

    /// A finite number.
    pub(super) fn number(&self, name: &str) -> Result<Option<f64>, SweepFileError> {
        self.given(name).map(|node| node.number().ok_or_else(|| self.wrong(name, node, "a number"))).transpose()
    }

    /// An integer that is at least `min`.
    pub(super) fn integer(&self, name: &str, min: u64) -> Result<Option<u64>, SweepFileError> {
        let read = |node: &Node| match node.data {
            Data::Integer(value) if u64::try_from(value).is_ok_and(|value| value >= min) => Ok(value.unsigned_abs()),
            _ => Err(self.wrong(name, node, &format!("an integer from {min} on"))),
        };
        self.given(name).map(read).transpose()
    }

    /// True or false.
    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, SweepFileError> {
        let read = |node: &Node| match node.data {
            Data::Bool(value) => Ok(value),
            _ => Err(self.wrong(name, node, "true or false")),
        };
        self.given(name).map(read).transpose()
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, SweepFileError> {
        let read = |node: &Node| {
            let given = match &node.data {
                Data::Text(text) => Some(text.as_str()),
                _ => None,
            };
            let found = words.iter().find(|(word, _)| Some(*word) == given).map(|(_, value)| *value);
            found.ok_or_else(|| {
                let all = words.iter().map(|(word, _)| *word);
                let near = given.and_then(|given| nearest(given, all.clone()));
                let wanted = match near {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("has to be one of {}", all.collect::<Vec<_>>().join(", ")),
                };
                self.error_at(node.at, name, format!("is {}; {wanted}", node.what()))
            })
        };
        self.given(name).map(read).transpose()
    }

    /// The error of a value that is of another kind than `wanted`.
    pub(super) fn wrong(&self, name: &str, node: &Node, wanted: &str) -> SweepFileError {
        self.error_at(node.at, name, format!("is {}, has to be {wanted}", node.what()))
    }

    /// An error at a key, or at the mapping if it has no such key.
    pub(super) fn value_error(&self, name: &str, problem: impl Into<String>) -> SweepFileError {
        let key = self.entries.iter().find(|(key, _)| key.text == name);
        self.error_at(key.map_or(self.at, |(key, _)| key.at), name, problem.into())
    }

    /// The error of a mapping as a whole that lacks something.
    pub(super) fn missing(&self, missing: &'static str) -> SweepFileError {
        SweepFileError::Missing { at: self.place(self.at), key: self.path.into(), missing }
    }

    pub(super) fn error_at(&self, at: Mark, name: &str, problem: String) -> SweepFileError {
        SweepFileError::Value { at: self.place(at), key: self.full(name), problem }
    }

    pub(super) fn place(&self, at: Mark) -> Place {
        Place { file: self.file.into(), line: at.line, column: at.column }
    }

    fn full(&self, name: &str) -> String {
        if self.path.is_empty() { name.into() } else { format!("{}.{name}", self.path) }
    }
}
