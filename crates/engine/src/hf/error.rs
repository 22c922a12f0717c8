//! What can go wrong with a checkpoint directory, and whose fault it is.

use std::io;
use std::path::{Path, PathBuf};

/// An error about a checkpoint directory; it names the file, and the key or tensor where there is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HfError {
    /// A file that has to be there is not.
    #[error("{}: not found; {hint}", path.display())]
    Missing {
        /// The file that was looked for.
        path: PathBuf,
        /// What to do about it.
        hint: String,
    },
    /// The operating system refused.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was attempted, as a verb.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// No room left; what was there before is untouched and nothing half-written remains.
    #[error("{}: cannot write, the disk or quota is full; free some space, what was there before is unchanged", path.display())]
    DiskFull {
        /// The file being written.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A JSON file does not parse, or lacks a key it must have.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        source: serde_json::Error,
    },
    /// A key of a JSON file has a value that cannot be used.
    #[error("{}: {key}: {problem}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The value, what is wrong with it and what would be right.
        problem: String,
    },
    /// The model is of a kind the engine does not have.
    #[error("{}: model_type \"{found}\" is not supported; supported: {supported}", path.display())]
    ModelType {
        /// The `config.json`.
        path: PathBuf,
        /// The value found.
        found: String,
        /// The values that are supported, separated by commas.
        supported: String,
    },
    /// A weight file is damaged or of a layout that is not read.
    #[error("{}: {problem}", path.display())]
    File {
        /// The weight file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// One tensor of a weight file cannot be used.
    #[error("{}: tensor \"{tensor}\": {problem}", path.display())]
    Tensor {
        /// The weight file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// A pickle wants something other than building tensors; it was not run.
    #[error(
        "{}: refused: {what}; only plain tensors are read from a pickle and nothing of it was run: if you trust its \
         source, convert it to model.safetensors",
        path.display()
    )]
    Refused {
        /// The weight file.
        path: PathBuf,
        /// The Python object or pickle instruction that was asked for, such as `posix.system`.
        what: String,
    },
}

impl HfError {
    /// The process exit code that fits: 2 when the user's files are at fault, 1 when the work failed.
    pub fn exit_code(&self) -> u8 {
        match self {
            HfError::Io { .. } | HfError::DiskFull { .. } => 1,
            _ => 2,
        }
    }

    /// An I/O error while doing `action` to `path`; a full disk becomes [`HfError::DiskFull`].
    pub(crate) fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> HfError {
        move |source| {
            let path = path.to_path_buf();
            match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => HfError::DiskFull { path, source },
                _ => HfError::Io { path, action, source },
            }
        }
    }

    /// An I/O error while opening `path` for reading, where absence is the user's mistake.
    pub(super) fn open(path: &Path, hint: impl FnOnce() -> String) -> impl FnOnce(io::Error) -> HfError {
        move |source| match source.kind() {
            io::ErrorKind::NotFound => HfError::Missing { path: path.to_path_buf(), hint: hint() },
            _ => HfError::Io { path: path.to_path_buf(), action: "read", source },
        }
    }

    pub(crate) fn key(path: &Path, key: &str, problem: impl Into<String>) -> HfError {
        HfError::Key { path: path.to_path_buf(), key: key.to_owned(), problem: problem.into() }
    }

    pub(crate) fn file(path: &Path, problem: impl Into<String>) -> HfError {
        HfError::File { path: path.to_path_buf(), problem: problem.into() }
    }

    pub(crate) fn tensor(path: &Path, tensor: &str, problem: impl Into<String>) -> HfError {
        HfError::Tensor { path: path.to_path_buf(), tensor: tensor.to_owned(), problem: problem.into() }
    }
}
