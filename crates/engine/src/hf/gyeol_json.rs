//! `gyeol.json`: what `predict` needs to know of a model beyond what `transformers` stores.
//!
//! `format` counts incompatible changes: a file with a higher one is refused with the advice to update. Keys may be
//! added without raising it, so keys unknown here are not errors; they are kept and written back. A model with cleaning
//! has format 2: a version that does not know the key would predict texts its model has never seen the like of. A model over
//! score buckets, one of label sets, and one with a head of its own in a directory of sentence-transformers have format 3: such
//! a version would not know what their outputs are. Models that predict together have format 4.
//!
//! The cleaning is a key here and no file of its own, so that it cannot be lost on the way to another place.

use std::path::{Path, PathBuf};

use gyeol_data::{Cleaner, Task};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::HfError;
use super::write::{read_json, write_json};
use crate::ScoreBuckets;
use crate::config::{HeadChoice, Join};

/// The name of the file in a model directory.
pub const GYEOL_JSON: &str = "gyeol.json";

/// The `format` of models without cleaning.
const FORMAT: u32 = 1;

/// The `format` of models with it.
const FORMAT_WITH_CLEANING: u32 = 2;

/// The `format` of models whose outputs are not what a version that knows no others takes them for: over score buckets, of
/// label sets, and of a head that `transformers` has no class for.
const FORMAT_WITH_OUTPUTS: u32 = 3;

/// The `format` of several models that predict together: a version that knows one alone finds none beside the file.
const FORMAT_WITH_MEMBERS: u32 = 4;

/// The highest `format` that is read.
const NEWEST: u32 = FORMAT_WITH_MEMBERS;

/// The directory of the models that predict together, each in one of its own called by its number from 0.
const MEMBERS: &str = "members";

/// Models that were trained together and predict together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JointModels {
    /// How many.
    pub members: usize,
    /// How their outputs become those of a row.
    pub join: Join,
}

/// The settings a model was trained with and is to be used with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GyeolJson {
    /// Version of the file's meaning; see the module's notes.
    pub format: u32,
    /// What is predicted.
    pub task: Task,
    /// Column of row ids; absent: ids are made from content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Column of texts.
    pub text: String,
    /// Column of second texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_pair: Option<String>,
    /// Column of labels or scores, when the table had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Longest token sequence, special tokens included.
    pub max_length: usize,
    /// The table's labels in the order of the outputs; empty for regression.
    #[serde(default)]
    pub labels: Vec<String>,
    /// The labels' names for people, in the same order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_names: Option<Vec<String>>,
    /// The head, where it is not the architecture's own: then this is a directory of sentence-transformers.
    #[serde(default, skip_serializing_if = "is_default")]
    pub head: HeadChoice,
    /// Regression: lowest and highest score; predictions are clamped to it. A bi-encoder's cosines from 0 to 1 span it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_range: Option<[f64; 2]>,
    /// Regression over score buckets: their centres, in the order of the outputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_buckets: Option<ScoreBuckets>,
    /// Where several models are one: then their checkpoints are in directories below this one, and none is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joint: Option<JointModels>,
    /// What is done to texts before they are tokenised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean: Option<Cleaner>,
    /// Keys of later versions.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl GyeolJson {
    /// Settings with what every model has; the rest absent.
    pub fn new(task: Task, text: impl Into<String>, max_length: usize) -> GyeolJson {
        GyeolJson {
            format: if task == Task::MultiLabel { FORMAT_WITH_OUTPUTS } else { FORMAT },
            task,
            id: None,
            text: text.into(),
            text_pair: None,
            label: None,
            max_length,
            labels: Vec::new(),
            label_names: None,
            head: HeadChoice::Default,
            score_range: None,
            score_buckets: None,
            joint: None,
            clean: None,
            other: Map::new(),
        }
    }

    /// Sets what is done to texts, and the format that says so.
    pub fn set_cleaner(&mut self, cleaner: Cleaner) {
        self.clean = Some(cleaner);
        self.format = self.format.max(FORMAT_WITH_CLEANING);
    }

    /// Sets the score buckets the outputs are logits of, and the format that says so.
    pub fn set_score_buckets(&mut self, buckets: ScoreBuckets) {
        self.score_buckets = Some(buckets);
        self.format = self.format.max(FORMAT_WITH_OUTPUTS);
    }

    /// Sets the head, and the format that says so.
    pub fn set_head(&mut self, head: HeadChoice) {
        self.head = head;
        if head != HeadChoice::Default {
            self.format = self.format.max(FORMAT_WITH_OUTPUTS);
        }
    }

    /// Sets that several models are one, and the format that says so.
    pub fn set_joint(&mut self, joint: JointModels) {
        self.joint = Some(joint);
        self.format = self.format.max(FORMAT_WITH_MEMBERS);
    }

    /// The directories of the models that are one in the directory `dir`, in their order; `None` where it is a checkpoint
    /// itself.
    pub fn member_directories(&self, dir: &Path) -> Option<impl Iterator<Item = PathBuf>> {
        let (JointModels { members, .. }, dir) = (self.joint?, dir.join(MEMBERS));
        Some((0..members).map(move |index| dir.join(index.to_string())))
    }

    /// Reads `gyeol.json` of the model directory `dir`; `None` for a directory that was not written here.
    ///
    /// # Errors
    /// When the file is damaged, lacks a key, or has a higher `format`.
    pub fn read(dir: &Path) -> Result<Option<GyeolJson>, HfError> {
        let path = dir.join(GYEOL_JSON);
        // The format first: a later one may have other keys.
        let Some(raw) = read_json::<Map<String, Value>>(&path)? else { return Ok(None) };
        if let Some(newer) = raw.get("format").and_then(Value::as_u64).filter(|format| *format > u64::from(NEWEST)) {
            let problem = format!("{newer} is newer than {NEWEST}, the newest this version reads; update gyeol");
            return Err(HfError::key(&path, "format", problem));
        }
        serde_json::from_value(Value::Object(raw)).map(Some).map_err(|source| HfError::Json { path, source })
    }

    /// Writes `gyeol.json` into `dir`.
    ///
    /// # Errors
    /// [`HfError::DiskFull`] or [`HfError::Io`].
    pub fn write(&self, dir: &Path) -> Result<(), HfError> {
        write_json(&dir.join(GYEOL_JSON), self)
    }
}

fn is_default(head: &HeadChoice) -> bool {
    *head == HeadChoice::Default
}
