//! `ensemble.json`: an ensemble as it is kept in its run's directory. It is all that is needed to combine the members'
//! predictions again, to the same bits.

use std::path::{Path, PathBuf};

use gyeol_data::write_atomic;
use gyeol_eval::{Metric, Task, ensemble::Fitted};
use serde::{Deserialize, Serialize};

use crate::{Error, runs::Run};

/// The name of the file.
const FILE: &str = "ensemble.json";

/// An ensemble.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// The version of this form.
    pub format: u32,
    /// The task.
    pub task: Task,
    /// The metric weights were fitted by.
    pub metric: Metric,
    /// What the table calls its ids.
    pub id_column: String,
    /// The classes, in column order, as the table labels them; none for regression.
    pub labels: Vec<String>,
    /// Their names for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_names: Option<Vec<String>>,
    /// Lowest and highest score of a regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_range: Option<[f64; 2]>,
    /// The members, in the order of the fitted numbers.
    pub members: Vec<SavedMember>,
    /// How they are combined.
    pub fitted: Fitted,
}

/// A member and what it predicted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedMember {
    /// What it is called.
    pub name: String,
    /// Where it comes from.
    pub source: Source,
    /// What its labels are called here, where they have other names there: theirs, ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renamed: Vec<(String, String)>,
    /// Its predictions of labelled rows that it was not trained on.
    pub valid: PredictionsFile,
    /// Its predictions of the test table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<PredictionsFile>,
}

/// Where a member comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A run, with or without folds, or another ensemble: by the name it has in this home, or the path of one of another.
    Run(String),
    /// Files of another tool.
    Foreign,
}

/// A file of predictions, and its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PredictionsFile {
    /// Where it is.
    pub path: PathBuf,
    /// 32 hexadecimal digits of its bytes.
    pub fingerprint: String,
}

impl Saved {
    /// The version of the form that is written.
    pub const FORMAT: u32 = 1;

    /// The ensemble of `run`; `None` if it is a run of another kind.
    ///
    /// # Errors
    /// As [`Saved::read`].
    pub fn of(run: &Run) -> Result<Option<Self>, Error> {
        Self::read(run.dir())
    }

    /// The ensemble of the run in the directory `dir`; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Ensemble`] if it is not one of this version.
    pub fn read(dir: &Path) -> Result<Option<Self>, Error> {
        let path = dir.join(FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Io { path, action: "read", source }),
        };
        let name = || dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let wrong = |problem: String| Error::Ensemble { ensemble: name(), problem };
        let saved: Self =
            serde_json::from_slice(&text).map_err(|error| wrong(format!("{} is damaged: {error}", path.display())))?;
        match saved.format {
            Self::FORMAT => Ok(Some(saved)),
            other => Err(wrong(format!("its format is {other}, this version reads {}", Self::FORMAT))),
        }
    }

    /// Writes it into the directory of a run.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), Error> {
        let path = dir.join(FILE);
        let io = |source| Error::Io { path: path.clone(), action: "write", source };
        let json = serde_json::to_vec_pretty(self).map_err(|error| io(error.into()))?;
        write_atomic(&path, |out| out.write_all(&json)).map_err(io)
    }
}
