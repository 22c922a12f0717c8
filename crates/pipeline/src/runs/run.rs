//! One run, to read.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;

use super::{
    ActiveRun, EventKind, Journal, Report, RunError, RunSummary, Sink, files,
    lock::{self, RunLock},
};

/// One run's directory. Reading needs no lock.
#[derive(Debug, Clone)]
pub struct Run {
    dir: PathBuf,
    name: String,
    /// Told when this process writes it.
    sink: Option<Arc<dyn Sink>>,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A process is writing it.
    Running,
    /// It is complete.
    Finished,
    /// It stopped on an error.
    Failed,
    /// It was stopped or killed; `--resume` continues it.
    Interrupted,
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        })
    }
}

/// Between the name of a run with folds and the number of the fold.
const FOLD: &str = "-fold-";

/// The name of the run of fold `fold` (from 1) of `parent`.
pub fn fold_name(parent: &str, fold: u32) -> String {
    format!("{parent}{FOLD}{fold}")
}

/// Between the name of a boosted run and the number of the round.
const ROUND: &str = "-round-";

/// The name of the run of round `round` (from 1) of `parent`.
pub fn round_name(parent: &str, round: u32) -> String {
    format!("{parent}{ROUND}{round}")
}

impl Run {
    pub(super) fn at(dir: PathBuf, name: String, sink: Option<Arc<dyn Sink>>) -> Self {
        Self { dir, name, sink }
    }

    pub(super) fn sink(&self) -> Option<&Arc<dyn Sink>> {
        self.sink.as_ref()
    }

    /// The run's name: that of its directory.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The run's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The run with folds that this is one of, and which fold, from 1.
    pub fn fold_of(&self) -> Option<(&str, u32)> {
        self.numbered(FOLD)
    }

    /// The boosted run that this is one of, and which round, from 1.
    pub fn round_of(&self) -> Option<(&str, u32)> {
        self.numbered(ROUND)
    }

    /// The run that this is a part of, a fold or a round, and which, from 1.
    pub fn part_of(&self) -> Option<(&str, u32)> {
        self.fold_of().or_else(|| self.round_of())
    }

    fn numbered(&self, between: &str) -> Option<(&str, u32)> {
        let (parent, part) = self.name.rsplit_once(between)?;
        // Runs of a recipe that is called so are counted with three digits.
        let part = part.parse().ok().filter(|number: &u32| *number > 0 && number.to_string() == part)?;
        Some((parent, part))
    }

    /// Whether it is one of exactly this resolved recipe.
    pub(crate) fn is_of(&self, recipe_toml: &str) -> Result<bool, RunError> {
        let path = self.recipe_path();
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text == recipe_toml),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => Ok(false),
            Err(error) => Err(RunError::io("read", &path)(error)),
        }
    }

    /// The resolved recipe.
    pub fn recipe_path(&self) -> PathBuf {
        self.dir.join(files::RECIPE)
    }

    /// The journal.
    pub fn events_path(&self) -> PathBuf {
        self.dir.join(files::EVENTS)
    }

    /// The report.
    pub fn report_path(&self) -> PathBuf {
        self.dir.join(files::REPORT)
    }

    /// The model, as a Hugging Face checkpoint directory.
    pub fn model_dir(&self) -> PathBuf {
        self.dir.join("model")
    }

    /// The kept checkpoints and the state to resume from.
    pub fn checkpoints_dir(&self) -> PathBuf {
        self.dir.join("checkpoints")
    }

    /// Predictions of the validation rows.
    pub fn valid_path(&self) -> PathBuf {
        self.dir.join("valid.csv")
    }

    /// Of a round of `[boost]`, predictions of the rows it was trained on.
    pub fn train_path(&self) -> PathBuf {
        self.dir.join("train.csv")
    }

    /// Predictions of `data.test`.
    pub fn test_path(&self) -> PathBuf {
        self.dir.join("test.csv")
    }

    /// What happened so far.
    pub fn journal(&self) -> Result<Journal, RunError> {
        Journal::read(&self.events_path())
    }

    /// What came of it; `None` before the run has finished.
    pub fn report(&self) -> Result<Option<Report>, RunError> {
        let path = self.report_path();
        match fs::read(&path) {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(report) => Ok(Some(report)),
                Err(source) => Err(RunError::Report { path, source }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(RunError::io("read", &path)(error)),
        }
    }

    /// How the run stands: running while its lock is held, otherwise as its last events say. A run that ends without a
    /// word (`kill -9`, a power cut) was interrupted.
    pub fn status(&self) -> Result<Status, RunError> {
        // The lock first: a run that finishes between the two looks is then finished, not interrupted.
        if self.is_running()? {
            return Ok(Status::Running);
        }
        Ok(Self::status_from(&self.journal()?))
    }

    /// Whether a process is writing it.
    pub fn is_running(&self) -> Result<bool, RunError> {
        RunLock::is_held(&self.dir)
    }

    /// The process that wrote it last, if its lock file tells.
    pub fn writer(&self) -> Option<u32> {
        lock::holder(&self.dir.join(files::LOCK))
    }

    pub(super) fn status_from(journal: &Journal) -> Status {
        let last = journal.events.iter().rev().find_map(|event| match event.kind {
            EventKind::Finished { .. } => Some(Status::Finished),
            EventKind::Failed { .. } => Some(Status::Failed),
            EventKind::Started { .. } | EventKind::Resumed { .. } | EventKind::Interrupted { .. } => {
                Some(Status::Interrupted)
            }
            _ => None,
        });
        last.unwrap_or(Status::Interrupted)
    }

    /// The run in a line.
    pub fn summary(&self) -> Result<RunSummary, RunError> {
        RunSummary::of(self)
    }

    /// Takes the run's lock to go on writing it.
    ///
    /// # Errors
    /// [`RunError::Busy`] while another process writes it.
    pub fn resume(self) -> Result<ActiveRun, RunError> {
        ActiveRun::resume(self)
    }
}
