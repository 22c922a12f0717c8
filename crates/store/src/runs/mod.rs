//! Runs: a row each, with the events, values and files that belong to it.

mod read;
mod write;

#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::words::words;

words! {
    /// How a run stands.
    RunStatus {
        /// A process is writing it.
        Running = "running",
        /// It is complete.
        Finished = "finished",
        /// It stopped on an error.
        Failed = "failed",
        /// It was stopped or killed.
        Interrupted = "interrupted",
    }
}

/// A run in a row. What it has not come to yet, or does not have, is absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRow {
    /// The run's name: that of its directory.
    pub name: String,
    /// The recipe's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// How it stands.
    pub status: RunStatus,
    /// The declared metric.
    pub metric: Option<String>,
    /// The score by it: of the report, before that of the last evaluation.
    pub score: Option<f64>,
    /// Optimiser steps made.
    pub steps: u64,
    /// Optimiser steps planned.
    pub total_steps: Option<u64>,
    /// When it began, in seconds since 1970 (UTC).
    pub started: Option<f64>,
    /// When its process was last known to be alive, in the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<f64>,
    /// Seconds at work, without the pauses between an interruption and its resumption.
    pub seconds: Option<f64>,
    /// The process that wrote it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The sweep it is a trial of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<String>,
    /// Which of its trials, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<u32>,
    /// The job of the queue that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<u64>,
    /// The run that it is a fold, or a round, of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fold_of: Option<String>,
    /// Fingerprint of ids, texts and labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_fingerprint: Option<String>,
    /// Fingerprint of the cleaned texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_fingerprint: Option<String>,
    /// Fingerprint of the fitted cleaning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleaning_fingerprint: Option<String>,
    /// Fingerprint of the base model's weights and tokeniser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_fingerprint: Option<String>,
    /// The version of the program that finished it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_version: Option<String>,
    /// What a person wrote about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// How a person sorted it, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Why its report, or another file of it, cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable_report: Option<String>,
    /// The length of the journal this row was made from: a longer one has news.
    #[serde(skip)]
    pub journal_bytes: u64,
}

impl RunRow {
    /// A run of which nothing is known but how it stands.
    pub fn new(name: impl Into<String>, status: RunStatus) -> Self {
        Self {
            name: name.into(),
            recipe: None,
            status,
            metric: None,
            score: None,
            steps: 0,
            total_steps: None,
            started: None,
            heartbeat: None,
            seconds: None,
            pid: None,
            sweep: None,
            trial: None,
            job: None,
            fold_of: None,
            data_fingerprint: None,
            text_fingerprint: None,
            cleaning_fingerprint: None,
            base_fingerprint: None,
            code_version: None,
            note: None,
            tags: Vec::new(),
            unreadable_report: None,
            journal_bytes: 0,
        }
    }
}

/// An event of a run; single steps are none.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    /// When, in seconds since 1970 (UTC).
    pub time: f64,
    /// What kind, as the journal names it.
    pub kind: String,
    /// The step it belongs to, for the kinds that come again when a step is made again.
    pub step: Option<u64>,
    /// The line of the journal, a JSON object.
    pub body: String,
}

/// A value in the course of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricRow {
    /// After this step.
    pub step: u64,
    /// What was measured.
    pub name: String,
    /// Its value; absent where it is undefined.
    pub value: Option<f64>,
}

/// A file or directory of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactRow {
    /// What it is: `model`, `report`, `valid`.
    pub name: String,
    /// Where, below the run's directory.
    pub path: String,
    /// Its size, with all that is in it.
    pub bytes: u64,
}

/// A run with what belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRecord {
    /// The run.
    pub row: RunRow,
    /// Its events, in order.
    pub events: Vec<EventRow>,
    /// Its values by step.
    pub metrics: Vec<MetricRow>,
    /// Those of its report, by name.
    pub scores: Vec<(String, Option<f64>)>,
    /// Its files.
    pub artifacts: Vec<ArtifactRow>,
}
