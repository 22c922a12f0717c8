//! What can be wrong with a sample, or between a sample and predictions.

use std::path::PathBuf;

/// Why a submission cannot be made. All of it is for the user to mend.
///
/// Lines are lines of the sample, counted from 1.
#[derive(Debug, thiserror::Error)]
pub enum SubmissionError {
    /// A quote is opened and never closed.
    #[error("{} line {line}: a quoted cell never ends; is a closing quote missing?", file.display())]
    OpenQuote {
        /// The sample.
        file: PathBuf,
        /// Where the quote is opened.
        line: u64,
    },
    /// The sample's columns are not of a kind these predictions can fill.
    #[error("{}: its columns are {}; expected {expected}", file.display(), columns.join(", "))]
    Layout {
        /// The sample.
        file: PathBuf,
        /// All its columns.
        columns: Vec<String>,
        /// What it might have had, as a noun phrase.
        expected: String,
    },
    /// The rows of sample and predictions are not the same.
    #[error("{}: {}", file.display(), ids_differ(missing, extra, *rows, *predictions))]
    Ids {
        /// The sample.
        file: PathBuf,
        /// How many of its ids have no prediction, and the first of them.
        missing: (usize, Vec<String>),
        /// How many predictions are not in it, and the first of them.
        extra: (usize, Vec<String>),
        /// How many rows it has.
        rows: usize,
        /// How many predictions there are.
        predictions: usize,
    },
    /// Two predictions are for what is one id here.
    #[error("two predictions have the id \"{id}\" (blanks at its ends do not count); ids must be unique")]
    DuplicatePrediction {
        /// The id.
        id: String,
    },
    /// A label has a character that the sample's encoding has not.
    #[error(
        "{} line {line} (id \"{id}\"): \"{value}\" cannot be written in {encoding}, which the sample is in; \
         save the sample as UTF-8 if that is allowed", file.display()
    )]
    Unencodable {
        /// The sample.
        file: PathBuf,
        /// The line of the row.
        line: u64,
        /// Its id.
        id: String,
        /// What was to be written.
        value: String,
        /// The sample's encoding.
        encoding: &'static str,
    },
    /// A prediction is not a finite number.
    #[error("id \"{id}\": a prediction is {value}; predict these rows again")]
    NotFinite {
        /// The row's id.
        id: String,
        /// The number.
        value: f32,
    },
}

/// Both differences in a sentence.
fn ids_differ(missing: &(usize, Vec<String>), extra: &(usize, Vec<String>), rows: usize, predictions: usize) -> String {
    let told = |ids: &[String], count: usize| {
        let quoted: Vec<String> = ids.iter().map(|id| format!("\"{id}\"")).collect();
        format!("{}{}", quoted.join(", "), if count > ids.len() { ", …" } else { "" })
    };
    let mut parts = Vec::new();
    if missing.0 > 0 {
        parts.push(format!("{} of its {rows} ids have no prediction ({})", missing.0, told(&missing.1, missing.0)));
    }
    if extra.0 > 0 {
        let ids = told(&extra.1, extra.0);
        parts.push(format!("{} of the {predictions} predictions are for ids that it does not have ({ids})", extra.0));
    }
    format!("{}; is it the sample for the table that was predicted?", parts.join(", and "))
}
