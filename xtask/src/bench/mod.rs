//! `cargo xtask bench`: programs that print ratios and keep the raw runs; never a timed assertion.

mod record;
mod startup;
mod statistics;
mod train;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Subcommand;

use crate::process;

/// What is measured.
#[derive(Subcommand)]
pub(crate) enum Subject {
    /// Training speed and memory, in turns with another trainer if one is named
    Train(Box<train::Options>),
    /// The matrix products alone: runs the example `gemm_bench` of gyeol-kernels
    Kernels {
        /// Passed on to the example
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// How long `gyeol --version` takes
    Startup {
        /// Runs, of which the median is printed
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        runs: u32,
    },
}

/// Builds what is needed in release mode and measures it.
pub(crate) fn run(root: &Path, subject: &Subject) -> Result<()> {
    match subject {
        Subject::Train(options) => train::run(root, options),
        Subject::Kernels { arguments } => {
            let mut example = process::cargo();
            example.args(["run", "--release", "-p", "gyeol-kernels", "--example", "gemm_bench", "--"]);
            process::run(example.args(arguments).current_dir(root))
        }
        Subject::Startup { runs } => startup::run(root, *runs),
    }
}

/// Builds `gyeol` in release mode and returns the path of the binary.
fn build_release(root: &Path) -> Result<PathBuf> {
    process::run(process::cargo().args(["build", "--release", "-p", "gyeol"]).current_dir(root))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder));
    Ok(target.join("release").join(format!("gyeol{}", std::env::consts::EXE_SUFFIX)))
}
