//! Jobs in and out of their tables.

use std::path::PathBuf;

use rusqlite::{Connection, Row, ToSql, params, types::Type};

use super::{
    Attempt, Job, JobId, Queue, QueueError, Spec, State,
    job::{STATES, WISHES},
};

/// A job and its attempts in a row; conditions follow.
const SELECT: &str = "
    SELECT jobs.*,
        (SELECT json_group_array(after) FROM (SELECT after FROM job_after WHERE job = jobs.id ORDER BY after)) AS after,
        attempts.number, attempts.first_started, attempts.seconds, last.started, last.pid, last.shared,
        last.threads AS given
    FROM jobs
    LEFT JOIN (
        SELECT job, count(*) AS number, min(started) AS first_started, max(id) AS last,
            coalesce(sum(ended - started), 0.0) AS seconds
        FROM job_attempts GROUP BY job
    ) AS attempts ON attempts.job = jobs.id
    LEFT JOIN job_attempts AS last ON last.id = attempts.last";

impl Queue {
    /// Adds a job at `now`.
    ///
    /// # Errors
    /// [`QueueError::Unknown`] if it is to follow a job that is not there.
    pub fn add(&mut self, spec: &Spec, now: f64) -> Result<JobId, QueueError> {
        self.change("add a job", |connection| {
            for id in &spec.after {
                one(connection, *id)?;
            }
            // Lists and maps of strings always have a JSON form.
            let words = serde_json::to_string(&spec.words).unwrap_or_default();
            let environment = serde_json::to_string(&spec.environment).unwrap_or_default();
            connection.execute(
                "INSERT INTO jobs (name, kind, words, directory, environment, priority, threads, memory, retries, deadline,
                    added, state, since)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'waiting', ?11)",
                params![
                    spec.name,
                    spec.kind,
                    words,
                    spec.directory.to_string_lossy(),
                    environment,
                    spec.priority,
                    spec.threads,
                    spec.memory.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
                    spec.retries,
                    spec.deadline,
                    now,
                ],
            )?;
            let id = JobId(connection.last_insert_rowid());
            for first in &spec.after {
                connection.execute("INSERT OR IGNORE INTO job_after VALUES (?, ?)", params![id.0, first.0])?;
            }
            Ok(id)
        })
    }

    /// Every job, by number.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn jobs(&mut self) -> Result<Vec<Job>, QueueError> {
        self.read("list the jobs", |connection| many(connection, "", &[]))
    }

    /// The jobs that are not over, and those they wait for, by number: all that decides what starts.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open_jobs(&mut self) -> Result<Vec<Job>, QueueError> {
        let open = "jobs.state IN ('waiting', 'paused', 'running')";
        let first = "SELECT after FROM job_after JOIN jobs ON jobs.id = job_after.job";
        let condition = format!("WHERE {open} OR jobs.id IN ({first} WHERE {open})");
        self.read("list the jobs", |connection| many(connection, &condition, &[]))
    }

    /// The job with this number.
    ///
    /// # Errors
    /// [`QueueError::Unknown`].
    pub fn job(&mut self, id: JobId) -> Result<Job, QueueError> {
        self.read("read a job", |connection| one(connection, id))
    }

    /// The job a person means: by its number, or by a name that no other job has.
    ///
    /// # Errors
    /// [`QueueError::Unknown`], [`QueueError::Ambiguous`].
    pub fn find(&mut self, reference: &str) -> Result<Job, QueueError> {
        if let Ok(id) = reference.parse() {
            return self.job(JobId(id));
        }
        let mut jobs =
            self.read("look for a job", |connection| many(connection, "WHERE jobs.name = ?", &[&reference]))?;
        match jobs.len() {
            0 => Err(QueueError::Unknown { reference: reference.to_owned() }),
            1 => Ok(jobs.remove(0)),
            _ => {
                Err(QueueError::Ambiguous { name: reference.to_owned(), ids: jobs.iter().map(|job| job.id).collect() })
            }
        }
    }
}

/// The job with this number.
pub(super) fn one(connection: &Connection, id: JobId) -> Result<Job, Failure> {
    let job = many(connection, "WHERE jobs.id = ?", &[&id.0])?.pop();
    job.ok_or_else(|| Failure::Queue(QueueError::Unknown { reference: id.to_string() }))
}

fn many(connection: &Connection, condition: &str, values: &[&dyn ToSql]) -> Result<Vec<Job>, Failure> {
    let mut statement = connection.prepare(&format!("{SELECT} {condition} ORDER BY jobs.id"))?;
    let jobs = statement.query_map(values, read)?.collect::<rusqlite::Result<Vec<Job>>>()?;
    Ok(jobs)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Job> {
    let state: String = row.get("state")?;
    let wish: Option<String> = row.get("wish")?;
    let after: Vec<i64> = json(row, "after")?;
    Ok(Job {
        id: JobId(row.get("id")?),
        spec: Spec {
            name: row.get("name")?,
            kind: row.get("kind")?,
            words: json(row, "words")?,
            directory: PathBuf::from(row.get::<_, String>("directory")?),
            environment: json(row, "environment")?,
            priority: row.get("priority")?,
            after: after.into_iter().map(JobId).collect(),
            threads: row.get("threads")?,
            memory: row.get::<_, Option<i64>>("memory")?.map(i64::unsigned_abs),
            retries: row.get("retries")?,
            deadline: row.get("deadline")?,
        },
        added: row.get("added")?,
        // The schema knows no others.
        state: STATES.iter().find(|(_, name)| *name == state).map_or(State::Failed, |(state, _)| *state),
        since: row.get("since")?,
        wish: wish.and_then(|wish| WISHES.iter().find(|(_, name)| *name == wish)).map(|(wish, _)| *wish),
        not_before: row.get("not_before")?,
        failures: row.get("failures")?,
        alone: row.get("alone")?,
        overtaken: row.get("overtaken")?,
        note: row.get("note")?,
        run: row.get::<_, Option<String>>("run")?.map(PathBuf::from),
        attempt: Attempt {
            number: row.get::<_, Option<u32>>("number")?.unwrap_or(0),
            first_started: row.get("first_started")?,
            started: row.get("started")?,
            pid: row.get("pid")?,
            threads: row.get("given")?,
            shared: row.get::<_, Option<bool>>("shared")?.unwrap_or(false),
            seconds: row.get::<_, Option<f64>>("seconds")?.unwrap_or(0.0),
        },
    })
}

/// A column that holds JSON.
fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    let index = row.as_ref().column_index(column)?;
    serde_json::from_str(&text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error)))
}

/// An error inside a transaction, before it is known which file it is of.
pub(super) enum Failure {
    /// SQLite refused.
    Database(rusqlite::Error),
    /// What was asked for cannot be.
    Queue(QueueError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}
