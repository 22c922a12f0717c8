//! `ensemble.json`: an ensemble as it is kept in its run's directory. It is all that is needed to combine the members'
//! predictions again, to the same bits.

use std::path::{Path, PathBuf};

use gyeol_data::write_atomic;
use gyeol_eval::{
    EvalError, Metric, Predictions, Task,
    ensemble::{Fitted, Rule},
};
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

impl SavedMember {
    /// What the member calls the label `ours`.
    pub(crate) fn theirs<'a>(&'a self, ours: &'a str) -> &'a str {
        self.renamed.iter().find(|(_, label)| label == ours).map_or(ours, |(theirs, _)| theirs)
    }

    /// Its predictions under the ensemble's `labels`, in their order: what was fitted may depend on it. Scores stay as they are.
    ///
    /// # Errors
    /// What is wrong, where its classes are others.
    pub(crate) fn arranged(&self, predictions: &Predictions, labels: &[String]) -> Result<Predictions, String> {
        let found = predictions.outputs().labels();
        let column = |label: &String| found.iter().position(|other| other == self.theirs(label));
        let columns: Option<Vec<usize>> = labels.iter().map(column).collect();
        let columns = columns.filter(|columns| columns.len() == found.len());
        let columns = columns.ok_or_else(|| {
            format!("its classes are {}; those of the ensemble are {}", found.join(", "), labels.join(", "))
        })?;
        let outputs = predictions.outputs().arranged(&columns, labels);
        Predictions::new(predictions.id_column(), predictions.ids().to_vec(), outputs)
            .map_err(|error| error.to_string())
    }
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
    /// [`Error::Io`] if the file cannot be read; [`Error::Ensemble`] if it is not one of this version, or fails its
    /// [`check`](Self::check).
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
        if saved.format != Self::FORMAT {
            return Err(wrong(format!("its format is {}, this version reads {}", saved.format, Self::FORMAT)));
        }
        saved.check().map_err(|error| wrong(format!("{}: {error}", path.display())))?;
        Ok(Some(saved))
    }

    /// Checks what a file may hold that making an ensemble never gives: no members, one of them twice, other members than
    /// those it was fitted with, classes of a regression or none of other tasks, and whatever
    /// [`Fitted::check`] and [`Stack::check`](gyeol_eval::ensemble::Stack::check) refuse.
    ///
    /// # Errors
    /// [`EvalError::Damaged`], with what is wrong.
    pub fn check(&self) -> Result<(), EvalError> {
        let wrong = |what, problem: String| Err(EvalError::Damaged { what, problem });
        let members: Vec<&str> = self.members.iter().map(|member| member.name.as_str()).collect();
        if members.is_empty() {
            return wrong("list of members", "it is empty".to_owned());
        }
        if let Some(name) = twice(&members) {
            return wrong("list of members", format!("\"{name}\" is in it twice"));
        }
        if self.fitted.members != members {
            let fitted = self.fitted.members.join(", ");
            return wrong("list of members", format!("it has {}, and what is fitted {fitted}", members.join(", ")));
        }
        let labels: Vec<&str> = self.labels.iter().map(String::as_str).collect();
        if labels.is_empty() != (self.task == Task::Regression) {
            return wrong("list of classes", format!("it has {} of them, of a {}", labels.len(), self.task));
        }
        if let Some(label) = twice(&labels) {
            return wrong("list of classes", format!("\"{label}\" is in it twice"));
        }
        if let Some(names) = self.label_names.as_ref().filter(|names| names.len() != labels.len()) {
            return wrong("list of classes", format!("it has {} names for {} classes", names.len(), labels.len()));
        }
        self.fitted.check()?;
        match &self.fitted.rule {
            Rule::Stacked(stack) => stack.check(members.len(), labels.len().max(1)),
            _ => Ok(()),
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

/// The first name that was there before.
fn twice<'a>(names: &[&'a str]) -> Option<&'a str> {
    names.iter().enumerate().find(|(at, name)| names[..*at].contains(*name)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use gyeol_eval::{Outputs, ensemble::Method};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_damaged_ensemble_is_refused_with_what_is_wrong() {
        let file = PredictionsFile { path: "a.csv".into(), fingerprint: String::new() };
        let member = |name: &str| SavedMember {
            name: name.to_owned(),
            source: Source::Foreign,
            renamed: Vec::new(),
            valid: file.clone(),
            test: None,
        };
        let names = ["a", "b"].map(str::to_owned).to_vec();
        let saved = Saved {
            format: Saved::FORMAT,
            task: Task::Classification,
            metric: Metric::Accuracy,
            id_column: "id".to_owned(),
            labels: vec!["no".to_owned(), "yes".to_owned()],
            label_names: None,
            score_range: None,
            members: vec![member("a"), member("b")],
            fitted: Fitted {
                members: names,
                method: Method::Weighted,
                temperatures: Vec::new(),
                rule: Rule::Mean { weights: vec![0.75, 0.25] },
            },
        };
        let home = tempfile::tempdir().unwrap();
        saved.write(home.path()).unwrap();
        assert_eq!(Saved::read(home.path()).unwrap(), Some(saved.clone()));
        let sound = serde_json::to_value(&saved).unwrap();
        let stack =
            json!({"kind": "stacked", "penalty": 1.0, "weights": [[1.0, 1.0], [1.0]], "intercepts": [0.0, 0.0]});
        for (place, value, problem) in [
            ("/labels", json!([]), "0 of them"),
            ("/labels", json!(["yes", "yes"]), "\"yes\" is in it twice"),
            ("/task", json!("regression"), "2 of them, of a regression"),
            ("/label_names", json!(["No"]), "1 names for 2 classes"),
            ("/members", json!([]), "it is empty"),
            ("/members/1/name", json!("a"), "\"a\" is in it twice"),
            ("/members/1/name", json!("c"), "it has a, c, and what is fitted a, b"),
            ("/fitted/members", json!(["b", "a"]), "it has a, b, and what is fitted b, a"),
            ("/fitted/rule/weights", json!([1.0]), "1 weights for 2 members"),
            ("/fitted/rule", stack, "member 2 has 1 weights"),
        ] {
            let mut damaged = sound.clone();
            // Names of classes for people are left out of the file where there are none.
            damaged["label_names"] = json!(null);
            *damaged.pointer_mut(place).unwrap() = value;
            std::fs::write(home.path().join(FILE), damaged.to_string()).unwrap();
            let error = Saved::read(home.path()).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            let message = error.to_string();
            assert!(message.contains("ensemble.json") && message.contains(problem), "{place}: {message}");
        }
    }

    fn member(renamed: &[(&str, &str)]) -> SavedMember {
        let file = PredictionsFile { path: "valid.csv".into(), fingerprint: String::new() };
        let renamed = renamed.iter().map(|(theirs, ours)| ((*theirs).to_owned(), (*ours).to_owned())).collect();
        SavedMember { name: "m".to_owned(), source: Source::Foreign, renamed, valid: file, test: None }
    }

    fn arranged(member: &SavedMember, outputs: Outputs, labels: &[&str]) -> Result<Predictions, String> {
        let ids = (0..outputs.rows()).map(|row| row.to_string()).collect();
        let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        member.arranged(&Predictions::new("id", ids, outputs).unwrap(), &labels)
    }

    #[test]
    fn labels_get_the_names_and_the_order_of_the_ensemble() {
        let labels = vec!["x".to_owned(), "1".to_owned()];
        let outputs = Outputs::Probabilities { labels, values: vec![0.1, 0.9, 0.7, 0.3] };
        let ours = arranged(&member(&[("1", "y")]), outputs.clone(), &["y", "x"]).unwrap();
        assert_eq!(ours.outputs().labels(), ["y", "x"]);
        assert_eq!(ours.outputs().values(), [0.9, 0.1, 0.3, 0.7]);
        for labels in [&["x", "z"][..], &["x"], &["x", "y", "z"]] {
            let problem = arranged(&member(&[("1", "y")]), outputs.clone(), labels).unwrap_err();
            assert!(problem.starts_with("its classes are x, 1; those of the ensemble are x"), "{problem}");
        }
    }

    #[test]
    fn labels_that_are_exchanged_are_told_apart() {
        let labels = vec!["0".to_owned(), "1".to_owned()];
        let outputs = Outputs::Probabilities { labels, values: vec![0.25, 0.75] };
        let ours = arranged(&member(&[("0", "1"), ("1", "0")]), outputs, &["0", "1"]).unwrap();
        assert_eq!(ours.outputs().values(), [0.75, 0.25]);
    }
}
