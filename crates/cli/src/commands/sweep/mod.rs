//! `gyeol sweep`: search for the best values of a recipe's keys.

mod best;
mod list;
mod progress;
mod report;
mod reported;
mod run;
mod words;

use anyhow::Result;
use clap::Subcommand;

use crate::{args::Global, output::Output};

/// The words of `gyeol sweep`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a sweep, or go on with it
    Run(Box<run::Args>),
    /// List the sweeps
    Ls,
    /// Show one sweep: its trials and what came of them
    Show {
        /// The sweep's name; without its number the latest of that name
        sweep: String,
    },
    /// Write the winner of a sweep as a recipe
    Best(best::Args),
    /// What a sweep found: the best trials, which parameters mattered, what it cost
    Report(reported::Args),
}

/// Does what `gyeol sweep` says.
pub(crate) fn run(args: &Args, global: &Global, output: &Output) -> Result<()> {
    match &args.command {
        Command::Run(args) => run::run(args, global, output),
        Command::Ls => list::ls(global, output),
        Command::Show { sweep } => list::show(sweep, global, output),
        Command::Best(args) => best::run(args, global, output),
        Command::Report(args) => reported::run(args, global, output),
    }
}
