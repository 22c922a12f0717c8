//! `cargo xtask bench train`: `gyeol train` against another trainer, in turns, on the same model and table.
//!
//! The peer is a program that prints one JSON line with `real_tokens_per_s`, `samples_per_s` and `peak_rss_mib`. Both count
//! real tokens and training steps alone. The product's batches are ragged and hold no padding, so it needs no grouping of rows
//! by length; the peer is measured with it by default, which is its better case.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Map, Value};

use super::record::Record;
use super::statistics::median;
use crate::process;

/// What of the report is kept: figures, never paths of the machine.
const KEPT: [&str; 9] = [
    "tokens_per_second",
    "samples_per_second",
    "train_seconds",
    "peak_rss_bytes",
    "steps",
    "threads",
    "isa",
    "precision",
    "seed",
];

const MIB: f64 = 1024.0 * 1024.0;

/// Flags of `cargo xtask bench train`.
#[derive(Args, Clone)]
pub(crate) struct Options {
    /// Checkpoint directory both sides start from
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Training table
    #[arg(long, value_name = "CSV")]
    data: PathBuf,
    /// Column of the texts
    #[arg(long, default_value = "review")]
    text: String,
    /// Column of the labels
    #[arg(long, default_value = "label")]
    label: String,
    /// Optimiser steps of a run
    #[arg(long, default_value_t = 50)]
    steps: u64,
    /// Rows of a batch
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Longest sequence in tokens
    #[arg(long, default_value_t = 128)]
    max_length: usize,
    /// Runs of each side
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// `train.precision` of the recipe
    #[arg(long, default_value = "f32")]
    precision: String,
    /// More `gyeol train --set KEY=VALUE`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Python of the peer
    #[arg(long, value_name = "PYTHON", requires = "peer_script")]
    peer: Option<PathBuf>,
    /// Script of the peer
    #[arg(long, value_name = "SCRIPT", requires = "peer")]
    peer_script: Option<PathBuf>,
    /// Arguments of the peer besides model, data, columns, steps, batch and length; split at spaces
    #[arg(long, default_value = "--group-by-length --precision fp32", allow_hyphen_values = true)]
    peer_args: String,
}

/// The figures of one run that are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Figures {
    /// Real tokens a second over the training steps.
    tokens: f64,
    /// Rows a second over the training steps.
    samples: f64,
    /// Peak resident memory in MiB.
    memory: f64,
}

/// Measures, prints each run, the medians and their ratio.
pub(super) fn run(root: &Path, options: &Options) -> Result<()> {
    let options = Options { model: absolute(&options.model)?, data: absolute(&options.data)?, ..options.clone() };
    let gyeol = super::build_release(root)?;
    let record = Record::open(root, "train", shared(&options))?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=options.rounds {
        // Who goes first alternates, so that a machine that warms up or throttles favours nobody.
        let peer_first = round % 2 == 0;
        for peer in [peer_first, !peer_first] {
            let (name, run) = match (&options.peer, &options.peer_script) {
                (Some(python), Some(script)) if peer => ("peer", run_peer(python, script, &options)?),
                _ if peer => continue,
                _ => ("gyeol", run_gyeol(&gyeol, &options)?),
            };
            let figures = if peer { peer_figures(&run)? } else { our_figures(&run)? };
            let Figures { tokens, samples, memory } = figures;
            println!("round {round} {name:>6}: {tokens:8.1} tokens/s  {samples:7.2} samples/s  {memory:6.0} MiB");
            let mut line = Map::from_iter([("round".to_owned(), round.into()), ("who".to_owned(), name.into())]);
            line.extend(run);
            record.add(&line)?;
            if peer { theirs.push(figures) } else { ours.push(figures) }
        }
    }
    summarise(&ours, &theirs);
    println!("raw runs: {}", record.file().display());
    Ok(())
}

/// What every raw run of this bench shares. Only the last part of a path is kept.
fn shared(options: &Options) -> Map<String, Value> {
    let last = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    Map::from_iter([
        ("model".to_owned(), last(&options.model).into()),
        ("data".to_owned(), last(&options.data).into()),
        ("batch".to_owned(), options.batch.into()),
        ("max_length".to_owned(), options.max_length.into()),
        ("asked_steps".to_owned(), options.steps.into()),
    ])
}

/// One `gyeol train` in a home of its own, removed afterwards.
fn run_gyeol(gyeol: &Path, options: &Options) -> Result<Map<String, Value>> {
    let home = tempfile::tempdir().context("no temporary directory")?;
    let file = home.path().join("recipe.toml");
    fs::write(&file, recipe(options)?).with_context(|| format!("{}: cannot be written", file.display()))?;
    let mut command = Command::new(gyeol);
    command.arg("train").arg(&file).arg("--home").arg(home.path()).args(["--json", "-q"]);
    command.args(["--set", &format!("train.max_steps={}", options.steps), "--set", "data.holdout=0.0"]);
    for set in &options.sets {
        command.args(["--set", set]);
    }
    let printed = process::capture(&mut command)?;
    let report: Map<String, Value> = serde_json::from_str(&printed)
        .with_context(|| format!("gyeol train --json printed no document: {printed:?}"))?;
    Ok(report.into_iter().filter(|(key, _)| KEPT.contains(&key.as_str())).collect())
}

