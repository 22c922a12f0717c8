//! `gyeol queue ls`: what runs, what waits and why, what is done; and whether anybody runs it.

use std::path::Path;

use anyhow::Result;
use comfy_table::{Cell, Color};
use gyeol_store::queue::{Daemon, Job, Queue, State};
use serde::Serialize;

use super::{
    files::Files,
    tell::{self, Circumstances, Told},
};
use crate::{
    clock,
    output::{self, Output},
};

/// The words of `gyeol queue ls`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Also jobs that were over some time ago
    #[arg(short, long)]
    all: bool,
}

const EXAMPLES: &str = "\
When a job will be done is told by the pace of its run, else by the median of the jobs of its
kind that are done; - if nobody can tell.

Examples:
  gyeol queue ls
  gyeol queue ls --all --json | jq '.jobs[] | select(.state == \"failed\") | .note'";

/// How many of the jobs that are over are listed unasked.
const RECENT: usize = 5;

/// What `--json` prints.
#[derive(Serialize)]
struct Listing<'a> {
    /// The daemon that runs, or ran last.
    daemon: Option<&'a Daemon>,
    running: bool,
    paused: bool,
    jobs: Vec<Told<'a>>,
}

/// Does what `gyeol queue ls` says.
pub(super) fn run(args: &Args, home: &Path, output: &Output) -> Result<()> {
    let mut queue = Queue::open_to_read(home)?;
    let running = Files::new(home).daemon_runs()?;
    let last = queue.last_daemon()?;
    let paused = queue.orders()?.paused;
    let all = queue.jobs()?;
    let around = Circumstances { daemon: last.as_ref().filter(|_| running), paused, now: clock::now() };
    let mut jobs = tell::tell(&all, &around);
    if !args.all {
        let recent = recent(&all);
        jobs.retain(|told| !told.job.state.is_over() || recent.contains(&told.job.id.0));
    }
    if output.is_json() {
        return output.json(&Listing { daemon: last.as_ref(), running, paused, jobs });
    }
    output.note(&head(last.as_ref(), running, paused));
    if jobs.is_empty() {
        output.note(&format!("no jobs in {}", home.display()));
        return Ok(());
    }
    let mut table = output::table(&["job", "name", "state", "priority", "command", "about", "done in"], &[0, 3, 6]);
    for Told { job, about, done_in, .. } in &jobs {
        table.add_row([
            Cell::new(job.id),
            Cell::new(job.spec.name.as_deref().unwrap_or("-")),
            Cell::new(job.state).fg(colour(job.state)),
            Cell::new(if job.state.is_over() { "-".to_owned() } else { job.spec.priority.to_string() }),
            Cell::new(tell::command(job)),
            Cell::new(about),
            Cell::new(done_in.map_or_else(|| "-".to_owned(), output::duration)),
        ]);
    }
    output.text(&output::render(&table))?;
    if jobs.len() < all.len() {
        output.note(&format!("{} more are over: --all", all.len() - jobs.len()));
    }
    Ok(())
}

/// The jobs that were over last.
fn recent(jobs: &[Job]) -> Vec<i64> {
    let mut over: Vec<&Job> = jobs.iter().filter(|job| job.state.is_over()).collect();
    over.sort_unstable_by(|a, b| b.since.total_cmp(&a.since));
    over.iter().take(RECENT).map(|job| job.id.0).collect()
}

/// Whether a daemon runs, and how idle it was.
fn head(daemon: Option<&Daemon>, running: bool, paused: bool) -> String {
    let paused = if paused { "; the queue is paused" } else { "" };
    let Some(daemon) = daemon else { return format!("no daemon runs: gyeol queue start{paused}") };
    let seconds = daemon.seen - daemon.started;
    let share = |part: f64| if seconds > 0.0 { format!("{:.1} %", 100.0 * part / seconds) } else { "0.0 %".to_owned() };
    let idle = format!(
        "in {} nothing ran {} of the time, and a job waited that had room {}",
        output::duration(seconds),
        share(daemon.idle),
        share(daemon.missed)
    );
    match running {
        true => {
            let memory = daemon.memory.map_or_else(String::new, |memory| format!(", {}", output::bytes(memory)));
            let since = clock::short(daemon.started);
            format!(
                "process {} runs jobs on {} threads{memory} since {since}: {idle}{paused}",
                daemon.pid, daemon.threads
            )
        }
        false => format!("no daemon runs: gyeol queue start{paused}; of the last one: {idle}"),
    }
}

fn colour(state: State) -> Color {
    match state {
        State::Running => Color::Cyan,
        State::Done => Color::Green,
        State::Failed => Color::Red,
        State::Paused | State::Cancelled | State::Dropped => Color::Yellow,
        State::Waiting => Color::Reset,
    }
}
