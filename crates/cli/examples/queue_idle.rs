//! How idle the queue leaves the machine: twelve jobs of all kinds with dependencies, one of which fails and holds another.
//!
//! `cargo run --release --example queue_idle -- --dir DIR` prints the jobs and what the daemon has recorded.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Parser as _;
use gyeol_pipeline::demo;
use serde_json::Value;

/// Runs twelve jobs on the demo's tables and prints how long jobs waited that had room.
#[derive(Debug, clap::Parser)]
struct Arguments {
    /// An empty directory for the tables, the runs and the queue
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,

    /// The program
    #[arg(long, value_name = "PROGRAM", default_value = "target/release/gyeol")]
    gyeol: PathBuf,
}

/// The words of `gyeol queue add` of each job; `--after` names jobs by their numbers.
const JOBS: [&str; 12] = [
    "--threads 1 -- profile train.csv --html profile.html",
    "--threads 1 -- train recipe.toml --set name=one --set train.max_steps=60",
    "--threads 1 -- train recipe.toml --set name=two --set train.max_steps=90",
    "--priority 5 -- train recipe.toml --set name=three --set train.max_steps=60",
    "--threads 1 --after 2 -- predict one-001 test.csv -o one.csv",
    "--threads 1 --after 3 -- predict two-001 test.csv -o two.csv",
    "--after 4 -- predict three-001 test.csv -o three.csv",
    "--threads 1 --after 5 -- evaluate one.csv answers.csv --id id --text review",
    "--threads 1 --after 6 7 -- evaluate two.csv answers.csv --id id --text review",
    "--threads 1 --retries 0 -- evaluate missing.csv answers.csv",
    "--after 10 -- runs ls",
    "--after 8 9 -- adapt recipe.toml --set adapt.max_steps=30",
];

fn main() -> Result<()> {
    let Arguments { dir, gyeol } = Arguments::parse();
    let gyeol = std::path::absolute(gyeol)?;
    std::fs::create_dir_all(&dir)?;
    demo::write(&dir, 42)?;
    for job in JOBS {
        gyeol_in(&dir, &gyeol, &format!("queue add {job}"))?;
    }
    gyeol_in(&dir, &gyeol, "queue start --threads 2 --until-empty")?;
    let listing: Value = serde_json::from_str(&gyeol_in(&dir, &gyeol, "queue ls --all --json --quiet")?)?;
    println!("{}", gyeol_in(&dir, &gyeol, "queue ls --all")?);
    let figure = |name: &str| listing["daemon"][name].as_f64().context("the daemon records its figures");
    let seconds = figure("seen")? - figure("started")?;
    for (name, what) in [("missed", "a job waited that had room"), ("idle", "nothing ran")] {
        let part = figure(name)?;
        println!("{what}: {part:.3} s of {seconds:.1} s, {:.2} %", 100.0 * part / seconds);
    }
    Ok(())
}

/// What the command prints.
fn gyeol_in(dir: &Path, gyeol: &Path, words: &str) -> Result<String> {
    let mut command = Command::new(gyeol);
    command.current_dir(dir).args(words.split(' ')).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().with_context(|| format!("{} cannot be started", gyeol.display()))?;
    ensure!(output.status.success(), "gyeol {words}: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}
