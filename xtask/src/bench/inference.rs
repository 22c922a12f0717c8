//! `cargo xtask bench inference`: predicting a table against other programs, in turns, with the same checkpoint.
//!
//! Both sides count tokenising and computing, after a first pass over a few rows; neither counts loading the model.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use clap::Args;

use super::document::{self, Document, absolute, file_name};
use super::record::Record;
use super::turns::{Figures, Turns, model_and_data};
use crate::process;

/// The peer's arguments unless others are given.
const PEER_ARGUMENTS: &str = "--precision bf16 --sort";

/// Flags of `cargo xtask bench inference`.
#[derive(Args, Clone)]
pub(crate) struct Options {
    /// Checkpoint directory with a head
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Table to predict
    #[arg(long, value_name = "CSV")]
    data: PathBuf,
    /// Column of the texts
    #[arg(long, default_value = "review")]
    text: String,
    /// First rows of the table that are predicted
    #[arg(long, default_value_t = 2000)]
    rows: usize,
    /// Longest sequence in tokens
    #[arg(long, default_value_t = 128)]
    max_length: usize,
    /// Precision of gyeol
    #[arg(long, default_value = "auto")]
    precision: String,
    #[command(flatten)]
    turns: Turns,
}

/// Measures, prints each run, the medians and their ratios.
pub(super) fn run(root: &Path, options: &Options) -> Result<()> {
    let (model, data) = (absolute(&options.model)?, absolute(&options.data)?);
    let example = super::build_example(root, "gyeol-pipeline", "predict_bench")?;
    let shared = Document::from_iter([
        ("model".to_owned(), file_name(&model)),
        ("data".to_owned(), file_name(&data)),
        ("asked_rows".to_owned(), options.rows.into()),
        ("max_length".to_owned(), options.max_length.into()),
    ]);
    let record = Record::open(root, "inference", shared)?;
    let numbers = [options.rows, options.max_length].map(|number| number.to_string());
    let mut arguments = model_and_data(&model, &data, &options.text);
    let [rows, max_length] = &numbers;
    arguments.extend(["--rows", rows, "--max-length", max_length].map(str::to_owned));
    options.turns.take(&record, PEER_ARGUMENTS, &arguments, || {
        let mut command = Command::new(&example);
        command.arg(&options.precision).arg(&model).arg(&data).arg(&options.text).args(&numbers);
        let document = document::last(&process::capture(&mut command)?)?;
        let figures = Figures::of(&document)?;
        Ok((document, figures))
    })
}
