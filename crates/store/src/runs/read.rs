//! Looking runs up.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{OptionalExtension as _, Row, types::FromSqlError};

use super::{ArtifactRow, EventRow, MetricRow, RunRow};
use crate::{Store, StoreError};

/// Values by name, of each run by its name.
type Scores = HashMap<String, BTreeMap<String, Option<f64>>>;

impl Store {
    /// Every run, by name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn runs(&self) -> Result<Vec<RunRow>, StoreError> {
        self.select("read the runs", "SELECT * FROM runs ORDER BY name", [], run_row)
    }

    /// The run called `name`, if it is known.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn run(&self, name: &str) -> Result<Option<RunRow>, StoreError> {
        let row = self.connection().query_row("SELECT * FROM runs WHERE name = ?1", [name], run_row);
        row.optional().map_err(self.failed("read a run"))
    }

    /// The values in the reports of all runs: by run, by name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn scores(&self) -> Result<Scores, StoreError> {
        let sql = "SELECT runs.name, scores.name, value FROM scores JOIN runs ON runs.id = scores.run";
        let of = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let mut scores = Scores::new();
        for (run, name, value) in self.select("read the scores", sql, [], of)? {
            scores.entry(run).or_default().insert(name, value);
        }
        Ok(scores)
    }

    /// The events of a run, in order.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn events(&self, run: &str) -> Result<Vec<EventRow>, StoreError> {
        let of = |row: &Row<'_>| {
            Ok(EventRow { time: row.get(0)?, kind: row.get(1)?, step: count(row.get(2)?), body: row.get(3)? })
        };
        self.of_run("time, kind, step, body", "events", "sequence", run, of)
    }

    /// The values in the course of a run, by step and name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn metrics(&self, run: &str) -> Result<Vec<MetricRow>, StoreError> {
        let of = |row: &Row<'_>| {
            Ok(MetricRow { step: row.get::<_, i64>(0)?.cast_unsigned(), name: row.get(1)?, value: row.get(2)? })
        };
        self.of_run("step, metrics.name, value", "metrics", "step, metrics.name", run, of)
    }

    /// The files of a run, by name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn artifacts(&self, run: &str) -> Result<Vec<ArtifactRow>, StoreError> {
        let of = |row: &Row<'_>| {
            Ok(ArtifactRow { name: row.get(0)?, path: row.get(1)?, bytes: row.get::<_, i64>(2)?.cast_unsigned() })
        };
        self.of_run("artifacts.name, path, bytes", "artifacts", "artifacts.name", run, of)
    }

    fn of_run<T>(
        &self,
        columns: &str,
        table: &str,
        order: &str,
        run: &str,
        of: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let sql = format!(
            "SELECT {columns} FROM {table} JOIN runs ON runs.id = {table}.run WHERE runs.name = ?1 ORDER BY {order}"
        );
        self.select("read a run", &sql, [run], of)
    }
}

/// SQLite's numbers have a sign; these never do.
fn count(number: Option<i64>) -> Option<u64> {
    number.map(i64::cast_unsigned)
}

fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    let tags: String = row.get("tags")?;
    Ok(RunRow {
        name: row.get("name")?,
        recipe: row.get("recipe")?,
        status: row.get("status")?,
        metric: row.get("metric")?,
        score: row.get("score")?,
        steps: row.get::<_, i64>("steps")?.cast_unsigned(),
        total_steps: count(row.get("total_steps")?),
        started: row.get("started")?,
        heartbeat: row.get("heartbeat")?,
        seconds: row.get("seconds")?,
        pid: row.get("pid")?,
        sweep: row.get("sweep")?,
        trial: row.get("trial")?,
        job: count(row.get("job")?),
        fold_of: row.get("fold_of")?,
        data_fingerprint: row.get("data_fingerprint")?,
        text_fingerprint: row.get("text_fingerprint")?,
        cleaning_fingerprint: row.get("cleaning_fingerprint")?,
        base_fingerprint: row.get("base_fingerprint")?,
        code_version: row.get("code_version")?,
        note: row.get("note")?,
        tags: serde_json::from_str(&tags).map_err(|error| FromSqlError::Other(Box::new(error)))?,
        unreadable_report: row.get("unreadable_report")?,
        journal_bytes: row.get::<_, i64>("journal_bytes")?.cast_unsigned(),
    })
}
