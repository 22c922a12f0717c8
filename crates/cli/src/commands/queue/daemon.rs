//! The daemon: starts what may start, waits for what runs, and sleeps in between.
//!
//! It is woken by a thread for each job when its process is gone, by Ctrl-C, by the next moment at which something is due, and
//! by changes of the store, which it asks after [`POLL`] without reading a table. It keeps nothing that the store does not
//! know, so that it may be killed at any moment.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use gyeol_pipeline::available_memory;
use gyeol_store::StoreError;
use gyeol_store::queue::{
    Job, JobId, Queue, QueueError, State, Wish,
    schedule::{Capacity, Need, decide},
    standing::{Standing, candidates, standings},
    verdict::End,
};

use super::{
    child::{Event, Live},
    files::{self, Files},
    usage::Usage,
    words::Line,
};
use crate::{clock, output::Output};

/// How often the store is asked whether it changed.
const POLL: Duration = Duration::from_millis(200);
/// How often, at least, the figures of use are written while something runs or waits.
const RECORD: f64 = 10.0;

/// Between an error that may pass and the next attempt.
const SETBACK: Duration = Duration::from_secs(1);

/// Why the daemon ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// There was nothing left to do.
    Empty,
    /// `gyeol queue stop`.
    Stopped,
    /// Ctrl-C.
    Interrupted,
}

/// A daemon and what it has running.
#[derive(Debug)]
pub(super) struct Daemon<'a> {
    queue: Queue,
    files: Files,
    program: PathBuf,
    capacity: Capacity,
    /// Whether the memory in it is what the system had left, which jobs of an earlier daemon held already.
    measured: bool,
    share: u32,
    output: &'a Output,
    live: BTreeMap<JobId, Live>,
    events: Receiver<Event>,
    wake: Sender<Event>,
    usage: Usage,
    recorded: f64,
    ending: Option<Ending>,
}

