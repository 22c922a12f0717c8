//! `cargo xtask bench train`: `gyeol train` against other trainers, in turns, on the same model and table.
//!
//! Both sides count real tokens and training steps alone. The product's batches are ragged and hold no padding, so it needs
//! no grouping of rows by length; the peer is measured with it unless told otherwise, which is its better case.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use super::document::{Document, absolute, file_name, text};
use super::record::Record;
use super::reported::reported;
use super::turns::{Figures, Turns, model_and_data};

/// The peer's arguments unless others are given.
const PEER_ARGUMENTS: &str = "--group-by-length --precision bf16";

/// Flags of `cargo xtask bench train`.
#[derive(Args, Clone)]
pub(crate) struct Options {
    /// Checkpoint directory both sides start from
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Training table
    #[arg(long, value_name = "CSV")]
    data: PathBuf,
    /// Column of the texts
    #[arg(long, default_value = "review")]
    text: String,
    /// Column of the labels
    #[arg(long, default_value = "label")]
    label: String,
    /// Optimiser steps of a run: with a peer that groups by length, whole groups of 50 and the warm-up
    #[arg(long, default_value_t = 102)]
    steps: u64,
    /// First steps left out of the figures of both sides: they touch memory for the first time
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    warmup: u64,
    /// Rows of a batch
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Longest sequence in tokens
    #[arg(long, default_value_t = 128)]
    max_length: usize,
    /// `train.precision` of the recipe
    #[arg(long, default_value = "auto")]
    precision: String,
    /// More `gyeol train --set KEY=VALUE`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    #[command(flatten)]
    turns: Turns,
}

/// Measures, prints each run, the medians and their ratios.
pub(super) fn run(root: &Path, options: &Options) -> Result<()> {
    options.turns.check_groups(PEER_ARGUMENTS, options.steps, options.warmup)?;
    let options = Options { model: absolute(&options.model)?, data: absolute(&options.data)?, ..options.clone() };
    let gyeol = super::build_gyeol(root)?;
    let record = Record::open(root, "train", shared(&options))?;
    options.turns.take(&record, PEER_ARGUMENTS, &peer_arguments(&options), || run_gyeol(&gyeol, &options))
}

/// What every raw run of this bench shares.
fn shared(options: &Options) -> Document {
    Document::from_iter([
        ("model".to_owned(), file_name(&options.model)),
        ("data".to_owned(), file_name(&options.data)),
        ("batch".to_owned(), options.batch.into()),
        ("max_length".to_owned(), options.max_length.into()),
        ("asked_steps".to_owned(), options.steps.into()),
    ])
}

fn peer_arguments(options: &Options) -> Vec<String> {
    let mut arguments = model_and_data(&options.model, &options.data, &options.text);
    let numbers = [
        ("--batch", options.batch as u64),
        ("--steps", options.steps),
        ("--warmup", options.warmup),
        ("--max-length", options.max_length as u64),
    ];
    arguments.extend(["--label".to_owned(), options.label.clone()]);
    arguments.extend(numbers.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value.to_string()]));
    arguments
}

/// One `gyeol train` in a home of its own, removed afterwards.
fn run_gyeol(gyeol: &Path, options: &Options) -> Result<(Document, Figures)> {
    let home = tempfile::tempdir().context("no temporary directory")?;
    let file = home.path().join("recipe.toml");
    fs::write(&file, recipe(options)?).with_context(|| format!("{}: cannot be written", file.display()))?;
    let mut command = Command::new(gyeol);
    command.arg("train").arg(&file).arg("--home").arg(home.path()).args(["--json", "-q"]);
    command.args(["--set", &format!("train.max_steps={}", options.steps), "--set", "data.holdout=0.0"]);
    for set in &options.sets {
        command.args(["--set", set]);
    }
    reported(&mut command, &home.path().join("runs"), options.warmup, options.batch)
}

/// The recipe of the bench; what it leaves out has the product's defaults.
fn recipe(options: &Options) -> Result<String> {
    let value = serde_json::json!({
        "name": "bench",
        "data": { "train": text(&options.data)?, "text": options.text, "label": options.label },
        "model": { "base": text(&options.model)?, "max_length": options.max_length },
        "train": { "batch_size": options.batch, "precision": options.precision },
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
        Command::parse_from(["bench", "--model", "base", "--data", "a \"b\".csv"]).options
    }

    #[test]
    fn the_recipe_quotes_what_it_is_given() {
        let table: toml::Table = recipe(&options()).unwrap().parse().unwrap();
        assert_eq!(table["data"]["train"].as_str(), Some("a \"b\".csv"));
        assert_eq!(table["train"]["batch_size"].as_integer(), Some(32));
        assert_eq!(table["train"]["precision"].as_str(), Some("auto"));
    }

    #[test]
    fn both_sides_are_given_the_same_batches() {
        let arguments = peer_arguments(&options()).join(" ");
        assert!(arguments.ends_with("--label label --batch 32 --steps 102 --warmup 2 --max-length 128"), "{arguments}");
    }
}
