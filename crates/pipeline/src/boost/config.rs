//! `[boost]`: its keys and their defaults. What they mean for the rows is in `samme`.

use serde::{Deserialize, Serialize};

/// `[boost]`: models trained one after the other, each on rows weighted by how often those before it were wrong. They vote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BoostConfig {
    /// How many models at most, 2 or more.
    pub rounds: u32,
    /// What a model's vote, and with it the weight of the rows it is wrong about, is multiplied by before the exponential;
    /// above 0.
    pub learning_rate: f64,
    /// Which of its rounds a run is, from 1. Only written into the recipes of rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round: Option<u32>,
}

impl Default for BoostConfig {
    fn default() -> Self {
        Self { rounds: 5, learning_rate: 1.0, round: None }
    }
}
