//! `gyeol runs ls` and `gyeol runs show RUN`: what has been run, and what came of it.

use std::{
    fs, io,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use clap::Subcommand;
use comfy_table::{Cell, Color};
use gyeol_pipeline::runs::{Event, EventKind, Report, Run, RunSummary, Runs, Status};
use serde::Serialize;

use crate::{
    args::Global,
    output::{self, Output, title},
};

/// The words of `gyeol runs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the runs, the latest last
    #[command(after_help = LS_EXAMPLES)]
    Ls,
    /// Show one run: its evaluations, warnings and files
    #[command(after_help = SHOW_EXAMPLES)]
    Show {
        /// The run's name, as `gyeol runs ls` lists it
        run: String,
    },
}

const LS_EXAMPLES: &str = "\
Examples:
  gyeol runs ls
  gyeol runs ls --home ../other/.gyeol
  gyeol runs ls --json | jq '.[] | select(.status == \"finished\") | .score'";

const SHOW_EXAMPLES: &str = "\
Examples:
  gyeol runs show kcbert-001
  gyeol runs show kcbert-001 --json | jq .report.metrics";

/// Lists or shows.
pub(crate) fn run(args: &Args, global: &Global, output: &Output) -> Result<()> {
    let runs = Runs::new(&global.home);
    match &args.command {
        Command::Ls => list(&runs, output),
        Command::Show { run } => show(&runs, &runs.open(run)?, output),
    }
}

fn list(runs: &Runs, output: &Output) -> Result<()> {
    let mut summaries = runs.list()?.iter().map(Run::summary).collect::<Result<Vec<_>, _>>()?;
    summaries.sort_by(|a, b| a.started.unwrap_or(f64::MAX).total_cmp(&b.started.unwrap_or(f64::MAX)));
    gather_folds(&mut summaries);
    if output.is_json() {
        return output.json(&summaries);
    }
    if summaries.is_empty() {
        output.note(&format!("no runs in {}", runs.root().display()));
        return Ok(());
    }
    let mut table = output::table(&["run", "status", "score", "metric", "steps", "started", "took"], &[2, 4]);
    for summary in &summaries {
        table.add_row([
            // Folds stand under the run they belong to, which began before them.
            Cell::new(format!("{}{}", if summary.fold_of.is_some() { "  " } else { "" }, summary.name)),
            Cell::new(summary.status).fg(colour(summary.status)),
            Cell::new(score(summary.score)),
            Cell::new(summary.metric.as_deref().unwrap_or("-")),
            Cell::new(steps(summary)),
            Cell::new(started(summary)),
            Cell::new(took(summary)),
        ]);
    }
    output.text(&output::render(&table))?;
    for summary in &summaries {
        if let Some(problem) = &summary.unreadable_report {
            output.warning(&format!("{}: unreadable report: {problem}", summary.name));
        }
    }
    Ok(())
}

/// Moves the runs of folds behind the run they belong to, keeping their order.
fn gather_folds(summaries: &mut Vec<RunSummary>) {
    let folds: Vec<RunSummary> = summaries.extract_if(.., |summary| summary.fold_of.is_some()).collect();
    for fold in folds {
        let family =
            |summary: &RunSummary| Some(&summary.name) == fold.fold_of.as_ref() || summary.fold_of == fold.fold_of;
        let at = summaries.iter().rposition(family).map_or(summaries.len(), |last| last + 1);
        summaries.insert(at, fold);
    }
}

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
    files: &'a [FileRow],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    folds: &'a [RunSummary],
}

/// A file or directory of a run.
#[derive(Serialize)]
struct FileRow {
    name: String,
    bytes: u64,
    about: &'static str,
}

