//! `gyeol init DATA`: looks at a table and writes a first recipe.
//!
//! `detect` decides which column is what, `recipe` words the file; here they meet the command line.

mod recipe;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use gyeol_data::{Examples, InferredTask, LabelMap, Table, Targets, Task, holds_label_sets, infer_task};
use serde::Serialize;

use crate::{
    destination::Destination,
    detect::{self, Found, Wanted},
    exit::Mistake,
    observe,
    output::{self, Output},
};
use recipe::Draft;

/// The words of `gyeol init`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The training table: .csv, .tsv, .jsonl (each also .gz) or .parquet
    data: PathBuf,

    /// Where the recipe goes; - is standard output
    #[arg(short, long, value_name = "FILE", default_value = "recipe.toml")]
    output: PathBuf,

    /// Overwrite the recipe if it is there
    #[arg(long)]
    force: bool,

    /// The id column, instead of the one found
    #[arg(long, value_name = "COLUMN")]
    id: Option<String>,

    /// The text column, instead of the one found
    #[arg(long, value_name = "COLUMN")]
    text: Option<String>,

    /// The column of the second text, instead of the one found
    #[arg(long, value_name = "COLUMN")]
    text_pair: Option<String>,

    /// The label column, instead of the one found
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  gyeol init train.csv
  gyeol init data/pairs.tsv --label score -o pairs.toml
  gyeol init train.csv --json";

/// What `init` found, as `--json` prints it.
#[derive(Serialize)]
struct Findings {
    recipe: PathBuf,
    train: PathBuf,
    valid: Option<PathBuf>,
    test: Option<PathBuf>,
    rows: usize,
    columns: Found,
    task: Task,
    task_reason: String,
    labels: Labels,
}

/// What the label column holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Labels {
    /// Each class of the table with its number of rows.
    Classes(Vec<(String, usize)>),
    /// The lowest and highest score.
    Range([f64; 2]),
}

/// Looks, writes and tells.
pub(crate) fn run(args: &Args, output: &Output) -> Result<()> {
    if args.data == Path::new("-") {
        return Err(Mistake::new("a recipe needs a table it can find again, not standard input")
            .hint("save the table to a file and name that")
            .into());
    }
    let to = |inputs: &[&Path]| Destination::beside_result(&args.output, "--output", inputs, output);
    let destination = to(&[&args.data])?;
    if destination.file().is_some_and(Path::exists) && !args.force {
        return Err(Mistake::new(format!("{} is already there", args.output.display()))
            .hint("--force overwrites it, -o FILE writes elsewhere")
            .into());
    }
    let findings = look(args, output)?;
    to(&[&findings.valid, &findings.test].into_iter().filter_map(|path| path.as_deref()).collect::<Vec<_>>())?;
    let text = draft(&findings, &args.output)?.to_toml();
    destination.write(text.as_bytes(), output)?;
    if output.is_json() {
        return output.json(&findings);
    }
    destination.tell(&describe(&findings), output)?;
    if let Some(path) = destination.file() {
        output.note(&format!("\nwrote {}; next: gyeol train {0}", path.display()));
    }
    Ok(())
}

fn look(args: &Args, output: &Output) -> Result<Findings> {
    let spinner = observe::spinner(output, "reading the table");
    let table = Table::read(&args.data)?;
    spinner.finish_and_clear();
    output.detail(&format!("read {} rows of {} columns", table.rows(), table.columns().len()));
    let wanted = Wanted {
        id: args.id.as_deref(),
        text: args.text.as_deref(),
        text_pair: args.text_pair.as_deref(),
        label: args.label.as_deref(),
        source: None,
    };
    let columns = detect::detect(&table, &wanted)?;
    if columns.label.is_none() {
        return Err(detect::not_found("label", "--label", &table));
    }
    let names = columns.columns();
    let examples = Examples::from_table(&table, &names)?;
    let inferred = if holds_label_sets(&examples) {
        InferredTask { task: Task::MultiLabel, reason: "labels are combined by |".to_owned() }
    } else {
        infer_task(&examples)?
    };
    let labels = match inferred.task {
        Task::Classification => Labels::Classes(classes(&examples)?),
        Task::MultiLabel => Labels::Classes(set_classes(&examples)?),
        Task::Regression => Labels::Range(range(&examples)?),
    };
    let has = |columns: &[Option<&str>]| {
        let columns: Vec<String> = columns.iter().flatten().map(|&column| column.to_owned()).collect();
        move |table: &Table| columns.iter().all(|column| table.has(column))
    };
    let (text, pair) = (Some(names.text.as_str()), names.text_pair.as_deref());
    Ok(Findings {
        recipe: args.output.clone(),
        valid: beside(&args.data, &["valid", "dev", "val", "validation"], has(&[text, pair, names.label.as_deref()])),
        test: beside(&args.data, &["test"], has(&[text, pair])),
        train: args.data.clone(),
        rows: table.rows(),
        columns,
        task: inferred.task,
        task_reason: inferred.reason,
        labels,
    })
}

