//! `gyeol queue`: jobs that run one after another, or side by side, as the machine allows.
//!
//! A job is a command line of gyeol; the daemon starts it as a process of its own. What is decided is in the crate `store`,
//! as functions of what it keeps; here are the words, the processes and what is printed.

mod add;
mod child;
mod control;
mod daemon;
mod files;
mod logs;
mod ls;
mod start;
mod tell;
mod usage;
mod words;

use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Subcommand;

use crate::{args::Global, output::Output};

/// The words of `gyeol queue`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a job: any command of gyeol
    Add(add::Args),
    /// Show what runs, what waits and for what, and when it will be done
    Ls(ls::Args),
    /// Print what a job printed
    Logs(logs::Args),
    /// Run the jobs, until stopped
    Start(start::Args),
    /// Have the daemon stop what runs, where it can go on, and end
    #[command(after_help = control::STOP_EXAMPLES)]
    Stop,
    /// Start nothing more, or stop jobs where they can go on
    #[command(after_help = control::PAUSE_EXAMPLES)]
    Pause(control::Some),
    /// Start jobs again, or let paused ones go on
    #[command(after_help = control::RESUME_EXAMPLES)]
    Resume(control::Some),
    /// Let jobs that failed, were cancelled or dropped run again
    #[command(after_help = control::RETRY_EXAMPLES)]
    Retry(control::Jobs),
    /// Give jobs up; one that runs is stopped, its state saved
    #[command(after_help = control::CANCEL_EXAMPLES)]
    Cancel(control::Jobs),
    /// Forget jobs and what they printed
    #[command(after_help = control::RM_EXAMPLES)]
    Rm(control::Jobs),
}

const EXAMPLES: &str = "\
Examples:
  gyeol queue add -- train recipe.toml
  gyeol queue add --after 1 -- predict recipe-001 test.csv -o out.csv
  gyeol queue start --detach
  gyeol queue ls

A daemon may be killed, or the machine switched off: what was done stays done, what ran goes on
from its last saved state.";

/// Whether a daemon runs the queue under `home`.
pub(crate) fn daemon_runs(home: &Path) -> Result<bool> {
    files::Files::new(home).daemon_runs()
}

/// Does what `gyeol queue` says.
pub(crate) fn run(args: &Args, global: &Global, output: &Output) -> Result<()> {
    // Jobs and daemons work in other directories.
    let home = std::path::absolute(&global.home).context("cannot find the home directory")?;
    match &args.command {
        Command::Add(args) => add::run(args, &home, global, output),
        Command::Ls(args) => ls::run(args, &home, output),
        Command::Logs(args) => logs::run(args, &home, output),
        Command::Start(args) => start::run(args, &home, global, output),
        Command::Stop => control::stop(&home, output),
        Command::Pause(some) => control::pause(some, &home, output),
        Command::Resume(some) => control::resume(some, &home, output),
        Command::Retry(jobs) => control::retry(jobs, &home, output),
        Command::Cancel(jobs) => control::cancel(jobs, &home, output),
        Command::Rm(jobs) => control::remove(jobs, &home, output),
    }
}
