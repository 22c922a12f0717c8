//! `gyeol demo`: the main job on built-in sample data, each step shown as the command that does it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Parser as _;
use gyeol_pipeline::{demo, ensemble::check_name, runs::Runs};

use super::{ensemble, evaluate, predict, train};
use crate::{
    args::{Cli, Command, Global},
    exit::Interrupted,
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
    output.note(&format!("wrote made-up reviews, a small Korean encoder and two recipes to {}", args.out.display()));
    // A program reads one document: the evaluation.
    let on_the_way = if output.is_json() { output.muted() } else { *output };
    let first = train_step(&show(&files.recipe), global, &on_the_way)?;
    let second = train_step(&show(&files.second), global, &on_the_way)?;
    let both = free_name(&format!("{first}-ensemble"), &Runs::new(&global.home));
    step(&["ensemble", &first, &second, "--save", &both], global, &on_the_way)?;
    let predictions = show(&args.out.join("predictions.csv"));
    step(&["predict", &both, &show(&files.test), "-o", &predictions], global, &on_the_way)?;
    let answers = show(&files.answers);
    step(&["evaluate", &predictions, &answers, "--id", "id", "--text", "review"], global, output)?;
    output.note("\nthe same on a table of yours: gyeol init TABLE, then gyeol train recipe.toml");
    Ok(())
}

/// The name, or where a run has it already, the name with the first number that is free.
fn free_name(name: &str, runs: &Runs) -> String {
    let mut free = name.to_owned();
    for number in 2.. {
        if check_name(&free, runs).is_ok() {
            break;
        }
        free = format!("{name}-{number}");
    }
    free
}

/// Prints the training's command line and does what it says; the name of the run.
fn train_step(recipe: &str, global: &Global, output: &Output) -> Result<String> {
    let words = ["train", recipe];
    let Command::Train(args) = parse(&words, global, output)? else { unreachable!("`train` is training") };
    // `demo` itself cannot resume: its hint names the command that can.
    let go_on = |error: anyhow::Error| match error.is::<Interrupted>() {
        true => Interrupted { hint: Some(format!("`{} --resume` goes on", line(&words, global))) }.into(),
        false => error,
    };
    let runs = train::runs_made(&args, global, output).map_err(go_on)?;
    runs.into_iter().next().context("the demo trained no run")
}

/// Prints a command line and does what it says.
fn step(words: &[&str], global: &Global, output: &Output) -> Result<()> {
    match parse(words, global, output)? {
        Command::Ensemble(args) => ensemble::run(&args, global, output),
        Command::Predict(args) => predict::run(&args, global, output),
        Command::Evaluate(args) => evaluate::run(&args, output),
        _ => unreachable!("the demo combines, predicts and evaluates"),
    }
}

/// Prints a command line and reads it.
fn parse(words: &[&str], global: &Global, output: &Output) -> Result<Command> {
    output.note(&format!("\n$ {}", line(words, global)));
    Ok(Cli::try_parse_from(std::iter::once(&"gyeol").chain(words))?.command)
}

/// The command as it would be typed.
fn line(words: &[&str], global: &Global) -> String {
    let home = match global.home.to_str() {
        Some(".gyeol") | None => String::new(),
        Some(home) => format!(" --home {home}"),
    };
    format!("gyeol {}{home}", words.join(" "))
}

fn show(path: &Path) -> String {
    path.display().to_string()
}
