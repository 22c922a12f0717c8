//! `gyeol runs ls`: the runs in a table, those of folds under the run they belong to, those of a sweep in one line.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use comfy_table::Cell;
use gyeol_eval::Metric;
use gyeol_pipeline::runs::Runs;
use gyeol_store::{Goal, RunRow, RunStatus, Store};
use serde::Serialize;

use super::{
    cells::{ago, colour, score, steps, took},
    filter::{Chosen, Filters},
};
use crate::output::{self, Output};

/// The words of `gyeol runs ls`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    filters: Filters,

    /// The first so many, in the order of --sort; without it the latest
    #[arg(long, value_name = "N")]
    limit: Option<usize>,

    /// Every trial of every sweep in a line of its own
    #[arg(long)]
    all: bool,
}

const EXAMPLES: &str = "\
Conditions of --where name a field (run, recipe, status, metric, score, steps, total_steps,
started, seconds, sweep, trial, job, pid, fold_of, note) or a metric of the report, and compare it
by = != < <= > or >=.

Examples:
  gyeol runs ls
  gyeol runs ls --where 'score>0.65' --sort -score --limit 10
  gyeol runs ls --sweep night --status finished --sort -macro_f1
  gyeol runs ls --home ../other/.gyeol
  gyeol runs ls --json | jq '.[] | select(.status == \"finished\") | .score'";

/// A line of the list, with what stands under it.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all lines are runs")]
enum Entry {
    Run { row: RunRow, folds: Vec<RunRow> },
    Sweep(SweepLine),
}

/// The trials of a sweep in a line.
#[derive(Debug, Serialize)]
struct SweepLine {
    sweep: String,
    trials: usize,
    /// Of the sweep if the store knows it, else of its trials.
    status: &'static str,
    /// The best of its trials.
    score: Option<f64>,
    metric: Option<String>,
    /// The run that has it.
    best: Option<String>,
    steps: u64,
    started: Option<f64>,
    seconds: Option<f64>,
    #[serde(skip)]
    goal: Goal,
    /// The trials so far, as some have several runs.
    #[serde(skip)]
    numbers: HashSet<u32>,
}

/// Lists the runs.
pub(super) fn run(args: &Args, runs: &Runs, output: &Output) -> Result<()> {
    let mut store = Store::open_to_read(runs.home())?;
    let Chosen { found, of } = args.filters.find(&mut store, runs, false)?;
    let rows: Vec<RunRow> = found.into_iter().map(|found| found.row).collect();
    let fold_sweeps = !args.all && args.filters.sweep.is_none();
    let mut entries = entries(rows, if fold_sweeps { Some(&store) } else { None })?;
    if let Some(limit) = args.limit {
        match args.filters.is_sorted() {
            true => entries.truncate(limit),
            false => drop(entries.drain(..entries.len().saturating_sub(limit))),
        }
    }
    if output.is_json() {
        let mut documents = Vec::new();
        for entry in &entries {
            match entry {
                Entry::Sweep(line) => documents.push(serde_json::to_value(line)?),
                Entry::Run { row, folds } => {
                    for row in std::iter::once(row).chain(folds) {
                        documents.push(serde_json::to_value(row)?);
                    }
                }
            }
        }
        return output.json(&documents);
    }
    if entries.is_empty() {
        output.note(&none_of(of, args.limit, runs));
        return Ok(());
    }
    tell(&entries, output)
}

/// Why nothing is listed.
fn none_of(count: usize, limit: Option<usize>, runs: &Runs) -> String {
    let root = runs.root().display();
    match (count, limit) {
        (0, _) => format!("no runs in {root}"),
        (1, Some(0)) => format!("--limit 0 lists nothing of the 1 run in {root}"),
        (_, Some(0)) => format!("--limit 0 lists nothing of the {count} runs in {root}"),
        (1, _) => format!("the 1 run in {root} does not match"),
        _ => format!("none of the {count} runs in {root} matches"),
    }
}

/// Puts folds under the run they belong to, and with a store the trials of a sweep together, where the first of them stood.
fn entries(rows: Vec<RunRow>, store: Option<&Store>) -> Result<Vec<Entry>> {
    let sweeps = store.map(Store::sweeps).transpose()?.unwrap_or_default();
    let mut entries: Vec<Entry> = Vec::new();
    let mut runs: HashMap<String, usize> = HashMap::new();
    let mut lines: HashMap<String, usize> = HashMap::new();
    let (folds, wholes): (Vec<RunRow>, Vec<RunRow>) = rows.into_iter().partition(|row| row.fold_of.is_some());
    for row in wholes {
        match row.sweep.as_ref().filter(|_| store.is_some()) {
            None => {
                runs.insert(row.name.clone(), entries.len());
                entries.push(Entry::Run { row, folds: Vec::new() });
            }
            Some(name) => {
                let at = *lines.entry(name.clone()).or_insert_with(|| {
                    let known = sweeps.iter().find(|sweep| sweep.name == *name);
                    let goal = known.map_or_else(|| goal_of(row.metric.as_deref()), |sweep| sweep.goal);
                    let status = known.map_or("finished", |sweep| sweep.status.word());
                    entries.push(Entry::Sweep(SweepLine::new(name.clone(), status, goal)));
                    entries.len() - 1
                });
                if let Entry::Sweep(line) = &mut entries[at] {
                    let known = sweeps.iter().any(|sweep| sweep.name == *name);
                    line.add(&row, known);
                }
            }
        }
    }
    for fold in folds {
        let parent = fold.fold_of.as_ref().and_then(|parent| runs.get(parent));
        match parent.and_then(|at| entries.get_mut(*at)) {
            Some(Entry::Run { folds, .. }) => folds.push(fold),
            // Part of a trial that is told with its sweep, or without the run it belongs to.
            _ if store.is_some() && fold.sweep.is_some() => {}
            _ => entries.push(Entry::Run { row: fold, folds: Vec::new() }),
        }
    }
    Ok(entries)
}

