//! Opening the store.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::Connection;

use crate::{StoreError, migrations};

/// The name of the file under the home directory.
const FILE: &str = "store.db";

/// How long a writer waits for another process; transactions take milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// An open store. One a thread; any number of processes.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Connection,
}

impl Store {
    /// Opens the store under `home`, making it, or bringing its schema up to date, where needed.
    ///
    /// # Errors
    /// [`StoreError::TooNew`] for the file of a later version; otherwise what SQLite or the file system says.
    pub fn open(home: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(home).map_err(|source| StoreError::Directory { path: home.to_owned(), source })?;
        let path = home.join(FILE);
        let failed = |action| {
            let path = path.clone();
            move |source| StoreError::Database { path, action, source }
        };
        let mut connection = Connection::open(&path).map_err(failed("open it"))?;
        connection.busy_timeout(PATIENCE).map_err(failed("set its timeout"))?;
        // Readers never wait for a writer, and a killed writer leaves nothing half done.
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed("set its journal mode"))?;
        connection.pragma_update(None, "foreign_keys", true).map_err(failed("enable foreign keys"))?;
        let found = migrations::migrate(&mut connection).map_err(failed("bring its schema up to date"))?;
        if found > migrations::LATEST {
            return Err(StoreError::TooNew { path, found, known: migrations::LATEST });
        }
        Ok(Self { path, connection })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The connection, for the modules that own tables.
    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// For `map_err`: names the file and what was attempted.
    pub(crate) fn failed(&self, action: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError + use<> {
        let path = self.path.clone();
        move |source| StoreError::Database { path, action, source }
    }
}
