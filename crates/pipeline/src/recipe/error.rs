//! What can be wrong with a recipe.

use std::{io, path::PathBuf};

use super::Place;
use crate::nearest::did_you_mean;

/// An error of a recipe or of a `--set`.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The file cannot be read.
    #[error("cannot read the recipe {}: {source}", path.display())]
    Read {
        /// The recipe.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The text is not TOML.
    #[error("{at}: {problem}")]
    Syntax {
        /// Where.
        at: Place,
        /// What the parser expected.
        problem: String,
    },
    /// A `--set` is not `KEY=VALUE`.
    #[error("--set {given}: {problem}")]
    Set {
        /// As given.
        given: String,
        /// What is wrong.
        problem: String,
    },
    /// A key no version has.
    #[error("{at}: unknown key \"{key}\"{}", unknown_advice(suggestion.as_deref(), known))]
    UnknownKey {
        /// Where.
        at: Place,
        /// The key with its table.
        key: String,
        /// What was probably meant.
        suggestion: Option<String>,
        /// The keys of that table.
        known: &'static [&'static str],
    },
    /// A table of a recipe that another command reads.
    #[error("{at}: [{key}] is in recipes of `{command}`; is this one for it?")]
    OtherKind {
        /// Where.
        at: Place,
        /// The table.
        key: String,
        /// The command.
        command: &'static str,
    },
    /// A value of the wrong type, or a key that is missing.
    #[error("{at}: {}{problem}", key.as_deref().map(|key| format!("{key}: ")).unwrap_or_default())]
    Value {
        /// Where.
        at: Place,
        /// The key, if there is one.
        key: Option<String>,
        /// What is expected instead.
        problem: String,
    },
}

impl RecipeError {
    /// Whether the user can mend it; a recipe that is there but cannot be read for want of the disk's help is not.
    pub fn is_user_error(&self) -> bool {
        match self {
            Self::Read { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::InvalidData
                    | io::ErrorKind::IsADirectory
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::PermissionDenied
            ),
            _ => true,
        }
    }
}

fn unknown_advice(suggestion: Option<&str>, known: &[&str]) -> String {
    if suggestion.is_some() { did_you_mean(suggestion) } else { format!(" (there are {})", known.join(", ")) }
}
