//! `gyeol ensemble MEMBER…`: predictions of several models as one, and what that is worth.
//!
//! What is computed is in `gyeol_pipeline::ensemble`; how it is laid out for a terminal is in `layout`.

mod layout;
mod submission;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ValueEnum;
use gyeol_eval::{
    Form, Metric,
    ensemble::{Agreement, Contribution, Method, MethodKind},
};
use gyeol_pipeline::ensemble::{
    Called, Compared, Comparing, Ensemble, Gathered, Gathering, TruthTable, alike, check_name, choose, compare,
    member_files,
};
use gyeol_pipeline::runs::Runs;
use serde::Serialize;
use submission::{Adjust, Made, Told};

use crate::{args::Global, destination::Destination, exit::Mistake, index, output::Output, watcher::Console};

/// The words of `gyeol ensemble`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Runs (with or without folds), saved ensembles, or files of any tool as [NAME=]VALID.csv[,TEST.csv]
    #[arg(required = true, value_name = "MEMBER")]
    pub(crate) members: Vec<String>,

    /// How members are combined in what is written; the table shows all of them
    #[arg(long, value_enum, default_value_t = Kind(MethodKind::Weighted))]
    pub(crate) method: Kind,

    /// What weights are fitted by, and methods compared [default: the metric of the first run]
    #[arg(long, value_name = "METRIC")]
    pub(crate) metric: Option<Metric>,

    /// Divide each member's logits by a fitted temperature first
    #[arg(long)]
    pub(crate) calibrate: bool,

    /// With the method greedy: how many picks
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) steps: u32,

    /// With the method sharpened: a member worse by this much, in units of the metric, counts 1/e of the best
    #[arg(long, value_name = "X", default_value_t = 0.01)]
    pub(crate) temperature: f64,

    /// With the method buckets: how many buckets of scores
    #[arg(long, value_name = "N", default_value_t = 11, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub(crate) buckets: u32,

    /// Leave out members that are missing or broken, and say so
    #[arg(long)]
    pub(crate) allow_missing: bool,

    /// Where the labels are, if every member is a file of another tool
    #[arg(long, value_name = "TABLE", requires = "label", requires = "id")]
    pub(crate) truth: Option<PathBuf>,

    /// With --truth, its label column
    #[arg(long, value_name = "COLUMN", requires = "truth")]
    pub(crate) label: Option<String>,

    /// With --truth, its id column
    #[arg(long, value_name = "COLUMN", requires = "truth")]
    pub(crate) id: Option<String>,

    /// Keep the ensemble as a run of this name: a member of others, and a model for `gyeol predict`
    #[arg(long, value_name = "NAME")]
    pub(crate) save: Option<String>,

    /// Write the predictions of the members' test table; with --submission, the submission
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,

    /// Fill in this sample submission, with its columns, order and conventions, and write that to OUT; kept as a run, with a place
    /// in `gyeol runs submissions`
    #[arg(long, value_name = "SAMPLE", requires = "output")]
    pub(crate) submission: Option<PathBuf>,

    /// With --submission, bring predictions nearer to the distribution of the truth, fitted to out-of-fold rows
    #[arg(long, value_enum, requires = "submission")]
    pub(crate) adjust: Option<Adjust>,

    /// Folds of the cross-validated scores
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub(crate) folds: u32,

    /// Resamples of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub(crate) resamples: u32,

    /// Deals rows into folds and draws resamples
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub(crate) seed: u64,
}

/// A [`MethodKind`] on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind(MethodKind);

impl ValueEnum for Kind {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Kind; MethodKind::ALL.len()] = {
            let mut all = [Kind(MethodKind::Soft); MethodKind::ALL.len()];
            let mut at = 0;
            while at < all.len() {
                all[at] = Kind(MethodKind::ALL[at]);
                at += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.name()).help(about(self.0)))
    }
}

