//! The files of the queue beside the store: `<home>/queue/`, with logs and locks.
//!
//! A lock is the operating system's and goes with the process that holds it, however that ends. The file stays where it
//! is: removing it would let two processes lock two files of one name.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use gyeol_store::queue::JobId;

/// Where the files are.
#[derive(Debug, Clone)]
pub(super) struct Files {
    home: PathBuf,
    root: PathBuf,
}

/// Whoever only looks holds a lock for an instant, so a refusal is believed when it lasts.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

impl Files {
    /// Those of the queue under `home`.
    pub(super) fn new(home: &Path) -> Self {
        Self { home: home.to_owned(), root: home.join("queue") }
    }

    /// The home directory.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// What the job printed, in all its attempts.
    pub(super) fn log(&self, id: JobId) -> PathBuf {
        self.root.join("logs").join(format!("{id}.log"))
    }

    /// What a daemon without a terminal printed.
    pub(super) fn daemon_log(&self) -> PathBuf {
        self.root.join("daemon.log")
    }

    /// Held by the job's process, and by those it has started, from before its first instruction to its last.
    pub(super) fn job_lock(&self, id: JobId) -> PathBuf {
        self.root.join("locks").join(format!("{id}.lock"))
    }

    /// Held by the daemon.
    pub(super) fn daemon_lock(&self) -> PathBuf {
        self.root.join("daemon.lock")
    }

    /// Whether a daemon runs.
    pub(super) fn daemon_runs(&self) -> Result<bool> {
        let path = self.daemon_lock();
        let looked = || match File::open(&path) {
            Ok(file) => match file.try_lock_shared() {
                Ok(()) => Ok(false),
                Err(TryLockError::WouldBlock) => Ok(true),
                Err(TryLockError::Error(error)) => Err(error),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        };
        looked().with_context(|| format!("cannot look at {}", path.display()))
    }

    /// Waits until no daemon runs.
    pub(super) fn wait_for_daemon(&self) -> Result<()> {
        let path = self.daemon_lock();
        let waited = File::open(&path).and_then(|file| file.lock_shared());
        waited.with_context(|| format!("cannot wait for {}", path.display()))
    }

    /// Forgets what the job printed.
    pub(super) fn remove(&self, id: JobId) -> Result<()> {
        for path in [self.log(id), self.job_lock(id)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Opens a file for reading and writing, making it and its directory where needed; it is not emptied.
pub(super) fn open(path: &Path) -> Result<File> {
    let directory = path.parent().unwrap_or(path);
    fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let opened = File::options().create(true).truncate(false).read(true).write(true).open(path);
    opened.with_context(|| format!("cannot open {}", path.display()))
}

/// Takes the lock of `file` if no other process has it.
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The same for a lock that others look at.
pub(super) fn try_lock_for_long(file: &File) -> io::Result<bool> {
    for _ in 1..ATTEMPTS {
        if try_lock(file)? {
            return Ok(true);
        }
        thread::sleep(PAUSE);
    }
    try_lock(file)
}
