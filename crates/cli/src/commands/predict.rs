//! `gyeol predict RUN_OR_DIR DATA`: a model's predictions for a table.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::Result;
use clap::ValueEnum;
use gyeol_engine::{Isa, config};
use gyeol_eval::{Form, Outputs, Task};
use gyeol_pipeline::{Arithmetic, PredictOptions, Predicted, Target, runs::Runs};
use serde::Serialize;
use serde_json::Map;

use super::evaluate::LabelNames;
use crate::{
    args::Global,
    destination::Destination,
    output::{self, Output},
    watcher::Console,
};

/// The words of `gyeol predict`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A run's name (with folds: the mean of their models, with rounds: their votes), an ensemble's, or a checkpoint directory
    #[arg(value_name = "RUN_OR_DIR")]
    pub(crate) model: String,

    /// The table; - reads CSV from standard input
    pub(crate) data: PathBuf,

    /// Where predictions go, in the order of the table; - is standard output, which then has no room for --json
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,

    /// Write the raw outputs instead of predictions and probabilities
    #[arg(long)]
    pub(crate) logits: bool,

    /// The id column [default: the model's, else none]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) id: Option<String>,

    /// The text column [default: the model's]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) text: Option<String>,

    /// The column of the second text [default: the model's]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) text_pair: Option<String>,

    /// Longest token sequence, special tokens included [default: the model's]
    #[arg(long, value_name = "N")]
    pub(crate) max_length: Option<usize>,

    /// Number format of the operands of matrix products; sums are f32 in each
    #[arg(long, value_enum, default_value_t = Precision::Auto)]
    pub(crate) precision: Precision,

    /// Go on without members of an ensemble that cannot predict, the weights of the others renormalised
    #[arg(long)]
    pub(crate) allow_missing: bool,

    /// Compute what is kept from before anew, and keep nothing
    #[arg(long)]
    pub(crate) no_cache: bool,
}

/// [`config::Precision`] as on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Precision {
    /// bf16 where the processor has it, else f32
    Auto,
    /// bfloat16, 8 bits of significand: usually faster
    Bf16,
    /// Single precision, 24 bits of significand: rounds less
    F32,
}

const EXAMPLES: &str = "\
Examples:
  gyeol predict kcbert-001 test.csv -o submission.csv
  gyeol predict .gyeol/runs/kcbert-001/model test.csv -o logits.csv --logits
  gyeol predict ./some-checkpoint pairs.csv -o out.csv --id id --text one --text-pair two
  gyeol predict best-five test.csv -o out.csv --allow-missing    an ensemble, without what is gone
  head -100 test.csv | gyeol predict kcbert-001 - -o -

What a run's model gives for a table in a file is kept under the home directory (1 GiB at most).
The same table is then not computed again.";

