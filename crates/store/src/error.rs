//! What can go wrong with the store.

use std::path::PathBuf;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused: a full disk, a damaged file, a lock held too long.
    #[error("{}: cannot {action}: {source}", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What was attempted.
        action: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A later version of the program wrote the file.
    #[error("{}: made by a later version (schema {found}, this one knows {known}); use that version", path.display())]
    TooNew {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The latest this version knows.
        known: u32,
    },
    /// The directory of the file cannot be made.
    #[error("cannot create {}: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
