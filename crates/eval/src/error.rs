//! Everything that can go wrong in this crate, and whose mistake it is.

use std::{io, path::PathBuf};

use crate::{Metric, Task, ensemble::MethodKind, submission::SubmissionError};

/// An error of reading, writing, matching or scoring predictions.
///
/// Rows are data rows counted from 1, lines are lines of the file counted from 1 (a quoted field may span several).
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The file could not be opened or read.
    #[error("cannot read {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file could not be written; whatever was there before is untouched.
    #[error("cannot write {}: {source}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The header is not that of a predictions file.
    #[error("{}: {problem}; expected an id column, then `prediction` and one `p_<label>` a class (regression: \
             `prediction` alone), or an id column and raw outputs (`logit_<label>` a class, or `logit`)",
            file.display())]
    Header {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The file has a header and nothing below it.
    #[error("{}: no predictions, only a header", file.display())]
    NoRows {
        /// The file.
        file: PathBuf,
    },
    /// A row has more or fewer fields than the header.
    #[error("{} line {line} (row {row}): {found} fields where the header has {expected}; \
             is a comma or a quote missing?", file.display())]
    Ragged {
        /// The file.
        file: PathBuf,
        /// The line the row starts on.
        line: u64,
        /// The row.
        row: usize,
        /// Columns of the header.
        expected: usize,
        /// Fields of this row.
        found: usize,
    },
    /// Bytes that are not UTF-8.
    #[error("{} line {line} (row {row}): not UTF-8; save the file as UTF-8", file.display())]
    NotUtf8 {
        /// The file.
        file: PathBuf,
        /// The line the row starts on; 1 when it is the header.
        line: u64,
        /// The row; 0 when it is the header.
        row: usize,
    },
    /// Bytes that are neither UTF-8 nor CP949.
    #[error("{} line {line}: neither UTF-8 nor CP949 (EUC-KR); save the file as UTF-8", file.display())]
    Encoding {
        /// The file.
        file: PathBuf,
        /// The line of the first byte that is not UTF-8.
        line: u64,
    },
    /// Predictions of another tool whose columns do not fit.
    #[error("{}: {problem}; expected {wanted}", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
        /// What was found.
        problem: String,
        /// What it might have had, as a noun phrase.
        wanted: String,
    },
    /// A submission cannot be made.
    #[error(transparent)]
    Submission(Box<SubmissionError>),
    /// A field holds what its column cannot.
    #[error(transparent)]
    Field(Box<FieldError>),
    /// One id, two rows.
    #[error("{} line {line}: id \"{id}\" of row {row} is already that of row {first}; \
             ids must be unique", file.display())]
    DuplicateId {
        /// The file.
        file: PathBuf,
        /// The line the second row starts on.
        line: u64,
        /// The second row.
        row: usize,
        /// The first row.
        first: usize,
        /// The id.
        id: String,
    },
    /// A prediction for a row the table does not have.
    #[error(
        "prediction row {row}: id \"{id}\" is not in the table ({missing} of {rows} ids are missing); \
             is it the table these predictions were made for?"
    )]
    UnknownId {
        /// The first prediction row without a counterpart.
        row: usize,
        /// Its id.
        id: String,
        /// How many predictions have no counterpart.
        missing: usize,
        /// How many predictions there are.
        rows: usize,
    },
    /// A label of the table that the predictions have no class for.
    #[error("id \"{id}\": label \"{label}\" is not a class of the predictions ({})", known.join(", "))]
    UnknownLabel {
        /// The row's id.
        id: String,
        /// Its label.
        label: String,
        /// The classes there are.
        known: Vec<String>,
    },
    /// The same of files.
    #[error("{} against {data}: {problem}", predictions.display())]
    Against {
        /// The predictions.
        predictions: PathBuf,
        /// The table or tables, and the column that does not go with them.
        data: String,
        /// What is wrong.
        problem: Box<EvalError>,
    },
    /// Raw outputs were asked of predictions that hold probabilities only.
    #[error("these predictions hold probabilities, not logits: raw outputs cannot be written from them")]
    NotLogits,
    /// Predictions to be combined do not go together.
    #[error("the predictions to combine differ in their {what}; combine those of one recipe and table")]
    Unlike {
        /// In what they differ.
        what: &'static str,
    },
    /// A member of an ensemble that does not go with the others.
    #[error("member {member}: {problem}")]
    Member {
        /// Its name.
        member: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Folds that nothing can be cross-validated over.
    #[error("cannot cross-validate: {problem}")]
    Folds {
        /// What is wrong with them.
        problem: String,
    },
    /// Temperatures were asked for where there are no probabilities.
    #[error("temperatures are for classes: a regression has scores, and no probabilities to calibrate")]
    NoProbabilities,
    /// Fitted numbers of an ensemble, read from a file, are not those of its members and classes.
    #[error("the {what} of the ensemble is damaged: {problem}; make the ensemble again")]
    Damaged {
        /// Which numbers.
        what: &'static str,
        /// What is wrong with them.
        problem: String,
    },
    /// The predictions are of one task and the truth of another.
    #[error(
        "the predictions are of {predictions}, the labels of {truth}; check the label column, and that the \
             predictions file has its `p_<label>` columns"
    )]
    TaskMismatch {
        /// The task of the predictions.
        predictions: Task,
        /// The task of the labels.
        truth: Task,
    },
    /// A metric that says nothing about this task.
    #[error("metric `{metric}` does not apply to {task}; choose one of: {}", names(Metric::for_task(*task)))]
    MetricNotForTask {
        /// The metric.
        metric: Metric,
        /// The task.
        task: Task,
    },
    /// A way to combine members that says nothing about this task.
    #[error("ensemble method `{method}` does not apply to {task}; choose one of: {}", method_names(*task))]
    MethodNotForTask {
        /// The method.
        method: MethodKind,
        /// The task.
        task: Task,
    },
    /// A method's setting that is out of its range.
    #[error("ensemble method `{method}`: {setting} is {value}; it has to be {expected}")]
    MethodSetting {
        /// The method.
        method: MethodKind,
        /// The setting.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// An ensemble that cannot do without the members that are missing.
    #[error(
        "the ensemble cannot do without the missing members: {problem}; bring them back, or fit it again without them"
    )]
    Without {
        /// Why not.
        problem: &'static str,
    },
    /// No metric has this name.
    #[error("no metric is called \"{name}\" ({}){}", names(Metric::ALL), did_you_mean(*suggestion))]
    UnknownMetric {
        /// The name asked for.
        name: String,
        /// The nearest metric, if one is near.
        suggestion: Option<Metric>,
    },
    /// Slices that should describe the same rows do not: a mistake of the calling code.
    #[error("{what}: {found} values where {expected} were expected")]
    Length {
        /// Which slice.
        what: &'static str,
        /// How many values it should have.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// A true class index beyond the classes of the outputs: a mistake of the calling code.
    #[error("row {row}: class {class} where there are {classes} classes")]
    ClassOutOfRange {
        /// The row.
        row: usize,
        /// The class index, from 0.
        class: u32,
        /// How many classes there are.
        classes: usize,
    },
}

