//! What can go wrong on the route, and whose turn it is.

use std::path::PathBuf;

use gyeol_data::DataError;
use gyeol_engine::TrainError;
use gyeol_engine::device::AllocationError;
use gyeol_engine::hf::HfError;
use gyeol_eval::EvalError;

use crate::{hub::HubError, recipe::RecipeError, runs::RunError, sweep::SweepError};

/// An error of any step of the route; the message is the step's own.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The recipe or a `--set` is wrong.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The run directory cannot be used.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The base model cannot be found.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// A table, its columns or its labels are wrong.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Predictions cannot be read, written or scored.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// A checkpoint directory cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] HfError),
    /// Training could not go on.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A sweep cannot go on.
    #[error(transparent)]
    Sweep(#[from] Box<SweepError>),
    /// Memory cannot be had.
    #[error(transparent)]
    Allocation(#[from] AllocationError),
    /// A setting does not fit the tables or the model.
    #[error("{key}: {problem}")]
    Setting {
        /// The recipe's key or the command's flag.
        key: &'static str,
        /// What does not fit, and what to do.
        problem: String,
    },
    /// The base model has no weights.
    #[error("{}: no weights (model.safetensors or pytorch_model.bin); `model.init = \"random\"` starts without", .0.display())]
    NoWeights(PathBuf),
    /// What was named is no model to predict with.
    #[error("{}: {problem}", path.display())]
    NoModel {
        /// The directory.
        path: PathBuf,
        /// Why not, and what to do.
        problem: String,
    },
    /// An ensemble cannot be made, or used.
    #[error("ensemble {ensemble}: {problem}")]
    Ensemble {
        /// Its name.
        ensemble: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A submission cannot be kept, or made again.
    #[error("submission: {0}")]
    Submission(String),
    /// The operating system refused.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was attempted, as a verb.
        action: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The work failed, and so did writing that into the run's journal.
    #[error("{first}; and the run's journal cannot say so: {second}")]
    Twice {
        /// What failed.
        first: Box<Error>,
        /// Why it is not in the journal.
        second: Box<Error>,
    },
}

impl From<SweepError> for Error {
    fn from(error: SweepError) -> Self {
        Self::Sweep(Box::new(error))
    }
}

impl Error {
    /// Whether the user can mend it in the command, recipe, data or model files; otherwise the work itself failed.
    pub fn is_user_error(&self) -> bool {
        match self {
            Self::Recipe(error) => error.is_user_error(),
            Self::Run(error) => error.is_user_error(),
            Self::Hub(error) => error.is_user_error(),
            Self::Data(error) => error.is_user_error(),
            Self::Eval(error) => error.is_user_error(),
            Self::Sweep(error) => error.is_user_error(),
            Self::Checkpoint(error) => error.exit_code() == 2,
            Self::Train(error) => error.exit_code() == 2,
            Self::Setting { .. }
            | Self::NoWeights(_)
            | Self::NoModel { .. }
            | Self::Ensemble { .. }
            | Self::Submission(_) => true,
            Self::Allocation(_) | Self::Io { .. } | Self::Interrupted => false,
            Self::Twice { first, .. } => first.is_user_error(),
        }
    }

    /// The process exit code this error asks for: 2 for wrong input, 1 for work that failed.
    pub fn exit_code(&self) -> u8 {
        if self.is_user_error() { 2 } else { 1 }
    }
}