fn show(runs: &Runs, run: &Run, output: &Output) -> Result<()> {
    let summary = run.summary()?;
    let journal = run.journal()?;
    let report = run.report()?;
    let files = files(run)?;
    let folds = folds(runs, run)?;
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
            files: &files,
            folds: &folds,
        });
    }
    let mut text = heading(run, &summary, report.as_ref(), error);
    if !evaluations.is_empty() {
        text.push_str(&format!("\n\n{}\n{}", title("Evaluations"), evaluation_table(&evaluations)));
    }
    if !folds.is_empty() {
        text.push_str(&format!("\n\n{}\n{}", title("Folds"), fold_table(&folds)));
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

fn heading(run: &Run, summary: &RunSummary, report: Option<&Report>, error: Option<&str>) -> String {
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
        rows.push(("rows", format!("{} trained on, {} validated on", report.train_rows, report.valid_rows)));
        let speed = format!("{:.0} tokens/s, {:.0} rows/s", report.tokens_per_second, report.samples_per_second);
        rows.push(("speed", format!("{speed} ({} threads, {}, {})", report.threads, report.isa, report.precision)));
    }
    if let Some(folds) = report.and_then(|report| report.folds.as_ref()) {
        let spread = folds.mean.zip(folds.standard_deviation);
        rows.extend(spread.map(|(mean, deviation)| ("folds", format!("mean {mean:.4} ± {deviation:.4}"))));
    }
    rows.extend(run.fold_of().map(|(parent, fold)| ("fold", format!("{fold} of {parent}"))));
    if let Some(refit) = report.and_then(|report| report.refit_of.as_ref()) {
        rows.push(("refit", format!("of {}, {} of {} steps", refit.run, refit.steps, refit.total_steps)));
    }
    if let Some(run) = report.and_then(|report| report.adapted_by.clone()) {
        rows.push(("base", format!("adapted by {run}")));
    }
    rows.push(("steps", steps(summary)));
    rows.push(("started", started(summary)));
    rows.push(("took", took(summary)));
    rows.push(("directory", run.dir().display().to_string()));
    let width = rows.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    let rows: Vec<String> = rows.iter().map(|(key, value)| format!("{key:width$}  {value}")).collect();
    format!("{}\n{}", title(run.name()), rows.join("\n"))
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

/// The runs of the folds of `run`, as far as there are any, by number.
fn folds(runs: &Runs, run: &Run) -> Result<Vec<RunSummary>> {
    let mut folds: Vec<(u32, Run)> = runs
        .list()?
        .into_iter()
        .filter_map(|other| {
            let fold = other.fold_of().filter(|(parent, _)| *parent == run.name())?.1;
            Some((fold, other))
        })
        .collect();
    folds.sort_unstable_by_key(|(fold, _)| *fold);
    Ok(folds.iter().map(|(_, run)| run.summary()).collect::<Result<_, _>>()?)
}

fn fold_table(folds: &[RunSummary]) -> String {
    let mut table = output::table(&["run", "status", "score", "steps", "took"], &[2, 3]);
    for fold in folds {
        let (status, score) = (Cell::new(fold.status).fg(colour(fold.status)), score(fold.score));
        table.add_row([Cell::new(&fold.name), status, Cell::new(score), Cell::new(steps(fold)), Cell::new(took(fold))]);
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

/// The run's files that are there; a directory's size is that of all in it.
fn files(run: &Run) -> Result<Vec<FileRow>> {
    let known = [
        (run.recipe_path(), "the recipe, every default written out"),
        (run.events_path(), "what happened, a JSON object a line"),
        (run.report_path(), "what came of it"),
        (run.valid_path(), "predictions of the validation rows"),
        (run.test_path(), "predictions of data.test"),
        (run.model_dir(), "the model, for gyeol and transformers"),
        (run.checkpoints_dir(), "kept checkpoints and the state to resume from"),
    ];
    let mut files = Vec::new();
    for (path, about) in known {
        let size = size(&path).with_context(|| format!("cannot look at {}", path.display()))?;
        if let Some(bytes) = size {
            let slash = if path.is_dir() { "/" } else { "" };
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            files.push(FileRow { name: format!("{name}{slash}"), bytes, about });
        }
    }
    Ok(files)
}

/// The size of a file or of all files in a directory; `None` when there is nothing, as when a run just tidied it away.
fn size(path: &std::path::Path) -> io::Result<Option<u64>> {
    let absent = |error: io::Error| if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) };
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return absent(error),
    };
    if !metadata.is_dir() {
        return Ok(Some(metadata.len()));
    }
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => return absent(error),
    };
    let mut total = 0;
    for entry in entries {
        total += size(&entry?.path())?.unwrap_or(0);
    }
    Ok(Some(total))
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

fn colour(status: Status) -> Color {
    match status {
        Status::Running => Color::Cyan,
        Status::Finished => Color::Green,
        Status::Failed => Color::Red,
        Status::Interrupted => Color::Yellow,
    }
}

fn score(score: Option<f64>) -> String {
    score.filter(|score| score.is_finite()).map_or_else(|| "-".to_owned(), |score| format!("{score:.4}"))
}

fn steps(summary: &RunSummary) -> String {
    match summary.total_steps {
        Some(total) if total != summary.steps => format!("{}/{total}", summary.steps),
        _ => summary.steps.to_string(),
    }
}

/// How long ago: it needs no time zone.
fn started(summary: &RunSummary) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64());
    summary.started.map_or_else(|| "-".to_owned(), |started| format!("{} ago", output::duration(now - started)))
}

fn took(summary: &RunSummary) -> String {
    summary.seconds.map_or_else(|| "-".to_owned(), output::duration)
}