/// Predicts and writes.
pub(crate) fn run(args: &Args, global: &Global, output: &Output) -> Result<()> {
    let destination = Destination::beside_result(&args.output, "--output", &[&args.data], output)?;
    let arithmetic = Arithmetic::new(args.precision.into(), Isa::detect()?, "--precision")?;
    let target = Target::find(&args.model, &Runs::new(&global.home), args.allow_missing)?;
    let mut console = Console::new(output)?;
    let options = PredictOptions {
        id: args.id.clone(),
        text: args.text.clone(),
        text_pair: args.text_pair.clone(),
        max_length: args.max_length,
        logits: args.logits,
    };
    let data = (&*args.data, io::stdin().lock());
    let predicted = target.predict(arithmetic, data, &options, !args.no_cache, &mut console)?;
    console.finish();
    let predictions = &predicted.predictions;

    let form = if args.logits { Form::Logits } else { Form::Predictions };
    let names = LabelNames::new(predictions.outputs().labels(), predicted.label_names.as_deref());
    let summary = Summary::new(args, &predicted, arithmetic);
    destination.write_predictions(predictions, form, output)?;
    if output.is_json() { output.json(&summary) } else { destination.tell(&summary.tell(&names, destination), output) }
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    rows: usize,
    output: &'a Path,
    /// Classification: how many rows were given each label.
    #[serde(skip_serializing_if = "Map::is_empty")]
    labels: Map<String, serde_json::Value>,
    /// Label sets: how many rows were given none.
    #[serde(skip_serializing_if = "Option::is_none")]
    unlabelled: Option<usize>,
    /// Regression: where the scores lie.
    #[serde(skip_serializing_if = "Option::is_none")]
    scores: Option<Scores>,
    isa: &'static str,
    /// What `--precision` came to: `bf16` or `f32`.
    precision: &'static str,
    /// How many models' outputs were kept from before, and not computed.
    kept: usize,
    /// Reading and tokenising included; loading a single model not.
    seconds: f64,
    samples_per_second: f64,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Scores {
    lowest: f64,
    mean: f64,
    highest: f64,
}

impl<'a> Summary<'a> {
    fn new(args: &'a Args, predicted: &Predicted, arithmetic: Arithmetic) -> Self {
        let Predicted { ref predictions, raw, seconds, kept, .. } = *predicted;
        let outputs = predictions.outputs();
        let labels = if raw { &[] } else { outputs.labels() };
        let mut counts = vec![0u64; labels.len()];
        let sets = (!raw && outputs.task() == Task::MultiLabel).then(|| outputs.label_sets());
        if !raw {
            let chosen = sets.iter().flat_map(|sets| sets.iter().flatten().copied());
            for class in outputs.argmax().into_iter().chain(chosen) {
                counts[class as usize] += 1;
            }
        }
        let rows = predictions.len();
        Self {
            rows,
            output: &args.output,
            labels: labels.iter().cloned().zip(counts.into_iter().map(Into::into)).collect(),
            unlabelled: sets.map(|sets| sets.iter().filter(|set| set.is_empty()).count()),
            scores: Scores::of(outputs),
            isa: arithmetic.isa(),
            precision: arithmetic.precision(),
            kept,
            seconds,
            samples_per_second: rows as f64 / seconds.max(f64::MIN_POSITIVE),
        }
    }

    fn tell(&self, names: &LabelNames, destination: Destination<'_>) -> String {
        let mut lines = Vec::new();
        if let Some(Scores { lowest, mean, highest }) = self.scores {
            lines.push(format!("scores from {lowest:.3} to {highest:.3}, mean {mean:.3}\n"));
        }
        if !self.labels.is_empty() {
            let mut table = output::table(&["prediction", "rows", "share"], &[1, 2]);
            let mut add = |name: String, count: u64| {
                let share = count as f64 / self.rows as f64;
                table.add_row([name, count.to_string(), format!("{:.1} %", share * 100.0)]);
            };
            for (label, count) in &self.labels {
                add(names.name(label), count.as_u64().unwrap_or_default());
            }
            if let Some(unlabelled) = self.unlabelled {
                add("(none)".to_owned(), unlabelled as u64);
            }
            lines.push(output::render(&table) + "\n");
        }
        lines.push(format!(
            "{} rows in {}, {:.0} samples/s ({}, {})",
            self.rows,
            output::duration(self.seconds),
            self.samples_per_second,
            self.isa,
            self.precision,
        ));
        lines.extend(destination.file().map(|path| format!("written to {}", path.display())));
        lines.join("\n")
    }
}

impl Scores {
    fn of(outputs: &Outputs) -> Option<Self> {
        let Outputs::Scores(scores) = outputs else { return None };
        let scores = || scores.iter().map(|&score| f64::from(score));
        Some(Self {
            lowest: scores().fold(f64::INFINITY, f64::min),
            mean: scores().sum::<f64>() / outputs.rows() as f64,
            highest: scores().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

impl From<Precision> for config::Precision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::Auto => Self::Auto,
            Precision::Bf16 => Self::Bf16,
            Precision::F32 => Self::F32,
        }
    }
}
