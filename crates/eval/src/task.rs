//! The two kinds of task that predictions can answer.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a table asks for: one of several classes, or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// One class of a fixed list for each row.
    Classification,
    /// One real number for each row.
    Regression,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Classification => "classification",
            Self::Regression => "regression",
        })
    }
}
