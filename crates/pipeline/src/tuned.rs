//! `[tuned]` of a recipe: on what its values were tuned. Tuned values are those of one set of rows, one cleaning and one base; on
//! anything else they may be stale, and a training says so.

use gyeol_data::fingerprint;
use serde::{Deserialize, Serialize};

use crate::masked_lm::AdaptConfig;
use crate::prepare::Prepared;
use crate::runs::Report;
use crate::{Error, recipe::Recipe};

/// On what a recipe's values were tuned, as `gyeol sweep best` writes it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TunedConfig {
    /// The sweep.
    pub sweep: String,
    /// The trial that won.
    pub trial: u32,
    /// Of how many.
    pub trials: u32,
    /// The keys that were tuned.
    pub keys: Vec<String>,
    /// What they were tuned for.
    pub metric: String,
    /// What the winner scored: the mean over fresh seeds, where there were any.
    pub score: f64,
    /// The standard deviation over fresh seeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_deviation: Option<f64>,
    /// How many fresh seeds.
    pub seeds: u64,
    /// The fingerprint of ids, texts and labels.
    pub data: String,
    /// That of the cleaning; absent without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleaning: Option<String>,
    /// That of the base's weights and tokeniser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// That of `[adapt]`; absent without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapt: Option<String>,
}

impl TunedConfig {
    /// Notes on what the run of `report`, of this recipe, was trained.
    pub(crate) fn on(self, report: &Report, recipe: &Recipe) -> Self {
        Self {
            data: report.data_fingerprint.clone(),
            cleaning: report.cleaning_fingerprint.clone(),
            base: report.base_fingerprint.clone(),
            adapt: recipe.adapt.as_ref().map(of_adaptation),
            ..self
        }
    }

    /// What is no longer as it was tuned on.
    fn changed(&self, prepared: &Prepared) -> Result<Vec<&'static str>, Error> {
        let mut changed = Vec::new();
        if self.data != prepared.data_fingerprint() {
            changed.push("the rows, their texts or labels");
        }
        if self.cleaning != prepared.cleaning_fingerprint() {
            changed.push("[clean]");
        }
        if self.base.is_some() && self.base != Some(prepared.base_fingerprint()?) {
            changed.push(if prepared.bases.len() > 1 { "model.members" } else { "model.base" });
        }
        if self.adapt != prepared.recipe.adapt.as_ref().map(of_adaptation) {
            changed.push("[adapt]");
        }
        Ok(changed)
    }
}

fn of_adaptation(config: &AdaptConfig) -> String {
    // Numbers, words and lists always have a JSON form.
    fingerprint(&[&serde_json::to_string(config).unwrap_or_default()])
}

/// What a person should know who trains with tuned values on something else than they were tuned on.
pub(crate) fn stale(prepared: &Prepared) -> Result<Option<String>, Error> {
    let Some(tuned) = &prepared.recipe.tuned else { return Ok(None) };
    let changed = tuned.changed(prepared)?;
    Ok((!changed.is_empty()).then(|| {
        format!(
            "{} changed since {} tuned {}: these values may be stale; tune again, or remove [tuned] if they are meant",
            changed.join(", "),
            tuned.sweep,
            tuned.keys.join(", ")
        )
    }))
}
