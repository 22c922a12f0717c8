//! `made_for.toml`: what a run was made for, where that is more than itself.

use std::{fs, io};

use gyeol_data::write_atomic;
use serde::{Deserialize, Serialize};

use super::{Run, RunError, files};

/// What a run was made for. A run that somebody began by hand was made for nothing else, and has no such file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeFor {
    /// The sweep it is a trial of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<String>,
    /// Which of its trials, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<u32>,
    /// The job of the queue that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<u64>,
}

impl Run {
    /// What it was made for.
    ///
    /// # Errors
    /// [`RunError::Toml`] for a file that is not what it should be.
    pub fn made_for(&self) -> Result<MadeFor, RunError> {
        let path = self.dir().join(files::MADE_FOR);
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|source| RunError::Toml { path, source: Box::new(source) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(MadeFor::default()),
            Err(error) => Err(RunError::io("read", &path)(error)),
        }
    }

    pub(super) fn write_made_for(&self, made_for: &MadeFor) -> Result<(), RunError> {
        if *made_for == MadeFor::default() {
            return Ok(());
        }
        let path = self.dir().join(files::MADE_FOR);
        // Words and numbers always have a TOML form.
        let text = toml::to_string(made_for).unwrap_or_default();
        write_atomic(&path, |out| out.write_all(text.as_bytes())).map_err(RunError::io("write", &path))
    }
}
