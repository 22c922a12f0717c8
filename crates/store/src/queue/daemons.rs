//! The daemons that ran the queue, what they are to do, and how idle they were.

use rusqlite::{OptionalExtension as _, params};
use serde::Serialize;

use super::{Queue, QueueError, schedule::Capacity};

/// What whoever runs the queue is to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Orders {
    /// Start nothing more.
    pub paused: bool,
    /// Stop what runs, and end.
    pub stop: bool,
    /// When `paused` last changed, in seconds since 1970 (UTC).
    pub since: f64,
}

/// One daemon, the last there was or the one there is. Times are seconds since 1970 (UTC).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Daemon {
    /// Its number.
    #[serde(skip)]
    pub id: i64,
    /// Its process.
    pub pid: u32,
    /// Threads it gives to jobs.
    pub threads: u32,
    /// Threads it gives to a job that does not say how many.
    pub share: u32,
    /// Bytes it gives to jobs; `None`: not counted.
    pub memory: Option<u64>,
    /// When it began.
    pub started: f64,
    /// When it last said what follows.
    pub seen: f64,
    /// Seconds in which nothing ran.
    pub idle: f64,
    /// Seconds in which a job could have been started and was not yet.
    pub missed: f64,
}

impl Daemon {
    /// What it gives.
    pub fn capacity(&self) -> Capacity {
        Capacity { threads: self.threads, memory: self.memory }
    }
}

impl Queue {
    /// What whoever runs the queue is to do.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn orders(&mut self) -> Result<Orders, QueueError> {
        self.read("read its orders", |connection| {
            let read = |row: &rusqlite::Row<'_>| {
                Ok(Orders { paused: row.get("paused")?, stop: row.get("stop")?, since: row.get("since")? })
            };
            Ok(connection.query_row("SELECT paused, stop, since FROM queue_orders", [], read)?)
        })
    }

    /// Has daemons start nothing more, or start jobs again.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_paused(&mut self, paused: bool, now: f64) -> Result<(), QueueError> {
        self.change("change its orders", |connection| {
            let change = "UPDATE queue_orders SET paused = ?1, since = ?2 WHERE paused <> ?1";
            connection.execute(change, params![paused, now])?;
            Ok(())
        })
    }

    /// Has the daemon end, or takes that back.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_stop(&mut self, stop: bool) -> Result<(), QueueError> {
        self.change("change its orders", |connection| {
            connection.execute("UPDATE queue_orders SET stop = ?", [stop])?;
            Ok(())
        })
    }

    /// A daemon begins; an order to stop was for the one before it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn begin_daemon(&mut self, pid: u32, capacity: Capacity, share: u32, now: f64) -> Result<Daemon, QueueError> {
        let Capacity { threads, memory } = capacity;
        let id = self.change("note that a daemon begins", |connection| {
            connection.execute("UPDATE queue_orders SET stop = 0", [])?;
            connection.execute(
                "INSERT INTO queue_daemons (pid, threads, share, memory, started, seen) VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
                params![pid, threads, share, stored(memory), now],
            )?;
            Ok(connection.last_insert_rowid())
        })?;
        Ok(Daemon { id, pid, threads, share, memory, started: now, seen: now, idle: 0.0, missed: 0.0 })
    }

    /// Writes how idle the daemon was so far, and the memory it gives now.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn record_daemon(&mut self, daemon: &Daemon) -> Result<(), QueueError> {
        self.change("note how idle it is", |connection| {
            connection.execute(
                "UPDATE queue_daemons SET seen = ?, idle = ?, missed = ?, memory = ? WHERE id = ?",
                params![daemon.seen, daemon.idle, daemon.missed, stored(daemon.memory), daemon.id],
            )?;
            Ok(())
        })
    }

    /// The daemon that began last; whether it still runs is not known here.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn last_daemon(&mut self) -> Result<Option<Daemon>, QueueError> {
        self.read("read the last daemon", |connection| {
            let read = |row: &rusqlite::Row<'_>| {
                Ok(Daemon {
                    id: row.get("id")?,
                    pid: row.get("pid")?,
                    threads: row.get("threads")?,
                    share: row.get("share")?,
                    memory: row.get::<_, Option<i64>>("memory")?.map(i64::unsigned_abs),
                    started: row.get("started")?,
                    seen: row.get("seen")?,
                    idle: row.get("idle")?,
                    missed: row.get("missed")?,
                })
            };
            let last = "SELECT * FROM queue_daemons ORDER BY id DESC LIMIT 1";
            Ok(connection.query_row(last, [], read).optional()?)
        })
    }
}

/// Bytes as the store has them.
fn stored(memory: Option<u64>) -> Option<i64> {
    memory.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX))
}
