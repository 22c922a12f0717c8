//! What a run's result depends on, in fingerprints: a value tuned with one of them says nothing about another.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use gyeol_data::{Cleaner, fingerprint, text_fingerprint};
use xxhash_rust::xxh3::Xxh3;

use crate::Error;
use crate::prepare::{Part, Prepared};

/// The version of this program, with the commit where whoever built it said so in `GYEOL_COMMIT`.
pub fn code_version() -> String {
    let version = env!("CARGO_PKG_VERSION");
    option_env!("GYEOL_COMMIT").map_or_else(|| version.to_owned(), |commit| format!("{version}+{commit}"))
}

impl Prepared {
    /// Fingerprint of every table as it was read: ids, texts and labels.
    pub fn data_fingerprint(&self) -> String {
        self.data_fingerprint.clone()
    }

    /// Fingerprint of the texts of every table, cleaned.
    pub fn text_fingerprint(&self) -> String {
        let of = |part: &Part| text_fingerprint(&part.examples.texts, part.examples.pairs.as_deref());
        let parts: Vec<String> = self.parts().map(of).collect();
        fingerprint(&parts.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Fingerprint of the cleaning, with all that was fitted; `None` without `[clean]`.
    pub fn cleaning_fingerprint(&self) -> Option<String> {
        self.cleaner.as_ref().map(Cleaner::fingerprint)
    }

    /// Fingerprint of the base model as the recipe names it, or of all members: configuration, weights and tokeniser. Reads the
    /// weights.
    ///
    /// # Errors
    /// If a file of the base cannot be read.
    pub fn base_fingerprint(&self) -> Result<String, Error> {
        let mut parts = Vec::new();
        for base in &self.bases {
            parts.extend([weights_fingerprint(&base.dir)?, base.own_tokeniser.clone()]);
        }
        Ok(fingerprint(&parts.iter().map(String::as_str).collect::<Vec<_>>()))
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        [Some(&self.train), self.valid.as_ref(), self.test.as_ref()].into_iter().flatten()
    }
}

/// Hash of a checkpoint's configuration and weights, whatever files they are in.
pub(crate) fn weights_fingerprint(dir: &Path) -> Result<String, Error> {
    let io = |path: &Path, action| {
        let path = path.to_owned();
        move |source| Error::Io { path, action, source }
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(io(dir, "list"))? {
        let path = entry.map_err(io(dir, "list"))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let weights = [".safetensors", ".bin", ".index.json"].iter().any(|extension| name.ends_with(extension));
        if weights || name == "config.json" {
            names.push(path);
        }
    }
    names.sort_unstable();
    let mut hash = Xxh3::new();
    let mut buffer = vec![0; 1 << 20];
    for path in names {
        let mut file = File::open(&path).map_err(io(&path, "open"))?;
        loop {
            let read = file.read(&mut buffer).map_err(io(&path, "read"))?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
        }
    }
    Ok(format!("{:032x}", hash.digest128()))
}
