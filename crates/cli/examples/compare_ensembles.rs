//! Trains the members of an ensemble, encoders of their own first, and prints what every member and every method is worth: by
//! the rows that no member trained on, and by a table that nothing was fitted to. What the recipes under `examples/ensembles`
//! are said to do is what this prints:
//!
//! `cargo run --release --example compare_ensembles -- RECIPE… --encoder ENCODER… --data DIR --on TABLE`

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser as _;
use serde_json::Value;

/// Trains members, and prints what they and their ensembles are worth.
#[derive(Debug, clap::Parser)]
struct Arguments {
    /// The recipes of the members
    #[arg(required = true)]
    recipes: Vec<PathBuf>,

    /// Recipes of encoders to pre-train; a member's `model.base` names one by its file's stem
    #[arg(long, value_name = "RECIPE")]
    encoder: Vec<PathBuf>,

    /// The directory of the tables and texts that the recipes name
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// The directory of the texts of encoders [default: that of the tables]
    #[arg(long, value_name = "DIR")]
    texts: Option<PathBuf>,

    /// A table of the directory, predicted as the recipes' test table, to try members and methods on last
    #[arg(long, value_name = "TABLE")]
    on: String,

    /// Words for `gyeol ensemble`, such as --calibrate
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    with: Vec<String>,

    /// Where the runs are kept: those that are finished are not made again
    #[arg(long, value_name = "DIR", default_value = ".gyeol")]
    home: PathBuf,

    /// The program
    #[arg(long, value_name = "PROGRAM", default_value = "target/release/gyeol")]
    gyeol: PathBuf,
}

/// Trains what is missing and prints the table, in Markdown.
fn main() -> Result<()> {
    let arguments = &Arguments::parse();
    let mut encoders = BTreeMap::new();
    for recipe in &arguments.encoder {
        encoders.insert(stem(recipe), pretrained(arguments, recipe)?);
    }
    let members: Vec<String> =
        arguments.recipes.iter().map(|recipe| trained(arguments, recipe, &encoders)).collect::<Result<_>>()?;
    let predictions = arguments.home.join("ensemble_predictions.csv");
    let first = ensemble(arguments, &members, &[])?;
    let metric = first["metric"].as_str().context("gyeol ensemble --json names the metric")?.to_owned();
    let best = first["best"].as_u64().context("gyeol ensemble --json has the best member")? as usize;
    let standings = |key: &str| first[key].as_array().cloned().with_context(|| format!("no {key}"));
    let best_score = standings("members")?[best]["score"].as_f64().context("the best member has a score")?;
    println!("| | {metric}, {} rows | 95 % | against {} | better | {} |", first["rows"], members[best], arguments.on);
    println!("|---|---|---|---|---|---|");
    for (standing, member) in standings("members")?.iter().zip(&members) {
        let file = arguments.home.join("runs").join(member).join("test.csv");
        println!("{}", line(standing, best_score, score_on(arguments, &file, &metric)?)?);
    }
    for standing in standings("methods")? {
        let name = standing["name"].as_str().context("a method has a name")?;
        let out = predictions.to_str().context("the home directory is not UTF-8")?;
        ensemble(arguments, &members, &["--method", name, "-o", out])?;
        println!("{}", line(&standing, best_score, score_on(arguments, &predictions, &metric)?)?);
    }
    Ok(())
}

/// The model of an encoder, pre-trained unless it is there.
fn pretrained(arguments: &Arguments, recipe: &Path) -> Result<PathBuf> {
    let document = read(recipe)?;
    let name = document
        .get("name")
        .and_then(toml::Value::as_str)
        .with_context(|| format!("{} has no name", recipe.display()))?;
    let run = arguments.home.join("runs").join(format!("{name}-001"));
    if !run.join("report.json").is_file() {
        let texts = document
            .get("pretrain")
            .and_then(|table| table.get("texts")?.as_array())
            .context("pretrain.texts is a list")?;
        let dir = arguments.texts.as_ref().unwrap_or(&arguments.data);
        let texts: Vec<String> = texts
            .iter()
            .filter_map(|text| Some(format!("{:?}", dir.join(text.as_str()?).display().to_string())))
            .collect();
        let set = format!("pretrain.texts=[{}]", texts.join(","));
        let mut pretrain = Command::new(&arguments.gyeol);
        pretrain.arg("pretrain").arg(recipe).args(["--resume", "--json", "--set", &set]);
        told(pretrain.arg("--home").arg(&arguments.home))?;
    }
    Ok(run.join("model").canonicalize()?)
}

