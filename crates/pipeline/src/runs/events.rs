//! What can happen in a run: the lines of `events.jsonl`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

/// One line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, in seconds since 1970 (UTC).
    pub time: f64,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened. JSON has no NaN or infinity: they are written as `null` and, but for losses, read back as NaN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// Training begins.
    Started {
        /// The metric that selects checkpoints.
        metric: String,
        /// Optimiser steps planned.
        total_steps: u64,
        /// The instruction set computed with; absent in older journals, as is the precision.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        isa: Option<String>,
        /// The precision the run resolved to, `bf16` or `f32`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        precision: Option<String>,
        /// Rows of a pass, which the memory there was may have made fewer than the recipe says; absent in older journals, as
        /// is what follows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        batch_size: Option<usize>,
        /// Passes of a step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accumulate: Option<usize>,
    },
    /// One optimiser step, counted from 1.
    Step {
        /// The step.
        step: u64,
        /// Passes over the training rows so far, with their fraction.
        epoch: f64,
        /// Mean training loss of the step; `null` if there was nothing to learn, as no token was hidden.
        loss: Option<f64>,
        /// Learning rate of the step.
        learning_rate: f64,
        /// Global L2 norm of the gradients before clipping; 0 without a loss.
        #[serde(deserialize_with = "null_is_nan")]
        grad_norm: f64,
        /// Real tokens of the step.
        tokens: u64,
    },
    /// The validation rows were scored.
    Evaluation {
        /// After this step.
        step: u64,
        /// Passes over the training rows so far, with their fraction.
        epoch: f64,
        /// Every metric by name.
        #[serde(deserialize_with = "null_is_nan_in_map")]
        metrics: BTreeMap<String, f64>,
    },
    /// The mean of the weights of some checkpoints was scored.
    Averaged {
        /// Of how many.
        checkpoints: u64,
        /// Every metric by name.
        #[serde(deserialize_with = "null_is_nan_in_map")]
        metrics: BTreeMap<String, f64>,
    },
    /// Something a person should know; the run goes on.
    Warning {
        /// What, and what to do.
        message: String,
    },
    /// The run goes on from the state saved after `step`; later steps of before count no more.
    Resumed {
        /// The last step of the saved state.
        step: u64,
    },
    /// The run is complete.
    Finished {
        /// The score by the declared metric; absent without validation rows.
        score: Option<f64>,
    },
    /// The run stopped on an error.
    Failed {
        /// The error's message.
        error: String,
    },
    /// The run was asked to stop; `--resume` continues it.
    Interrupted {
        /// The last complete step.
        step: u64,
    },
}

impl EventKind {
    /// The step this event belongs to, for the kinds that a resumption makes void.
    pub fn step(&self) -> Option<u64> {
        match *self {
            Self::Step { step, .. } | Self::Evaluation { step, .. } => Some(step),
            _ => None,
        }
    }

    /// Whether the event is rare and worth a trip to the disk: losing the last steps in a power cut costs nothing.
    pub(super) fn is_milestone(&self) -> bool {
        !matches!(self, Self::Step { .. } | Self::Warning { .. })
    }
}

fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

fn null_is_nan_in_map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, f64>, D::Error> {
    let map = BTreeMap::<String, Option<f64>>::deserialize(deserializer)?;
    Ok(map.into_iter().map(|(name, value)| (name, value.unwrap_or(f64::NAN))).collect())
}
