//! What can end a run early.

use std::path::PathBuf;

use crate::device::AllocationError;
use crate::hf::HfError;

/// A run could not go on. What was saved before stays as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A loss or gradient is infinite or not a number.
    #[error(
        "step {step}: the loss is {loss} and the gradient norm {gradient_norm} (learning rate {learning_rate:.3e}); \
         lower train.learning_rate or lengthen train.warmup_steps"
    )]
    NotFinite {
        /// Number of the step.
        step: u64,
        /// Its loss.
        loss: f64,
        /// Its gradient norm.
        gradient_norm: f64,
        /// Its learning rate.
        learning_rate: f64,
    },
    /// The state is that of a run with other settings or data.
    #[error("{}: {problem}", path.display())]
    State {
        /// The state directory.
        path: PathBuf,
        /// What does not fit.
        problem: String,
    },
    /// No room on the device.
    #[error(transparent)]
    Allocation(#[from] AllocationError),
    /// A checkpoint or the state cannot be written or read.
    #[error(transparent)]
    File(#[from] HfError),
}

impl TrainError {
    /// The process exit code that fits: 2 when the recipe or a file is at fault, 1 when the work failed.
    pub fn exit_code(&self) -> u8 {
        match self {
            TrainError::State { .. } => 2,
            TrainError::File(error) => error.exit_code(),
            TrainError::NotFinite { .. } | TrainError::Allocation(_) => 1,
        }
    }
}