impl<'a> Daemon<'a> {
    /// A daemon that gives `capacity`, whose memory was `measured` or said, and `share` threads to a job that does not say.
    /// Only for the holder of its lock.
    pub(super) fn new(
        mut queue: Queue,
        files: Files,
        (capacity, measured, share): (Capacity, bool, u32),
        output: &'a Output,
    ) -> Result<Self> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let daemon = queue.begin_daemon(std::process::id(), capacity, share, clock::now())?;
        let (wake, events) = channel();
        let interrupted = wake.clone();
        ctrlc::set_handler(move || {
            // Nobody listens any more when the daemon ends.
            let _ = interrupted.send(Event::Interrupted);
        })
        .context("cannot listen for Ctrl-C")?;
        Ok(Self {
            queue,
            files,
            program,
            capacity,
            measured,
            share,
            output,
            live: BTreeMap::new(),
            events,
            wake,
            recorded: daemon.seen,
            usage: Usage::new(daemon),
            ending: None,
        })
    }

    /// Runs jobs until it is stopped or, with `until_empty`, until nothing is left that could run.
    ///
    /// # Errors
    /// Those of its beginning, and those that time does not mend. A full disk is told once, and tried again until it is not.
    pub(super) fn run(&mut self, until_empty: bool) -> Result<Ending> {
        self.find_running()?;
        let mut told = false;
        loop {
            let error = match self.turns(until_empty, &mut told) {
                Err(error) if may_pass(&error) => error,
                outcome => return outcome,
            };
            if !told {
                told = true;
                self.output.warning(&format!("{error:#}; the queue goes on as soon as it can"));
            }
            thread::sleep(SETBACK);
            for event in self.events.try_iter().collect::<Vec<_>>() {
                if event == Event::Interrupted {
                    return Err(error);
                }
                // The daemon itself listens.
                let _ = self.wake.send(event);
            }
        }
    }

    /// The same until the first error; `failed` says whether one came before, and is taken back when all is well.
    fn turns(&mut self, until_empty: bool, failed: &mut bool) -> Result<Ending> {
        if *failed {
            // What was being started may have been left half done.
            self.find_running()?;
        }
        loop {
            let version = self.queue.data_version()?;
            let now = clock::now();
            self.queue.drop_late(now)?;
            let orders = self.queue.orders()?;
            if orders.stop && self.ending.is_none() {
                self.ending = Some(Ending::Stopped);
            }
            self.usage.freed(orders.since);
            let mut jobs = self.queue.open_jobs()?;
            self.obey(&jobs, now)?;
            let mut locked = false;
            if self.ending.is_none() && !orders.paused {
                locked = self.start(&mut jobs)?;
            }
            if self.live.is_empty() {
                let nothing = until_empty && !self.is_work_ahead(&jobs);
                match self.ending {
                    Some(ending) => return self.finish(ending),
                    None if nothing && !locked => return self.finish(Ending::Empty),
                    None => {}
                }
            }
            *failed = false;
            self.wait(version, self.next_due(&jobs, locked))?;
        }
    }

    /// Takes over the jobs that run since before this daemon; those whose process is gone wait again.
    fn find_running(&mut self) -> Result<()> {
        let jobs = self.queue.open_jobs()?;
        for job in jobs.iter().filter(|job| job.state == State::Running) {
            if self.live.contains_key(&job.id) {
                continue;
            }
            let lock = files::open(&self.files.job_lock(job.id))?;
            if files::try_lock(&lock).context("cannot look at a job's lock")? {
                self.close(job.id, &End::Lost)?;
            } else {
                self.output.note(&format!("job {} runs since before this daemon", job.id));
                let need = job.need_of_attempt(self.capacity, self.share);
                if self.measured {
                    self.give(self.capacity.memory.map(|memory| memory.saturating_add(need.memory)));
                }
                self.live.insert(job.id, Live::adopt(job.id, need, lock, &self.wake));
            }
        }
        Ok(())
    }

    /// Gives that much memory from now on.
    fn give(&mut self, memory: Option<u64>) {
        self.capacity.memory = memory;
        self.usage.give(memory);
    }

    /// Passes on what running jobs have been asked for, and asks those whose deadline has come.
    fn obey(&mut self, jobs: &[Job], now: f64) -> Result<()> {
        for job in jobs.iter().filter(|job| job.state == State::Running) {
            let Some(live) = self.live.get_mut(&job.id).filter(|live| !live.asked) else { continue };
            let late = job.spec.deadline.is_some_and(|deadline| deadline <= now);
            let wish = job.wish.or(late.then_some(Wish::Deadline)).or(self.ending.map(|_| Wish::Stop));
            let Some(wish) = wish else { continue };
            if job.wish.is_none() {
                self.queue.ask(job.id, wish)?;
            }
            live.asked = live.interrupt(job.attempt.pid);
        }
        Ok(())
    }

    /// Starts what may start. Says whether a job could not be, as a process of its last attempt is still there.
    fn start(&mut self, jobs: &mut Vec<Job>) -> Result<bool> {
        let mut locked = false;
        loop {
            let standings = standings(jobs, clock::now());
            let mut waiting = candidates(jobs, &standings, self.capacity, self.share);
            waiting.retain(|job| !self.live.contains_key(&job.id));
            let running: Vec<Need> = self.live.values().map(|live| live.need).collect();
            let decision = decide(&waiting, &running, self.capacity);
            let mut again = false;
            let mut started = Vec::new();
            for id in &decision.start {
                let (Some(job), Some(Standing::Runnable(ready))) =
                    (jobs.iter().find(|job| job.id == *id), standings.get(id))
                else {
                    continue;
                };
                let lock = files::open(&self.files.job_lock(*id))?;
                if !files::try_lock(&lock).context("cannot look at a job's lock")? {
                    locked = true;
                    continue;
                }
                let need = job.need(self.capacity, self.share);
                if !self.queue.begin(*id, need.threads, clock::now())? {
                    again = true;
                    continue;
                }
                let live = Line::parse(&job.spec.words).map_err(Into::into).and_then(|line| {
                    let words = line.for_attempt(job, need.threads);
                    Live::start((&self.program, &words), job, need, (&self.files, lock), &self.wake)
                });
                match live {
                    Ok(live) => {
                        self.live.insert(*id, live);
                        started.push(*id);
                        self.usage.started(*ready, clock::now());
                        self.output.note(&format!("job {id} started: gyeol {}", job.spec.words.join(" ")));
                    }
                    Err(error) => {
                        self.close(*id, &End::NotStarted(format!("{error:#}")))?;
                        again = true;
                    }
                }
            }
            if self.live.len() > 1 && !started.is_empty() {
                self.queue.mark_shared(&self.live.keys().copied().collect::<Vec<_>>())?;
            }
            let overtaken = decision.overtaken.iter().filter(|(by, _)| started.contains(by)).map(|(_, job)| *job);
            let overtaken: Vec<JobId> = overtaken.collect();
            if !overtaken.is_empty() {
                self.queue.mark_overtaken(&overtaken)?;
            }
            *jobs = self.queue.open_jobs()?;
            if !again {
                return Ok(locked);
            }
        }
    }

    /// Sleeps until something happens that the store, with `version`, did not know, or until `due`.
    fn wait(&mut self, version: i64, due: Option<f64>) -> Result<()> {
        loop {
            let now = clock::now();
            self.usage.pass(now, !self.live.is_empty());
            if now - self.recorded >= RECORD {
                self.queue.record_daemon(self.usage.daemon())?;
                self.recorded = now;
            }
            let left = due.map_or(POLL.as_secs_f64(), |due| due - now);
            if left <= 0.0 {
                return Ok(());
            }
            match self.events.recv_timeout(POLL.min(Duration::from_secs_f64(left))) {
                Ok(event) => return self.take(event),
                Err(RecvTimeoutError::Timeout) if self.queue.data_version()? != version => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("the daemon keeps a sender"),
            }
        }
    }

    fn take(&mut self, event: Event) -> Result<()> {
        let taken = match event {
            Event::Gone(id) => self.gone(id),
            Event::Interrupted if self.ending.is_none() => {
                self.output.note("stopping the jobs that run; Ctrl-C again kills them");
                self.ending = Some(Ending::Interrupted);
                Ok(())
            }
            Event::Interrupted => self.kill(),
        };
        if taken.is_err() {
            // It is taken again when that has passed; the daemon itself listens.
            let _ = self.wake.send(event);
        }
        taken
    }

    /// The process of a job is gone.
    fn gone(&mut self, id: JobId) -> Result<()> {
        self.usage.pass(clock::now(), !self.live.is_empty());
        let Some(live) = self.live.get_mut(&id) else { return Ok(()) };
        let end = live.end()?;
        let job = self.close(id, &end)?;
        self.live.remove(&id);
        if self.measured && self.live.is_empty() {
            self.give(available_memory()?);
        }
        // The job's own word, where it had one, is from before its process was gone.
        self.usage.freed(job.map_or_else(clock::now, |job| job.since));
        self.queue.record_daemon(self.usage.daemon())?;
        Ok(())
    }

    /// Kills what runs.
    fn kill(&mut self) -> Result<()> {
        for job in self.queue.open_jobs()? {
            if let Some(live) = self.live.get(&job.id) {
                live.kill(job.attempt.pid);
            }
        }
        Ok(())
    }

    /// Notes how an attempt ended, unless the job has done so itself, and says it. A job that ended by its own word may be
    /// forgotten by now: then there is nothing to note.
    fn close(&mut self, id: JobId, end: &End) -> Result<Option<Job>> {
        let closed = self.queue.finish(id, end, clock::now()).and_then(|_| self.queue.job(id));
        let job = match closed {
            Ok(job) => job,
            Err(QueueError::Unknown { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let note = job.note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
        self.output.note(&format!("job {id} {}{note}", job.state));
        Ok(Some(job))
    }

    /// Whether a job runs, or will with nobody's help. One that waits for others is not asked for: they are ahead themselves, or
    /// keep it waiting.
    fn is_work_ahead(&self, jobs: &[Job]) -> bool {
        let standings = standings(jobs, clock::now());
        jobs.iter().any(|job| match standings.get(&job.id) {
            Some(Standing::Running) => true,
            Some(Standing::Until(_) | Standing::Runnable(_)) => self.capacity.fits(job.need(self.capacity, self.share)),
            _ => false,
        })
    }

    /// The next moment at which time alone changes something.
    fn next_due(&self, jobs: &[Job], locked: bool) -> Option<f64> {
        let now = clock::now();
        let unasked = |job: &&Job| self.live.get(&job.id).is_some_and(|live| !live.asked);
        let late = |job: &Job| job.spec.deadline.is_some_and(|deadline| deadline <= now);
        let deadlines = jobs
            .iter()
            .filter(|job| !job.state.is_over())
            .filter(|job| job.state != State::Running || unasked(job) && !late(job))
            .filter_map(|job| job.spec.deadline);
        let retries = jobs.iter().filter(|job| job.state == State::Waiting).filter_map(|job| job.not_before);
        // A job that has not told its process number yet is asked when it has.
        let to_ask = |job: &Job| job.wish.is_some() || late(job) || self.ending.is_some();
        let unheard = jobs.iter().any(|job| job.state == State::Running && to_ask(job) && unasked(&job));
        let soon = (locked || unheard).then_some(now + POLL.as_secs_f64());
        let due = deadlines.chain(retries.filter(|then| *then > now)).chain(soon);
        due.reduce(f64::min)
    }

    fn finish(&mut self, ending: Ending) -> Result<Ending> {
        self.usage.pass(clock::now(), false);
        self.queue.record_daemon(self.usage.daemon())?;
        Ok(ending)
    }
}

/// Whether the error is one of a disk or a file system, which may be full, or busy, for a while.
fn may_pass(error: &anyhow::Error) -> bool {
    let of_disk = |error: &StoreError| matches!(error, StoreError::Database { .. } | StoreError::Directory { .. });
    error.chain().any(|cause| {
        cause.is::<io::Error>()
            || cause.downcast_ref::<StoreError>().is_some_and(of_disk)
            || matches!(cause.downcast_ref(), Some(QueueError::Store(error)) if of_disk(error))
    })
}

#[cfg(test)]
mod tests {
    use gyeol_store::queue::State;

    use super::*;

    #[test]
    fn a_daemon_outlives_a_full_disk_and_not_a_store_of_a_later_version() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let directory = || StoreError::Directory { path: "home".into(), source: full() };
        for passing in [full().into(), anyhow::Error::from(full()).context("writing"), directory().into()] {
            assert!(may_pass(&passing), "{passing}");
        }
        assert!(may_pass(&QueueError::from(directory()).into()));
        let new = || StoreError::TooNew { path: "store.db".into(), found: 9, known: 2 };
        let refused = QueueError::State { id: JobId(1), state: State::Done, action: "resumed" };
        for lasting in [anyhow::Error::from(new()), QueueError::from(new()).into(), refused.into()] {
            assert!(!may_pass(&lasting), "{lasting}");
        }
    }
}
