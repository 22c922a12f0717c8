//! Why a base model cannot be found.

use std::path::PathBuf;

use hf_hub::api::sync::ApiError;

use crate::nearest::did_you_mean;

/// An error of finding `model.base`.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// It is written as a path, and nothing is there.
    #[error("model.base: no such directory {}{}", path.display(), mean(nearest.as_ref()))]
    NoSuchDirectory {
        /// The path.
        path: PathBuf,
        /// The directory beside it with the nearest name.
        nearest: Option<PathBuf>,
    },
    /// It is a file.
    #[error(
        "model.base: {} is a file; give the directory that holds config.json, the weights and the tokenizer",
        path.display()
    )]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// Offline, and the cache does not hold it (or not all of it).
    #[error(
        "model.base: \"{id}\" is no directory here and not complete in the cache {}, and HF_HUB_OFFLINE is set{}",
        cache_dir.display(), mean(nearest.as_ref())
    )]
    NotCached {
        /// The hub id.
        id: String,
        /// The cache looked into.
        cache_dir: PathBuf,
        /// A directory here with nearly that name.
        nearest: Option<PathBuf>,
    },
    /// The hub does not have it, or not for this user.
    #[error(
        "model.base: \"{id}\" is no directory here and {endpoint} does not give it ({status}); \
         check the name, or set HF_TOKEN if it is private{}", mean(nearest.as_ref())
    )]
    NotOnHub {
        /// The hub id.
        id: String,
        /// The hub.
        endpoint: String,
        /// Its HTTP answer.
        status: u16,
        /// A directory here with nearly that name.
        nearest: Option<PathBuf>,
    },
    /// The hub has it, but not as a checkpoint this program reads.
    #[error("model.base: \"{id}\" has no {missing} on {endpoint}; choose a checkpoint that has it")]
    Incomplete {
        /// The hub id.
        id: String,
        /// The hub.
        endpoint: String,
        /// The file that is missing.
        missing: String,
    },
    /// The network or the hub does not answer.
    #[error(
        "model.base: \"{id}\" is no directory here and cannot reach {endpoint} ({reason}); \
         give a directory, or fill the cache {} elsewhere and set HF_HUB_OFFLINE=1{}",
        cache_dir.display(), mean(nearest.as_ref())
    )]
    Unreachable {
        /// The hub id.
        id: String,
        /// The hub.
        endpoint: String,
        /// What the network said.
        reason: String,
        /// The cache.
        cache_dir: PathBuf,
        /// A directory here with nearly that name.
        nearest: Option<PathBuf>,
    },
    /// A download broke off.
    #[error("model.base: cannot download {file} of \"{id}\": {source}; run the command again to go on")]
    Download {
        /// The hub id.
        id: String,
        /// The file.
        file: String,
        /// What broke.
        source: Box<ApiError>,
    },
}

impl HubError {
    /// Whether the user can mend it in the recipe or the cache; otherwise the network failed.
    pub fn is_user_error(&self) -> bool {
        !matches!(self, Self::Unreachable { .. } | Self::Download { .. })
    }
}

fn mean(nearest: Option<&PathBuf>) -> String {
    did_you_mean(nearest.map(|path| path.to_string_lossy()).as_deref())
}
