//! `gyeol runs show RUN`: one run, from its directory. What an ensemble is made of, and what was handed in, is in `made_of`.

use std::path::PathBuf;

use anyhow::Result;
use comfy_table::Cell;
use gyeol_pipeline::{
    Overfitting,
    runs::{AverageScore, Event, EventKind, MadeFor, Notes, Report, Run, RunSummary, Runs, Status},
};
use gyeol_store::Store;
use serde::Serialize;

use super::{
    cells::{ago, colour, score, steps, took},
    made_of::{self, MadeOf},
};
use crate::{
    commands::train::tell_boost,
    index::{self, FileRow},
    output::{self, Output, title},
};

/// The words of `gyeol runs show`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The run's name, as `gyeol runs ls` lists it
    run: String,

    /// Make the run's submission again, from its members' predictions and the sample, and write it here
    #[arg(long, value_name = "OUT")]
    submission: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  gyeol runs show kcbert-001
  gyeol runs show kcbert-001 --json | jq .report.metrics
  gyeol runs show best-001 --submission again.csv";

/// Everything `runs show --json` tells.
#[derive(Serialize)]
struct Details<'a> {
    #[serde(flatten)]
    summary: &'a RunSummary,
    directory: &'a std::path::Path,
    report: Option<&'a Report>,
    evaluations: Vec<&'a EventKind>,
    warnings: Vec<&'a str>,
    error: Option<&'a str>,
    #[serde(flatten)]
    about: &'a About,
    #[serde(flatten)]
    made_of: &'a MadeOf,
    files: &'a [FileRow],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    folds: &'a [RunSummary],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    rounds: &'a [RunSummary],
}

/// What stands beside the journal.
#[derive(Serialize)]
struct About {
    #[serde(flatten)]
    notes: Notes,
    #[serde(flatten)]
    made_for: MadeFor,
    #[serde(skip_serializing_if = "Option::is_none")]
    alive: Option<f64>,
}

/// Shows a run.
pub(super) fn run(args: &Args, runs: &Runs, output: &Output) -> Result<()> {
    let run = &runs.open(&args.run)?;
    if let Some(path) = &args.submission {
        return made_of::rebuild(run, runs, path, output);
    }
    // A damaged file of what the run is made of, or was made into, hides nothing else of it.
    let made_of = &MadeOf::read(run, output);
    let summary = run.summary()?;
    let journal = run.journal()?;
    let report = run.report()?;
    let files = index::files(run)?;
    let about = About { notes: run.notes()?, made_for: run.made_for()?, alive: alive(run, runs, summary.status) };
    let folds = parts(runs, run, Run::fold_of)?;
    let rounds = parts(runs, run, Run::round_of)?;
    let warnings = journal.warnings();
    let evaluations: Vec<&EventKind> = journal.events.iter().map(|event| &event.kind).filter(is_evaluation).collect();
    let error = match (summary.status, journal.events.iter().rev().find_map(failure)) {
        (Status::Failed, error) => error,
        _ => None,
    };
    if output.is_json() {
        let report = report.as_ref();
        return output.json(&Details {
            summary: &summary,
            directory: run.dir(),
            report,
            evaluations,
            warnings,
            error,
            about: &about,
            made_of,
            files: &files,
            folds: &folds,
            rounds: &rounds,
        });
    }
    let mut text = heading(run, &summary, report.as_ref(), error, &about, made_of);
    if let Some(members) = made_of.member_table() {
        text.push_str(&format!("\n\n{}\n{members}", title("Members")));
    }
    if !evaluations.is_empty() {
        text.push_str(&format!("\n\n{}\n{}", title("Evaluations"), evaluation_table(&evaluations)));
    }
    for (what, parts) in [("Folds", &folds), ("Rounds", &rounds)] {
        if !parts.is_empty() {
            text.push_str(&format!("\n\n{}\n{}", title(what), part_table(parts)));
        }
    }
    if let Some((boost, metric)) = report.as_ref().and_then(|report| Some((report.boost.as_ref()?, &report.metric))) {
        text.push_str(&format!("\n\n{}\n{}", title("Boosting"), tell_boost(metric, boost)));
    }
    if !warnings.is_empty() {
        text.push_str(&format!("\n\n{}\n{}", title("Warnings"), warnings.join("\n")));
    }
    text.push_str(&format!("\n\n{}\n{}", title("Files"), file_table(&files)));
    output.text(&text)?;
    if journal.unreadable > 0 {
        output.warning(&format!("passed over what is no event in events.jsonl; lines: {}", journal.unreadable));
    }
    if matches!(summary.status, Status::Interrupted | Status::Failed) {
        output.hint("the command that began it continues it with --resume");
    }
    Ok(())
}

