//! `cargo xtask bench pretrain`: masked-LM training from random weights against other trainers, in turns, on the same
//! architecture, tokeniser and texts.
//!
//! Both sides count real tokens and the time from step to step, masking and batching included. Both hide 15 % of the tokens,
//! 80/10/10. Cutting differs for texts beyond `--max-length`: gyeol goes on with them in further rows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use super::document::{Document, absolute, file_name, text};
use super::record::Record;
use super::reported::reported;
use super::turns::{Figures, Turns};

/// The peer's arguments unless others are given.
const PEER_ARGUMENTS: &str = "--group-by-length --precision bf16";

/// Flags of `cargo xtask bench pretrain`.
#[derive(Args, Clone)]
pub(crate) struct Options {
    /// Directory whose configuration and tokeniser both sides take
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Raw text, one a line
    #[arg(long, value_name = "TXT")]
    data: PathBuf,
    /// Optimiser steps of a run: with a peer that groups by length, whole groups of 50 and the warm-up
    #[arg(long, default_value_t = 102)]
    steps: u64,
    /// First steps left out of the figures of both sides: they touch memory for the first time
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    warmup: u64,
    /// Texts of a batch
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Longest sequence in tokens
    #[arg(long, default_value_t = 128)]
    max_length: usize,
    /// `pretrain.precision` of the recipe
    #[arg(long, default_value = "auto")]
    precision: String,
    #[command(flatten)]
    turns: Turns,
}

/// Measures, prints each run, the medians and their ratios.
pub(super) fn run(root: &Path, options: &Options) -> Result<()> {
    options.turns.check_groups(PEER_ARGUMENTS, options.steps, options.warmup)?;
    let options = Options { model: absolute(&options.model)?, data: absolute(&options.data)?, ..options.clone() };
    let gyeol = super::build_gyeol(root)?;
    let shared = Document::from_iter([
        ("model".to_owned(), file_name(&options.model)),
        ("data".to_owned(), file_name(&options.data)),
        ("batch".to_owned(), options.batch.into()),
        ("max_length".to_owned(), options.max_length.into()),
        ("asked_steps".to_owned(), options.steps.into()),
    ]);
    let record = Record::open(root, "pretrain", shared)?;
    options.turns.take(&record, PEER_ARGUMENTS, &peer_arguments(&options), || run_gyeol(&gyeol, &options))
}

fn peer_arguments(options: &Options) -> Vec<String> {
    let paths = [("--model", &options.model), ("--data", &options.data)];
    let numbers = [
        ("--batch", options.batch as u64),
        ("--steps", options.steps),
        ("--warmup", options.warmup),
        ("--max-length", options.max_length as u64),
    ];
    let paths = paths.into_iter().map(|(flag, path)| [flag.to_owned(), path.to_string_lossy().into_owned()]);
    paths.chain(numbers.into_iter().map(|(flag, value)| [flag.to_owned(), value.to_string()])).flatten().collect()
}

/// One `gyeol pretrain` in a home of its own, removed afterwards.
fn run_gyeol(gyeol: &Path, options: &Options) -> Result<(Document, Figures)> {
    let home = tempfile::tempdir().context("no temporary directory")?;
    let file = home.path().join("encoder.toml");
    fs::write(&file, recipe(options)?).with_context(|| format!("{}: cannot be written", file.display()))?;
    let mut command = Command::new(gyeol);
    command.arg("pretrain").arg(&file).arg("--home").arg(home.path()).args(["--json", "-q"]);
    reported(&mut command, &home.path().join("runs"), options.warmup, options.batch)
}

/// The recipe of the bench; what it leaves out has the product's defaults.
fn recipe(options: &Options) -> Result<String> {
    let value = serde_json::json!({
        "name": "bench",
        "pretrain": {
            "texts": [text(&options.data)?],
            "holdout": 0.0,
            "max_length": options.max_length,
            "max_steps": options.steps,
            "batch_size": options.batch,
            "precision": options.precision,
        },
        "encoder": { "like": text(&options.model)? },
    });
    toml::to_string(&value).context("the recipe cannot be written as TOML")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        use clap::Parser;
        #[derive(Parser)]
        struct Command {
            #[command(flatten)]
            options: Options,
        }
        Command::parse_from(["bench", "--model", "base", "--data", "a \"b\".txt"]).options
    }

    #[test]
    fn both_sides_are_given_the_same_texts_and_batches() {
        let arguments = peer_arguments(&options()).join(" ");
        let wanted = "--model base --data a \"b\".txt --batch 32 --steps 102 --warmup 2 --max-length 128";
        assert_eq!(arguments, wanted);
        let table: toml::Table = recipe(&options()).unwrap().parse().unwrap();
        assert_eq!(table["pretrain"]["texts"][0].as_str(), Some("a \"b\".txt"));
        assert_eq!(table["pretrain"]["max_steps"].as_integer(), Some(102));
        assert_eq!(table["encoder"]["like"].as_str(), Some("base"));
    }
}
