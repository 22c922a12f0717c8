//! The words of the command line: global flags and the list of commands. Each command's own are beside its code.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

#[cfg(unix)]
use crate::commands::queue;
use crate::commands::{
    adapt, clean, completions, demo, ensemble, evaluate, init, predict, pretrain, profile, runs, sweep, train,
};

/// Fine-tune encoders from a table of texts and labels, on a CPU, and know which change helped.
///
/// Results go to standard output, progress and notes to standard error.
#[derive(Debug, Parser)]
#[command(name = "gyeol", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,

    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  gyeol init train.csv                               look at a table and write a first recipe.toml
  gyeol profile train.csv --html profile.html        what the table holds and what to mind
  gyeol clean train.csv --recipe recipe.toml         what [clean] does to the texts
  gyeol train recipe.toml                            fine-tune, validate, keep the best
  gyeol predict kcbert-001 test.csv -o out.csv       a run's predictions for another table
  gyeol evaluate out.csv answers.csv                 how good they are, and where they go wrong
  gyeol ensemble kcbert-001 electra-001              predictions of several as one
  gyeol runs ls                                      the runs so far
  gyeol sweep run sweep.yaml recipe.toml             search for better values of its keys
  gyeol queue add -- train recipe.toml               have it run when there is room

Exit codes: 0 done, 1 the work failed, 2 wrong command, recipe or data, 130 interrupted";

/// Flags of every command.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Where runs are kept
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "GYEOL_HOME",
        default_value = ".gyeol",
        hide_env_values = true
    )]
    pub(crate) home: PathBuf,

    /// Threads to compute with [default: one a core]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,

    /// Print results and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Say more on standard error
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,

    /// Print the result as one JSON document
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The main job on built-in sample data, in about a minute
    Demo(demo::Args),
    /// Look at a table and write a first recipe
    Init(init::Args),
    /// Look closely at a table: what it holds, what may be wrong, what to do
    Profile(profile::Args),
    /// Show what cleaning does to a table, before and after
    Clean(clean::Args),
    /// Fine-tune a model as a recipe says
    Train(train::Args),
    /// Train a recipe's base model on its texts, labels aside (TAPT)
    Adapt(adapt::Args),
    /// Train a tokeniser and an encoder from nothing on raw text
    Pretrain(pretrain::Args),
    /// Predict a table with a run or any checkpoint directory
    Predict(predict::Args),
    /// Score predictions against the labels of a table
    Evaluate(evaluate::Args),
    /// Combine predictions of several models, with proof of what that is worth
    Ensemble(ensemble::Args),
    /// The experiment store: list, show, export, note and remove runs
    Runs(runs::Args),
    /// Search for the best values of a recipe's keys
    Sweep(sweep::Args),
    /// Run commands one after another, through crashes and restarts
    #[cfg(unix)]
    Queue(queue::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
