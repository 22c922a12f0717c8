//! `gyeol demo`: the main job on built-in sample data, each step shown as the command that does it.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Parser as _;
use gyeol_pipeline::{demo, runs::Runs};

use super::{evaluate, predict, train};
use crate::{
    args::{Cli, Command, Global},
    output::Output,
};

/// The words of `gyeol demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where the sample data, the small model and the recipe are written
    #[arg(long, value_name = "DIR", default_value = "gyeol-demo")]
    pub(crate) out: PathBuf,

    /// Decides the sample data and the run
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub(crate) seed: u64,
}

const EXAMPLES: &str = "\
Examples:
  gyeol demo
  gyeol demo --out /tmp/demo --seed 7";

/// Does what `gyeol demo` says: writes the files, then runs the commands it prints, as if they had been typed.
pub(crate) fn run(args: &Args, global: &Global, output: &Output) -> Result<()> {
    let files = demo::write(&args.out, args.seed)?;
    output.note(&format!("wrote made-up reviews, a small encoder and a recipe to {}", args.out.display()));
    // A program reads one document: the evaluation.
    let on_the_way = if output.is_json() { output.muted() } else { *output };
    let recipe = show(&files.recipe);
    step(&["train", &recipe], global, &on_the_way)?;
    let runs = Runs::new(&global.home);
    let Some(run) = runs.list()?.into_iter().rfind(|run| run.name().starts_with("demo-")) else {
        bail!("the run of the demo is gone from {}", runs.root().display());
    };
    let predictions = show(&args.out.join("predictions.csv"));
    step(&["predict", run.name(), &show(&files.test), "-o", &predictions], global, &on_the_way)?;
    let answers = show(&files.answers);
    step(&["evaluate", &predictions, &answers, "--id", "id", "--text", "review"], global, output)?;
    output.note("\nthe same on a table of yours: gyeol init TABLE, then gyeol train recipe.toml");
    Ok(())
}

/// Prints a command line and does what it says.
fn step(words: &[&str], global: &Global, output: &Output) -> Result<()> {
    let home = match global.home.to_str() {
        Some(".gyeol") | None => String::new(),
        Some(home) => format!(" --home {home}"),
    };
    output.note(&format!("\n$ gyeol {}{home}", words.join(" ")));
    let cli = Cli::try_parse_from(std::iter::once(&"gyeol").chain(words))?;
    match cli.command {
        Command::Train(args) => train::run(&args, global, output),
        Command::Predict(args) => predict::run(&args, global, output),
        Command::Evaluate(args) => evaluate::run(&args, output),
        _ => unreachable!("the demo runs three commands"),
    }
}

fn show(path: &Path) -> String {
    path.display().to_string()
}
