//! Taking runs, or parts of them, off the disk.

use std::{fs, io, path::Path};

use super::{Run, RunError, Runs, files::REMOVING, lock::RunLock};

impl Runs {
    /// Removes what processes left that were killed while they removed a run.
    ///
    /// # Errors
    /// [`RunError::Io`] if the file system refuses.
    pub fn remove_leftovers(&self) -> Result<(), RunError> {
        let leftovers = self.subdirectories()?.into_iter().filter(|name| name.starts_with(REMOVING));
        for dir in leftovers.map(|name| self.root.join(name)) {
            // Another process may be at it.
            if !RunLock::is_held(&dir)? {
                remove_directory(&dir)?;
            }
        }
        Ok(())
    }
}

impl Run {
    /// Removes the run with all that is in its directory. Of one that is linked from elsewhere, the link alone goes.
    ///
    /// # Errors
    /// [`RunError::Busy`] while a process writes it.
    pub fn remove(self) -> Result<(), RunError> {
        let dir = self.dir();
        let metadata = fs::symlink_metadata(dir).map_err(RunError::io("look at", dir))?;
        if metadata.is_symlink() {
            if self.is_running()? {
                return Err(RunError::Busy { run: self.name().to_owned(), pid: self.writer() });
            }
            return fs::remove_file(dir).map_err(RunError::io("remove", dir));
        }
        let _lock = RunLock::acquire(dir, self.name())?;
        // Under this name it is no run: what a crash leaves of it is never taken for one.
        let aside = dir.with_file_name(format!("{REMOVING}{}-{}", self.name(), std::process::id()));
        fs::rename(dir, &aside).map_err(RunError::io("rename", dir))?;
        remove_directory(&aside)
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
