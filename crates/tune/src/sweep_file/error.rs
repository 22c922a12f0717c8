//! What can be wrong with a sweep file. The user can mend all of it.

use std::fmt;

use crate::{nearest::did_you_mean, space::SpaceError};

/// A place in a sweep file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as the user named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// An error of a sweep file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SweepFileError {
    /// The file is longer than any sweep file.
    #[error("{file}: {bytes} bytes are too many for a sweep file; is it another one?")]
    TooLong {
        /// The file.
        file: String,
        /// Its length.
        bytes: usize,
    },
    /// The text is not YAML, or more of it than a sweep file has use for.
    #[error("{at}: {problem}")]
    Syntax {
        /// Where.
        at: Place,
        /// What is wrong.
        problem: String,
    },
    /// A key no sweep file has there.
    #[error("{at}: unknown key \"{key}\"{}", advice(suggestion.as_deref(), known))]
    UnknownKey {
        /// Where.
        at: Place,
        /// The key with what it is in, separated by dots.
        key: String,
        /// What was probably meant.
        suggestion: Option<&'static str>,
        /// The keys there are.
        known: &'static [&'static str],
    },
    /// A key that has to be there.
    #[error("{at}: {}needs {missing}", prefix(key))]
    Missing {
        /// Where it should be.
        at: Place,
        /// What it is missing from; empty for the file as a whole.
        key: String,
        /// The key, and what to write.
        missing: &'static str,
    },
    /// A value that is not what its key is for.
    #[error("{at}: {key}: {problem}")]
    Value {
        /// Where.
        at: Place,
        /// The key with what it is in, separated by dots.
        key: String,
        /// What is wrong, and what to write instead.
        problem: String,
    },
    /// A parameter that cannot be searched.
    #[error("{at}: {source}")]
    Space {
        /// Where.
        at: Place,
        /// Why.
        #[source]
        source: SpaceError,
    },
}

fn prefix(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{key}: ") }
}

fn advice(suggestion: Option<&str>, known: &[&str]) -> String {
    match suggestion {
        Some(_) => did_you_mean(suggestion),
        None => format!("; there are {}", known.join(", ")),
    }
}
