//! What can go wrong with a sweep.

use std::io;
use std::path::{Path, PathBuf};

use gyeol_tune::sweep_file::SweepFileError;

use crate::nearest::did_you_mean;
use crate::recipe::RecipeError;
use crate::runs::RunError;

/// An error of a sweep.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The sweep file is wrong.
    #[error(transparent)]
    File(#[from] SweepFileError),
    /// A parameter of the sweep file does not fit the recipe.
    #[error("{}: parameter {parameter}: {problem}", path.display())]
    Parameter {
        /// The sweep file.
        path: PathBuf,
        /// The parameter.
        parameter: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Something else of the sweep file does not fit.
    #[error("{}: {problem}", path.display())]
    Unfit {
        /// The sweep file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The recipe is wrong.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// A run's directory, or the sweep's lock, cannot be had.
    #[error(transparent)]
    Run(#[from] RunError),
    /// There is no sweep of that name.
    #[error("no sweep \"{name}\" in {}{}", root.display(), did_you_mean(nearest.as_deref()))]
    Unknown {
        /// The name asked for.
        name: String,
        /// Where sweeps are kept.
        root: PathBuf,
        /// The nearest name there is.
        nearest: Option<String>,
    },
    /// Its trials fail one after the other.
    #[error("{name}: {trials} trials failed one after the other, the last with: {error}")]
    Failing {
        /// The sweep.
        name: String,
        /// How many.
        trials: u32,
        /// What the last one said.
        error: String,
    },
    /// Its description cannot be read.
    #[error("{}: not a sweep of this version: {source}", path.display())]
    Spec {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl SweepError {
    /// Whether the user can mend it; otherwise the work failed.
    pub fn is_user_error(&self) -> bool {
        match self {
            Self::File(_) | Self::Parameter { .. } | Self::Unfit { .. } | Self::Unknown { .. } | Self::Spec { .. } => {
                true
            }
            Self::Recipe(error) => error.is_user_error(),
            Self::Run(error) => error.is_user_error(),
            Self::Failing { .. } | Self::Io { .. } => false,
        }
    }

    /// For `map_err`: names the action and the path of an I/O error.
    pub(super) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + use<'a> {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}
