//! `gyeol runs`: what has been run, and what came of it.

mod annotate;
mod cells;
mod export;
mod filter;
mod ls;
mod made_of;
mod rebuild;
mod rm;
mod show;
mod submissions;

use anyhow::Result;
use clap::Subcommand;
use gyeol_pipeline::runs::Runs;

use crate::{args::Global, output::Output};

/// The words of `gyeol runs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the runs, the latest last
    Ls(ls::Args),
    /// Show one run: its evaluations, warnings and files
    Show(show::Args),
    /// Remove runs, or what they need to go on
    Rm(rm::Args),
    /// Write a table with a row a run: recipe keys, metrics, fingerprints
    Export(export::Args),
    /// Make the store anew from the run directories
    Rebuild(rebuild::Args),
    /// Write down what is worth remembering of a run
    Note(annotate::NoteArgs),
    /// List the files made for a competition, and what came of them
    Submissions(submissions::Args),
    /// Give runs words to find them by
    Tag(annotate::TagArgs),
}

/// Does what `gyeol runs` says.
pub(crate) fn run(args: &Args, global: &Global, output: &Output) -> Result<()> {
    let runs = Runs::new(&global.home);
    match &args.command {
        Command::Ls(args) => ls::run(args, &runs, output),
        Command::Show(args) => show::run(args, &runs, output),
        Command::Rm(args) => rm::run(args, &runs, output),
        Command::Export(args) => export::run(args, &runs, output),
        Command::Rebuild(_) => rebuild::run(&runs, output),
        Command::Note(args) => annotate::note(args, &runs, output),
        Command::Submissions(args) => submissions::run(args, &runs, output),
        Command::Tag(args) => annotate::tag(args, &runs, output),
    }
}
