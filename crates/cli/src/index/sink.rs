//! Keeps the store up to date with the runs that this process writes.
//!
//! A thread of its own does the writing, so that training never waits for the disk or for another process. It writes at
//! milestones, at most once a second for the rest, and says every few seconds that the run is alive. A store that cannot be
//! written is told once and tried again; what is missed is read from the run's directory.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use gyeol_pipeline::runs::{Event, EventKind, Report, Run, Sink};
use gyeol_store::{RunRecord, RunRow, Store};

use super::{described, journal_bytes, now, record_of, reported, track, tracker::Tracker};
use crate::output::Output;

/// Between two writes about steps.
const PACE: Duration = Duration::from_secs(1);

/// Between two signs of life; the product promises ten seconds.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long the end of a run waits for its last write.
const PATIENCE: Duration = Duration::from_secs(20);

/// The end of a channel to the thread that writes.
#[derive(Debug)]
pub(super) struct StoreSink {
    sender: Sender<News>,
}

/// What the thread is told. A run is known by its name.
enum News {
    Opened(Box<Run>),
    Recorded(String, Event),
    Reported(String, Box<Report>),
    /// The run's end, and whom to tell when it is written.
    Closed(String, Sender<()>),
}

impl StoreSink {
    /// Starts the thread; the store under `home` is opened with the first news.
    pub(super) fn start(home: &Path, output: Output) -> io::Result<Arc<Self>> {
        let (sender, receiver) = mpsc::channel();
        let writer = Writer { home: home.to_owned(), output, store: None, runs: Vec::new(), told: false };
        thread::Builder::new().name("store".to_owned()).spawn(move || writer.work(&receiver))?;
        Ok(Arc::new(Self { sender }))
    }

    fn tell(&self, news: News) {
        // A thread that is gone has panicked, and said so; the run goes on.
        let _ = self.sender.send(news);
    }
}

impl Sink for StoreSink {
    fn opened(&self, run: &Run) {
        self.tell(News::Opened(Box::new(run.clone())));
    }

    fn recorded(&self, run: &Run, event: &Event) {
        self.tell(News::Recorded(run.name().to_owned(), event.clone()));
    }

    fn reported(&self, run: &Run, report: &Report) {
        self.tell(News::Reported(run.name().to_owned(), Box::new(report.clone())));
    }

    fn closed(&self, run: &Run) {
        let (written, done) = mpsc::channel();
        self.tell(News::Closed(run.name().to_owned(), written));
        // Whoever lists the runs next finds what could not be written in time.
        let _ = done.recv_timeout(PATIENCE);
    }
}

/// A run being written.
struct Open {
    run: Run,
    tracker: Tracker,
    report: Option<Report>,
    /// What was written is not what the directory has: it has to be read again.
    stale: bool,
    /// There is something to write.
    news: bool,
    written: Instant,
}

/// The state of the thread.
struct Writer {
    home: PathBuf,
    output: Output,
    store: Option<Store>,
    runs: Vec<Open>,
    /// Whether the user knows that the store cannot be written.
    told: bool,
}

impl Writer {
    fn work(mut self, receiver: &Receiver<News>) {
        loop {
            let news = match receiver.recv_timeout(PACE) {
                Ok(news) => Some(news),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if let Some(news) = news {
                self.take(news);
            }
            for at in 0..self.runs.len() {
                let open = &self.runs[at];
                let pause = if open.news { PACE } else { HEARTBEAT };
                if open.written.elapsed() >= pause {
                    self.write(at);
                }
            }
        }
    }

    fn take(&mut self, news: News) {
        match news {
            News::Opened(run) => {
                let tracker = Tracker::new(run.name());
                let written = Instant::now();
                self.runs.push(Open { run: *run, tracker, report: None, stale: true, news: true, written });
                self.write(self.runs.len() - 1);
            }
            News::Recorded(run, event) => {
                let Some(at) = self.find(&run) else { return };
                let open = &mut self.runs[at];
                open.stale |= open.tracker.is_broken_by(&event);
                open.tracker.push(&event);
                open.news = true;
                if !matches!(event.kind, EventKind::Step { .. } | EventKind::Warning { .. }) {
                    self.write(at);
                }
            }
            News::Reported(run, report) => {
                if let Some(at) = self.find(&run) {
                    self.runs[at].report = Some(*report);
                }
            }
            News::Closed(run, done) => {
                if let Some(at) = self.find(&run) {
                    self.close(at);
                }
                // Nobody waits any more if it took too long.
                let _ = done.send(());
            }
        }
    }

    fn find(&self, run: &str) -> Option<usize> {
        self.runs.iter().position(|open| open.run.name() == run)
    }

    /// Brings the store up to date with a run.
    fn write(&mut self, at: usize) {
        let outcome = self.try_write(at);
        let open = &mut self.runs[at];
        open.written = Instant::now();
        open.news = false;
        if let Err(error) = outcome {
            open.stale = true;
            self.tell(&error);
        }
    }

    fn try_write(&mut self, at: usize) -> Result<()> {
        let store = store(&mut self.store, &self.home)?;
        let open = &mut self.runs[at];
        if open.stale {
            (open.tracker, _) = track(&open.run)?;
            store.replace_run(&open.take_record())?;
            open.stale = false;
        } else if open.news {
            store.extend_run(&open.take_record())?;
        } else {
            store.heartbeat(open.run.name(), now())?;
        }
        Ok(())
    }

    /// Writes the end of a run, as its directory has it but for the lock, which is about to be given up.
    fn close(&mut self, at: usize) {
        let open = self.runs.remove(at);
        let written = || -> Result<()> {
            let store = store(&mut self.store, &self.home)?;
            let mut record = record_of(&open.run)?;
            record.row.status = super::status(open.tracker.status());
            if let Some(report) = open.report.filter(|_| record.row.status == gyeol_store::RunStatus::Finished) {
                reported(&mut record, &report);
            }
            Ok(store.replace_run(&record)?)
        };
        let written = written();
        if self.runs.is_empty() {
            // Nothing is left beside the file when the process ends.
            self.store = None;
        }
        if let Err(error) = written {
            self.tell(&error);
        }
    }

    fn tell(&mut self, error: &anyhow::Error) {
        // A store that was open may have been removed or put aside meanwhile.
        self.store = None;
        if !self.told {
            self.told = true;
            self.output.warning(&format!("{error:#}; the run goes on, and `gyeol runs rebuild` mends the store"));
        }
    }
}

impl Open {
    /// What is to be written, with a sign of life.
    fn take_record(&mut self) -> RunRecord {
        let journal_bytes = journal_bytes(&self.run);
        let record = self.tracker.take_record();
        let row = described(&self.run, record.row);
        let row = RunRow { journal_bytes, pid: Some(std::process::id()), heartbeat: Some(now()), ..row };
        RunRecord { row, ..record }
    }
}

/// The store, opened when it is first needed.
fn store<'a>(store: &'a mut Option<Store>, home: &Path) -> Result<&'a mut Store> {
    if store.is_none() {
        *store = Some(Store::open(home)?);
    }
    store.as_mut().context("the store is not open")
}
