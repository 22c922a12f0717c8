//! A search as a whole: its trials, and what is to be done next.

use crate::{Assignment, pruners::State};

/// Which way the metric improves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// A smaller value is better.
    Minimize,
    /// A larger value is better.
    Maximize,
}

/// Where a trial's values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The recipe as it stands.
    Recipe,
    /// A good trial of an earlier search.
    Earlier,
    /// The sampler.
    Sampler,
}

/// One evaluation of a trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reported {
    /// After this optimiser step.
    pub step: u64,
    /// Passes over the training rows so far, with their fraction.
    pub epoch: f64,
    /// The metric of the search, as measured; NaN where it is undefined.
    pub value: f64,
}

/// One trial.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Its number, from 1, in the order the trials began.
    pub number: u32,
    /// The values tried.
    pub assignment: Assignment,
    /// Where they come from.
    pub origin: Origin,
    /// How it stands.
    pub state: State,
    /// Its evaluations so far.
    pub reports: Vec<Reported>,
    /// The metric of what the trial keeps; absent before it ends, and where it failed.
    pub score: Option<f64>,
    /// Seconds it has been at work.
    pub seconds: f64,
    /// The name of its run.
    pub run: String,
}
