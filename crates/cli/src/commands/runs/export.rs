//! `gyeol runs export`: a table with a row a run, for a spreadsheet or a notebook.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use gyeol_pipeline::runs::Runs;
use gyeol_store::{RunRow, RunStatus, Store};
use serde_json::{Map, Value};

use super::filter::{Chosen, Filters, Found};
use crate::{destination::Destination, output::Output};

/// The words of `gyeol runs export`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    filters: Filters,

    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,

    /// The file to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
    Json,
}

const EXAMPLES: &str = "\
Columns: the run (run, status, score, steps, seconds, …), every metric of its report
(metrics.accuracy), every key of its resolved recipe (train.learning_rate), fingerprints, note and
tags. A list is written as JSON.

Examples:
  gyeol runs export -o runs.csv
  gyeol runs export --sweep night --where 'score>0.6' --format json | jq .";

/// Writes the table.
pub(super) fn run(args: &Args, runs: &Runs, output: &Output) -> Result<()> {
    let destination = match &args.output {
        Some(path) => Destination::new(path, "--output", &[])?,
        None => Destination::Stdout,
    };
    let mut store = Store::open_to_read(runs.home())?;
    let Chosen { found, .. } = args.filters.find(&mut store, runs, true)?;
    let rows = found.iter().map(|found| row(found, runs, output)).collect::<Result<Vec<_>>>()?;
    let as_json = args.format == Format::Json || output.is_json();
    let text = if as_json { serde_json::to_string_pretty(&rows)? + "\n" } else { csv(&rows)? };
    destination.write(text.as_bytes(), output)?;
    if let Some(path) = destination.file() {
        output.note(&format!("{} runs in {}", rows.len(), path.display()));
    }
    Ok(())
}

/// A run with all that is known of it, by column; what cannot be read is told.
fn row(found: &Found, runs: &Runs, output: &Output) -> Result<Map<String, Value>> {
    let Value::Object(known) = serde_json::to_value(&found.row)? else { return Ok(Map::new()) };
    let mut row = Map::new();
    for (key, value) in known {
        let value = if key == "tags" { tags(&value) } else { value };
        row.insert(column(key), value);
    }
    for (name, value) in &found.scores {
        row.insert(format!("metrics.{name}"), (*value).into());
    }
    if let Some(run) = runs.find(&found.row.name)? {
        let path = run.recipe_path();
        let read = || -> Result<toml::Table> {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            text.parse().with_context(|| format!("{}: not TOML", path.display()))
        };
        match read() {
            // What a recipe of another version means nobody knows, but its keys are there.
            Ok(recipe) => flatten("", &toml::Value::Table(recipe), &mut row),
            Err(error) => output.warning(&format!("{}: {error:#}", run.name())),
        }
    }
    Ok(row)
}

fn tags(value: &Value) -> Value {
    let tags: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    tags.join(",").into()
}

/// Adds the keys of a recipe with those of its tables in front; what the run itself has keeps its place.
fn flatten(prefix: &str, value: &toml::Value, row: &mut Map<String, Value>) {
    let key = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
    let plain = match value {
        toml::Value::Table(table) => {
            table.iter().for_each(|(name, value)| flatten(&key(name), value, row));
            return;
        }
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(flag) => (*flag).into(),
        // Lists and dates; a list always has a JSON form.
        other => serde_json::to_value(other).unwrap_or_default(),
    };
    row.entry(prefix).or_insert(plain);
}

/// The columns that a table has whatever runs are in it: what is known of any run.
fn fixed_columns() -> Result<Vec<String>> {
    let Value::Object(known) = serde_json::to_value(RunRow::new("", RunStatus::Finished))? else {
        return Ok(Vec::new());
    };
    Ok(known.into_iter().map(|(key, _)| column(key)).collect())
}

/// What the table calls what the store knows of a run.
fn column(key: String) -> String {
    // The recipe has a key of this name.
    if key == "name" { "run".to_owned() } else { key }
}

/// The rows under the columns that any of them has: those of runs first, in their order.
fn csv(rows: &[Map<String, Value>]) -> Result<String> {
    let mut columns: Vec<&str> = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let fixed = fixed_columns()?;
    for key in rows.iter().flat_map(Map::keys).chain(&fixed) {
        if seen.insert(key) {
            columns.push(key);
        }
    }
    // A column that only some runs have stands with others of its table.
    let tables: BTreeMap<&str, usize> =
        columns.iter().enumerate().rev().map(|(at, column)| (table(column), at)).collect();
    columns.sort_by_key(|column| if table(column).is_empty() { 0 } else { tables[table(column)] });
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&columns)?;
    for row in rows {
        writer.write_record(columns.iter().map(|column| cell(row.get(*column))))?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// The table of a column, `train` of `train.learning_rate`.
fn table(column: &str) -> &str {
    column.split_once('.').map_or("", |(table, _)| table)
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
