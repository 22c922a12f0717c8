//! Sweeps, and the trials of each.

use rusqlite::{OptionalExtension as _, Row, params, types::FromSqlError};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Store, StoreError, words::words};

words! {
    /// Which way a metric improves.
    Goal {
        /// A smaller value is better.
        Minimize = "minimize",
        /// A larger value is better.
        Maximize = "maximize",
    }
}

words! {
    /// How a sweep stands.
    SweepStatus {
        /// A process works on it, or did when it was last heard of.
        Running = "running",
        /// It was stopped, and can go on.
        Paused = "paused",
        /// It has come to its end.
        Finished = "finished",
    }
}

words! {
    /// Where a trial's values come from.
    TrialOrigin {
        /// The recipe as it stands.
        Recipe = "recipe",
        /// A good trial of an earlier sweep.
        Earlier = "earlier",
        /// The sampler.
        Sampler = "sampler",
    }
}

words! {
    /// How a trial stands.
    TrialState {
        /// A process works on it.
        Running = "running",
        /// It waits at a checkpoint.
        Paused = "paused",
        /// It ran to its end.
        Finished = "finished",
        /// A pruner ended it.
        Stopped = "stopped",
        /// It ended in an error.
        Failed = "failed",
    }
}

/// A sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepRow {
    /// Its name.
    pub name: String,
    /// The metric it is about.
    pub metric: String,
    /// Which way that improves.
    pub goal: Goal,
    /// How values are chosen, as the sweep file names it.
    pub method: String,
    /// How it stands.
    pub status: SweepStatus,
    /// When it was begun, in seconds since 1970 (UTC).
    pub created: f64,
}

/// A trial of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrialRow {
    /// The sweep.
    pub sweep: String,
    /// Its number, from 1.
    pub number: u32,
    /// Where its values come from.
    pub origin: TrialOrigin,
    /// How it stands.
    pub state: TrialState,
    /// Values by the name of their parameter.
    pub assignment: Map<String, Value>,
    /// Its run.
    pub run: Option<String>,
    /// The metric of what it keeps; absent before it ends, and where it failed.
    pub score: Option<f64>,
    /// Seconds it has been at work.
    pub seconds: f64,
}

impl Store {
    /// Writes a sweep in the place of the one of that name; its trials stay.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_sweep(&mut self, sweep: &SweepRow) -> Result<(), StoreError> {
        self.transaction("write a sweep", |transaction| {
            let SweepRow { name, metric, goal, method, status, created } = sweep;
            transaction.execute(
                "INSERT INTO sweeps (name, metric, goal, method, status, created) VALUES (?, ?, ?, ?, ?, ?)
                 ON CONFLICT (name) DO UPDATE SET metric = excluded.metric, goal = excluded.goal,
                     method = excluded.method, status = excluded.status, created = excluded.created",
                params![name, metric, goal, method, status, created],
            )?;
            Ok(())
        })
    }

    /// Writes trials, each in the place of the one of that number. Their sweeps must be there.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_trials(&mut self, trials: &[TrialRow]) -> Result<(), StoreError> {
        self.transaction("write trials", |transaction| {
            let mut insert = transaction.prepare(
                "INSERT OR REPLACE INTO trials (sweep, number, origin, state, assignment, run, score, seconds)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )?;
            for TrialRow { sweep, number, origin, state, assignment, run, score, seconds } in trials {
                // A map of values by name always has a JSON form.
                let assignment = serde_json::to_string(assignment).unwrap_or_default();
                insert.execute(params![sweep, number, origin, state, assignment, run, score, seconds])?;
            }
            Ok(())
        })
    }

    /// Forgets a sweep and its trials; their runs stay.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn forget_sweep(&mut self, name: &str) -> Result<(), StoreError> {
        self.transaction("remove a sweep", |transaction| {
            transaction.execute("DELETE FROM sweeps WHERE name = ?1", [name])?;
            Ok(())
        })
    }

    /// Every sweep, in the order they were begun.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn sweeps(&self) -> Result<Vec<SweepRow>, StoreError> {
        self.select("read the sweeps", "SELECT * FROM sweeps ORDER BY created, name", [], sweep_row)
    }

    /// The sweep called `name`, if it is known.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn sweep(&self, name: &str) -> Result<Option<SweepRow>, StoreError> {
        let row = self.connection().query_row("SELECT * FROM sweeps WHERE name = ?1", [name], sweep_row);
        row.optional().map_err(self.failed("read a sweep"))
    }

    /// The trials of a sweep, by number.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn trials(&self, sweep: &str) -> Result<Vec<TrialRow>, StoreError> {
        self.select("read the trials", "SELECT * FROM trials WHERE sweep = ?1 ORDER BY number", [sweep], trial_row)
    }
}

fn sweep_row(row: &Row<'_>) -> rusqlite::Result<SweepRow> {
    Ok(SweepRow {
        name: row.get("name")?,
        metric: row.get("metric")?,
        goal: row.get("goal")?,
        method: row.get("method")?,
        status: row.get("status")?,
        created: row.get("created")?,
    })
}

fn trial_row(row: &Row<'_>) -> rusqlite::Result<TrialRow> {
    let assignment: String = row.get("assignment")?;
    Ok(TrialRow {
        sweep: row.get("sweep")?,
        number: row.get("number")?,
        origin: row.get("origin")?,
        state: row.get("state")?,
        assignment: serde_json::from_str(&assignment).map_err(|error| FromSqlError::Other(Box::new(error)))?,
        run: row.get("run")?,
        score: row.get("score")?,
        seconds: row.get("seconds")?,
    })
}
