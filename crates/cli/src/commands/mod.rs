//! One module a command: its words (`Args`) and what it does (`run`).

pub(crate) mod adapt;
pub(crate) mod clean;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod ensemble;
pub(crate) mod evaluate;
pub(crate) mod init;
pub(crate) mod masked_lm;
pub(crate) mod predict;
pub(crate) mod pretrain;
pub(crate) mod profile;
#[cfg(unix)]
pub(crate) mod queue;
pub(crate) mod runs;
pub(crate) mod sweep;
pub(crate) mod train;

use anyhow::{Context as _, Result};

use crate::{
    args::{Cli, Command, Global},
    output::Output,
};

/// Does what the command line says.
pub(crate) fn run(cli: Cli, output: &Output) -> Result<()> {
    let Cli { global, command } = cli;
    set_threads(&global)?;
    match command {
        Command::Demo(args) => demo::run(&args, &global, output),
        Command::Init(args) => init::run(&args, output),
        Command::Profile(args) => profile::run(&args, output),
        Command::Clean(args) => clean::run(&args, output),
        Command::Train(args) => train::run(&args, &global, output),
        Command::Adapt(args) => adapt::run(&args, &global, output),
        Command::Pretrain(args) => pretrain::run(&args, &global, output),
        Command::Predict(args) => predict::run(&args, &global, output),
        Command::Evaluate(args) => evaluate::run(&args, output),
        Command::Ensemble(args) => ensemble::run(&args, &global, output),
        Command::Runs(args) => runs::run(&args, &global, output),
        Command::Sweep(args) => sweep::run(&args, &global, output),
        #[cfg(unix)]
        Command::Queue(args) => queue::run(&args, &global, output),
        Command::Completions(args) => completions::run(&args, output),
    }
}

/// Sizes the thread pool that tables and tokenisation share; threads start with their first work.
fn set_threads(global: &Global) -> Result<()> {
    let Some(threads) = global.threads else { return Ok(()) };
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.into())
        .build_global()
        .with_context(|| format!("cannot start {threads} threads"))
}