fn classes(examples: &Examples) -> Result<Vec<(String, usize)>> {
    let map = LabelMap::fit(examples)?;
    let mut classes: Vec<(String, usize)> = map.labels().iter().map(|label| (label.clone(), 0)).collect();
    for label in examples.labels.iter().flatten() {
        if let Some(class) = map.index(label) {
            classes[class as usize].1 += 1;
        }
    }
    Ok(classes)
}

/// The same of label sets: a row counts for each of its labels.
fn set_classes(examples: &Examples) -> Result<Vec<(String, usize)>> {
    let map = LabelMap::fit_sets(examples)?;
    let mut counts = vec![0; map.len()];
    if let Targets::Sets(sets) = map.set_targets(examples)? {
        sets.iter().flatten().for_each(|&class| counts[class as usize] += 1);
    }
    Ok(map.labels().iter().cloned().zip(counts).collect())
}

fn range(examples: &Examples) -> Result<[f64; 2]> {
    gyeol_data::scores(examples)?;
    let scores = examples.labels.iter().flatten().filter_map(|label| label.trim().parse::<f64>().ok());
    Ok(scores.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], score| [low.min(score), high.max(score)]))
}

/// The table beside `data` with one of `stems` for a stem and the same extension, if it fits.
fn beside(data: &Path, stems: &[&str], fits: impl Fn(&Table) -> bool) -> Option<PathBuf> {
    let name = data.file_name()?.to_str()?;
    let (stem, extension) = name.split_once('.')?;
    stems
        .iter()
        .filter(|other| **other != stem)
        .map(|other| data.with_file_name(format!("{other}.{extension}")))
        // A neighbour that cannot be read is not worth failing for: it was not asked for.
        .find(|path| path.is_file() && Table::read(path).is_ok_and(|table| fits(&table)))
}

fn draft(findings: &Findings, recipe: &Path) -> Result<Draft> {
    let beside_recipe = recipe.parent().is_none_or(|parent| parent.as_os_str().is_empty());
    let from_recipe = |path: &Path| -> Result<String> {
        let path = if beside_recipe {
            path.to_owned()
        } else {
            std::path::absolute(path).with_context(|| format!("cannot make {} absolute", path.display()))?
        };
        path.to_str().map(str::to_owned).ok_or_else(|| {
            Mistake::new(format!("{} is not UTF-8, so no recipe can name it", path.display()))
                .hint("rename the file")
                .into()
        })
    };
    Ok(Draft {
        train: from_recipe(&findings.train)?,
        valid: findings.valid.as_deref().map(from_recipe).transpose()?,
        test: findings.test.as_deref().map(from_recipe).transpose()?,
        columns: findings.columns.clone(),
        task: findings.task,
        task_reason: findings.task_reason.clone(),
        labels: findings.labels.clone(),
    })
}

fn describe(findings: &Findings) -> String {
    let mut table = output::table(&["key", "column", "why"], &[]);
    for (key, found) in findings.columns.rows() {
        match found {
            Some(found) => table.add_row([key, &found.column, &found.reason]),
            None if key == "id" => table.add_row([key, "-", "none fits; ids will be hashes of the texts"]),
            None => continue,
        };
    }
    let labels = match &findings.labels {
        Labels::Classes(classes) => {
            let shares: Vec<String> = classes
                .iter()
                .take(12)
                .map(|(label, rows)| format!("{label} ({:.1} %)", *rows as f64 / findings.rows as f64 * 100.0))
                .collect();
            let more = if classes.len() > 12 { ", …" } else { "" };
            format!("{} classes: {}{more}", classes.len(), shares.join(", "))
        }
        Labels::Range([low, high]) => format!("scores from {low} to {high}"),
    };
    let mut lines = vec![
        format!("{}: {} rows", findings.train.display(), findings.rows),
        output::render(&table),
        format!("task: {}, since {}", findings.task, findings.task_reason),
        labels,
    ];
    for (key, path) in [("valid", &findings.valid), ("test", &findings.test)] {
        lines.extend(path.as_ref().map(|path| format!("{key}: {} is beside it and has the columns", path.display())));
    }
    lines.join("\n")
}
