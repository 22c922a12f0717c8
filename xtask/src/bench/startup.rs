//! `cargo xtask bench startup`: how long a command that does nothing takes, and how long until a checkpoint can predict.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;

use super::document::{self, Document, absolute, file_name, number};
use super::record::Record;
use super::statistics::median;
use crate::process;

/// Flags of `cargo xtask bench startup`.
#[derive(Args)]
pub(crate) struct Options {
    /// Runs, of which the median is printed
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Checkpoint directory with a head, to be opened too
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Precision it is opened in
    #[arg(long, default_value = "auto")]
    precision: String,
}

/// Times `gyeol --version`, and the opening of a model if one is named.
pub(super) fn run(root: &Path, options: &Options) -> Result<()> {
    let gyeol = super::build_gyeol(root)?;
    let record = Record::open(root, "startup", Document::new())?;
    let version = repeat(options.runs, || {
        let start = Instant::now();
        process::capture(Command::new(&gyeol).arg("--version"))?;
        Ok(start.elapsed().as_secs_f64())
    })?;
    keep(&record, "gyeol --version", Document::new(), version)?;
    if let Some(model) = &options.model {
        let model = absolute(model)?;
        let example = super::build_example(root, "gyeol-pipeline", "predict_bench")?;
        let open = repeat(options.runs, || {
            let printed = process::capture(Command::new(&example).arg(&options.precision).arg(&model))?;
            number(&document::last(&printed)?, "open_seconds")
        })?;
        keep(&record, "open a model", Document::from_iter([("model".to_owned(), file_name(&model))]), open)?;
    }
    println!("raw runs: {}", record.file().display());
    Ok(())
}

/// Seconds of `runs` runs, after one that brings the files into memory.
fn repeat(runs: u32, run: impl Fn() -> Result<f64>) -> Result<Vec<f64>> {
    run()?;
    (0..runs).map(|_| run()).collect()
}

fn keep(record: &Record, what: &str, mut line: Document, seconds: Vec<f64>) -> Result<()> {
    let milliseconds: Vec<f64> = seconds.iter().map(|seconds| (seconds * 1e6).round() / 1e3).collect();
    let middle = median(&milliseconds).context("nothing was run")?;
    println!("{what}: median {middle:.1} ms of {} runs", milliseconds.len());
    line.insert("what".to_owned(), what.into());
    line.insert("milliseconds".to_owned(), milliseconds.into());
    record.add(&line)
}
