//! Jobs in words: what one waits for, how far it is, how long it took.

use std::collections::BTreeMap;

use gyeol_pipeline::runs::{RunSummary, Runs};
use gyeol_store::queue::{
    Daemon, Job, JobId, State,
    forecast::{Planned, forecast, median},
    schedule::{Candidate, Capacity, Decision, Need, decide},
    standing::{Standing, candidates, standings},
};
use serde::Serialize;

use crate::output;

/// How far the run of a job is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Progress {
    run: String,
    step: u64,
    total_steps: u64,
    /// Seconds the remaining steps take at the pace so far, where they are all that is left of the job.
    #[serde(skip)]
    left: Option<f64>,
}

impl Progress {
    /// That of a running job, once it has a run with a step.
    fn of(job: &Job) -> Option<Self> {
        let directory = job.run.as_ref().filter(|_| job.state == State::Running)?;
        let home = directory.parent()?.parent()?;
        // What cannot be read is not known; the run's own commands say why.
        let run = Runs::new(home).open(directory.file_name()?.to_str()?).ok()?;
        let summary = run.summary().ok()?;
        let total_steps = summary.total_steps?;
        let left = (summary.steps > 0 && is_all(job, &summary)).then(|| {
            let pace = summary.seconds.unwrap_or(0.0) / summary.steps as f64;
            pace * total_steps.saturating_sub(summary.steps) as f64
        });
        Some(Self { run: summary.name, step: summary.steps, total_steps, left })
    }

    fn words(&self) -> String {
        let Self { run, step, total_steps, .. } = self;
        format!("{run}, step {step} of {total_steps} ({} %)", step * 100 / (*total_steps).max(1))
    }
}

/// Whether the run is all of its job, as far as its name and the command line tell.
fn is_all(job: &Job, run: &RunSummary) -> bool {
    let several = job.spec.words.iter().any(|word| word.starts_with("--seeds"));
    run.fold_of.is_none() && !several && (job.spec.kind != "train" || !run.name.contains("-adapt-"))
}

/// A job and what follows from all of them.
#[derive(Debug, Serialize)]
pub(super) struct Told<'a> {
    #[serde(flatten)]
    pub(super) job: &'a Job,
    /// What it waits for, how far it is, or how it ended.
    pub(super) about: String,
    pub(super) progress: Option<Progress>,
    /// Seconds until it is done, as far as one can tell.
    pub(super) done_in: Option<f64>,
}

/// What there is to know beside the jobs.
#[derive(Debug)]
pub(super) struct Circumstances<'a> {
    /// The daemon that runs.
    pub(super) daemon: Option<&'a Daemon>,
    /// Whether nothing more is to be started.
    pub(super) paused: bool,
    /// Seconds since 1970 (UTC).
    pub(super) now: f64,
}

/// What a job that could run is told it waits for.
struct Room {
    running: Vec<Need>,
    capacity: Capacity,
    decision: Decision,
}

/// Tells all `jobs`, by number.
pub(super) fn tell<'a>(jobs: &'a [Job], around: &Circumstances<'_>) -> Vec<Told<'a>> {
    let standings = standings(jobs, around.now);
    let progress: BTreeMap<JobId, Progress> =
        jobs.iter().filter_map(|job| Some((job.id, Progress::of(job)?))).collect();
    let room = around.daemon.map(|daemon| {
        let capacity = daemon.capacity();
        let running = jobs.iter().filter(|job| job.state == State::Running);
        let running: Vec<Need> = running.map(|job| job.need(capacity, daemon.share)).collect();
        let decision = decide(&candidates(jobs, &standings, capacity, daemon.share), &running, capacity);
        Room { running, capacity, decision }
    });
    let ends =
        around.daemon.filter(|_| !around.paused).map(|daemon| ends(jobs, &standings, &progress, daemon, around.now));
    let told = |job: &'a Job| {
        let progress = progress.get(&job.id).cloned();
        let about = match (&standings[&job.id], &progress) {
            (Standing::Running, _) if job.wish.is_some() => "asked to stop".to_owned(),
            (Standing::Running, Some(progress)) => progress.words(),
            (Standing::Running, None) => "-".to_owned(),
            (Standing::Over, _) => ending(job),
            (Standing::Paused, _) => with_note("until gyeol queue resume", job),
            (Standing::Held { by, state }, _) => format!("held: job {by} {}", stands(*state)),
            (Standing::After(first), _) => format!("after job {}", list(first)),
            (Standing::Until(then), _) => with_note(&format!("{} more", output::duration(then - around.now)), job),
            (Standing::Runnable(_), _) => with_note(&waits(job, room.as_ref(), around), job),
        };
        let done_in = ends.as_ref().and_then(|ends| ends.get(&job.id).copied());
        Told { job, about, progress, done_in }
    };
    jobs.iter().map(told).collect()
}

