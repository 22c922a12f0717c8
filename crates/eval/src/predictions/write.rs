//! Predictions to CSV: to any writer, or to a file that is whole or absent.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use gyeol_data::LABEL_SEPARATOR;

use super::{Outputs, Predictions};
use crate::EvalError;

/// Which columns follow the id column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `prediction` as a label of the table, then `p_<label>` a class. Independent labels are joined by `|` in
    /// `prediction`, which is empty where there is none. Regression: `prediction` alone.
    Predictions,
    /// The raw outputs: `logit_<label>` a class; regression: `logit`.
    Logits,
}

impl Predictions {
    /// Writes a CSV file (UTF-8, header, one row a line in row order). It is written to a temporary file beside `path`,
    /// synced and renamed, so that `path` is never half a file; a pipe or a device is written to directly.
    ///
    /// Numbers are the shortest decimals that read back as the same `f32`.
    ///
    /// # Errors
    /// [`EvalError::NotLogits`] for [`Form::Logits`] of probabilities; [`EvalError::Write`] when the system refuses.
    pub fn write(&self, path: &Path, form: Form) -> Result<(), EvalError> {
        self.check_form(form)?;
        replace(path, |file| self.write_csv(file, form))
            .map_err(|source| EvalError::Write { file: path.to_owned(), source })
    }

    /// Writes the same CSV to any writer, such as standard output; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`Predictions::write`].
    pub fn write_to(&self, writer: impl Write, form: Form, name: &str) -> Result<(), EvalError> {
        self.check_form(form)?;
        self.write_csv(writer, form).map_err(|source| EvalError::Write { file: PathBuf::from(name), source })
    }

    fn check_form(&self, form: Form) -> Result<(), EvalError> {
        match (form, &self.outputs) {
            (Form::Logits, Outputs::Probabilities { .. } | Outputs::IndependentProbabilities { .. }) => {
                Err(EvalError::NotLogits)
            }
            _ => Ok(()),
        }
    }

    fn write_csv(&self, writer: impl Write, form: Form) -> io::Result<()> {
        let labels = self.outputs.labels();
        let mut csv = csv::Writer::from_writer(writer);
        csv.write_record(self.header(form))?;
        let numbers = match form {
            Form::Predictions if !labels.is_empty() => self.outputs.probabilities(),
            _ => self.outputs.values().to_vec(),
        };
        let chosen = match form {
            Form::Predictions => self.outputs.chosen(),
            Form::Logits => Vec::new(),
        };
        for (row, (id, numbers)) in self.ids.iter().zip(numbers.chunks_exact(self.outputs.width())).enumerate() {
            csv.write_field(id)?;
            if let Some(label) = chosen.get(row) {
                csv.write_field(label)?;
            }
            for number in numbers {
                // `Debug` of a float is its shortest exact decimal; unlike `Display`, it spells 1e-30 so.
                csv.write_field(format!("{number:?}"))?;
            }
            csv.write_record(None::<&[u8]>)?;
        }
        csv.flush()
    }

    fn header(&self, form: Form) -> Vec<String> {
        let labels = self.outputs.labels();
        let mut columns = vec![self.id_column.clone()];
        match form {
            Form::Predictions => {
                columns.push("prediction".to_owned());
                columns.extend(labels.iter().map(|label| format!("p_{label}")));
            }
            Form::Logits if labels.is_empty() => columns.push("logit".to_owned()),
            Form::Logits => columns.extend(labels.iter().map(|label| format!("logit_{label}"))),
        }
        columns
    }
}

impl Outputs {
    /// What the column `prediction` holds, a row each; nothing for scores, which are numbers.
    fn chosen(&self) -> Vec<String> {
        let labels = self.labels();
        match self {
            Self::IndependentLogits { .. } | Self::IndependentProbabilities { .. } => {
                self.label_sets().iter().map(|set| joined(labels, set)).collect()
            }
            _ => self.argmax().into_iter().map(|class| labels[class as usize].clone()).collect(),
        }
    }
}

/// The labels of a set as a cell of a table has them.
pub(crate) fn joined(labels: &[String], set: &[u32]) -> String {
    let labels: Vec<&str> = set.iter().map(|&class| labels[class as usize].as_str()).collect();
    labels.join(&LABEL_SEPARATOR.to_string())
}