/// What a method does, in a line.
fn about(kind: MethodKind) -> &'static str {
    match kind {
        MethodKind::Soft => "mean of probabilities, or of scores",
        MethodKind::Geometric => "mean of logits (classes)",
        MethodKind::Hard => "a vote each; a tie goes to the more probable (classes)",
        MethodKind::Weighted => "mean weighted by the members' scores",
        MethodKind::Sharpened => "the same, better members counting for much more (--temperature)",
        MethodKind::Rank => "mean of ranks, put back on the scale of the truth (scores)",
        MethodKind::Buckets => "a vote each for a bucket of scores (--buckets)",
        MethodKind::Greedy => "members picked one by one, with replacement (--steps)",
        MethodKind::Simplex => "the weights of the best score",
        MethodKind::Stacked => "a regularised linear model over the members' outputs",
    }
}

const EXAMPLES: &str = "\
Examples:
  gyeol ensemble kcbert-001 roberta-001 electra-001
  gyeol ensemble kcbert-001 roberta-001 electra-001 --method greedy --save best-three
  gyeol ensemble best-three trees=oof.csv,test.csv -o test_predictions.csv
  gyeol predict best-three new.csv -o out.csv
  gyeol ensemble kcbert-001 roberta-001 --submission sample_submission.csv -o submission.csv

Weights, stackers and temperatures are fitted to rows that the members did not train on: validation rows, or out-of-fold
rows of runs with [folds]. The scores told of them are cross-validated. Rows are matched by id, never by position.";

/// Does what `gyeol ensemble` says.
pub(crate) fn run(args: &Args, global: &Global, output: &Output) -> Result<()> {
    let runs = index::runs_to_write(global, output);
    if let Some(name) = &args.save {
        check_name(name, &runs)?;
    }
    let destination = args.output.as_deref().map(|path| to(path, args, &runs, output)).transpose()?;
    if !(args.temperature > 0.0 && args.temperature.is_finite()) {
        return Err(Mistake::new(format!("--temperature: {} is not above 0", args.temperature)).into());
    }
    let mut console = Console::new(output)?;
    let truth = args.truth.clone().zip(args.label.clone()).zip(args.id.clone());
    let truth = truth.map(|((path, label), id)| TruthTable { path, label, id });
    let gathering = Gathering {
        members: &args.members,
        truth: truth.as_ref(),
        metric: args.metric,
        allow_missing: args.allow_missing,
        // A single model is handed in by the same way.
        least: if args.submission.is_some() { 1 } else { 2 },
        folds: args.folds,
        seed: args.seed,
    };
    let gathered = Gathered::read(&gathering, &runs, &mut console)?;
    let task = gathered.valid.task();
    let Kind(kind) = args.method;
    if !kind.applies_to(task) {
        let others: Vec<&str> =
            MethodKind::ALL.into_iter().filter(|kind| kind.applies_to(task)).map(MethodKind::name).collect();
        let words = format!("--method: {} is not for {task}; choose one of: {}", kind.name(), others.join(", "));
        return Err(Mistake::new(words).into());
    }
    if let Some(Adjust(adjust)) = args.adjust
        && adjust.task() != task
    {
        return Err(Mistake::new(format!("--adjust: {} is not for {task}", adjust.name())).into());
    }
    if gathered.test.is_none() && args.output.is_some() {
        let words = format!("--output: {} has no predictions of a test table", gathered.untested.join(", "));
        let hint = "name a test table in their recipes (data.test), or save the ensemble and predict with it";
        return Err(Mistake::new(words).hint(hint).into());
    }
    let sample = match &args.submission {
        Some(path) => Some(submission::sample(path, &gathered)?),
        None => None,
    };
    if args.adjust.is_some() && args.folds < 3 {
        return Err(Mistake::new("--folds: an adjustment is scored on three folds or more").into());
    }
    let several = gathered.valid.members().len() > 1;
    // Of one member each of them is the member.
    let kinds: Vec<MethodKind> =
        MethodKind::ALL.into_iter().filter(|other| other.applies_to(task) && (several || *other == kind)).collect();
    let methods: Vec<Method> = kinds.iter().map(|&kind| method(kind, args)).collect();
    let comparing =
        Comparing { methods: &methods, calibrate: args.calibrate, resamples: args.resamples as usize, seed: args.seed };
    let compared = compare(&gathered, &comparing, &mut console)?;
    let at = kinds.iter().position(|&other| other == kind).unwrap_or_default();
    let whole = compared.methods[at].score;
    let chosen = choose(&gathered, methods[at], args.calibrate, whole, &mut console)?;
    let agreement = alike(&gathered)?;
    console.finish();

    let ensemble = Ensemble {
        gathered: &gathered,
        compared: &compared,
        method: (methods[at], at),
        chosen: &chosen,
        words: &args.members,
        calibrate: args.calibrate,
        folds: args.folds,
        seed: args.seed,
    };
    let test = ensemble.test()?;
    let made = match (sample, &test) {
        (Some(sample), Some(test)) => {
            let adjust = args.adjust.map(|Adjust(kind)| kind);
            Some(Made::new(sample, &ensemble, test, adjust, &runs)?)
        }
        _ => None,
    };
    let called = match (&args.save, &made) {
        (Some(name), _) => Some(Called::Named(name)),
        (None, Some(_)) => Some(Called::Numbered("submission")),
        (None, None) => None,
    };
    let saved = match called {
        Some(called) => Some(ensemble.write(&runs, called)?),
        None => None,
    };
    match (&made, &saved, destination, &test) {
        (Some(made), Some(run), Some(destination), _) => {
            destination.write(made.keep(run.dir())?, output)?;
            made.warn(output);
        }
        (None, _, Some(destination), Some(test)) => destination.write_predictions(test, Form::Predictions, output)?,
        _ => {}
    }
    let document = Document {
        metric: gathered.metric,
        rows: gathered.valid.rows(),
        method: kind.name(),
        calibrated: args.calibrate,
        compared: &compared,
        weights: chosen.fitted.weights(),
        temperatures: &chosen.fitted.temperatures,
        ties: chosen.fitted.ties(&gathered.valid)?,
        contributions: &chosen.contributions,
        agreement: &agreement,
        left_out: gathered.missing.iter().map(|missing| missing.name.as_str()).collect(),
        saved: saved.as_ref().map(|run| run.name()),
        output: destination.and_then(Destination::file),
        submission: made.as_ref().map(|made| &made.told),
    };
    if output.is_json() {
        return output.json(&document);
    }
    let told = layout::document(&document, &gathered);
    match destination {
        Some(destination) => destination.tell(&told, output),
        None => output.text(&told),
    }
}

