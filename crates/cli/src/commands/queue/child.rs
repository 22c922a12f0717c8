//! The process of a job: started, looked after, asked to stop.
//!
//! Its standard input is the job's lock file, locked: the lock belongs to the opened file, so the job holds it from before its
//! first instruction until it and all it has started are gone, and nobody else does. A daemon that finds a job running and
//! its lock free knows that the process is gone, whatever process has its number now.

use std::{
    env,
    fs::File,
    io::Write as _,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::Sender,
    thread,
};

use anyhow::{Context as _, Result};
use gyeol_store::queue::{Job, JobId, schedule::Need, verdict::End};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};

use super::{files, files::Files};
use crate::{clock, commands::masked_lm::quoted, job};

/// What wakes the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The process of a job is gone.
    Gone(JobId),
    /// Ctrl-C, or a request to terminate.
    Interrupted,
}

/// A job that runs.
#[derive(Debug)]
pub(super) struct Live {
    /// What it takes.
    pub(super) need: Need,
    /// Whether it has been asked to stop.
    pub(super) asked: bool,
    /// `None`: a daemon before this one started it.
    child: Option<Child>,
}

impl Live {
    /// Starts `words` as an attempt of `job`, whose lock is `lock`.
    ///
    /// # Errors
    /// If the program, the job's directory or its log is not to be had.
    pub(super) fn start(
        (program, words): (&Path, &[String]),
        job: &Job,
        need: Need,
        (files, lock): (&Files, File),
        wake: &Sender<Event>,
    ) -> Result<Self> {
        let mut log = files::open(&files.log(job.id))?;
        let header = format!(
            "--- attempt {}, {}: gyeol {}",
            job.attempt.number + 1,
            clock::short(clock::now()),
            words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
        );
        std::io::Seek::seek(&mut log, std::io::SeekFrom::End(0)).context("cannot find the end of the log")?;
        writeln!(log, "{header}").context("cannot write the log")?;
        let mut command = Command::new(program);
        let ours = env::vars_os().map(|(name, _)| name).filter(|name| name.as_encoded_bytes().starts_with(b"GYEOL_"));
        ours.for_each(|name| {
            command.env_remove(name);
        });
        // Each line goes behind what is there, also where a process of an earlier attempt still writes.
        let appending = || File::options().append(true).open(files.log(job.id)).context("cannot open the log");
        command
            .args(words)
            .current_dir(&job.spec.directory)
            .envs(&job.spec.environment)
            .env(job::JOB, job.id.to_string())
            .env(job::QUEUE, files.home())
            .stdin(Stdio::from(lock))
            .stdout(appending()?)
            .stderr(appending()?)
            // Ctrl-C in the daemon's terminal is the daemon's to pass on, once.
            .process_group(0);
        if let Some(memory) = job.spec.memory {
            command.env("GYEOL_MEMORY", format!("{memory}B"));
        }
        let child = command.spawn().with_context(|| format!("cannot start it in {}", job.spec.directory.display()))?;
        let (id, wake, pid) = (job.id, wake.clone(), Pid::from_child(&child));
        thread::spawn(move || {
            // It stays to be reaped, so that its number is not given away while it may yet be signalled. An error means that
            // it is reaped already, and a daemon that is gone needs no waking.
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
            let _ = wake.send(Event::Gone(id));
        });
        Ok(Self { need, asked: false, child: Some(child) })
    }

    /// Looks after a job that another daemon has started, whose lock is that of `file`.
    pub(super) fn adopt(id: JobId, need: Need, file: File, wake: &Sender<Event>) -> Self {
        let wake = wake.clone();
        thread::spawn(move || {
            // A lock that cannot be waited for is as good as free: the job is then found running when it is started again.
            let _ = file.lock();
            drop(file);
            let _ = wake.send(Event::Gone(id));
        });
        Self { need, asked: false, child: None }
    }

    /// How the process ended, which is gone.
    pub(super) fn end(&mut self) -> Result<End> {
        let Some(child) = &mut self.child else { return Ok(End::Lost) };
        let status = child.wait().context("cannot learn how a job ended")?;
        Ok(match (status.code(), status.signal()) {
            (Some(code), _) => End::Exited(code),
            (None, Some(signal)) => End::Killed(signal),
            (None, None) => End::Lost,
        })
    }

    /// Asks the job to stop where it can go on; `recorded` is the process number it has told. Says whether it could be asked.
    pub(super) fn interrupt(&self, recorded: Option<i32>) -> bool {
        // One that has gone meanwhile needs no asking.
        self.pid(recorded).map(|pid| kill_process(pid, Signal::INT)).is_some()
    }

    /// Ends the job and what it has started.
    pub(super) fn kill(&self, recorded: Option<i32>) {
        if let Some(pid) = self.pid(recorded) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    fn pid(&self, recorded: Option<i32>) -> Option<Pid> {
        match &self.child {
            Some(child) => Some(Pid::from_child(child)),
            None => recorded.and_then(Pid::from_raw),
        }
    }
}

/// Asks a job that runs without a daemon to stop, if its process has told its number and still holds the lock.
pub(super) fn interrupt_orphan(files: &Files, id: JobId, recorded: Option<i32>) -> Result<()> {
    let file = files::open(&files.job_lock(id))?;
    if !files::try_lock(&file).context("cannot look at the job's lock")?
        && let Some(pid) = recorded.and_then(Pid::from_raw)
    {
        let _ = kill_process(pid, Signal::INT);
    }
    Ok(())
}
