//! `report.json`: what came of a run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::course::Overfitting;

/// What came of a run; `gyeol train --json` prints the same document.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The run's name.
    pub run: String,
    /// The score by `metric` of the kept checkpoint on the validation rows; absent without validation rows.
    pub score: Option<f64>,
    /// The one declared metric.
    pub metric: String,
    /// Every metric of the kept checkpoint, by name. One that is undefined for these rows is `null`.
    pub metrics: BTreeMap<String, Option<f64>>,
    /// The same of each value of `data.source`, the one with the most rows first; empty without that key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceScores>,
    /// `classification` or `regression`.
    pub task: String,
    /// The step whose weights were kept; of an average the best of its checkpoints.
    pub best_step: u64,
    /// The scores by `metric` of the means of the weights of several checkpoints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub averages: Vec<AverageScore>,
    /// Of how many checkpoints the kept weights are the mean; absent: of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub averaged_checkpoints: Option<u64>,
    /// Why the run ended before its last step; absent if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// A validation loss that rose while the training loss fell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overfitting: Option<Overfitting>,
    /// Optimiser steps made.
    pub steps: u64,
    /// Rows trained on.
    pub train_rows: u64,
    /// Rows validated on.
    pub valid_rows: u64,
    /// Seconds spent in training steps alone.
    pub train_seconds: f64,
    /// Seconds spent saving the state to resume from, beside them.
    #[serde(default)]
    pub save_seconds: f64,
    /// Seconds of training not spent, as what frozen layers put out was kept from one epoch to the next: an estimate by what
    /// a token took before anything was kept. Absent without frozen layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen_seconds_saved: Option<f64>,
    /// Training rows a second, over `train_seconds`.
    pub samples_per_second: f64,
    /// Real tokens a second, over `train_seconds`.
    pub tokens_per_second: f64,
    /// Rows a second of the last prediction pass; absent when nothing was predicted.
    pub predict_samples_per_second: Option<f64>,
    /// Largest resident memory of the process, in bytes; absent where the system does not tell.
    pub peak_rss_bytes: Option<u64>,
    /// Threads computed with.
    pub threads: usize,
    /// The instruction set the kernels chose.
    pub isa: String,
    /// The precision the run resolved to.
    pub precision: String,
    /// Fingerprint of ids, texts and labels.
    pub data_fingerprint: String,
    /// Fingerprint of the texts alone.
    pub text_fingerprint: String,
    /// Fingerprint of the resolved recipe.
    pub recipe_fingerprint: String,
    /// The run that adapted the base model first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapted_by: Option<String>,
    /// The warnings of the run, those of its tables first.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The mean of the weights of several checkpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AverageScore {
    /// Of how many: the best, or with `swa.select = "last"` the latest.
    pub checkpoints: u64,
    /// Its score; `null` where the metric is undefined.
    pub score: Option<f64>,
}

/// The validation rows of one source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceScores {
    /// The source, as the table names it.
    pub source: String,
    /// How many validation rows it has.
    pub rows: u64,
    /// Every metric over those rows, by name. One that is undefined for them is `null`.
    pub metrics: BTreeMap<String, Option<f64>>,
}
