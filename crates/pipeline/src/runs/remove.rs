//! Taking runs, or parts of them, off the disk.

use std::{fs, io, path::Path};

use super::{Run, RunError, lock::RunLock};

impl Run {
    /// Removes the run with all that is in its directory.
    ///
    /// # Errors
    /// [`RunError::Busy`] while a process writes it.
    pub fn remove(self) -> Result<(), RunError> {
        let lock = RunLock::acquire(self.dir(), self.name())?;
        // Without its recipe the directory is no run: what a crash leaves of it is never taken for one.
        let recipe = self.recipe_path();
        fs::remove_file(&recipe).map_err(RunError::io("remove", &recipe))?;
        drop(lock);
        remove_directory(self.dir())
    }

    /// Removes the kept checkpoints and the state to resume from; model, report and predictions stay.
    ///
    /// # Errors
    /// [`RunError::Busy`] while a process writes it.
    pub fn remove_checkpoints(&self) -> Result<(), RunError> {
        let _lock = RunLock::acquire(self.dir(), self.name())?;
        remove_directory(&self.checkpoints_dir())
    }
}

fn remove_directory(path: &Path) -> Result<(), RunError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(RunError::io("remove", path)(error)),
        _ => Ok(()),
    }
}