/// The run of a member, trained unless it is there.
fn trained(arguments: &Arguments, recipe: &Path, encoders: &BTreeMap<String, PathBuf>) -> Result<String> {
    let document = read(recipe)?;
    let mut train = Command::new(&arguments.gyeol);
    // As the queue has it: a run of this recipe that has finished at any time is not made again.
    train.arg("train").arg(recipe).args(["--resume", "--unless-finished-since", "0", "--json"]);
    train.arg("--home").arg(&arguments.home);
    for key in ["train", "valid", "test"] {
        if let Some(table) = document.get("data").and_then(|data| data.get(key)?.as_str()) {
            train.arg("--set").arg(format!("data.{key}={}", arguments.data.join(table).display()));
        }
    }
    let base = document.get("model").and_then(|table| table.get("base")?.as_str());
    if let Some(model) = base.and_then(|base| encoders.get(&stem(Path::new(base)))) {
        train.arg("--set").arg(format!("model.base={}", model.display()));
    }
    let trained = told(&mut train)?;
    Ok(trained["run"].as_str().context("gyeol train --json names the run")?.to_owned())
}

fn ensemble(arguments: &Arguments, members: &[String], words: &[&str]) -> Result<Value> {
    let mut command = Command::new(&arguments.gyeol);
    command.arg("ensemble").args(members).args(words).args(&arguments.with).arg("--json");
    told(command.arg("--home").arg(&arguments.home))
}

/// The score of predictions of the table to try on.
fn score_on(arguments: &Arguments, predictions: &Path, metric: &str) -> Result<f64> {
    let recipe = read(&arguments.recipes[0])?;
    let mut evaluate = Command::new(&arguments.gyeol);
    evaluate.arg("evaluate").arg(predictions).arg(arguments.data.join(&arguments.on)).arg("--json");
    for key in ["id", "label"] {
        if let Some(column) = recipe.get("data").and_then(|data| data.get(key)?.as_str()) {
            evaluate.args([format!("--{key}"), column.to_owned()]);
        }
    }
    told(&mut evaluate)?["metrics"][metric].as_f64().with_context(|| format!("no {metric} of {}", arguments.on))
}

/// Runs a command to its end and reads the document it prints.
fn told(command: &mut Command) -> Result<Value> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("{command:?} cannot be started"))?;
    ensure!(output.status.success(), "{command:?} failed: {}", output.status);
    serde_json::from_slice(&output.stdout).with_context(|| format!("{command:?} printed no JSON"))
}

fn read(recipe: &Path) -> Result<toml::Table> {
    let text = std::fs::read_to_string(recipe).with_context(|| format!("{} cannot be read", recipe.display()))?;
    let table: toml::Table = text.parse().with_context(|| format!("{} is no TOML", recipe.display()))?;
    match table.contains_key("data") || table.contains_key("pretrain") {
        true => Ok(table),
        false => bail!("{} has neither [data] nor [pretrain]", recipe.display()),
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// A row of the table.
fn line(standing: &Value, best: f64, on: f64) -> Result<String> {
    let range = |value: &Value, signed: bool| -> Option<String> {
        let (low, high) = (value[0].as_f64()?, value[1].as_f64()?);
        Some(if signed { format!("{low:+.4} … {high:+.4}") } else { format!("{low:.4} … {high:.4}") })
    };
    let name = standing["name"].as_str().context("a standing has a name")?;
    let score = standing["score"].as_f64();
    let interval = range(&standing["interval"], false).unwrap_or_default();
    let difference = range(&standing["difference"], true)
        .zip(score)
        .map_or_else(String::new, |(range, score)| format!("{:+.4} ({range})", score - best));
    let score = score.map_or_else(|| "-".to_owned(), |score| format!("{score:.4}"));
    let better = standing["beats_best"].as_f64().map_or_else(String::new, |share| format!("{:.1} %", 100.0 * share));
    Ok(format!("| {name} | {score} | {interval} | {difference} | {better} | {on:.4} |"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_tells_the_difference_from_the_best_member() {
        let standing = serde_json::json!({
            "name": "soft", "score": 0.67, "interval": [0.66, 0.68], "difference": [0.001, 0.019], "beats_best": 0.98
        });
        let row = line(&standing, 0.66, 0.671).unwrap();
        assert_eq!(row, "| soft | 0.6700 | 0.6600 … 0.6800 | +0.0100 (+0.0010 … +0.0190) | 98.0 % | 0.6710 |");
        let best = serde_json::json!({ "name": "a-001", "score": 0.66, "interval": [0.65, 0.67] });
        assert_eq!(line(&best, 0.66, 0.65).unwrap(), "| a-001 | 0.6600 | 0.6500 … 0.6700 |  |  | 0.6500 |");
    }
}