/// The recipe of the bench; what it leaves out has the product's defaults.
fn recipe(options: &Options) -> Result<String> {
    let path = |path: &Path| path.to_str().map(str::to_owned).context("a path of the bench is not UTF-8");
    let value = serde_json::json!({
        "name": "bench",
        "data": { "train": path(&options.data)?, "text": options.text, "label": options.label },
        "model": { "base": path(&options.model)?, "max_length": options.max_length },
        "train": { "batch_size": options.batch, "precision": options.precision },
    });
    toml::to_string(&value).context("the recipe cannot be written as TOML")
}

/// One run of the peer's script; its figures are the last JSON line it prints.
fn run_peer(python: &Path, script: &Path, options: &Options) -> Result<Map<String, Value>> {
    let mut command = Command::new(python);
    command.arg(script).arg("--model").arg(&options.model).arg("--data").arg(&options.data);
    command.args(["--text", &options.text, "--label", &options.label]);
    command.args(["--batch", &options.batch.to_string(), "--steps", &options.steps.to_string()]);
    command.args(["--max-length", &options.max_length.to_string()]).args(options.peer_args.split_whitespace());
    last_document(&process::capture(&mut command)?)
}

fn last_document(printed: &str) -> Result<Map<String, Value>> {
    let line = printed.lines().rev().find(|line| line.starts_with('{')).context("the peer printed no JSON line")?;
    serde_json::from_str(line).with_context(|| format!("the peer's last JSON line does not parse: {line}"))
}

fn our_figures(report: &Map<String, Value>) -> Result<Figures> {
    Ok(Figures {
        tokens: number(report, "tokens_per_second")?,
        samples: number(report, "samples_per_second")?,
        memory: number(report, "peak_rss_bytes")? / MIB,
    })
}

fn peer_figures(line: &Map<String, Value>) -> Result<Figures> {
    Ok(Figures {
        tokens: number(line, "real_tokens_per_s")?,
        samples: number(line, "samples_per_s")?,
        memory: number(line, "peak_rss_mib")?,
    })
}

fn number(document: &Map<String, Value>, key: &str) -> Result<f64> {
    match document.get(key).and_then(Value::as_f64) {
        Some(value) => Ok(value),
        None => bail!("no number \"{key}\" among {:?}", document.keys().collect::<Vec<_>>()),
    }
}

fn summarise(ours: &[Figures], theirs: &[Figures]) {
    let compare = |unit: &str, of: fn(&Figures) -> f64| {
        let middle = |runs: &[Figures]| median(&runs.iter().map(of).collect::<Vec<_>>());
        match (middle(ours), middle(theirs)) {
            (Some(our), Some(their)) => {
                println!("median {unit:>9}: gyeol {our:8.1}  peer {their:8.1}  ratio {:.2}", our / their);
            }
            (Some(our), None) => println!("median {unit:>9}: gyeol {our:8.1}"),
            (None, _) => {}
        }
    };
    compare("tokens/s", |run| run.tokens);
    compare("samples/s", |run| run.samples);
    compare("MiB peak", |run| run.memory);
}

fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("{}: not found", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        use clap::Parser;
        #[derive(Parser)]
        struct Command {
            #[command(flatten)]
            options: Options,
        }
        Command::parse_from(["bench", "--model", "base", "--data", "a \"b\".csv"]).options
    }

    #[test]
    fn the_recipe_quotes_what_it_is_given() {
        let table: toml::Table = recipe(&options()).unwrap().parse().unwrap();
        assert_eq!(table["data"]["train"].as_str(), Some("a \"b\".csv"));
        assert_eq!(table["train"]["batch_size"].as_integer(), Some(32));
        assert_eq!(table["train"]["precision"].as_str(), Some("f32"));
    }

    #[test]
    fn both_sides_are_read_in_the_same_units() {
        let ours =
            r#"{"tokens_per_second": 900.5, "samples_per_second": 50, "peak_rss_bytes": 1048576, "isa": "avx2"}"#;
        let theirs = "loading\n{\"real_tokens_per_s\": 450.25, \"samples_per_s\": 25.0, \"peak_rss_mib\": 2}\n";
        let ours = our_figures(&serde_json::from_str(ours).unwrap()).unwrap();
        let theirs = peer_figures(&last_document(theirs).unwrap()).unwrap();
        assert_eq!(ours, Figures { tokens: 900.5, samples: 50.0, memory: 1.0 });
        assert_eq!(theirs, Figures { tokens: 450.25, samples: 25.0, memory: 2.0 });
    }

    #[test]
    fn a_missing_figure_is_named() {
        let document = Map::from_iter([("steps".to_owned(), 3.into())]);
        assert_eq!(
            number(&document, "tokens_per_second").unwrap_err().to_string(),
            "no number \"tokens_per_second\" among [\"steps\"]"
        );
        assert!(last_document("nothing").is_err());
    }
}
