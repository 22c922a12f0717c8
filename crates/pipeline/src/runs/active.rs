//! A run this process may write.

use std::{fs, path::Path};

use super::{Event, EventKind, MadeFor, Report, Run, RunError, Sink, files, journal::JournalWriter, lock::RunLock};
use gyeol_data::write_atomic;

/// A run whose lock this process holds; the lock is given up when this is dropped.
#[derive(Debug)]
pub struct ActiveRun {
    run: Run,
    journal: JournalWriter,
    _lock: RunLock,
}

impl ActiveRun {
    /// Takes a directory just made. The recipe is written under the lock, so a run seen by others is never without one.
    pub(super) fn begin(run: Run, made_for: &MadeFor, recipe_toml: &str) -> Result<Self, RunError> {
        let lock = RunLock::acquire(run.dir(), run.name())?;
        run.write_made_for(made_for)?;
        let recipe = run.recipe_path();
        write_atomic(&recipe, |out| out.write_all(recipe_toml.as_bytes())).map_err(RunError::io("write", &recipe))?;
        Self::with_lock(run, lock)
    }

    /// Takes a run that exists.
    pub(super) fn resume(run: Run) -> Result<Self, RunError> {
        let lock = RunLock::acquire(run.dir(), run.name())?;
        remove_unfinished_files(run.dir())?;
        Self::with_lock(run, lock)
    }

    fn with_lock(run: Run, lock: RunLock) -> Result<Self, RunError> {
        let journal = JournalWriter::open(run.events_path())?;
        let active = Self { run, journal, _lock: lock };
        active.tell(|sink| sink.opened(&active.run));
        Ok(active)
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
        let event = self.journal.append(kind)?;
        self.tell(|sink| sink.recorded(&self.run, &event));
        Ok(event)
    }

    /// Writes `report.json`, whole or not at all.
    pub fn write_report(&self, report: &Report) -> Result<(), RunError> {
        let path = self.run.dir().join(files::REPORT);
        let json =
            serde_json::to_vec_pretty(report).map_err(|source| RunError::Report { path: path.clone(), source })?;
        write_atomic(&path, |out| out.write_all(&json)).map_err(RunError::io("write", &path))?;
        self.tell(|sink| sink.reported(&self.run, report));
        Ok(())
    }

    fn tell(&self, of: impl FnOnce(&dyn Sink)) {
        if let Some(sink) = self.run.sink() {
            of(&**sink);
        }
    }
}

impl Drop for ActiveRun {
    fn drop(&mut self) {
        self.tell(|sink| sink.closed(&self.run));
    }
}

/// Removes files that a killed process wrote under a temporary name and never renamed: all of these, and nothing else of
/// a run, have a name with a dot in front. Only for the holder of the lock.
fn remove_unfinished_files(dir: &Path) -> Result<(), RunError> {
    for entry in fs::read_dir(dir).map_err(RunError::io("list", dir))? {
        let path = entry.map_err(RunError::io("list", dir))?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden && path.is_file() {
            fs::remove_file(&path).map_err(RunError::io("remove", &path))?;
        }
    }
    Ok(())
}