/// When the process of a run that was cut off was last known to be alive. The store alone knows it; without one, nobody.
fn alive(run: &Run, runs: &Runs, status: Status) -> Option<f64> {
    if status != Status::Interrupted || !runs.home().join(gyeol_store::FILE).is_file() {
        return None;
    }
    Store::open_to_read(runs.home()).ok()?.run(run.name()).ok()??.heartbeat
}

fn heading(
    run: &Run,
    summary: &RunSummary,
    report: Option<&Report>,
    error: Option<&str>,
    about: &About,
    made_of: &MadeOf,
) -> String {
    let metric = summary.metric.as_deref().unwrap_or("score");
    let mut rows = vec![("status", summary.status.to_string())];
    rows.extend(error.map(|error| ("error", error.to_owned())));
    rows.push((metric, score(summary.score)));
    if let Some(report) = report {
        let others = report.metrics.iter().filter(|(name, _)| *name != metric);
        let others: Vec<String> = others.map(|(name, value)| format!("{name} {}", score(*value))).collect();
        if !others.is_empty() {
            rows.push(("others", others.join(", ")));
        }
        match &report.ensemble {
            Some(_) => rows.push(("rows", format!("{} that no member trained on", report.valid_rows))),
            None => rows.extend(work(report)),
        }
    }
    if let Some(report) = report {
        rows.extend(report.stopped.clone().map(|why| ("stopped", why)));
        rows.extend(report.overfitting.as_ref().map(Overfitting::to_string).map(|words| ("overfitting", words)));
        if !report.averages.is_empty() {
            rows.push(("averages", averages(&report.averages, report.averaged_checkpoints)));
        }
    }
    if let Some(folds) = report.and_then(|report| report.folds.as_ref()) {
        let spread = folds.mean.zip(folds.standard_deviation);
        rows.extend(spread.map(|(mean, deviation)| ("folds", format!("mean {mean:.4} ± {deviation:.4}"))));
    }
    rows.extend(run.fold_of().map(|(parent, fold)| ("fold", format!("{fold} of {parent}"))));
    rows.extend(run.round_of().map(|(parent, round)| ("round", format!("{round} of {parent}"))));
    if let Some(refit) = report.and_then(|report| report.refit_of.as_ref()) {
        rows.push(("refit", format!("of {}, {} of {} steps", refit.run, refit.steps, refit.total_steps)));
    }
    if let Some(run) = report.and_then(|report| report.adapted_by.clone()) {
        rows.push(("base", format!("adapted by {run}")));
    }
    if report.is_none_or(|report| report.ensemble.is_none()) {
        rows.push(("steps", steps(summary.steps, summary.total_steps)));
    }
    rows.push(("started", ago(summary.started)));
    rows.push(("took", took(summary.seconds)));
    rows.extend(about.alive.map(|alive| ("last alive", ago(Some(alive)))));
    let MadeFor { sweep, trial, job } = &about.made_for;
    rows.extend(sweep.as_ref().zip(*trial).map(|(sweep, trial)| ("trial", format!("{trial} of {sweep}"))));
    rows.extend(job.map(|job| ("job", job.to_string())));
    rows.extend(report.map(|report| ("made from", fingerprints(report))));
    rows.extend(made_of.rows());
    let Notes { note, tags, public, private } = &about.notes;
    rows.extend(public.map(|score| ("public", score.to_string())));
    rows.extend(private.map(|score| ("private", score.to_string())));
    rows.extend(note.clone().map(|note| ("note", note)));
    if !tags.is_empty() {
        rows.push(("tags", tags.iter().map(String::as_str).collect::<Vec<_>>().join(", ")));
    }
    rows.push(("directory", run.dir().display().to_string()));
    let width = rows.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    let rows: Vec<String> = rows.iter().map(|(key, value)| format!("{key:width$}  {value}")).collect();
    format!("{}\n{}", title(run.name()), rows.join("\n"))
}