/// Which way a metric improves; one this program does not know is taken for a score.
fn goal_of(metric: Option<&str>) -> Goal {
    let known = Metric::ALL.into_iter().find(|known| Some(known.name()) == metric);
    if known.is_none_or(Metric::higher_is_better) { Goal::Maximize } else { Goal::Minimize }
}

/// Whether a run of a sweep is that of a trial again, with another seed.
fn is_run_again(run: &str) -> bool {
    let seed = run.rsplit_once("-seed-").map(|(_, seed)| seed);
    seed.is_some_and(|seed| !seed.is_empty() && seed.bytes().all(|byte| byte.is_ascii_digit()))
}

impl SweepLine {
    fn new(sweep: String, status: &'static str, goal: Goal) -> Self {
        Self {
            sweep,
            trials: 0,
            status,
            score: None,
            metric: None,
            best: None,
            steps: 0,
            started: None,
            seconds: None,
            goal,
            numbers: HashSet::new(),
        }
    }

    fn add(&mut self, row: &RunRow, status_is_known: bool) {
        if row.trial.is_none_or(|trial| self.numbers.insert(trial)) {
            self.trials += 1;
        }
        self.steps += row.steps;
        let earlier = |started: f64, other: Option<f64>| other.map_or(started, |other| started.min(other));
        self.started = row.started.map(|started| earlier(started, self.started)).or(self.started);
        self.seconds = row.seconds.map(|seconds| seconds + self.seconds.unwrap_or(0.0)).or(self.seconds);
        self.metric = self.metric.take().or_else(|| row.metric.clone());
        if !status_is_known && row.status == RunStatus::Running {
            self.status = RunStatus::Running.word();
        }
        let better = |score: f64, best: f64| match self.goal {
            Goal::Maximize => score > best,
            Goal::Minimize => score < best,
        };
        // A trial that is still at work, or was stopped, has a score so far. One with another seed is not the trial's own.
        let score = row.score.filter(|_| row.status == RunStatus::Finished && !is_run_again(&row.name));
        if score.is_some_and(|score| self.score.is_none_or(|best| better(score, best))) {
            self.score = score;
            self.best = Some(row.name.clone());
        }
    }
}

fn tell(entries: &[Entry], output: &Output) -> Result<()> {
    let rows = || {
        entries.iter().flat_map(|entry| match entry {
            Entry::Run { row, folds } => std::iter::once(row).chain(folds).collect::<Vec<_>>(),
            Entry::Sweep(_) => Vec::new(),
        })
    };
    let tagged = rows().any(|row| !row.tags.is_empty());
    let mut header = vec!["run", "status", "score", "metric", "steps", "started", "took"];
    header.extend(tagged.then_some("tags"));
    let mut table = output::table(&header, &[2, 4]);
    for entry in entries {
        match entry {
            Entry::Sweep(line) => {
                table.add_row([
                    Cell::new(format!("{} ({} trials)", line.sweep, line.trials)),
                    Cell::new(line.status).fg(colour(line.status)),
                    Cell::new(score(line.score)),
                    Cell::new(line.metric.as_deref().unwrap_or("-")),
                    Cell::new(line.steps),
                    Cell::new(ago(line.started)),
                    Cell::new(took(line.seconds)),
                ]);
            }
            Entry::Run { row, folds } => {
                for row in std::iter::once(row).chain(folds) {
                    let indent = if row.fold_of.is_some() { "  " } else { "" };
                    let mut cells = vec![
                        Cell::new(format!("{indent}{}", row.name)),
                        Cell::new(row.status).fg(colour(row.status.word())),
                        Cell::new(score(row.score)),
                        Cell::new(row.metric.as_deref().unwrap_or("-")),
                        Cell::new(steps(row.steps, row.total_steps)),
                        Cell::new(ago(row.started)),
                        Cell::new(took(row.seconds)),
                    ];
                    cells.extend(tagged.then(|| Cell::new(row.tags.join(", "))));
                    table.add_row(cells);
                }
            }
        }
    }
    output.text(&output::render(&table))?;
    for row in rows() {
        if let Some(problem) = &row.unreadable_report {
            output.warning(&format!("{}: {problem}", row.name));
        }
    }
    Ok(())
}
