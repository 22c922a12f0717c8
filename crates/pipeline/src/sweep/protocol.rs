//! What a trial's process says on its standard output, a JSON object a line, and what it is answered on its standard input,
//! a word a line.
//!
//! After each evaluation the process waits for its answer. So a decision falls at the same step however busy the machine is,
//! and no step is taken that the decision makes void. Where its input ends, as its parent has died, it stops as if asked to.

use serde::{Deserialize, Serialize};

/// A line of a trial's process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Message {
    /// The first step comes next.
    Training {
        /// Steps in all.
        steps: u64,
        /// Evaluations in all.
        evaluations: u64,
    },
    /// An evaluation is done; an answer is awaited.
    Evaluated {
        /// After this step.
        step: u64,
        /// Passes over the training rows so far, with their fraction.
        epoch: f64,
        /// The declared metric; absent where it is undefined.
        value: Option<f64>,
    },
}

/// What a process is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Go on.
    Continue,
    /// Save the state and end.
    Stop,
}

impl Answer {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Stop => "stop",
        }
    }

    /// The answer of a line; anything else than going on is a stop.
    pub fn read(line: &str) -> Self {
        if line.trim() == Self::Continue.word() { Self::Continue } else { Self::Stop }
    }
}
