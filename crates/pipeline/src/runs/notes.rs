//! `notes.toml`: what people wrote about a run. Nothing here is needed to go on with it.

use std::{collections::BTreeSet, fs, io};

use gyeol_data::write_atomic;
use serde::{Deserialize, Serialize};

use super::{Run, RunError, files};

/// What people wrote about a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    /// In a sentence or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// In words to sort runs by.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// Its score on the part of a competition's test rows that the leaderboard shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public: Option<f64>,
    /// Its score on the other part, once that is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private: Option<f64>,
}

impl Run {
    /// What people wrote about it.
    ///
    /// # Errors
    /// [`RunError::Toml`] for a file that is not what it should be.
    pub fn notes(&self) -> Result<Notes, RunError> {
        let path = self.dir().join(files::NOTES);
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|source| RunError::Toml { path, source: Box::new(source) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Notes::default()),
            Err(error) => Err(RunError::io("read", &path)(error)),
        }
    }

    /// Writes that down in the place of what was there. A run that is being written may be written about.
    ///
    /// # Errors
    /// [`RunError::Io`] if the file cannot be written.
    pub fn write_notes(&self, notes: &Notes) -> Result<(), RunError> {
        let path = self.dir().join(files::NOTES);
        // Words always have a TOML form.
        let text = toml::to_string(notes).unwrap_or_default();
        write_atomic(&path, |out| out.write_all(text.as_bytes())).map_err(RunError::io("write", &path))
    }
}
