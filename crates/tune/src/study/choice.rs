//! Which trial wins.
//!
//! The best of many scores is partly the luckiest, and would disappoint. So the best trials are run again with seeds that no
//! trial has seen, and what they score then, and nothing else, decides.

use serde::{Deserialize, Serialize};

use super::{Study, Trial};

/// A good trial run again with another seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rerun {
    /// The trial.
    pub trial: u32,
    /// The seed.
    pub seed: u64,
    /// The name of the run.
    pub run: String,
    /// The metric; absent where it is undefined, or the run failed.
    pub score: Option<f64>,
    /// Optimiser steps it made.
    pub steps: u64,
    /// Seconds it took.
    pub seconds: f64,
}

/// The winner.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice<'a> {
    /// The trial.
    pub trial: &'a Trial,
    /// Its scores with fresh seeds; empty where it was not run again.
    pub scores: Vec<f64>,
}

impl Choice<'_> {
    /// The mean over the fresh seeds; without any the score that it was chosen by.
    pub fn mean(&self) -> Option<f64> {
        match self.scores.len() {
            0 => self.trial.score,
            count => Some(self.scores.iter().sum::<f64>() / count as f64),
        }
    }

    /// The standard deviation over the fresh seeds, with n − 1; `None` for fewer than two.
    pub fn standard_deviation(&self) -> Option<f64> {
        let count = self.scores.len() as f64;
        let mean = self.scores.iter().sum::<f64>() / count;
        let squares: f64 = self.scores.iter().map(|score| (score - mean).powi(2)).sum();
        (count > 1.0).then(|| (squares / (count - 1.0)).sqrt())
    }
}

impl Study {
    /// The trials that are run again: the best.
    pub fn finalists(&self) -> Vec<&Trial> {
        let mut ranking = self.ranking();
        ranking.truncate(if self.settings.seeds.is_empty() { 0 } else { self.settings.finalists });
        ranking
    }

    /// The winner: of the finalists run again with every seed the one with the best mean; before there is any, the best trial.
    pub fn choice(&self) -> Option<Choice<'_>> {
        let goal = self.settings.goal;
        let confirmed = self.finalists().into_iter().filter_map(|trial| {
            let scores: Vec<f64> = self
                .reruns
                .iter()
                .filter(|rerun| rerun.trial == trial.number && self.settings.seeds.contains(&rerun.seed))
                .filter_map(|rerun| rerun.score)
                .collect();
            (scores.len() == self.settings.seeds.len()).then_some(Choice { trial, scores })
        });
        let loss = |choice: &Choice<'_>| choice.mean().map_or(f64::INFINITY, |mean| goal.loss(mean));
        let best = confirmed.min_by(|a, b| loss(a).total_cmp(&loss(b)));
        best.or_else(|| Some(Choice { trial: self.ranking().first()?, scores: Vec::new() }))
    }
}
