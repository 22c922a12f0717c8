//! From run directories to the store: what a run is there, and which of them have news.
//!
//! The directories are the truth. A run's process keeps its row up to date as it goes (`sink`); whatever that misses, from
//! a process that died to a directory copied in, is made good by whoever lists the runs next (`refresh`).

mod files;
mod refresh;
mod sink;
mod sweeps;
mod tracker;

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use gyeol_pipeline::runs::{MadeFor, Report, Run, RunError, Runs, Status};
use gyeol_store::{ArtifactRow, RunRecord, RunRow, RunStatus};

pub(crate) use files::{FileRow, files, size};
pub(crate) use refresh::{rebuild, refresh};
pub(crate) use sweeps::{SweepIndex, standing};

use self::tracker::Tracker;
use crate::{args::Global, job, output::Output};

/// The runs under the home directory, for a command that makes some: the store is told of them.
pub(crate) fn runs_to_write(global: &Global, output: &Output) -> Runs {
    let runs = Runs::new(&global.home).made_for(job::made_for(MadeFor::default()));
    match sink::StoreSink::start(&global.home, *output) {
        Ok(sink) => runs.told_to(sink),
        Err(error) => {
            output.warning(&format!("{error}; `gyeol runs ls` learns of the run later"));
            runs
        }
    }
}

/// A run as its directory has it, or a row that says why it cannot be read, so that it stands in nobody's way. `None` if it was
/// removed meanwhile.
fn record_if_there(run: &Run) -> Option<RunRecord> {
    let error = match record_of(run) {
        Ok(record) => return Some(record),
        Err(error) => error,
    };
    run.recipe_path().is_file().then(|| {
        let row = RunRow::new(run.name(), RunStatus::Interrupted);
        let row = RunRow { unreadable_report: Some(format!("{error:#}")), ..row };
        RunRecord { row, events: Vec::new(), metrics: Vec::new(), scores: Vec::new(), artifacts: Vec::new() }
    })
}

/// A run as its directory has it. Small files beside its journal that cannot be read are told in its row.
pub(crate) fn record_of(run: &Run) -> Result<RunRecord> {
    // The lock first: what a run that ends between the two looks wrote is then read.
    let running = run.is_running()?;
    let (tracker, journal_bytes) = track(run)?;
    let mut record = tracker.record();
    let pid = if running { run.writer() } else { None };
    record.row = RunRow { journal_bytes, pid, ..described(run, record.row) };
    record.row.status = status(if running { Status::Running } else { tracker.status() });
    if record.row.status == RunStatus::Finished {
        match run.report() {
            Ok(Some(report)) => reported(&mut record, &report),
            Ok(None) => {}
            Err(error @ RunError::Report { .. }) => record.row.unreadable_report = Some(error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    record.artifacts = artifacts(run)?;
    Ok(record)
}

/// What the run's journal tells, and how long it is.
fn track(run: &Run) -> Result<(Tracker, u64)> {
    // What is appended after this look is news to the next.
    let bytes = journal_bytes(run);
    let mut tracker = Tracker::new(run.name());
    run.journal()?.events.iter().for_each(|event| tracker.push(event));
    Ok((tracker, bytes))
}

/// How much of a journal there is.
fn journal_bytes(run: &Run) -> u64 {
    fs::metadata(run.events_path()).map_or(0, |metadata| metadata.len())
}

/// Adds to `row` what stands beside the journal, and which of it cannot be read.
fn described(run: &Run, row: RunRow) -> RunRow {
    let (made_for, made_for_problem) = or_default(run.made_for());
    let (notes, notes_problem) = or_default(run.notes());
    let (recipe, recipe_problem) = or_default(recipe_name(run));
    RunRow {
        recipe,
        sweep: made_for.sweep,
        trial: made_for.trial,
        job: made_for.job,
        fold_of: run.part_of().map(|(parent, _)| parent.to_owned()),
        note: notes.note,
        tags: notes.tags.into_iter().collect(),
        unreadable_report: recipe_problem.or(made_for_problem).or(notes_problem),
        ..row
    }
}

/// What there is, or nothing and why.
fn or_default<T: Default>(read: Result<T, impl Into<anyhow::Error>>) -> (T, Option<String>) {
    match read {
        Ok(value) => (value, None),
        Err(error) => (T::default(), Some(format!("{:#}", error.into()))),
    }
}

/// The name in a run's recipe; of a recipe without, what stands before the run's number.
fn recipe_name(run: &Run) -> Result<Option<String>> {
    let path = run.recipe_path();
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let named = text.parse::<toml::Table>().ok().and_then(|table| Some(table.get("name")?.as_str()?.to_owned()));
    Ok(named.or_else(|| run.name().rsplit_once('-').map(|(recipe, _)| recipe.to_owned())))
}

/// Adds what came of a run.
fn reported(record: &mut RunRecord, report: &Report) {
    let told = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    record.row = RunRow {
        score: report.score,
        metric: Some(report.metric.clone()),
        steps: report.steps,
        data_fingerprint: told(&report.data_fingerprint),
        text_fingerprint: told(&report.text_fingerprint),
        cleaning_fingerprint: report.cleaning_fingerprint.clone(),
        base_fingerprint: report.base_fingerprint.clone(),
        code_version: told(&report.code_version),
        ..record.row.clone()
    };
    record.scores = report.metrics.iter().map(|(name, value)| (name.clone(), *value)).collect();
}

fn artifacts(run: &Run) -> Result<Vec<ArtifactRow>> {
    let row = |file: FileRow| {
        let path = file.name.trim_end_matches('/').to_owned();
        ArtifactRow { name: path.split('.').next().unwrap_or(&path).to_owned(), path, bytes: file.bytes }
    };
    Ok(files(run)?.into_iter().map(row).collect())
}

fn status(status: Status) -> RunStatus {
    match status {
        Status::Running => RunStatus::Running,
        Status::Finished => RunStatus::Finished,
        Status::Failed => RunStatus::Failed,
        Status::Interrupted => RunStatus::Interrupted,
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64())
}
