//! `gyeol`: words in, exit code out. What the words mean is in `args`, what they do in `commands`.

mod args;
mod clock;
mod commands;
mod controlled;
mod destination;
mod detect;
mod exit;
mod index;
mod job;
mod observe;
mod output;
mod watcher;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{args::Cli, output::Output};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(&cli.global);
    job::begin(&output);
    let code = match commands::run(cli, &output) {
        Ok(()) => 0,
        Err(error) => exit::report(&error, &output),
    };
    job::end(code, &output);
    ExitCode::from(code)
}
