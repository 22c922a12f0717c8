//! What can end a run early.

use std::path::PathBuf;

use super::Divergence;
use crate::device::AllocationError;
use crate::hf::HfError;

/// A run could not go on. What was saved before stays as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The training has gone off, and there is no checkpoint from before.
    #[error("{0}; lower the learning rate or lengthen the warm-up")]
    Diverged(Divergence),
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
            TrainError::Diverged(_) | TrainError::Allocation(_) => 1,
        }
    }
}
