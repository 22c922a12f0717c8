//! Recipes over the same seeds, and how far each is from the first. What the recipes under `examples/` are said to do is what
//! this prints:
//!
//! `cargo run --release --example compare_recipes -- RECIPE… --data DIR`

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser as _;
use gyeol_eval::{Summary, paired};
use serde_json::Value;

/// Trains recipes over the same seeds, and prints how far each is from the first.
#[derive(Debug, clap::Parser)]
struct Arguments {
    /// The recipes; the others are compared with the first
    #[arg(required = true)]
    recipes: Vec<PathBuf>,

    /// The directory of the tables that the recipes name
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Each recipe is trained once with each
    #[arg(long, value_name = "SEED,SEED…", value_delimiter = ',', default_value = "1,2,3,4,5")]
    seeds: Vec<u64>,

    /// Score what a run predicted for this table of the directory, not its validation rows
    #[arg(long, value_name = "TABLE")]
    on: Option<PathBuf>,

    /// Where the runs are kept: those that are finished are not made again
    #[arg(long, value_name = "DIR", default_value = ".gyeol")]
    home: PathBuf,

    /// The program
    #[arg(long, value_name = "PROGRAM", default_value = "target/release/gyeol")]
    gyeol: PathBuf,
}

/// A recipe and its scores, one a seed.
struct Row {
    name: String,
    metric: String,
    scores: Vec<f64>,
}

/// Trains what is missing and prints the table, in Markdown.
fn main() -> Result<()> {
    let arguments = &Arguments::parse();
    ensure!(arguments.seeds.len() > 1, "--seeds: one seed has no spread; name several");
    let mut rows = Vec::new();
    for recipe in &arguments.recipes {
        rows.push(row(arguments, recipe)?);
        eprintln!("{}", line(rows.last().expect("one was pushed"), None));
    }
    print!("{}", table(&rows));
    Ok(())
}

/// Runs a command to its end and reads the document it prints.
fn document(command: &mut Command) -> Result<Value> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("{command:?} cannot be started"))?;
    ensure!(output.status.success(), "{command:?} failed: {}", output.status);
    serde_json::from_slice(&output.stdout).with_context(|| format!("{command:?} printed no JSON"))
}

fn row(arguments: &Arguments, recipe: &Path) -> Result<Row> {
    let seeds: Vec<String> = arguments.seeds.iter().map(u64::to_string).collect();
    let mut train = Command::new(&arguments.gyeol);
    train.arg("train").arg(recipe).args(["--seeds", &seeds.join(","), "--resume", "--quiet", "--json"]);
    train.arg("--home").arg(&arguments.home);
    // A recipe's paths are relative to the recipe, those of this command to where it runs.
    let data = std::path::absolute(&arguments.data)?;
    for (key, table) in tables(recipe)? {
        train.arg("--set").arg(format!("data.{key}={}", data.join(table).display()));
    }
    let trained = document(&mut train)?;
    let text =
        |value: &Value| value.as_str().map(str::to_owned).context("gyeol train --json names runs and their metric");
    let metric = text(&trained["metric"])?;
    let mut scores = Vec::new();
    for seed in trained["scores"].as_array().context("gyeol train --json has the score of each seed")? {
        let score = match &arguments.on {
            None => seed["score"].as_f64(),
            Some(table) => {
                let run = arguments.home.join("runs").join(text(&seed["run"])?);
                let mut evaluate = Command::new(&arguments.gyeol);
                evaluate.arg("evaluate").arg(run.join("test.csv")).arg(arguments.data.join(table)).arg("--json");
                document(&mut evaluate)?["metrics"][&metric].as_f64()
            }
        };
        scores.push(score.with_context(|| format!("{}: a run has no {metric}", recipe.display()))?);
    }
    let name = recipe.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Row { name, metric, scores })
}

/// The tables that a recipe names, by their keys.
fn tables(recipe: &Path) -> Result<Vec<(&'static str, String)>> {
    let text = std::fs::read_to_string(recipe).with_context(|| format!("{} cannot be read", recipe.display()))?;
    let document: toml::Table = text.parse().with_context(|| format!("{} is no TOML", recipe.display()))?;
    let Some(data) = document.get("data").and_then(toml::Value::as_table) else {
        bail!("{} has no [data]", recipe.display())
    };
    let named = |key| data.get(key).and_then(toml::Value::as_str).map(|table| (key, table.to_owned()));
    Ok(["train", "valid", "test"].into_iter().filter_map(named).collect())
}

fn table(rows: &[Row]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let mut text =
        format!("| recipe | {} by seed | mean | against {} |\n|---|---|---|---|\n", first.metric, first.name);
    for (index, row) in rows.iter().enumerate() {
        writeln!(text, "{}", line(row, (index > 0).then_some(first))).expect("a string takes any text");
    }
    text
}

/// A row of the table; differences are in hundredths, paired by seed, with 95 % intervals.
fn line(row: &Row, first: Option<&Row>) -> String {
    let scores: Vec<String> = row.scores.iter().map(|score| format!("{score:.4}")).collect();
    let mean = Summary::of(&row.scores).map_or_else(String::new, |summary| {
        let spread = summary.standard_deviation.map_or_else(String::new, |deviation| format!(" ± {deviation:.4}"));
        format!("{:.4}{spread}", summary.mean)
    });
    let against = first.and_then(|first| paired(&first.scores, &row.scores)).map_or_else(String::new, |difference| {
        let hundredths = |value: f64| format!("{:+.2}", 100.0 * value);
        let interval = difference.interval;
        let resolved = if difference.is_significant() { "" } else { ", not resolved" };
        format!(
            "{} ({} … {}){resolved}",
            hundredths(difference.difference),
            hundredths(interval.low),
            hundredths(interval.high)
        )
    });
    format!("| {} | {} | {mean} | {against} |", row.name, scores.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_paired_and_say_where_they_are_noise() {
        let row =
            |name: &str, scores: &[f64]| Row { name: name.into(), metric: "accuracy".into(), scores: scores.to_vec() };
        let rows = [row("a.toml", &[0.60, 0.62]), row("b.toml", &[0.61, 0.63]), row("c.toml", &[0.59, 0.64])];
        assert_eq!(
            table(&rows),
            "| recipe | accuracy by seed | mean | against a.toml |\n|---|---|---|---|\n\
             | a.toml | 0.6000 0.6200 | 0.6100 ± 0.0141 |  |\n\
             | b.toml | 0.6100 0.6300 | 0.6200 ± 0.0141 | +1.00 (+1.00 … +1.00) |\n\
             | c.toml | 0.5900 0.6400 | 0.6150 ± 0.0354 | +0.50 (-18.56 … +19.56), not resolved |\n"
        );
    }
}
