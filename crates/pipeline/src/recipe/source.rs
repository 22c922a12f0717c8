//! The words a recipe is made of: the file's text and every `--set`, under one address space.
//!
//! Each `--set` is parsed with as much blank space before it as there is text before it, so that a byte offset alone
//! tells where a key or value came from, and errors can point there.

use std::{fmt, ops::Range, path::PathBuf};

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::RecipeError;

/// Where in a recipe something was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the file.
    File {
        /// The recipe.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// On the command line, as given.
    Set(String),
    /// Nowhere in particular: something is absent.
    Whole(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => write!(formatter, "{}:{line}:{column}", path.display()),
            Self::Set(given) => write!(formatter, "--set {given}"),
            Self::Whole(path) => write!(formatter, "{}", path.display()),
        }
    }
}

/// One `--set`, as `key = value` in TOML.
struct Setting {
    given: String,
    /// The assignment behind blank space up to its address.
    padded: String,
}

/// A recipe's text and settings.
pub(super) struct Source {
    path: PathBuf,
    text: String,
    settings: Vec<Setting>,
}

impl Source {
    pub(super) fn new(path: PathBuf, text: String, sets: &[String]) -> Result<Self, RecipeError> {
        let mut end = text.len() + 1;
        let mut settings = Vec::with_capacity(sets.len());
        for given in sets {
            let assignment = assignment(given)?;
            let padded = format!("{:end$}{assignment}", "");
            end = padded.len() + 1;
            settings.push(Setting { given: given.clone(), padded });
        }
        Ok(Self { path, text, settings })
    }

    /// The file's table with the settings laid over it, in their order; spans are addresses of this source.
    pub(super) fn parse(&self) -> Result<Spanned<DeTable<'_>>, RecipeError> {
        let mut document = DeTable::parse(&self.text).map_err(|error| self.wrong_toml(&error))?;
        for setting in &self.settings {
            let layer = DeTable::parse(&setting.padded).map_err(|error| self.wrong_toml(&error))?;
            lay_over(document.get_mut(), layer.into_inner());
        }
        Ok(document)
    }

    /// Reads a value of `T`; what does not fit is an error at its place, with its key.
    pub(super) fn read<T: DeserializeOwned>(&self, document: Spanned<DeTable<'_>>) -> Result<T, RecipeError> {
        let keys = spans(document.get_ref());
        T::deserialize(toml::de::Deserializer::from(document)).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            // A missing key is told of the table that lacks it, anything else of the innermost value around it.
            let missing = error.message().starts_with("missing field");
            let within = |value: &Range<usize>| value.start <= span.start && span.end <= value.end;
            let key = keys.iter().rev().find(|(_, value)| if missing { *value == span } else { within(value) });
            RecipeError::Value {
                at: if missing { self.whole() } else { self.place(span.start) },
                key: key.map(|(key, _)| key.clone()),
                problem: plain(error.message()),
            }
        })
    }

    /// What is at an address.
    pub(super) fn place(&self, offset: usize) -> Place {
        let mut end = self.text.len();
        for setting in &self.settings {
            if offset > end && offset <= setting.padded.len() {
                return Place::Set(setting.given.clone());
            }
            end = setting.padded.len();
        }
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        Place::File { path: self.path.clone(), line, column: before[start..].chars().count() + 1 }
    }

    /// The place of something absent.
    pub(super) fn whole(&self) -> Place {
        Place::Whole(self.path.clone())
    }

    fn wrong_toml(&self, error: &toml::de::Error) -> RecipeError {
        let at = error.span().map_or_else(|| self.whole(), |span| self.place(span.start));
        RecipeError::Syntax { at, problem: error.message().trim().to_owned() }
    }
}

/// Every dotted key with the address of its value, tables before what is in them.
pub(super) fn spans(table: &DeTable<'_>) -> Vec<(String, Range<usize>)> {
    fn walk(table: &DeTable<'_>, prefix: &str, found: &mut Vec<(String, Range<usize>)>) {
        for (key, value) in table {
            let path = format!("{prefix}{}", key.get_ref());
            found.push((path.clone(), value.span()));
            if let DeValue::Table(inner) = value.get_ref() {
                walk(inner, &format!("{path}."), found);
            }
        }
    }
    let mut found = Vec::new();
    walk(table, "", &mut found);
    found
}

/// `key=value` as a TOML assignment. A value that is no TOML, such as a bare word, is a string.
fn assignment(given: &str) -> Result<String, RecipeError> {
    let wrong = |problem: &str| RecipeError::Set { given: given.to_owned(), problem: problem.to_owned() };
    let (key, value) = given.split_once('=').ok_or_else(|| wrong("write it as KEY=VALUE"))?;
    let (key, value) = (key.trim(), value.trim());
    if value.is_empty() {
        return Err(wrong("the value is missing; write \"\" for an empty text"));
    }
    let bare = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if !key.split('.').all(bare) {
        return Err(wrong("the key must be a recipe key such as train.learning_rate"));
    }
    // A value with line breaks could smuggle in further keys; as text it is harmless.
    if !value.contains('\n') && DeValue::parse(value).is_ok() {
        Ok(format!("{key} = {value}"))
    } else {
        Ok(format!("{key} = {}", toml::Value::from(value)))
    }
}

fn lay_over<'i>(base: &mut DeTable<'i>, layer: DeTable<'i>) {
    for (key, value) in layer {
        let name: &str = key.get_ref();
        match (base.get_mut(name), value) {
            (Some(below), above) => match (below.get_mut(), above) {
                (DeValue::Table(below), above) if above.get_ref().is_table() => {
                    if let DeValue::Table(above) = above.into_inner() {
                        lay_over(below, above);
                    }
                }
                (_, above) => *below = above,
            },
            (None, above) => {
                base.insert(key, above);
            }
        }
    }
}

/// The parser's message without the names of Rust types.
fn plain(message: &str) -> String {
    let mut message = message.trim().to_owned();
    for (rust, words) in [
        ("expected u64", "expected a whole number from 0"),
        ("expected u32", "expected a whole number from 0"),
        ("expected usize", "expected a whole number from 0"),
        ("expected f64", "expected a number"),
        ("expected f32", "expected a number"),
        ("expected a boolean", "expected true or false"),
        ("expected path string", "expected a path in quotes"),
        ("missing field", "missing key"),
    ] {
        message = message.replace(rust, words);
    }
    message
}
