//! What a job is. Times are seconds since 1970 (UTC).

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::Serialize;

/// A job's number, from 1 in the order of adding; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct JobId(pub i64);

impl fmt::Display for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What is to be run, and when it may.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spec {
    /// For people; need not be unique.
    pub name: Option<String>,
    /// The command's first words, as in `train`: jobs of a kind are taken to last about as long.
    pub kind: String,
    /// The command line after the program's name.
    pub words: Vec<String>,
    /// Where it runs.
    pub directory: PathBuf,
    /// Variables it finds set.
    pub environment: BTreeMap<String, String>,
    /// A larger number goes first; among equals the one added first.
    pub priority: i32,
    /// The jobs that must be done before.
    pub after: Vec<JobId>,
    /// Threads it computes with; `None`: as many as the daemon gives.
    pub threads: Option<u32>,
    /// Bytes it takes at most; `None`: nobody said, counted as none.
    pub memory: Option<u64>,
    /// How often it is tried again after a failure.
    pub retries: u32,
    /// Dropped if it has not begun by then, asked to stop if it still runs.
    pub deadline: Option<f64>,
}

/// Where a job stands. What a waiting job waits for follows from the others and is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// To be run.
    Waiting,
    /// Not to be run until it is resumed.
    Paused,
    /// A daemon has started it.
    Running,
    /// It has succeeded.
    Done,
    /// It has failed more often than it is tried again.
    Failed,
    /// Somebody did not want it any more.
    Cancelled,
    /// Its deadline passed.
    Dropped,
}

/// The states with their names in the store.
pub(super) const STATES: [(State, &str); 7] = [
    (State::Waiting, "waiting"),
    (State::Paused, "paused"),
    (State::Running, "running"),
    (State::Done, "done"),
    (State::Failed, "failed"),
    (State::Cancelled, "cancelled"),
    (State::Dropped, "dropped"),
];

impl State {
    /// Its name.
    pub fn name(self) -> &'static str {
        STATES.iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }

    /// Whether it will not run again unless somebody asks for it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled | Self::Dropped)
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// What a running job has been asked for: it stops where it can go on, and then…
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// …waits for the next daemon.
    Stop,
    /// …waits to be resumed.
    Pause,
    /// …is cancelled.
    Cancel,
    /// …is dropped, as its deadline has come.
    Deadline,
}

/// The wishes with their names in the store.
pub(super) const WISHES: [(Wish, &str); 4] =
    [(Wish::Stop, "stop"), (Wish::Pause, "pause"), (Wish::Cancel, "cancel"), (Wish::Deadline, "deadline")];

impl Wish {
    pub(super) fn name(self) -> &'static str {
        WISHES.iter().find(|(wish, _)| *wish == self).map_or("", |(_, name)| name)
    }
}

/// The attempts of a job so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Attempt {
    /// How many there were, this one included.
    pub number: u32,
    /// When the first began.
    pub first_started: Option<f64>,
    /// When the last began.
    pub started: Option<f64>,
    /// The process of the last, once it has said so.
    pub pid: Option<i32>,
    /// Threads the last was given.
    pub threads: Option<u32>,
    /// Whether another job ran beside the last.
    pub shared: bool,
    /// Seconds of all attempts whose end was seen.
    pub seconds: f64,
}

/// A job and what became of it so far.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// What is to be run.
    #[serde(flatten)]
    pub spec: Spec,
    /// When it was added.
    pub added: f64,
    /// Where it stands.
    pub state: State,
    /// When it came to this state.
    pub since: f64,
    /// What it has been asked for while it runs.
    pub wish: Option<Wish>,
    /// Not tried again before.
    pub not_before: Option<f64>,
    /// Attempts that failed since it was added or told to be tried again.
    pub failures: u32,
    /// It ran out of memory beside others and runs with no other.
    pub alone: bool,
    /// Jobs behind it that were started first.
    pub overtaken: u32,
    /// How the last attempt ended, for people.
    pub note: Option<String>,
    /// The directory of the run it writes, or wrote last.
    pub run: Option<PathBuf>,
    /// Its attempts.
    pub attempt: Attempt,
}
