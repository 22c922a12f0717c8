//! `cargo xtask`: the project's habits as commands. The product itself knows nothing of them.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod golden;
mod process;
mod tidy;
mod workspace;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The project's habits.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    habit: Habit,
}

#[derive(Subcommand)]
enum Habit {
    /// Check the invariants of ARCHITECTURE.md that a program can check; list every violation at once
    Tidy,
    /// Make every golden again and show what changed
    Golden {
        /// Python with torch, transformers, sentence-transformers, lion-pytorch, scikit-learn, pandas and scipy
        #[arg(long, value_name = "PYTHON", default_value = "python3")]
        python: PathBuf,
    },
    /// Measure; ratios are printed, raw runs kept under docs/benchmarks
    Bench {
        #[command(subcommand)]
        subject: bench::Subject,
    },
    /// Run what continuous integration runs
    Ci,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().habit) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(habit: &Habit) -> Result<()> {
    let root = workspace::root()?;
    match habit {
        Habit::Tidy => tidy::run(&root),
        Habit::Golden { python } => golden::run(&root, python),
        Habit::Bench { subject } => bench::run(&root, subject),
        Habit::Ci => process::run(Command::new("bash").arg(".ci/run").current_dir(&root)),
    }
}
