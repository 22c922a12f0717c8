//! Downloading a checkpoint's files into the cache.

use std::{collections::BTreeSet, fs, path::PathBuf, time::Duration};

use hf_hub::{
    Cache, Repo,
    api::{
        RepoInfo,
        sync::{ApiBuilder, ApiError, ApiRepo},
    },
};

use super::{HubError, HubOptions, nearest_sibling, snapshot};

/// A hub that has not accepted a connection by then is not reachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Downloads what is needed of `id` and returns its snapshot directory.
pub(super) fn download(id: &str, options: &HubOptions) -> Result<PathBuf, HubError> {
    let hub = Hub { id, options };
    let repo = ApiBuilder::from_cache(Cache::new(options.cache_dir.clone()))
        .with_endpoint(options.endpoint.clone())
        .with_token(options.token.clone())
        .with_progress(options.progress)
        .with_retries(3)
        .build()
        .map_err(|error| hub.unreachable(&error))?
        .repo(Repo::model(id.to_owned()));
    let files = hub.wanted(&hub.list(&repo)?)?;
    for file in &files {
        hub.get(&repo, file)?;
    }
    if let Some(index) = files.iter().find(|file| file.ends_with(".index.json")) {
        let bytes = fs::read(hub.get(&repo, index)?).map_err(|error| hub.broken(index, ApiError::from(error)))?;
        for shard in snapshot::shards(&bytes).ok_or_else(|| hub.incomplete(&format!("readable {index}")))? {
            hub.get(&repo, &shard)?;
        }
    }
    // Files of one snapshot only: had the model been updated meanwhile, the cache would lack the first of them.
    snapshot::cached(id, options).ok_or_else(|| hub.unreachable(&"the model changed during the download"))
}

/// A model on a hub, for the messages.
struct Hub<'a> {
    id: &'a str,
    options: &'a HubOptions,
}

impl Hub<'_> {
    /// The names of the files the hub has.
    fn list(&self, repo: &ApiRepo) -> Result<BTreeSet<String>, HubError> {
        let answer = repo
            .info_request()
            .config()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .build()
            .call();
        let mut answer = answer.map_err(|error| self.unreachable(&error))?;
        match answer.status().as_u16() {
            200 => {}
            // The hub answers 401 for a name it does not have, lest it tell which private ones exist.
            status @ (401 | 403 | 404) => {
                return Err(HubError::NotOnHub {
                    id: self.id.to_owned(),
                    endpoint: self.options.endpoint.clone(),
                    status,
                    nearest: nearest_sibling(self.id.as_ref()),
                });
            }
            status => return Err(self.unreachable(&format!("HTTP status {status}"))),
        }
        let info: RepoInfo = answer.body_mut().read_json().map_err(|error| self.unreachable(&error))?;
        Ok(info.siblings.into_iter().map(|sibling| sibling.rfilename).collect())
    }

    /// The files to get, shards aside.
    fn wanted(&self, there: &BTreeSet<String>) -> Result<Vec<&'static str>, HubError> {
        let has = |name: &&str| there.contains(*name);
        let mut wanted = vec![snapshot::CONFIG];
        if !has(&snapshot::CONFIG) {
            return Err(self.incomplete(snapshot::CONFIG));
        }
        let tokenizer: Vec<_> = snapshot::VOCABULARIES.into_iter().filter(has).collect();
        if tokenizer.is_empty() {
            return Err(self.incomplete("tokenizer.json or vocab.txt"));
        }
        wanted.extend(tokenizer);
        wanted.extend(snapshot::EXTRAS.into_iter().filter(has));
        if self.options.weights {
            let weights = snapshot::WEIGHTS.into_iter().find(has);
            wanted.push(weights.ok_or_else(|| self.incomplete("model.safetensors or pytorch_model.bin"))?);
        }
        Ok(wanted)
    }

    fn get(&self, repo: &ApiRepo, file: &str) -> Result<PathBuf, HubError> {
        repo.get(file).map_err(|error| self.broken(file, error))
    }

    fn broken(&self, file: &str, source: ApiError) -> HubError {
        HubError::Download { id: self.id.to_owned(), file: file.to_owned(), source: Box::new(source) }
    }

    fn incomplete(&self, missing: &str) -> HubError {
        HubError::Incomplete {
            id: self.id.to_owned(),
            endpoint: self.options.endpoint.clone(),
            missing: missing.to_owned(),
        }
    }

    fn unreachable(&self, reason: &dyn std::fmt::Display) -> HubError {
        HubError::Unreachable {
            id: self.id.to_owned(),
            endpoint: self.options.endpoint.clone(),
            reason: reason.to_string(),
            cache_dir: self.options.cache_dir.clone(),
            nearest: nearest_sibling(self.id.as_ref()),
        }
    }
}