/// What a training worked on, and how fast.
fn work(report: &Report) -> [(&'static str, String); 2] {
    let Report { train_rows, valid_rows, tokens_per_second, samples_per_second, threads, isa, precision, .. } = report;
    let speed = format!("{tokens_per_second:.0} tokens/s, {samples_per_second:.0} rows/s");
    [
        ("rows", format!("{train_rows} trained on, {valid_rows} validated on")),
        ("speed", format!("{speed} ({threads} threads, {isa}, {precision})")),
    ]
}

/// The scores of means of the weights of checkpoints, and which was kept.
fn averages(averages: &[AverageScore], kept: Option<u64>) -> String {
    let one = |average: &AverageScore| {
        let kept = if kept == Some(average.checkpoints) { " (kept)" } else { "" };
        format!("{} checkpoints {}{kept}", average.checkpoints, score(average.score))
    };
    averages.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The fingerprints of a report, cut to what tells them apart.
fn fingerprints(report: &Report) -> String {
    let parts = [
        ("data", Some(&report.data_fingerprint)),
        ("texts", Some(&report.text_fingerprint)),
        ("cleaning", report.cleaning_fingerprint.as_ref()),
        ("base", report.base_fingerprint.as_ref()),
        ("gyeol", Some(&report.code_version)),
    ];
    let told = parts.into_iter().filter_map(|(what, value)| Some((what, value.filter(|value| !value.is_empty())?)));
    told.map(|(what, value)| format!("{what} {}", value.chars().take(12).collect::<String>()))
        .collect::<Vec<_>>()
        .join(", ")
}

fn evaluation_table(evaluations: &[&EventKind]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for evaluation in evaluations {
        if let EventKind::Evaluation { metrics, .. } = evaluation {
            names.extend(metrics.keys().map(String::as_str).filter(|name| !names.contains(name)).collect::<Vec<_>>());
        }
    }
    let header: Vec<&str> = ["step", "epoch"].into_iter().chain(names.iter().copied()).collect();
    let mut table = output::table(&header, &(0..header.len()).collect::<Vec<_>>());
    for evaluation in evaluations {
        if let EventKind::Evaluation { step, epoch, metrics } = evaluation {
            let scores = names.iter().map(|name| score(metrics.get(*name).copied()));
            table.add_row([step.to_string(), format!("{epoch:.2}")].into_iter().chain(scores));
        }
    }
    output::render(&table)
}

/// The runs of the folds, or rounds, of `run`, as far as there are any, by number; `of` says whose one is, and which.
fn parts(runs: &Runs, run: &Run, of: fn(&Run) -> Option<(&str, u32)>) -> Result<Vec<RunSummary>> {
    let mut parts: Vec<(u32, Run)> = runs
        .list()?
        .into_iter()
        .filter_map(|other| {
            let number = of(&other).filter(|(parent, _)| *parent == run.name())?.1;
            Some((number, other))
        })
        .collect();
    parts.sort_unstable_by_key(|(number, _)| *number);
    Ok(parts.iter().map(|(_, run)| run.summary()).collect::<Result<_, _>>()?)
}

fn part_table(parts: &[RunSummary]) -> String {
    let mut table = output::table(&["run", "status", "score", "steps", "took"], &[2, 3]);
    for part in parts {
        let (status, score) = (Cell::new(part.status).fg(colour(&part.status.to_string())), score(part.score));
        table.add_row([
            Cell::new(&part.name),
            status,
            Cell::new(score),
            Cell::new(steps(part.steps, part.total_steps)),
            Cell::new(took(part.seconds)),
        ]);
    }
    output::render(&table)
}

fn file_table(files: &[FileRow]) -> String {
    let mut table = output::table(&["name", "size", "what"], &[1]);
    for file in files {
        table.add_row([file.name.clone(), output::bytes(file.bytes), file.about.to_owned()]);
    }
    output::render(&table)
}

fn failure(event: &Event) -> Option<&str> {
    match &event.kind {
        EventKind::Failed { error } => Some(error),
        _ => None,
    }
}

fn is_evaluation(kind: &&EventKind) -> bool {
    matches!(kind, EventKind::Evaluation { .. })
}
