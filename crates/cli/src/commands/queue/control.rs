//! Stopping, pausing, resuming, trying again, cancelling and forgetting.

use std::path::Path;

use anyhow::Result;
use gyeol_store::queue::{Job, Queue};

use super::{child, files::Files};
use crate::{clock, output::Output};

/// Jobs, at least one.
#[derive(Debug, clap::Args)]
pub(super) struct Jobs {
    /// Jobs, by number or name
    #[arg(required = true, value_name = "JOB")]
    jobs: Vec<String>,
}

/// Jobs, or none for the queue as a whole.
#[derive(Debug, clap::Args)]
pub(super) struct Some {
    /// Jobs, by number or name; without, the queue as a whole
    #[arg(value_name = "JOB")]
    jobs: Vec<String>,
}

pub(super) const STOP_EXAMPLES: &str = "\
Examples:
  gyeol queue stop      # waits until the daemon has ended";

pub(super) const PAUSE_EXAMPLES: &str = "\
Examples:
  gyeol queue pause     # what runs goes on, nothing more starts
  gyeol queue pause 3   # job 3 stops where it can go on";

pub(super) const RESUME_EXAMPLES: &str = "\
Examples:
  gyeol queue resume
  gyeol queue resume 3";

pub(super) const RETRY_EXAMPLES: &str = "\
Examples:
  gyeol queue retry 4   # and the jobs that were held by it";

pub(super) const CANCEL_EXAMPLES: &str = "\
Examples:
  gyeol queue cancel 3 kcbert";

pub(super) const RM_EXAMPLES: &str = "\
Examples:
  gyeol queue rm 1 2";

/// Has the daemon end and waits for it.
pub(super) fn stop(home: &Path, output: &Output) -> Result<()> {
    let files = Files::new(home);
    if !files.daemon_runs()? {
        output.note("no daemon runs");
        return Ok(());
    }
    Queue::open(home)?.set_stop(true)?;
    output.note("waiting for the daemon to stop what runs");
    files.wait_for_daemon()?;
    output.note("the daemon has ended; gyeol queue start goes on");
    Ok(())
}

/// Pauses jobs, or the queue.
pub(super) fn pause(args: &Some, home: &Path, output: &Output) -> Result<()> {
    let mut queue = Queue::open(home)?;
    if args.jobs.is_empty() {
        queue.set_paused(true, clock::now())?;
        output.note("nothing more is started until gyeol queue resume; what runs goes on");
        return Ok(());
    }
    for job in find(&mut queue, &args.jobs)? {
        let runs = queue.pause(job.id, clock::now())?;
        stopping(&Files::new(home), &job, (runs, "paused"), output)?;
    }
    Ok(())
}

/// Lets jobs go on, or the queue.
pub(super) fn resume(args: &Some, home: &Path, output: &Output) -> Result<()> {
    let mut queue = Queue::open(home)?;
    if args.jobs.is_empty() {
        queue.set_paused(false, clock::now())?;
        output.note("jobs are started again");
    }
    for job in find(&mut queue, &args.jobs)? {
        queue.resume(job.id, clock::now())?;
        output.note(&format!("job {} waits for its turn", job.id));
    }
    Ok(())
}

/// Lets jobs that are over run again.
pub(super) fn retry(args: &Jobs, home: &Path, output: &Output) -> Result<()> {
    let mut queue = Queue::open(home)?;
    for job in find(&mut queue, &args.jobs)? {
        queue.retry(job.id, clock::now())?;
        output.note(&format!("job {} waits for its turn", job.id));
    }
    Ok(())
}

/// Gives jobs up.
pub(super) fn cancel(args: &Jobs, home: &Path, output: &Output) -> Result<()> {
    let mut queue = Queue::open(home)?;
    for job in find(&mut queue, &args.jobs)? {
        let runs = queue.cancel(job.id, clock::now())?;
        stopping(&Files::new(home), &job, (runs, "cancelled"), output)?;
    }
    Ok(())
}

/// Forgets jobs; the one added last goes first, as others may be removed only after it.
pub(super) fn remove(args: &Jobs, home: &Path, output: &Output) -> Result<()> {
    let mut queue = Queue::open(home)?;
    let mut jobs = find(&mut queue, &args.jobs)?;
    jobs.sort_unstable_by_key(|job| std::cmp::Reverse(job.id));
    for job in jobs {
        queue.remove(job.id)?;
        Files::new(home).remove(job.id)?;
        output.note(&format!("job {} is forgotten", job.id));
    }
    Ok(())
}

/// All of them, before anything is done to the first.
fn find(queue: &mut Queue, references: &[String]) -> Result<Vec<Job>> {
    let jobs = references.iter().map(|reference| queue.find(reference)).collect::<Result<Vec<_>, _>>()?;
    Ok(jobs)
}

/// Says what becomes of a job; one that runs is asked by the daemon, or from here if there is none.
fn stopping(files: &Files, job: &Job, (runs, what): (bool, &str), output: &Output) -> Result<()> {
    if !runs {
        output.note(&format!("job {} is {what}", job.id));
        return Ok(());
    }
    if !files.daemon_runs()? {
        child::interrupt_orphan(files, job.id, job.attempt.pid)?;
    }
    output.note(&format!("job {} is {what} as soon as it has stopped", job.id));
    Ok(())
}