/// Where predictions go, which is none of the files that the members, the labels and the sample are read from.
fn to<'a>(path: &'a Path, args: &Args, runs: &Runs, output: &Output) -> Result<Destination<'a>, Mistake> {
    let files = member_files(&args.members, runs);
    let mut inputs: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    inputs.extend([&args.truth, &args.submission].into_iter().filter_map(|path| path.as_deref()));
    Destination::beside_result(path, "--output", &inputs, output)
}

fn method(kind: MethodKind, args: &Args) -> Method {
    match kind {
        MethodKind::Soft => Method::Soft,
        MethodKind::Geometric => Method::Geometric,
        MethodKind::Hard => Method::Hard,
        MethodKind::Weighted => Method::Weighted,
        MethodKind::Sharpened => Method::Sharpened { temperature: args.temperature },
        MethodKind::Rank => Method::Rank,
        MethodKind::Buckets => Method::Buckets { buckets: args.buckets as usize },
        MethodKind::Greedy => Method::Greedy { steps: args.steps as usize },
        MethodKind::Simplex => Method::Simplex,
        MethodKind::Stacked => Method::Stacked,
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Document<'a> {
    metric: Metric,
    rows: usize,
    method: &'static str,
    calibrated: bool,
    #[serde(flatten)]
    compared: &'a Compared,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<&'a [f64]>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    temperatures: &'a [f64],
    #[serde(skip_serializing_if = "Option::is_none")]
    ties: Option<usize>,
    contributions: &'a [Contribution],
    agreement: &'a Agreement,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    saved: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    submission: Option<&'a Told>,
}
