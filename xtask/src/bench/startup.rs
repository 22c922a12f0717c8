//! `cargo xtask bench startup`: how long a command that does nothing takes.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::Map;

use super::record::Record;
use super::statistics::median;
use crate::process;

/// Times `gyeol --version`, after one run that brings the binary into memory.
pub(super) fn run(root: &Path, runs: u32) -> Result<()> {
    let gyeol = super::build_release(root)?;
    let version = || process::capture(Command::new(&gyeol).arg("--version"));
    version()?;
    let record = Record::open(root, "startup", Map::new())?;
    let mut milliseconds = Vec::new();
    for _ in 0..runs {
        let start = Instant::now();
        version()?;
        milliseconds.push(start.elapsed().as_micros() as f64 / 1e3);
    }
    let middle = median(&milliseconds).context("nothing was run")?;
    record.add(&Map::from_iter([("milliseconds".to_owned(), milliseconds.into())]))?;
    println!("gyeol --version: median {middle:.1} ms of {runs} runs\nraw runs: {}", record.file().display());
    Ok(())
}
