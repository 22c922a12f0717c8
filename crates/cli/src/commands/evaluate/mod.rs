//! `gyeol evaluate PREDICTIONS DATA`: how good predictions are.
//!
//! The figures come from `gyeol_eval`; how they are laid out for a terminal is in `layout`.

mod layout;
mod multi_label;

use std::path::{Path, PathBuf};

use anyhow::Result;
use gyeol_data::{Table, Targets, Task};
use gyeol_engine::config::LossKind;
use gyeol_engine::hf::GyeolJson;
use gyeol_eval::{Predictions, Report, Truth};
use gyeol_pipeline::{
    EvaluateOptions, Evaluated, Prepared,
    ensemble::{EnsembleRecipe, Saved},
    evaluate,
    recipe::Recipe,
    runs::{Run, SourceScores, fold_name, round_name},
};
use serde::Serialize;

use crate::output::{self, Output};

/// The words of `gyeol evaluate`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Predictions, as `gyeol predict` or a run writes them
    pub(crate) predictions: PathBuf,

    /// The table that holds the labels; of predictions over several tables, as with folds and data.valid, each of them
    #[arg(required = true)]
    pub(crate) data: Vec<PathBuf>,

    /// The id column of the table [default: the recipe's, else the first column of the predictions]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) id: Option<String>,

    /// The text column, to show the texts of errors [default: the recipe's]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) text: Option<String>,

    /// The column of the second text [default: the recipe's]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) text_pair: Option<String>,

    /// The label column of the table [default: the recipe's, else label]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label: Option<String>,

    /// Report each value of this column separately [default: the recipe's]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) source: Option<String>,

    /// How many of the most confident errors to list
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) errors: usize,
}

const EXAMPLES: &str = "\
Examples:
  gyeol evaluate .gyeol/runs/kcbert-001/valid.csv train.csv
  gyeol evaluate predictions.csv dev.csv --id ID --label score --source source
  gyeol evaluate predictions.csv dev.csv --text review --errors 20
  gyeol evaluate .gyeol/runs/folds-001/valid.csv train.csv dev.csv
  gyeol evaluate predictions.csv dev.csv --json | jq .metrics

Predictions that lie beside a recipe.toml, as those of a run do, take the columns it names. Labels of which a row has any
number are known by that recipe, by the predictions, or by labels of the table with | between them.";

/// Evaluates and prints.
pub(crate) fn run(args: &Args, output: &Output) -> Result<()> {
    let beside = args.predictions.parent().unwrap_or(Path::new(""));
    let options = options(args, beside, output)?;
    let evaluated = evaluate(&args.predictions, &args.data, &options)?;
    if output.is_json() {
        return output.json(&Document { report: &evaluated.report, unpredicted: evaluated.unpredicted });
    }
    let names = LabelNames::of(settings_of(beside)?.as_ref());
    let text = [heading(args, &evaluated), layout::report(&evaluated, &names, output::terminal_width())].join("\n\n");
    output.text(&text)
}

/// What the model of the run in `directory` was trained with: its own, or of a run with folds or
/// rounds the first of them.
fn settings_of(directory: &Path) -> Result<Option<GyeolJson>> {
    if let Some(settings) = GyeolJson::read(&directory.join("model"))? {
        return Ok(Some(settings));
    }
    let Some(name) = directory.file_name().and_then(|name| name.to_str()) else { return Ok(None) };
    for part in [fold_name(name, 1), round_name(name, 1)] {
        if let Some(settings) = GyeolJson::read(&directory.with_file_name(part).join("model"))? {
            return Ok(Some(settings));
        }
    }
    Ok(None)
}

/// The table by class of a run's validation rows; `None` for a regression, or where nothing was held out.
///
/// # Errors
/// When `valid.csv` of the run cannot be read.
pub(crate) fn valid_table(prepared: &Prepared, run: &Run) -> Result<Option<String>> {
    let (Some(valid), Some(labels)) = (prepared.valid_set(), &prepared.labels) else { return Ok(None) };
    let predictions = Predictions::read(&run.valid_path())?;
    let names = LabelNames::new(labels.labels(), prepared.recipe.data.label_names.as_deref());
    let report = match valid.targets.select(valid.rows) {
        Targets::Classes(truth) => gyeol_eval::evaluate(&predictions, Truth::Classes(&truth), None, 0)?,
        Targets::Sets(truth) => gyeol_eval::evaluate(&predictions.independent(), Truth::Sets(&truth), None, 0)?,
        Targets::Scores(_) => return Ok(None),
    };
    Ok(match &report {
        Report::Classification(report) => Some(layout::classes(report, &names)),
        Report::MultiLabel(report) => Some(multi_label::classes(report, &names)),
        Report::Regression(_) => None,
    })
}

