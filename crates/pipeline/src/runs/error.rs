//! What can go wrong with a run directory.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::nearest::did_you_mean;

/// An error of a run directory.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no run of that name.
    #[error("no run \"{name}\" in {}{}", root.display(), unknown_advice(nearest.as_deref(), *empty))]
    Unknown {
        /// The name asked for.
        name: String,
        /// Where runs are kept.
        root: PathBuf,
        /// The nearest name there is.
        nearest: Option<String>,
        /// Whether there is no run at all.
        empty: bool,
    },
    /// Another process holds the run's lock.
    #[error("run {run} is being written by {}; wait for it or stop it, then try again", holder(*pid))]
    Busy {
        /// The run's name.
        run: String,
        /// The process in the lock file, if it can be read.
        pid: Option<u32>,
    },
    /// The file system refused; a full disk ends here.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A file of the run is there but is not what it should be.
    #[error("{}: not a report of this version: {source}", path.display())]
    Report {
        /// The report.
        path: PathBuf,
        /// What the parser said, with line and column.
        source: serde_json::Error,
    },
    /// The same of the small files beside it.
    #[error("{}: {source}; mend or remove it", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// What the parser said, with line and column.
        source: Box<toml::de::Error>,
    },
}

impl RunError {
    /// Whether the user can mend it (a wrong name, a damaged file); otherwise the work failed.
    pub fn is_user_error(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::Report { .. } | Self::Toml { .. })
    }

    /// For `map_err`: names the action and the path of an I/O error.
    pub(super) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + use<'a> {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

fn unknown_advice(nearest: Option<&str>, empty: bool) -> String {
    if empty { " (there are no runs yet)".to_owned() } else { did_you_mean(nearest) }
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}
