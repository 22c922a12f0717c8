//! Opening the store, and putting a damaged one aside.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, Params, Row, Transaction, TransactionBehavior, ffi};
use tempfile::TempDir;

use crate::{StoreError, migrations};

/// The name of the file under the home directory.
pub const FILE: &str = "store.db";

/// How long to wait for other processes; transactions take milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two attempts to open a file that another process is just making, or tidying up.
const PAUSE: Duration = Duration::from_millis(5);

/// An open store. One a thread; any number of processes.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Connection,
    /// Where the file is a copy; removed after the connection.
    _copy: Option<TempDir>,
}

impl Store {
    /// Opens the store under `home`, making it, or bringing its schema up to date, where needed.
    ///
    /// # Errors
    /// [`StoreError::TooNew`] for the file of a later version, [`StoreError::Damaged`] for one that is no database;
    /// otherwise what SQLite or the file system says.
    pub fn open(home: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(home).map_err(|source| StoreError::Directory { path: home.to_owned(), source })?;
        Self::open_file(&home.join(FILE))
    }

    /// The store under `home` for a command that only looks: nothing is made where there is no home, and one that cannot be
    /// written is read as a copy. What the command writes to bring it up to date is then lost with it.
    ///
    /// # Errors
    /// Those of [`Store::open`], and [`StoreError::Copy`].
    pub fn open_to_read(home: &Path) -> Result<Self, StoreError> {
        match home.is_dir().then(|| Self::open(home)) {
            Some(Err(error)) if error.is_read_only() => Self::open_copy(&home.join(FILE)),
            Some(opened) => opened,
            None => Self::open_copy(&home.join(FILE)),
        }
    }

    /// A copy of the file at `path`, or an empty store where there is none.
    fn open_copy(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Copy { path: path.to_owned(), source };
        let directory = tempfile::tempdir().map_err(failed)?;
        // The log beside the file has what was written last.
        for suffix in ["", "-wal"] {
            let name = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
            match fs::read(name(path)) {
                Ok(bytes) => fs::write(name(&directory.path().join(FILE)), bytes).map_err(failed)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let store = Self::open_file(&directory.path().join(FILE))?;
        Ok(Self { path: path.to_owned(), _copy: Some(directory), ..store })
    }

    fn open_file(path: &Path) -> Result<Self, StoreError> {
        let patience = Instant::now() + PATIENCE;
        loop {
            // Entering the WAL mode, and the first look after a crash, need the file alone and do not wait for it.
            match Self::attempt(path) {
                Err(error) if error.is_busy() && Instant::now() < patience => thread::sleep(PAUSE),
                outcome => return outcome,
            }
        }
    }

    fn attempt(path: &Path) -> Result<Self, StoreError> {
        let failed = |action| StoreError::sqlite(path, action);
        let mut connection = Connection::open(path).map_err(failed("open it"))?;
        if connection.is_readonly("main").map_err(failed("look at it"))? {
            // SQLite opens a file that cannot be written all the same.
            let source = rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_READONLY), None);
            return Err(failed("write to it")(source));
        }
        connection.busy_timeout(PATIENCE).map_err(failed("set its timeout"))?;
        // Readers never wait for a writer, and a killed writer leaves nothing half done. A file system without shared
        // memory keeps another mode, which is slower and as safe.
        connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
            .map_err(failed("set its journal mode"))?;
        // In this mode a power cut may cost the last transactions, never the file; runs can be indexed again.
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(failed("set how it is synced"))?;
        connection.pragma_update(None, "foreign_keys", true).map_err(failed("enable foreign keys"))?;
        let found = migrations::migrate(&mut connection).map_err(failed("bring its schema up to date"))?;
        if found > migrations::LATEST {
            return Err(StoreError::TooNew { path: path.to_owned(), found, known: migrations::LATEST });
        }
        Ok(Self { path: path.to_owned(), connection, _copy: None })
    }

    /// Renames the store under `home`, so that the next [`Store::open`] makes a new one; where it is now, or `None` if
    /// there was none. Only for a damaged file that no process writes.
    ///
    /// # Errors
    /// [`StoreError::Rename`] if the file system refuses.
    pub fn put_aside(home: &Path) -> Result<Option<PathBuf>, StoreError> {
        let path = home.join(FILE);
        let aside = (1..).map(|number| home.join(format!("{FILE}.damaged-{number}"))).find(|aside| !aside.exists());
        let Some(aside) = aside.filter(|_| path.exists()) else { return Ok(None) };
        // What is beside the file belongs to it: a new one must not find it.
        for suffix in ["-wal", "-shm", ""] {
            let with_suffix = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
            let from = with_suffix(&path);
            match fs::rename(&from, with_suffix(&aside)) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(StoreError::Rename { path: from, source });
                }
                _ => {}
            }
        }
        Ok(Some(aside))
    }

    /// Whether every page of the file is sound, which opening it does not tell.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with what is wrong first.
    pub fn check(&self) -> Result<(), StoreError> {
        let verdict = self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
        match verdict.map_err(self.failed("check it"))? {
            sound if sound == "ok" => Ok(()),
            problem => Err(StoreError::Damaged { path: self.path.clone(), problem }),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The connection, to read.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Does `work` in one transaction, which waits for its turn before it reads anything.
    pub(crate) fn transaction<T>(
        &mut self,
        action: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let path = self.path.clone();
        let done = self.begin().and_then(|transaction| {
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        });
        done.map_err(StoreError::sqlite(&path, action))
    }

    /// Begins a transaction as a writer, so that it waits for its turn now and not when it has read something.
    pub(crate) fn begin(&mut self) -> rusqlite::Result<Transaction<'_>> {
        self.connection.transaction_with_behavior(TransactionBehavior::Immediate)
    }

    /// What `sql` selects, each row as `of` reads it.
    pub(crate) fn select<T>(
        &self,
        action: &'static str,
        sql: &str,
        values: impl Params,
        of: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let read = || self.connection.prepare(sql)?.query_map(values, of)?.collect::<Result<_, _>>();
        read().map_err(self.failed(action))
    }

    /// For `map_err`.
    pub(crate) fn failed(&self, action: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError + use<'_> {
        StoreError::sqlite(&self.path, action)
    }
}

#[cfg(test)]
mod tests;
