//! How the outputs of models that are trained together become those of a row.

use serde::{Deserialize, Serialize};

/// `model.join`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// Their mean: soft voting, before the loss.
    #[default]
    Mean,
    /// Their sum. Of linear heads that is one linear layer over the features of all models laid end to end, whose bias is
    /// that of the first.
    Stack,
}

impl Join {
    /// Its name in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Stack => "stack",
        }
    }
}
