//! `gyeol sweep best`: the winner as a recipe.

use std::path::PathBuf;

use anyhow::Result;
use gyeol_pipeline::{
    runs::Runs,
    sweep::{Sweeps, best_recipe},
};

use super::words;
use crate::{args::Global, destination::Destination, exit::Mistake, output::Output};

/// The words of `gyeol sweep best`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The sweep's name; without its number the latest of that name
    sweep: String,

    /// Where to write the recipe [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  gyeol sweep best small_encoder
  gyeol sweep best small_encoder-001 -o tuned.toml && gyeol train tuned.toml

The recipe remembers what it was tuned on: `gyeol train` says so when data, cleaning or base have changed since.";

/// Writes the recipe.
pub(super) fn run(args: &Args, global: &Global, output: &Output) -> Result<()> {
    let destination = match &args.output {
        Some(path) => Destination::new(path, "--output", &[])?,
        None => Destination::Stdout,
    };
    let sweep = Sweeps::new(&global.home).open(&args.sweep)?;
    let Some(choice) = sweep.study.choice() else {
        let hint = format!("gyeol sweep show {}", sweep.name());
        return Err(Mistake::new(format!("{}: no trial has finished", sweep.name())).hint(hint).into());
    };
    let recipe = best_recipe(&sweep, &choice, &Runs::new(&global.home))?;
    output.note(&words::winner(&choice, &sweep.spec.metric.name()));
    let Some(path) = destination.file() else {
        return if output.is_json() { output.json(&recipe) } else { output.text(&recipe.to_toml()?) };
    };
    destination.write(recipe.to_toml()?.as_bytes(), output)?;
    output.note(&format!("written to {}", path.display()));
    Ok(())
}
