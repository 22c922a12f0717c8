//! `report.json`: what came of a run.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::course::Overfitting;
use crate::ensemble::EnsembleReport;
use crate::refit::RefitConfig;

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
    /// Classification: the share of each class in the validation rows, and in their predictions; empty without such rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_shares: Vec<ClassShare>,
    /// The weight of each class in the loss, resolved; empty where all count alike.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_weights: Vec<ClassWeight>,
    /// `classification`, `multi-label` or `regression`.
    pub task: String,
    /// The step of the best checkpoint, whose weights were kept unless `averaged_checkpoints` says otherwise.
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
    /// Fingerprint of the cleaning with all that was fitted; absent without `[clean]`, and in reports of before it was told,
    /// as is what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleaning_fingerprint: Option<String>,
    /// Fingerprint of the base model: configuration, weights and tokeniser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_fingerprint: Option<String>,
    /// The version of the program.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code_version: String,
    /// Fingerprint of the resolved recipe.
    pub recipe_fingerprint: String,
    /// The run that adapted the base model first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapted_by: Option<String>,
    /// What `[sample]` made of the training rows, a class or score each; of a run with folds, see its folds' reports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sampled: Vec<Sampled>,
    /// With `[folds]`: the runs of the folds, and their scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<FoldsReport>,
    /// With `[boost]`: the runs of the rounds, and their votes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boost: Option<BoostReport>,
    /// The run that was fitted again on all rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refit_of: Option<RefitConfig>,
    /// Of an ensemble: its method and its members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ensemble: Option<Box<EnsembleReport>>,
    /// Rows of a pass, where memory was too short for the recipe's `train.batch_size`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// Passes of a step, where `batch_size` is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accumulate: Option<usize>,
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

/// How often a class occurs in the validation rows, and how often it is predicted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassShare {
    /// The class, as the table labels it.
    pub label: String,
    /// The share of the rows that are of this class, 0 to 1.
    #[serde(rename = "true")]
    pub truth: f64,
    /// The share of the rows predicted as this class, 0 to 1.
    pub predicted: f64,
}

/// How much the rows of a class count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassWeight {
    /// The class, as the table labels it.
    pub label: String,
    /// Its weight; the mean over the classes that train is 1.
    pub weight: f64,
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

/// What `[sample]` made of a class, or of some scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sampled {
    /// The label, or which scores.
    pub of: String,
    /// Training rows it has.
    pub before: u64,
    /// Those that are used.
    pub after: u64,
    /// With `sample.balance`, how many an epoch draws, on average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_epoch: Option<f64>,
}

impl fmt::Display for Sampled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, before, after, per_epoch } = self;
        write!(formatter, "{of}: {after}")?;
        if after != before {
            write!(formatter, " of {before}")?;
        }
        formatter.write_str(" rows")?;
        per_epoch.map_or(Ok(()), |rows| write!(formatter, ", {rows:.0} an epoch"))
    }
}

/// The folds of a run. The run's own score is that of all out-of-fold predictions together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoldsReport {
    /// Mean of the folds' scores; absent where one is undefined.
    pub mean: Option<f64>,
    /// Their standard deviation, with k − 1.
    pub standard_deviation: Option<f64>,
    /// In the order of the folds.
    pub runs: Vec<FoldScore>,
}

/// The run of one fold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoldScore {
    /// Its name.
    pub run: String,
    /// Its score on its own rows.
    pub score: Option<f64>,
    /// The step whose weights were kept.
    pub best_step: u64,
    /// Rows trained on.
    pub train_rows: u64,
    /// Rows validated on.
    pub valid_rows: u64,
}

/// The rounds of a boosted run. The run's own score is that of their votes together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoostReport {
    /// In the order they were trained.
    pub rounds: Vec<BoostRound>,
    /// Why there are fewer than asked for, or why the last of them has no vote; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

/// The run of one round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoostRound {
    /// Its name.
    pub run: String,
    /// The weight of the training rows it is wrong about, of that of all, 0 to 1.
    pub error: f64,
    /// What its vote counts, above 0; `null` for one that is no better than guessing, which has none.
    pub alpha: Option<f64>,
    /// Its score alone on the validation rows.
    pub score: Option<f64>,
    /// That of the votes of all rounds up to it.
    pub score_so_far: Option<f64>,
    /// The step whose weights were kept.
    pub best_step: u64,
}
