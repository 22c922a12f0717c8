//! `gyeol sweep report`: a sweep made into what its report shows.

use std::path::PathBuf;

use anyhow::Result;
use gyeol_pipeline::sweep::{Stamped, Sweep, Sweeps};
use gyeol_tune::{
    Space,
    importance::Importance,
    pruners::State,
    space::{Distribution, Law, Parameter},
    study::{Event, Trial},
};

use super::report::{self, Confirmed, Costs, Row, Scale, View};
use crate::{args::Global, destination::Destination, output::Output};

/// The words of `gyeol sweep report`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The sweep's name; without its number the latest of that name
    sweep: String,

    /// Write a page with charts, in one file that needs no network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  gyeol sweep report small_encoder
  gyeol sweep report small_encoder-001 --html report.html";

/// Prints the report, and writes its page where one is asked for.
pub(super) fn run(args: &Args, global: &Global, output: &Output) -> Result<()> {
    let html = args.html.as_deref();
    let html = html.map(|path| Destination::beside_result(path, "--html", &[], output)).transpose()?;
    let sweep = Sweeps::new(&global.home).open(&args.sweep)?;
    let view = view(&sweep)?;
    if let Some(html) = html {
        html.write(report::page(&view).as_bytes(), output)?;
    }
    if output.is_json() {
        output.json(&super::words::SweepDocument::new(&sweep)?)?;
    } else {
        match html {
            Some(html) => html.tell(&report::summary(&view), output)?,
            None => output.text(&report::summary(&view))?,
        }
    }
    if let Some(path) = html.and_then(Destination::file) {
        output.note(&format!("written to {}", path.display()));
    }
    Ok(())
}

fn view(sweep: &Sweep) -> Result<View> {
    let (spec, study) = (&sweep.spec, &sweep.study);
    let space = study.space();
    let journal = sweep.journal()?;
    let begun = journal.first().map_or(spec.created, |line| line.time);
    let trials = study.trials();
    let seconds = |of: fn(&Trial) -> f64| trials.iter().map(of).sum::<f64>();
    let choice = study.choice();
    let settings = [
        ("method", spec.method.name().to_owned()),
        ("early_terminate", spec.early_terminate_name().to_owned()),
        ("seed", spec.seed.to_string()),
        ("fresh seeds", spec.seeds.len().to_string()),
        ("sweep file", spec.path.display().to_string()),
    ];
    Ok(View {
        name: sweep.name().to_owned(),
        metric: spec.metric.name(),
        goal: spec.metric.goal,
        parameters: (0..space.dimensions().len()).map(|dimension| parameter(space.parameter_of(dimension))).collect(),
        rows: trials.iter().map(|trial| Row { ended: ended(trial, &journal, begun), trial: trial.clone() }).collect(),
        confirmed: confirmed(sweep),
        winner: choice.filter(|choice| !choice.scores.is_empty()).map(|choice| choice.trial.number),
        costs: Costs {
            steps: trials.iter().map(|trial| trial.steps).sum::<u64>()
                + study.reruns().iter().map(|r| r.steps).sum::<u64>(),
            trial_seconds: seconds(|trial| trial.seconds) + study.reruns().iter().map(|r| r.seconds).sum::<f64>(),
            overhead_seconds: seconds(|trial| trial.overhead),
            wall_seconds: wall_seconds(&journal),
        },
        importance: importance(sweep, space),
        settings: settings.map(|(name, value)| (name.to_owned(), value)).to_vec(),
    })
}

fn parameter(parameter: &Parameter) -> report::Parameter {
    let scale = match &parameter.distribution {
        Distribution::Constant(value) => Scale::Levels(vec![value.clone()]),
        Distribution::Categorical { values, .. } => Scale::Levels(values.clone()),
        Distribution::Number { law: Law::LogUniform { .. } | Law::LogNormal { .. }, .. } => Scale::Log,
        Distribution::IntUniform { .. } | Distribution::Number { .. } => Scale::Linear,
    };
    report::Parameter { name: parameter.name.clone(), scale }
}

/// Which parameters mattered. Trials that were cut short count with the best they had shown: without them, what made them bad
/// enough to be cut would seem not to matter.
fn importance(sweep: &Sweep, space: &Space) -> Result<Importance, gyeol_tune::importance::ImportanceError> {
    let goal = sweep.spec.metric.goal;
    let shown = |trial: &Trial| {
        let best = trial.reports.iter().map(|report| report.value).filter(|value| value.is_finite());
        trial.score.or_else(|| best.min_by(|a, b| goal.loss(*a).total_cmp(&goal.loss(*b))))
    };
    let known = sweep.study.trials().iter().filter_map(|trial| {
        let score = if trial.state == State::Failed { None } else { shown(trial) };
        Some((space.encode(&trial.assignment)?, score))
    });
    let (points, scores): (Vec<_>, Vec<_>) = known.unzip();
    Importance::new(space.dimensions(), &points, &scores, sweep.spec.seed)
}

fn ended(trial: &Trial, journal: &[Stamped], begun: f64) -> Option<f64> {
    let of_trial = |line: &&Stamped| {
        matches!(
            line.event,
            Event::Finished { .. } | Event::Paused { .. } | Event::Stopped { .. } | Event::Failed { .. }
        ) && line.event.trial() == Some(trial.number)
    };
    let last = journal.iter().rev().find(of_trial)?;
    (trial.state != State::Running).then_some(last.time - begun)
}

fn confirmed(sweep: &Sweep) -> Vec<Confirmed> {
    let scores = |number: u32| {
        let own = sweep.study.reruns().iter().filter(|rerun| rerun.trial == number);
        own.filter_map(|rerun| rerun.score).collect::<Vec<f64>>()
    };
    let all = sweep.study.trials().iter().map(|trial| Confirmed { trial: trial.number, scores: scores(trial.number) });
    all.filter(|confirmed| !confirmed.scores.is_empty()).collect()
}

/// Time at work. While a sweep runs its journal never rests longer than an evaluation and what is around it takes; a pause of more
/// than twenty times what is usual, and a minute, was an interruption.
fn wall_seconds(journal: &[Stamped]) -> f64 {
    let mut gaps: Vec<f64> = journal.windows(2).map(|pair| pair[1].time - pair[0].time).collect();
    let all: f64 = gaps.iter().sum();
    gaps.sort_by(f64::total_cmp);
    let usual = gaps.get(gaps.len() / 2).copied().unwrap_or(0.0);
    all - gaps.iter().filter(|gap| **gap > (20.0 * usual).max(60.0)).sum::<f64>()
}
