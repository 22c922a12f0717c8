//! YAML as values that know where they were written.
//!
//! The parser is a crate; what is here is what plain words mean (`scalar.rs`), and aliases, merge keys and bounds on what is
//! read (`tree.rs`), so that no file takes long or much memory.

mod scalar;
mod tree;

pub(super) use tree::parse;

use crate::space::Value;

/// A position in a text: line and character, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) at: Mark,
    pub(super) data: Data,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Data {
    Null,
    Bool(bool),
    Integer(i64),
    /// May be infinite or NaN.
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// Each key once, in the order of the file; merged ones come last.
    Map(Vec<(Key, Node)>),
}

/// A key of a map, as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub(super) at: Mark,
    pub(super) text: String,
}

impl Node {
    /// A number, integer or not, that is finite.
    pub(super) fn number(&self) -> Option<f64> {
        match self.data {
            Data::Integer(number) => Some(number as f64),
            Data::Float(number) if number.is_finite() => Some(number),
            _ => None,
        }
    }

    /// As JSON; `Err` is the place of a number that JSON does not have.
    pub(super) fn json(&self) -> Result<Value, Mark> {
        Ok(match &self.data {
            Data::Null => Value::Null,
            Data::Bool(value) => (*value).into(),
            Data::Integer(value) => (*value).into(),
            Data::Float(value) if value.is_finite() => (*value).into(),
            Data::Float(_) => return Err(self.at),
            Data::Text(text) => text.as_str().into(),
            Data::List(items) => items.iter().map(Self::json).collect::<Result<_, _>>()?,
            Data::Map(entries) => {
                let pairs = entries.iter().map(|(key, value)| Ok((key.text.clone(), value.json()?)));
                Value::Object(pairs.collect::<Result<_, Mark>>()?)
            }
        })
    }

    /// What it is, for messages.
    pub(super) fn what(&self) -> String {
        match &self.data {
            Data::Null => "nothing".into(),
            Data::Bool(value) => value.to_string(),
            Data::Integer(value) => value.to_string(),
            Data::Float(value) => value.to_string(),
            Data::Text(text) => {
                let short: String = text.chars().take(40).collect();
                if short.len() < text.len() { format!("\"{short}…\"") } else { format!("\"{text}\"") }
            }
            Data::List(_) => "a list".into(),
            Data::Map(_) => "a mapping".into(),
        }
    }
}
