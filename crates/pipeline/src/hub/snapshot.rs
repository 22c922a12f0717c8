//! Which files make a checkpoint, and whether a snapshot in the cache has them all.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use hf_hub::{Cache, Repo};

use super::HubOptions;

/// The one file every checkpoint has.
pub(super) const CONFIG: &str = "config.json";

/// Any of these is a tokenizer.
pub(super) const VOCABULARIES: [&str; 3] = ["tokenizer.json", "vocab.txt", "vocab.json"];

/// Read when they are there.
pub(super) const EXTRAS: [&str; 6] = [
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    // How an encoder of sentence-transformers pools.
    "modules.json",
    "1_Pooling/config.json",
];

/// Weights in the order of preference; an index stands for itself and its shards.
pub(super) const WEIGHTS: [&str; 4] =
    ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"];

/// The snapshot of `id` in the cache, if it has every file that is needed.
pub(super) fn cached(id: &str, options: &HubOptions) -> Option<PathBuf> {
    let repo = Cache::new(options.cache_dir.clone()).repo(Repo::model(id.to_owned()));
    let snapshot = repo.get(CONFIG)?.parent()?.to_owned();
    let has = |name: &str| snapshot.join(name).is_file();
    let complete = VOCABULARIES.into_iter().any(has) && (!options.weights || has_weights(&snapshot));
    complete.then_some(snapshot)
}

fn has_weights(snapshot: &Path) -> bool {
    WEIGHTS.into_iter().any(|name| {
        let path = snapshot.join(name);
        if !name.ends_with(".index.json") {
            return path.is_file();
        }
        // An index that cannot be read is no sign of weights: downloading again mends it.
        let shards = fs::read(&path).ok().and_then(|index| shards(&index));
        shards.is_some_and(|shards| shards.iter().all(|shard| snapshot.join(shard).is_file()))
    })
}

/// The shard files an index names, each a plain file name; `None` when it is no index.
pub(super) fn shards(index: &[u8]) -> Option<BTreeSet<String>> {
    let index: serde_json::Value = serde_json::from_slice(index).ok()?;
    let shards: BTreeSet<String> = index
        .get("weight_map")?
        .as_object()?
        .values()
        .map(|file| file.as_str().map(str::to_owned))
        .collect::<Option<_>>()?;
    let plain = |name: &String| !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\']);
    (!shards.is_empty() && shards.iter().all(plain)).then_some(shards)
}
