//! From `model.base` to a directory: one that is there, or a snapshot of the Hugging Face hub in its standard cache.
//!
//! The cache is the one every Hugging Face tool shares, so a model that any of them has downloaded is used as it is,
//! without a look at the network. What is inside the directory is for the engine to read.

mod download;
mod error;
mod snapshot;

use std::{
    env,
    path::{Path, PathBuf},
};

pub use error::HubError;

use crate::nearest::nearest;

/// Where hub models come from.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// The hub's cache, which holds `models--<org>--<name>` directories.
    pub cache_dir: PathBuf,
    /// Use only what is in the cache.
    pub offline: bool,
    /// The hub's address.
    pub endpoint: String,
    /// The user's access token, for private models.
    pub token: Option<String>,
    /// Weights are needed too; with `model.init = "random"` they are not.
    pub weights: bool,
    /// Show downloads on standard error.
    pub progress: bool,
}

impl HubOptions {
    /// What the environment says, in the variables of the Hugging Face tools: `HF_HUB_CACHE`, `HF_HOME`,
    /// `XDG_CACHE_HOME`, `HF_HUB_OFFLINE`, `HF_ENDPOINT`, `HF_TOKEN`. Weights wanted, no progress shown.
    pub fn from_env() -> Self {
        let path = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let text = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let hugging_face = path("HF_HOME").unwrap_or_else(|| {
            let caches = path("XDG_CACHE_HOME").or_else(|| Some(env::home_dir()?.join(".cache")));
            caches.unwrap_or_default().join("huggingface")
        });
        let truthy = |value: String| ["1", "on", "yes", "true"].contains(&value.to_lowercase().as_str());
        Self {
            cache_dir: path("HF_HUB_CACHE").unwrap_or_else(|| hugging_face.join("hub")),
            offline: text("HF_HUB_OFFLINE").is_some_and(truthy),
            endpoint: text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned()),
            token: text("HF_TOKEN").or_else(|| hf_hub::Cache::new(hugging_face.join("hub")).token()),
            weights: true,
            progress: false,
        }
    }
}

/// The directory of `base`: itself when it is one, otherwise the snapshot of that hub id, downloaded if the cache does
/// not have it.
///
/// # Errors
/// [`HubError`], naming the nearest directory when `base` looks like a path.
pub fn resolve(base: &str, options: &HubOptions) -> Result<PathBuf, HubError> {
    let path = Path::new(base);
    if path.is_dir() {
        return Ok(path.to_owned());
    }
    if path.is_file() {
        return Err(HubError::NotADirectory { path: path.to_owned() });
    }
    if looks_like_a_path(base) || !is_hub_id(base) {
        return Err(HubError::NoSuchDirectory { path: path.to_owned(), nearest: nearest_sibling(path) });
    }
    if let Some(snapshot) = snapshot::cached(base, options) {
        return Ok(snapshot);
    }
    if options.offline {
        let nearest = nearest_sibling(path);
        return Err(HubError::NotCached { id: base.to_owned(), cache_dir: options.cache_dir.clone(), nearest });
    }
    download::download(base, options)
}

/// Whether `base` is written as a path and can be no hub id.
pub(crate) fn looks_like_a_path(base: &str) -> bool {
    Path::new(base).is_absolute()
        || base.starts_with(['.', '~'])
        || base.ends_with('/')
        || base.contains('\\')
        || base.matches('/').count() > 1
}

/// `name` or `org/name`, in the hub's alphabet.
fn is_hub_id(base: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part.len() <= 96
            && !part.starts_with(['-', '.'])
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    base.split('/').count() <= 2 && base.split('/').all(part)
}

/// The directory beside `path` with the nearest name. It only serves a message, so what cannot be listed has none.
fn nearest_sibling(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let siblings: Vec<String> = std::fs::read_dir(parent)
        .ok()?
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    nearest(name, siblings.iter().map(String::as_str)).map(|sibling| path.with_file_name(sibling))
}

#[cfg(test)]
mod tests;