/// Replaces the file at `path` by what `fill` writes, or leaves it as it was.
fn replace(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // Follow a symbolic link, so that the file it points to is replaced and not the link.
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    match fs::metadata(&target) {
        Ok(metadata) if metadata.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(metadata) if !metadata.is_file() => return fill(&mut fs::OpenOptions::new().write(true).open(&target)?),
        _ => {}
    }
    gyeol_data::write_atomic(&target, fill)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> Predictions {
        let labels = vec!["부정".to_owned(), "a,b".to_owned()];
        let outputs = Outputs::Logits { labels, values: vec![0.0, 0.0, -1.5, 60.0] };
        Predictions::new("ID", vec!["1".to_owned(), "say \"hi\"".to_owned()], outputs).unwrap()
    }

    fn text(predictions: &Predictions, form: Form) -> String {
        let mut bytes = Vec::new();
        predictions.write_to(&mut bytes, form, "memory").unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn classes_are_written_with_their_labels_and_probabilities() {
        assert_eq!(
            text(&classes(), Form::Predictions),
            "ID,prediction,p_부정,\"p_a,b\"\n1,부정,0.5,0.5\n\"say \"\"hi\"\"\",\"a,b\",1.9538417e-27,1.0\n"
        );
    }

    #[test]
    fn independent_labels_are_joined_and_none_is_empty() {
        let labels = vec!["욕설".to_owned(), "차별".to_owned()];
        let values = vec![0.0, 2.0, -2.0, 1.0, -1.0, -1.0];
        let ids = vec!["1".to_owned(), "2".to_owned(), "3".to_owned()];
        let predictions = Predictions::new("ID", ids, Outputs::IndependentLogits { labels, values }).unwrap();
        assert_eq!(
            text(&predictions, Form::Predictions),
            "ID,prediction,p_욕설,p_차별\n1,욕설|차별,0.5,0.8807971\n2,차별,0.11920292,0.7310586\n\
             3,,0.26894143,0.26894143\n"
        );
        assert_eq!(text(&predictions, Form::Logits).lines().next(), Some("ID,logit_욕설,logit_차별"));
    }

    #[test]
    fn raw_outputs_are_written_as_they_are() {
        assert_eq!(
            text(&classes(), Form::Logits),
            "ID,logit_부정,\"logit_a,b\"\n1,0.0,0.0\n\"say \"\"hi\"\"\",-1.5,60.0\n"
        );
        let scores = Predictions::new("id", vec!["x".to_owned()], Outputs::Scores(vec![0.1])).unwrap();
        assert_eq!(text(&scores, Form::Logits), "id,logit\nx,0.1\n");
        assert_eq!(text(&scores, Form::Predictions), "id,prediction\nx,0.1\n");
    }

    #[test]
    fn probabilities_have_no_raw_outputs_to_write() {
        let outputs = Outputs::Probabilities { labels: vec!["0".to_owned()], values: vec![1.0] };
        let predictions = Predictions::new("id", vec!["x".to_owned()], outputs).unwrap();
        let error = predictions.write_to(Vec::new(), Form::Logits, "memory").unwrap_err();
        assert!(matches!(error, EvalError::NotLogits));
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.csv");
        fs::write(&path, "old").unwrap();
        classes().write(&path, Form::Logits).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text(&classes(), Form::Logits));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.csv");
        fs::write(&path, "old").unwrap();
        let full = |file: &mut dyn Write| {
            file.write_all(b"new")?;
            Err(io::ErrorKind::StorageFull.into())
        };
        assert_eq!(replace(&path, full).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_directory_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("none").join("test.csv");
        let error = classes().write(&path, Form::Logits).unwrap_err();
        assert!(error.to_string().contains("test.csv"), "{error}");
        assert_eq!(error.exit_code(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_work_that_failed() {
        let error = classes().write(Path::new("/dev/full"), Form::Logits).unwrap_err();
        assert!(error.to_string().starts_with("cannot write /dev/full: No space left"), "{error}");
        assert_eq!(error.exit_code(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_stays_and_its_target_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("target.csv");
        let link = directory.path().join("link.csv");
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        classes().write(&link, Form::Logits).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap(), text(&classes(), Form::Logits));
    }
}
