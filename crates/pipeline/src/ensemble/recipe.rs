//! `recipe.toml` of an ensemble's run: what was asked for. What came of it is `ensemble.json`.

use std::path::Path;

use gyeol_data::DataConfig;
use gyeol_eval::{Metric, ensemble::Method};
use serde::{Deserialize, Serialize};

/// An ensemble as it was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnsembleRecipe {
    /// Names the run.
    pub name: String,
    /// Deals the rows into folds, and draws the bootstrap's resamples.
    pub seed: u64,
    /// The one declared metric.
    pub metric: Metric,
    /// The members and how they are combined.
    pub ensemble: EnsembleConfig,
    /// Where the labels of the members' rows are; absent where no member is a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataConfig>,
}

/// `[ensemble]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnsembleConfig {
    /// The members, as they were named.
    pub members: Vec<String>,
    /// Whether each member's logits were divided by a temperature first.
    pub calibrate: bool,
    /// Folds of the cross-validated score.
    pub folds: u32,
    /// How they are combined.
    pub method: Method,
}

impl EnsembleRecipe {
    /// The recipe at `path`, if it is one of an ensemble.
    pub fn read(path: &Path) -> Option<Self> {
        toml::from_str(&std::fs::read_to_string(path).ok()?).ok()
    }

    /// Its text.
    pub(super) fn to_toml(&self) -> String {
        // Words, numbers and paths that came from a TOML file have a TOML form.
        toml::to_string(self).unwrap_or_default()
    }
}
