//! What happens in a search: the lines of its journal.

use serde::{Deserialize, Deserializer, Serialize};

use super::{Origin, Rerun};
use crate::Assignment;

/// What happened. JSON has no NaN: it is written as `null` and read back as NaN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A trial was decided on, and begins.
    Began {
        /// Its number, from 1.
        trial: u32,
        /// Where its values come from.
        origin: Origin,
        /// They.
        assignment: Assignment,
        /// The name of its run.
        run: String,
    },
    /// A trial's process has told how far it will go.
    Planned {
        /// The trial.
        trial: u32,
        /// Evaluations in all.
        evaluations: u64,
    },
    /// A trial was evaluated.
    Reported {
        /// The trial.
        trial: u32,
        /// After this step.
        step: u64,
        /// Passes over the training rows so far, with their fraction.
        epoch: f64,
        /// The metric.
        #[serde(deserialize_with = "null_is_nan")]
        value: f64,
    },
    /// A process of a trial has ended, whatever the reason.
    Worked {
        /// The trial.
        trial: u32,
        /// How long it took, in seconds.
        seconds: f64,
        /// Seconds of these before the first step and after the last evaluation.
        overhead: f64,
    },
    /// A trial waits with its state saved.
    Paused {
        /// The trial.
        trial: u32,
    },
    /// A trial that waited goes on.
    Resumed {
        /// The trial.
        trial: u32,
    },
    /// A trial was ended by the pruner.
    Stopped {
        /// The trial.
        trial: u32,
    },
    /// A trial ran to its end.
    Finished {
        /// The trial.
        trial: u32,
        /// The metric of what it keeps; absent where it is undefined.
        score: Option<f64>,
        /// Optimiser steps it made.
        steps: u64,
    },
    /// A trial ended in an error.
    Failed {
        /// The trial.
        trial: u32,
        /// What its process said.
        error: String,
    },
    /// A good trial was run again with another seed.
    Rerun(Rerun),
}

impl Event {
    /// The trial it is of.
    pub fn trial(&self) -> Option<u32> {
        match self {
            Self::Began { trial, .. }
            | Self::Planned { trial, .. }
            | Self::Reported { trial, .. }
            | Self::Worked { trial, .. }
            | Self::Paused { trial }
            | Self::Resumed { trial }
            | Self::Stopped { trial }
            | Self::Finished { trial, .. }
            | Self::Failed { trial, .. } => Some(*trial),
            Self::Rerun(rerun) => Some(rerun.trial),
        }
    }
}

fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