/// A field of a predictions file that holds what its column cannot.
#[derive(Debug, thiserror::Error)]
#[error("{} line {line} (row {row}, id \"{id}\"), column `{column}`: \"{value}\" is not {expected}", file.display())]
pub struct FieldError {
    /// The file.
    pub file: PathBuf,
    /// The line the row starts on.
    pub line: u64,
    /// The row.
    pub row: usize,
    /// The row's id.
    pub id: String,
    /// The column.
    pub column: String,
    /// What it holds.
    pub value: String,
    /// What it should hold, as a noun phrase.
    pub expected: String,
}

impl From<SubmissionError> for EvalError {
    fn from(error: SubmissionError) -> Self {
        Self::Submission(Box::new(error))
    }
}

impl EvalError {
    /// Whether the input is at fault (a wrong file, name or column) rather than the machine or this program.
    pub fn is_user_error(&self) -> bool {
        match self {
            Self::Read { source, .. } => matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory),
            Self::Against { problem, .. } => problem.is_user_error(),
            Self::Write { .. } | Self::Length { .. } | Self::ClassOutOfRange { .. } => false,
            Self::Header { .. }
            | Self::NoRows { .. }
            | Self::Ragged { .. }
            | Self::NotUtf8 { .. }
            | Self::Encoding { .. }
            | Self::Foreign { .. }
            | Self::Submission(_)
            | Self::Field(_)
            | Self::DuplicateId { .. }
            | Self::UnknownId { .. }
            | Self::UnknownLabel { .. }
            | Self::NotLogits
            | Self::Unlike { .. }
            | Self::Member { .. }
            | Self::Folds { .. }
            | Self::NoProbabilities
            | Self::Damaged { .. }
            | Self::TaskMismatch { .. }
            | Self::MetricNotForTask { .. }
            | Self::MethodNotForTask { .. }
            | Self::MethodSetting { .. }
            | Self::Without { .. }
            | Self::UnknownMetric { .. } => true,
        }
    }

    /// The exit code a command should end with: 2 for a mistake in the input, 1 for work that failed.
    pub fn exit_code(&self) -> u8 {
        if self.is_user_error() { 2 } else { 1 }
    }
}

fn names(metrics: impl IntoIterator<Item = Metric>) -> String {
    metrics.into_iter().map(Metric::name).collect::<Vec<_>>().join(", ")
}

fn method_names(task: Task) -> String {
    let applying = MethodKind::ALL.into_iter().filter(|method| method.applies_to(task));
    applying.map(MethodKind::name).collect::<Vec<_>>().join(", ")
}

fn did_you_mean(suggestion: Option<Metric>) -> String {
    suggestion.map_or_else(String::new, |metric| format!("; did you mean \"{metric}\"?"))
}
