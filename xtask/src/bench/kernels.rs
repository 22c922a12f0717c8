//! `cargo xtask bench kernels`: the matrix products of a training step alone, as shares of a loop on registers alone.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use clap::Args;

use super::Size;
use super::document::{self, Document};
use super::record::Record;
use crate::process;

/// Flags of `cargo xtask bench kernels`.
#[derive(Args)]
pub(crate) struct Options {
    /// Model whose layers are taken
    #[arg(long, value_enum, default_value_t = Size::BertBase)]
    size: Size,
    /// Tokens of the batch; 544 are 32 reviews of 17
    #[arg(long, default_value_t = 544)]
    tokens: usize,
    /// Operands of the products, f32 or bf16; both where the processor multiplies bf16 and nothing is said
    #[arg(long)]
    precision: Option<String>,
}

/// Runs the example `gemm_bench` of gyeol-kernels, shows what it prints and keeps its document.
pub(super) fn run(root: &Path, options: &Options) -> Result<()> {
    let example = super::build_example(root, "gyeol-kernels", "gemm_bench")?;
    let record = Record::open(root, "kernels", Document::new())?;
    let measure = |precision: Option<&str>| -> Result<Document> {
        let mut command = Command::new(&example);
        command.arg(options.size.name()).arg(options.tokens.to_string()).args(precision);
        let printed = process::capture(&mut command)?;
        printed.lines().filter(|line| !line.starts_with('{')).for_each(|line| println!("{line}"));
        let document = document::last(&printed)?;
        record.add(&document)?;
        Ok(document)
    };
    // The example's own choice is bf16 where there is such a thing.
    let first = measure(options.precision.as_deref())?;
    if options.precision.is_none() && first.get("precision").is_some_and(|precision| precision == "bf16") {
        measure(Some("f32"))?;
    }
    println!("raw runs: {}", record.file().display());
    Ok(())
}
