//! Putting runs into the store, and taking them out. Each function is one transaction.

use rusqlite::{OptionalExtension as _, Transaction, named_params, params};

use super::{ArtifactRow, EventRow, MetricRow, RunRecord, RunRow};
use crate::{Store, StoreError};

impl Store {
    /// Puts a run in the place of whatever is known of it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn replace_run(&mut self, record: &RunRecord) -> Result<(), StoreError> {
        self.transaction("write a run", |transaction| {
            let id = put(transaction, &record.row)?;
            for table in ["events", "metrics", "scores", "artifacts"] {
                transaction.execute(&format!("DELETE FROM {table} WHERE run = ?1"), [id])?;
            }
            add(transaction, id, record)
        })
    }

    /// Puts a run's row in the place of the one there is, and adds what has happened since: events behind those there are;
    /// values and files in the place of those of the same step and name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn extend_run(&mut self, record: &RunRecord) -> Result<(), StoreError> {
        self.transaction("write a run", |transaction| {
            let id = put(transaction, &record.row)?;
            add(transaction, id, record)
        })
    }

    /// Appends events to a run that the store knows; the sequence number of the first, from 0 in each run.
    ///
    /// # Errors
    /// [`StoreError::UnknownRun`], or what SQLite says.
    pub fn append_events(&mut self, run: &str, events: &[EventRow]) -> Result<u64, StoreError> {
        let first = self.transaction("append events", |transaction| {
            let id = transaction.query_row("SELECT id FROM runs WHERE name = ?1", [run], |row| row.get(0));
            id.optional()?.map(|id| append(transaction, id, events)).transpose()
        })?;
        first.ok_or_else(|| StoreError::UnknownRun { path: self.path().to_owned(), run: run.to_owned() })
    }

    /// Says that the process of a run was alive at `time`; a run the store does not know is passed over.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn heartbeat(&mut self, run: &str, time: f64) -> Result<(), StoreError> {
        self.transaction("write a heartbeat", |transaction| {
            transaction.execute("UPDATE runs SET heartbeat = ?2 WHERE name = ?1", params![run, time])?;
            Ok(())
        })
    }

    /// Forgets runs with all that belongs to them; names it does not know are passed over.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn forget_runs(&mut self, names: &[&str]) -> Result<(), StoreError> {
        self.transaction("remove runs", |transaction| {
            let mut delete = transaction.prepare("DELETE FROM runs WHERE name = ?1")?;
            names.iter().try_for_each(|name| delete.execute([name]).map(|_| ()))
        })
    }
}

/// Writes the row; the run's id. Where the run is known to have been alive later than the row says, that stays.
fn put(transaction: &Transaction<'_>, row: &RunRow) -> rusqlite::Result<i64> {
    let sql = "
        INSERT INTO runs (
            name, recipe, status, metric, score, steps, total_steps, started, heartbeat, seconds, pid, sweep, trial, job,
            fold_of, data_fingerprint, text_fingerprint, cleaning_fingerprint, base_fingerprint, code_version, note, tags,
            unreadable_report, journal_bytes
        ) VALUES (
            :name, :recipe, :status, :metric, :score, :steps, :total_steps, :started, :heartbeat, :seconds, :pid, :sweep,
            :trial, :job, :fold_of, :data_fingerprint, :text_fingerprint, :cleaning_fingerprint, :base_fingerprint,
            :code_version, :note, :tags, :unreadable_report, :journal_bytes
        )
        ON CONFLICT (name) DO UPDATE SET
            recipe = excluded.recipe, status = excluded.status, metric = excluded.metric, score = excluded.score,
            steps = excluded.steps, total_steps = excluded.total_steps, started = excluded.started,
            heartbeat = max(coalesce(heartbeat, excluded.heartbeat), coalesce(excluded.heartbeat, heartbeat)),
            seconds = excluded.seconds, pid = coalesce(excluded.pid, pid), sweep = excluded.sweep,
            trial = excluded.trial, job = excluded.job, fold_of = excluded.fold_of,
            data_fingerprint = excluded.data_fingerprint, text_fingerprint = excluded.text_fingerprint,
            cleaning_fingerprint = excluded.cleaning_fingerprint, base_fingerprint = excluded.base_fingerprint,
            code_version = excluded.code_version, note = excluded.note, tags = excluded.tags,
            unreadable_report = excluded.unreadable_report, journal_bytes = excluded.journal_bytes
        RETURNING id";
    // Words always have a JSON form.
    let tags = serde_json::to_string(&row.tags).unwrap_or_default();
    let values = named_params! {
        ":name": row.name,
        ":recipe": row.recipe,
        ":status": row.status,
        ":metric": row.metric,
        ":score": row.score,
        ":steps": row.steps as i64,
        ":total_steps": row.total_steps.map(|steps| steps as i64),
        ":started": row.started,
        ":heartbeat": row.heartbeat,
        ":seconds": row.seconds,
        ":pid": row.pid,
        ":sweep": row.sweep,
        ":trial": row.trial,
        ":job": row.job.map(|job| job as i64),
        ":fold_of": row.fold_of,
        ":data_fingerprint": row.data_fingerprint,
        ":text_fingerprint": row.text_fingerprint,
        ":cleaning_fingerprint": row.cleaning_fingerprint,
        ":base_fingerprint": row.base_fingerprint,
        ":code_version": row.code_version,
        ":note": row.note,
        ":tags": tags,
        ":unreadable_report": row.unreadable_report,
        ":journal_bytes": row.journal_bytes as i64,
    };
    transaction.query_row(sql, values, |row| row.get(0))
}

fn add(transaction: &Transaction<'_>, id: i64, record: &RunRecord) -> rusqlite::Result<()> {
    append(transaction, id, &record.events)?;
    let mut insert =
        transaction.prepare("INSERT OR REPLACE INTO metrics (run, step, name, value) VALUES (?, ?, ?, ?)")?;
    for MetricRow { step, name, value } in &record.metrics {
        insert.execute(params![id, *step as i64, name, value])?;
    }
    let mut insert = transaction.prepare("INSERT OR REPLACE INTO scores (run, name, value) VALUES (?, ?, ?)")?;
    for (name, value) in &record.scores {
        insert.execute(params![id, name, value])?;
    }
    let sql = "INSERT OR REPLACE INTO artifacts (run, name, path, bytes) VALUES (?, ?, ?, ?)";
    let mut insert = transaction.prepare(sql)?;
    for ArtifactRow { name, path, bytes } in &record.artifacts {
        insert.execute(params![id, name, path, *bytes as i64])?;
    }
    Ok(())
}

fn append(transaction: &Transaction<'_>, id: i64, events: &[EventRow]) -> rusqlite::Result<u64> {
    let sql = "SELECT coalesce(max(sequence) + 1, 0) FROM events WHERE run = ?1";
    let first: i64 = transaction.query_row(sql, [id], |row| row.get(0))?;
    let sql = "INSERT INTO events (run, sequence, time, kind, step, body) VALUES (?, ?, ?, ?, ?, ?)";
    let mut insert = transaction.prepare(sql)?;
    for (sequence, EventRow { time, kind, step, body }) in (first..).zip(events) {
        insert.execute(params![id, sequence, time, kind, step.map(|step| step as i64), body])?;
    }
    Ok(first as u64)
}
