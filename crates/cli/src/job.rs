//! This process as a job of the queue, if it is one: it says itself how it ended, so that a finished job is never run again,
//! whatever becomes of the daemon that started it.

use std::{env, path::PathBuf, sync::OnceLock};

use anyhow::{Context as _, Result};
use gyeol_pipeline::runs::{MadeFor, Run};
use gyeol_store::queue::{JobId, Queue, verdict::End};

use crate::{clock, output::Output};

/// The number of the job that a process is, or is part of.
pub(crate) const JOB: &str = "GYEOL_JOB";
/// The home of the queue that has the job.
pub(crate) const QUEUE: &str = "GYEOL_QUEUE";

/// The job that this process is.
#[derive(Debug)]
struct Current {
    id: JobId,
    home: PathBuf,
}

static CURRENT: OnceLock<Current> = OnceLock::new();

/// Takes the job that the environment names as this process's own. One that another process has taken is that process's:
/// a job may start further commands, which find the same variables.
pub(crate) fn begin(output: &Output) {
    let (Some(id), Some(home)) = (env::var(JOB).ok(), env::var_os(QUEUE)) else { return };
    let Ok(id) = id.parse() else { return };
    let job = Current { id: JobId(id), home: home.into() };
    let claimed =
        Queue::open(&job.home).map_err(Into::into).and_then(|mut queue| queue.claim(job.id, std::process::id()));
    match claimed {
        Ok(true) => CURRENT.set(job).unwrap_or_else(|_| unreachable!("a process begins once")),
        Ok(false) => {}
        Err(error) => output.warning(&format!("the queue will not know how this job ends: {error}")),
    }
}

/// Whether this process is a job of the queue.
pub(crate) fn is_one() -> bool {
    CURRENT.get().is_some()
}

/// What the runs that this process makes are made for besides `others`: the job it is.
pub(crate) fn made_for(others: MadeFor) -> MadeFor {
    let job = CURRENT.get().and_then(|job| u64::try_from(job.id.0).ok());
    MadeFor { job: job.or(others.job), ..others }
}

/// Says which run the job writes, so that its progress can be looked up. A failure costs no more than that.
pub(crate) fn writes(run: &Run, output: &Output) {
    let note = |job: &Current| -> Result<()> {
        let directory = std::path::absolute(run.dir()).context("cannot find the run's directory")?;
        Ok(Queue::open(&job.home)?.set_run(job.id, &directory.to_string_lossy())?)
    };
    if let Some(Err(error)) = CURRENT.get().map(note) {
        output.warning(&format!("the queue will not know the progress of this job: {error}"));
    }
}

/// Says that the job ends with this exit code.
pub(crate) fn end(code: u8, output: &Output) {
    let note = |job: &Current| -> Result<()> {
        Queue::open(&job.home)?.finish(job.id, &End::Exited(code.into()), clock::now())?;
        Ok(())
    };
    if let Some(Err(error)) = CURRENT.get().map(note) {
        output.warning(&format!("cannot tell the queue how this job ended: {error}"));
    }
}
