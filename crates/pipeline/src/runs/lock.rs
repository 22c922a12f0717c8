//! The advisory lock of a run: one process writes it at a time.
//!
//! The operating system drops the lock with the process, however it ends, so a crashed run is never left locked. The
//! file stays where it is: removing it would let two processes lock two files of the same name.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Seek as _, Write as _},
    path::Path,
    thread,
    time::Duration,
};

use super::{RunError, files};

/// The right to write a run; given up when dropped.
#[derive(Debug)]
pub(crate) struct RunLock {
    _file: File,
}

/// A reader's probe holds the lock for an instant, so a refusal is believed only when it lasts.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

impl RunLock {
    /// Takes the lock of the run in `dir` and writes this process's id into it.
    pub(crate) fn acquire(dir: &Path, run: &str) -> Result<Self, RunError> {
        let path = dir.join(files::LOCK);
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(RunError::io("open the lock", &path))?;
        for attempt in 1.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(RunError::Busy { run: run.to_owned(), pid: holder(&path) });
                }
                Err(TryLockError::Error(error)) => return Err(RunError::io("lock", &path)(error)),
            }
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(std::process::id().to_string().as_bytes()));
        written.map_err(RunError::io("write the lock", &path))?;
        Ok(Self { _file: file })
    }

    /// Whether some process holds the lock of the run in `dir`.
    pub(crate) fn is_held(dir: &Path) -> Result<bool, RunError> {
        let path = dir.join(files::LOCK);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(RunError::io("open the lock", &path)(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(RunError::io("probe the lock", &path)(error)),
        }
    }
}

/// The process id in a lock file. It only serves a message: one that cannot be read is left out of it.
pub(super) fn holder(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}
