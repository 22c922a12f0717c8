//! What can go wrong with the store.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused: a full disk, a lock held too long.
    #[error("{}: cannot {action}: {source}", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What was attempted.
        action: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file is no database, or one that was damaged.
    #[error("{}: damaged ({problem}); `gyeol runs rebuild` puts it aside and makes a new one from the runs", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        problem: String,
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
    /// A file that cannot be written cannot be copied either.
    #[error("{}: cannot copy it to read it: {source}", path.display())]
    Copy {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The damaged file cannot be put aside.
    #[error("cannot rename {}: {source}", path.display())]
    Rename {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no run of that name.
    #[error("{}: no run \"{run}\"; `gyeol runs rebuild` makes the store anew from the runs", path.display())]
    UnknownRun {
        /// The database.
        path: PathBuf,
        /// The name asked for.
        run: String,
    },
}

impl StoreError {
    /// Whether the user can mend it; otherwise the work failed.
    pub fn is_user_error(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::TooNew { .. })
    }

    /// For `map_err`: what SQLite said while `action` was attempted on `path`.
    pub(crate) fn sqlite<'a>(path: &'a Path, action: &'static str) -> impl FnOnce(rusqlite::Error) -> Self + use<'a> {
        move |source| match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Damaged { path: path.to_owned(), problem: source.to_string() }
            }
            _ => Self::Database { path: path.to_owned(), action, source },
        }
    }

    /// Whether the file, or the directory it would be in, is there to be read only.
    pub(crate) fn is_read_only(&self) -> bool {
        matches!(self, Self::Database { source, .. } if matches!(
            source.sqlite_error_code(),
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied)
        ))
    }

    /// Whether another process held the file for too long.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::Database { source, .. }
            if matches!(source.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)))
    }
}
