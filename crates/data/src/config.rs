//! The `[data]` table of a recipe: which files, which columns, which task.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{DataError, Result};

/// What is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// One of several classes.
    Classification,
    /// Any number of several classes, none included. A recipe says so by `loss.kind = "bce"`, its `task` being
    /// classification.
    #[serde(rename = "multi-label")]
    MultiLabel,
    /// One number.
    Regression,
}

impl Task {
    /// The one word for it in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classification => "classification",
            Self::MultiLabel => "multi-label",
            Self::Regression => "regression",
        }
    }
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::MultiLabel => "multi-label classification",
            one_word => one_word.name(),
        })
    }
}

/// `[data]`: tables and their columns. Paths are as written; the recipe resolves them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Training table.
    pub train: PathBuf,
    /// Table to predict after training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,
    /// Validation table; without it [`holdout`](Self::holdout) of the training table validates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<PathBuf>,
    /// Share of the training rows held out for validation, in `[0, 1)`; 0 trains on every row. Unused with `valid`.
    #[serde(default = "default_holdout")]
    pub holdout: f64,
    /// Id column; without it a row's id is a hash of its texts and their occurrence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Text column.
    pub text: String,
    /// Column of the second text, if the task has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_pair: Option<String>,
    /// Label column.
    pub label: String,
    /// Column whose equal values never part between splits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Column by which scores are reported separately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The task; inferred from the labels when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// Names of the classes for people, in the order of the label map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_names: Option<Vec<String>>,
    /// Regression: predictions are clamped to `[low, high]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_range: Option<[f64; 2]>,
}

fn default_holdout() -> f64 {
    0.1
}

impl DataConfig {
    /// Checks what can be checked without reading a table.
    ///
    /// # Errors
    /// [`DataError::Config`] names the key: `holdout` outside `[0, 1)`, an empty or unordered `score_range`, a `task`
    /// that the loss says, or `label_names` and `score_range` set for the other task.
    pub fn validate(&self) -> Result<()> {
        let wrong = |key, problem| Err(DataError::Config { key, problem });
        if !(0.0..1.0).contains(&self.holdout) {
            let problem = format!("{} is not a share of the rows; use 0 (none) or a number below 1", self.holdout);
            return wrong("data.holdout", problem);
        }
        if let Some([low, high]) = self.score_range
            && !(low.is_finite() && high.is_finite() && low < high)
        {
            return wrong("data.score_range", format!("[{low}, {high}] is not a range; write [lowest, highest]"));
        }
        if self.task == Some(Task::MultiLabel) {
            let problem = "rows with any number of labels are task = \"classification\" with loss.kind = \"bce\"";
            return wrong("data.task", problem.into());
        }
        if self.score_range.is_some() && self.task == Some(Task::Classification) {
            return wrong(
                "data.score_range",
                "only regression has scores; remove it or set task = \"regression\"".into(),
            );
        }
        if self.label_names.is_some() && self.task == Some(Task::Regression) {
            return wrong("data.label_names", "only classification has classes; remove it".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> std::result::Result<DataConfig, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn defaults_are_filled_in_and_absent_keys_stay_absent() {
        let config = parse(r#"{"train": "t.csv", "text": "review", "label": "label"}"#).unwrap();
        assert_eq!(config.holdout, 0.1);
        let written = serde_json::to_string(&config).unwrap();
        assert_eq!(written, r#"{"train":"t.csv","holdout":0.1,"text":"review","label":"label"}"#);
        assert_eq!(parse(&written).unwrap(), config);
    }

    #[test]
    fn unknown_keys_are_refused() {
        let error = parse(r#"{"train": "t.csv", "text": "review", "lable": "label"}"#).unwrap_err().to_string();
        assert!(error.contains("lable"), "{error}");
    }

    #[test]
    fn impossible_values_name_their_key() {
        let good = parse(r#"{"train": "t.csv", "text": "a", "label": "b"}"#).unwrap();
        for (config, key) in [
            (DataConfig { holdout: 1.0, ..good.clone() }, "data.holdout"),
            (DataConfig { holdout: f64::NAN, ..good.clone() }, "data.holdout"),
            (DataConfig { score_range: Some([5.0, 0.0]), ..good.clone() }, "data.score_range"),
            (DataConfig { task: Some(Task::MultiLabel), ..good.clone() }, "data.task"),
            (
                DataConfig { label_names: Some(vec![]), task: Some(Task::Regression), ..good.clone() },
                "data.label_names",
            ),
        ] {
            assert!(config.validate().unwrap_err().to_string().starts_with(key));
        }
        good.validate().unwrap();
    }
}