/// Why a job that nothing else keeps waiting waits.
fn waits(job: &Job, room: Option<&Room>, around: &Circumstances<'_>) -> String {
    let Some((room, daemon)) = room.zip(around.daemon) else { return "for gyeol queue start".to_owned() };
    if around.paused {
        return "the queue is paused".to_owned();
    }
    let need = job.need(room.capacity, daemon.share);
    if !room.capacity.fits(need) {
        let has = room.capacity.memory.map_or_else(String::new, output::bytes);
        return format!("{} of memory needed, the daemon has {has}", output::bytes(need.memory));
    }
    let free = room.capacity.free(&room.running);
    if need.threads > free.threads {
        return format!("{} needed, {} free", threads(need.threads), free.threads);
    }
    if !free.fits(need) {
        let has = free.memory.map_or_else(String::new, output::bytes);
        return format!("{} of memory needed, {has} free", output::bytes(need.memory));
    }
    match room.decision.kept_for {
        _ if room.decision.start.contains(&job.id) => "starts".to_owned(),
        Some(first) => format!("room is kept for job {first}"),
        None => "others go first".to_owned(),
    }
}

/// When the jobs that are not over are done, in seconds from now.
fn ends(
    jobs: &[Job],
    standings: &BTreeMap<JobId, Standing>,
    progress: &BTreeMap<JobId, Progress>,
    daemon: &Daemon,
    now: f64,
) -> BTreeMap<JobId, f64> {
    let capacity = daemon.capacity();
    let usual = |kind: &str| {
        let done = jobs.iter().filter(|job| job.state == State::Done && job.spec.kind == kind);
        median(done.map(|job| job.attempt.seconds).collect())
    };
    let mut seconds_of_kind = BTreeMap::new();
    for job in jobs.iter().filter(|job| !job.state.is_over()) {
        seconds_of_kind.entry(job.spec.kind.as_str()).or_insert_with(|| usual(&job.spec.kind));
    }
    let planned = jobs.iter().filter_map(|job| {
        let running = match standings[&job.id] {
            Standing::Running => true,
            Standing::After(_) | Standing::Until(_) | Standing::Runnable(_) => false,
            Standing::Over | Standing::Paused | Standing::Held { .. } => return None,
        };
        let so_far = job.attempt.started.filter(|_| running).map_or(0.0, |started| now - started);
        // What has taken longer than usual may be done at any moment, or not: nobody knows.
        let rest = seconds_of_kind[job.spec.kind.as_str()].map(|usual| usual - job.attempt.seconds - so_far);
        let pace = progress.get(&job.id).and_then(|progress| progress.left);
        let plan = Candidate {
            id: job.id,
            priority: job.spec.priority,
            need: job.need(capacity, daemon.share),
            overtaken: job.overtaken,
        };
        let seconds = pace.or(rest.filter(|rest| *rest > 0.0));
        Some(Planned { job: plan, after: job.spec.after.clone(), running, seconds })
    });
    forecast(&planned.collect::<Vec<_>>(), capacity)
}

fn ending(job: &Job) -> String {
    match (&job.note, job.attempt.number) {
        (Some(note), 0) => note.clone(),
        (None, 0) => "-".to_owned(),
        (note, number) => {
            let attempts = if number > 1 { format!(" in {number} attempts") } else { String::new() };
            let took = format!("took {}{attempts}", output::duration(job.attempt.seconds));
            note.as_ref().map_or_else(|| took.clone(), |note| format!("{note}; {took}"))
        }
    }
}

fn with_note(text: &str, job: &Job) -> String {
    job.note.as_ref().map_or_else(|| text.to_owned(), |note| format!("{text} ({note})"))
}

fn stands(state: State) -> &'static str {
    match state {
        State::Failed => "failed",
        State::Cancelled => "was cancelled",
        State::Dropped => "was dropped",
        _ => "is paused",
    }
}

fn threads(count: u32) -> String {
    if count == 1 { "1 thread".to_owned() } else { format!("{count} threads") }
}

fn list(ids: &[JobId]) -> String {
    ids.iter().map(JobId::to_string).collect::<Vec<_>>().join(", ")
}

/// The command of a job as it would be typed, without the program's name.
pub(super) fn command(job: &Job) -> String {
    let quoted = |word: &String| crate::commands::masked_lm::quoted(word);
    job.spec.words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}
