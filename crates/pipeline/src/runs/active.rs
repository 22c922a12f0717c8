//! A run this process may write.

use super::{Event, EventKind, Report, Run, RunError, files, journal::JournalWriter, lock::RunLock};
use crate::write_atomic;

/// A run whose lock this process holds; the lock is given up when this is dropped.
#[derive(Debug)]
pub struct ActiveRun {
    run: Run,
    journal: JournalWriter,
    _lock: RunLock,
}

impl ActiveRun {
    /// Takes a directory just made. The recipe is written under the lock, so a run seen by others is never without one.
    pub(super) fn begin(run: Run, recipe_toml: &str) -> Result<Self, RunError> {
        let lock = RunLock::acquire(run.dir(), run.name())?;
        let recipe = run.recipe_path();
        write_atomic(&recipe, recipe_toml.as_bytes()).map_err(RunError::io("write", &recipe))?;
        Self::with_lock(run, lock)
    }

    /// Takes a run that exists.
    pub(super) fn resume(run: Run) -> Result<Self, RunError> {
        let lock = RunLock::acquire(run.dir(), run.name())?;
        Self::with_lock(run, lock)
    }

    fn with_lock(run: Run, lock: RunLock) -> Result<Self, RunError> {
        let journal = JournalWriter::open(run.events_path())?;
        Ok(Self { run, journal, _lock: lock })
    }

    /// The run, to read.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Appends an event, stamped with the present time, and returns it.
    ///
    /// # Errors
    /// [`RunError::Io`] when the disk is full or gone; the journal stays readable, and later events can be appended.
    pub fn record(&mut self, kind: EventKind) -> Result<Event, RunError> {
        self.journal.append(kind)
    }

    /// Writes `report.json`, whole or not at all.
    pub fn write_report(&self, report: &Report) -> Result<(), RunError> {
        let path = self.run.dir().join(files::REPORT);
        let json =
            serde_json::to_vec_pretty(report).map_err(|source| RunError::Report { path: path.clone(), source })?;
        write_atomic(&path, &json).map_err(RunError::io("write", &path))
    }
}
