//! What a run has on the disk.

use std::{fs, io, path::Path};

use anyhow::{Context as _, Result};
use gyeol_pipeline::runs::Run;
use serde::Serialize;

/// A file or directory of a run.
#[derive(Debug, Serialize)]
pub(crate) struct FileRow {
    /// Its name, of a directory with a slash.
    pub(crate) name: String,
    /// Its size, with all that is in it.
    pub(crate) bytes: u64,
    /// What it is, for people.
    pub(crate) about: &'static str,
}

/// The run's files that are there.
pub(crate) fn files(run: &Run) -> Result<Vec<FileRow>> {
    let known = [
        (run.recipe_path(), "the recipe, every default written out"),
        (run.events_path(), "what happened, a JSON object a line"),
        (run.report_path(), "what came of it"),
        (run.valid_path(), "predictions of the validation rows"),
        (run.train_path(), "predictions of the training rows, which weigh them for the next round"),
        (run.test_path(), "predictions of data.test"),
        (run.dir().join("ensemble.json"), "the ensemble: members, and what is fitted"),
        (run.dir().join("submission.csv"), "what was handed in"),
        (run.dir().join("sample_submission.csv"), "the sample that it fills in"),
        (run.dir().join("submission.json"), "what is known of it"),
        (run.model_dir(), "the model, for gyeol and transformers"),
        (run.checkpoints_dir(), "kept checkpoints and the state to resume from"),
    ];
    let mut files = Vec::new();
    for (path, about) in known {
        let size = size(&path).with_context(|| format!("cannot look at {}", path.display()))?;
        if let Some(bytes) = size {
            let slash = if path.is_dir() { "/" } else { "" };
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            files.push(FileRow { name: format!("{name}{slash}"), bytes, about });
        }
    }
    Ok(files)
}

/// The size of a file or of all files in a directory; `None` when there is nothing, as when a run just tidied it away.
pub(crate) fn size(path: &Path) -> io::Result<Option<u64>> {
    let absent = |error: io::Error| if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) };
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return absent(error),
    };
    if !metadata.is_dir() {
        return Ok(Some(metadata.len()));
    }
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => return absent(error),
    };
    let mut total = 0;
    for entry in entries {
        total += size(&entry?.path())?.unwrap_or(0);
    }
    Ok(Some(total))
}