/// What `--json` prints.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    report: &'a Report,
    unpredicted: usize,
}

/// The flags, then what the recipe beside the predictions names.
fn options(args: &Args, beside: &Path, output: &Output) -> Result<EvaluateOptions> {
    let mut options = EvaluateOptions {
        id: args.id.clone(),
        text: args.text.clone(),
        text_pair: args.text_pair.clone(),
        label: args.label.clone().unwrap_or_else(|| "label".to_owned()),
        source: args.source.clone(),
        independent: false,
        errors: args.errors,
    };
    let path = beside.join("recipe.toml");
    if !path.is_file() {
        return Ok(options);
    }
    let data = match Saved::read(beside)? {
        Some(ensemble) => {
            options.independent = ensemble.task == Task::MultiLabel;
            let recipe = EnsembleRecipe::read(&path).and_then(|recipe| recipe.data);
            let Some(data) = recipe else { return Ok(options) };
            data
        }
        None => {
            let Recipe { data, loss, .. } = Recipe::load(&path, &[])?;
            options.independent = loss.kind == Some(LossKind::Bce);
            data
        }
    };
    output.detail(&format!("columns as in {}", path.display()));
    if args.label.is_none() {
        options.label = data.label;
    }
    options.id = options.id.or(data.id);
    // What only adds to the report is left out where the table lacks it: nobody asked for it here.
    let tables = args.data.iter().map(|path| Table::read(path)).collect::<Result<Vec<_>, _>>()?;
    let there = |column: &String| tables.iter().all(|table| table.has(column));
    options.source = options.source.or_else(|| data.source.filter(there));
    options.text = options.text.or_else(|| Some(data.text).filter(there));
    options.text_pair = options.text_pair.or_else(|| data.text_pair.filter(there));
    Ok(options)
}

fn heading(args: &Args, evaluated: &Evaluated) -> String {
    let rows = evaluated.report.rows();
    let predictions = args.predictions.display();
    let data = args.data.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" and ");
    let rest = match evaluated.unpredicted {
        0 => String::new(),
        count => format!("; {count} rows of {data} have no prediction"),
    };
    format!("{predictions}: {rows} rows against {data}{rest}")
}

/// The labels' names for people.
#[derive(Debug, Default)]
pub(crate) struct LabelNames(Vec<(String, String)>);

impl LabelNames {
    /// The names of `labels` in the same order, if it has names.
    pub(crate) fn new(labels: &[String], names: Option<&[String]>) -> Self {
        Self(labels.iter().cloned().zip(names.unwrap_or_default().iter().cloned()).collect())
    }

    /// The names a model directory stores.
    pub(crate) fn of(settings: Option<&GyeolJson>) -> Self {
        settings.map_or_else(Self::default, |model| Self::new(&model.labels, model.label_names.as_deref()))
    }

    /// `0 (strong negative)`, or the bare label where it has no name of its own.
    pub(crate) fn name(&self, label: &str) -> String {
        match self.0.iter().find(|(known, name)| known == label && name != label) {
            Some((_, name)) => format!("{label} ({name})"),
            None => label.to_owned(),
        }
    }
}

/// The metrics of each source of a run's validation rows, as its report has them; `None` without `data.source`.
pub(crate) fn sources_table(sources: &[SourceScores]) -> Option<String> {
    let metrics: Vec<&str> = sources.first()?.metrics.keys().map(String::as_str).collect();
    let rows = sources.iter().map(|source| {
        let values = metrics.iter().map(|&metric| source.metrics.get(metric).copied().flatten()).collect();
        (source.source.as_str(), source.rows, values)
    });
    Some(layout::source_table(&metrics, rows))
}
