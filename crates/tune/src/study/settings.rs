//! How a search is to go.

use super::Goal;

/// What a search is about, and what decides its trials.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Which way the metric improves.
    pub goal: Goal,
    /// Keys the sampler; the same seed and history give the same trials.
    pub seed: u64,
    /// How many of the best trials are run again before a winner is named.
    pub finalists: usize,
    /// The seeds they are run again with.
    pub seeds: Vec<u64>,
}

/// When a search ends. Unlike [`Settings`] they may change from one time it is run to the next.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    /// Trials in all.
    pub count: Option<u32>,
    /// A value of the metric that is good enough.
    pub target: Option<f64>,
    /// End when the best has not changed for so many trials that ended.
    pub patience: Option<u32>,
    /// The time is up: nothing new begins, and what goes on is to be paused.
    pub out_of_time: bool,
    /// The time is up but for running the best trials again.
    pub closing: bool,
}
