//! `cargo xtask bench`: programs that print ratios and keep the raw runs; never a timed assertion.

mod document;
mod inference;
mod kernels;
mod pretrain;
mod record;
mod reported;
mod startup;
mod statistics;
mod step;
mod train;
mod turns;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Subcommand, ValueEnum};

use crate::process;

/// What is measured.
#[derive(Subcommand)]
pub(crate) enum Subject {
    /// Training speed and memory, in turns with other trainers if any are named
    Train(Box<train::Options>),
    /// Masked-LM training speed and memory, in turns with other trainers if any are named
    Pretrain(Box<pretrain::Options>),
    /// Prediction speed and memory, in turns with other programs if any are named
    Inference(Box<inference::Options>),
    /// Training steps over rows of one length, as a share of what the processor can do
    Dense(step::Dense),
    /// Training steps over the texts of a table, as a share of what the processor can do
    Ragged(step::Ragged),
    /// The matrix products alone, as shares of what the processor can do
    Kernels(kernels::Options),
    /// How long `gyeol --version` takes, and how long a checkpoint takes to open
    Startup(startup::Options),
}

/// A usual size of a BERT.
#[derive(Clone, Copy, ValueEnum)]
enum Size {
    /// 12 layers, 768 wide
    BertBase,
    /// 6 layers, 384 wide
    Minilm,
    /// 4 layers, 256 wide
    Mini,
}

impl Size {
    /// Its name to the examples, as on the command line.
    fn name(self) -> &'static str {
        match self {
            Size::BertBase => "bert-base",
            Size::Minilm => "minilm",
            Size::Mini => "mini",
        }
    }
}

/// Builds what is needed in release mode and measures it.
pub(crate) fn run(root: &Path, subject: &Subject) -> Result<()> {
    match subject {
        Subject::Train(options) => train::run(root, options),
        Subject::Pretrain(options) => pretrain::run(root, options),
        Subject::Inference(options) => inference::run(root, options),
        Subject::Dense(options) => step::dense(root, options),
        Subject::Ragged(options) => step::ragged(root, options),
        Subject::Kernels(options) => kernels::run(root, options),
        Subject::Startup(options) => startup::run(root, options),
    }
}

/// Builds `gyeol` and returns the path of the binary.
fn build_gyeol(root: &Path) -> Result<PathBuf> {
    Ok(build(root, &["-p", "gyeol"])?.join(format!("gyeol{}", std::env::consts::EXE_SUFFIX)))
}

/// Builds an example of `package` and returns its path.
fn build_example(root: &Path, package: &str, name: &str) -> Result<PathBuf> {
    let folder = build(root, &["-p", package, "--example", name])?.join("examples");
    Ok(folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}

/// Builds in release mode and returns the folder of what was built.
fn build(root: &Path, what: &[&str]) -> Result<PathBuf> {
    process::run(process::cargo().args(["build", "--release"]).args(what).current_dir(root))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder));
    Ok(target.join("release"))
}
