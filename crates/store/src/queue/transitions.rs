//! What happens to jobs: each a transaction, so that daemon, job and person never overwrite one another.

use rusqlite::{Connection, params};

use super::{
    Job, JobId, Queue, QueueError, State, Wish,
    rows::{self, Failure},
    verdict::{End, verdict},
};
use crate::StoreError;

impl Queue {
    /// A daemon starts the job at `now` and gives it `threads`: says whether it still waited for that.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn begin(&mut self, id: JobId, threads: u32, now: f64) -> Result<bool, QueueError> {
        self.change("start a job", |connection| {
            let change = "UPDATE jobs SET state = 'running', since = ?2, wish = NULL, note = NULL, not_before = NULL,
                 overtaken = 0
                 WHERE id = ?1 AND state = 'waiting'";
            let begins = connection.execute(change, params![id.0, now])? == 1;
            if begins {
                let insert = "INSERT INTO job_attempts (job, threads, started) VALUES (?, ?, ?)";
                connection.execute(insert, params![id.0, threads, now])?;
            }
            Ok(begins)
        })
    }

    /// These jobs run at the same time.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn mark_shared(&mut self, ids: &[JobId]) -> Result<(), QueueError> {
        self.change("note which jobs run together", |connection| {
            for id in ids {
                connection.execute("UPDATE job_attempts SET shared = 1 WHERE job = ? AND ended IS NULL", [id.0])?;
            }
            Ok(())
        })
    }

    /// Each of these jobs was overtaken, as often as it is named.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn mark_overtaken(&mut self, ids: &[JobId]) -> Result<(), QueueError> {
        self.change("note which jobs were overtaken", |connection| {
            for id in ids {
                connection.execute("UPDATE jobs SET overtaken = overtaken + 1 WHERE id = ?", [id.0])?;
            }
            Ok(())
        })
    }

    /// The process `pid` takes the running attempt of a job as its own: says whether it is the first to.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn claim(&mut self, id: JobId, pid: u32) -> Result<bool, QueueError> {
        self.change("take a job", |connection| {
            let change = "UPDATE job_attempts SET pid = ?2 WHERE job = ?1 AND pid IS NULL AND ended IS NULL
                 AND id = (SELECT max(id) FROM job_attempts WHERE job = ?1)
                 AND (SELECT state FROM jobs WHERE id = ?1) = 'running'";
            Ok(connection.execute(change, params![id.0, pid])? == 1)
        })
    }

    /// The job writes this run.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_run(&mut self, id: JobId, directory: &str) -> Result<(), QueueError> {
        self.change("note the run of a job", |connection| {
            connection.execute("UPDATE jobs SET run = ? WHERE id = ?", params![directory, id.0])?;
            Ok(())
        })
    }

    /// The running attempt of the job has ended: its next state, or `None` if that was known already.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn finish(&mut self, id: JobId, end: &End, now: f64) -> Result<Option<State>, QueueError> {
        self.change("note the end of a job", |connection| {
            let job = rows::one(connection, id)?;
            if job.state != State::Running {
                return Ok(None);
            }
            let code = match end {
                End::Exited(code) => Some(*code),
                _ => None,
            };
            // Of an end that nobody saw, the time is not known.
            let ended = (*end != End::Lost).then_some(now);
            connection.execute(
                "UPDATE job_attempts SET ended = ?2, exit_code = ?3 WHERE id = (SELECT max(id) FROM job_attempts WHERE job = ?1)",
                params![id.0, ended, code],
            )?;
            let verdict = verdict(&job, end, now);
            connection.execute(
                "UPDATE jobs SET state = ?2, since = ?3, failures = ?4, alone = ?5, not_before = ?6, note = ?7, wish = NULL
                 WHERE id = ?1",
                params![
                    id.0,
                    verdict.state.name(),
                    now,
                    verdict.failures,
                    verdict.alone,
                    verdict.not_before,
                    verdict.note
                ],
            )?;
            Ok(Some(verdict.state))
        })
    }

    /// Asks a running job to stop; a wish to cancel is not taken back. Says whether it runs.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn ask(&mut self, id: JobId, wish: Wish) -> Result<bool, QueueError> {
        self.change("ask a job to stop", |connection| Ok(ask(connection, id, wish)?))
    }

    /// A job that waits is cancelled; one that runs is asked to stop for it. Says whether it runs.
    ///
    /// # Errors
    /// [`QueueError::State`] if it is over.
    pub fn cancel(&mut self, id: JobId, now: f64) -> Result<bool, QueueError> {
        self.stop(id, (Wish::Cancel, State::Cancelled, "cancelled"), now)
    }

    /// A job that waits is paused; one that runs is asked to stop for it. Says whether it runs.
    ///
    /// # Errors
    /// [`QueueError::State`] if it is over.
    pub fn pause(&mut self, id: JobId, now: f64) -> Result<bool, QueueError> {
        self.stop(id, (Wish::Pause, State::Paused, "paused"), now)
    }

    fn stop(
        &mut self,
        id: JobId,
        (wish, state, action): (Wish, State, &'static str),
        now: f64,
    ) -> Result<bool, QueueError> {
        self.change("stop a job", |connection| {
            let job = rows::one(connection, id)?;
            if job.state.is_over() {
                return Err(refused(&job, action));
            }
            if job.state == State::Running {
                return Ok(ask(connection, id, wish)?);
            }
            set(connection, id, state, now, None)?;
            Ok(false)
        })
    }

    /// A paused job waits for its turn again.
    ///
    /// # Errors
    /// [`QueueError::State`] if it is not paused.
    pub fn resume(&mut self, id: JobId, now: f64) -> Result<(), QueueError> {
        self.change("resume a job", |connection| {
            let job = rows::one(connection, id)?;
            if job.state != State::Paused {
                return Err(refused(&job, "resumed"));
            }
            Ok(set(connection, id, State::Waiting, now, job.note.as_deref())?)
        })
    }

    /// A job that is over without being done, or that waits to be tried again, is to run as if it had not failed. A deadline
    /// that has passed is forgotten.
    ///
    /// # Errors
    /// [`QueueError::State`] if it is done, runs or is paused.
    pub fn retry(&mut self, id: JobId, now: f64) -> Result<(), QueueError> {
        self.change("try a job again", |connection| {
            let job = rows::one(connection, id)?;
            if matches!(job.state, State::Done | State::Running | State::Paused) {
                return Err(refused(&job, "tried again"));
            }
            let forget = "UPDATE jobs SET failures = 0, not_before = NULL,
                 deadline = CASE WHEN deadline > ?2 THEN deadline END WHERE id = ?1";
            connection.execute(forget, params![id.0, now])?;
            Ok(set(connection, id, State::Waiting, now, None)?)
        })
    }

    /// Forgets a job that does not run.
    ///
    /// # Errors
    /// [`QueueError::State`] if it runs; [`QueueError::Needed`] if jobs wait for it to be done.
    pub fn remove(&mut self, id: JobId) -> Result<(), QueueError> {
        self.change("remove a job", |connection| {
            let job = rows::one(connection, id)?;
            if job.state == State::Running {
                return Err(refused(&job, "removed"));
            }
            if job.state != State::Done {
                let mut waiting = connection.prepare(
                    "SELECT job FROM job_after JOIN jobs ON jobs.id = job
                     WHERE after = ? AND state IN ('waiting', 'paused', 'running') ORDER BY job",
                )?;
                let dependants =
                    waiting.query_map([id.0], |row| Ok(JobId(row.get(0)?)))?.collect::<rusqlite::Result<Vec<_>>>()?;
                if !dependants.is_empty() {
                    return Err(QueueError::Needed { id, dependants }.into());
                }
            }
            connection.execute("DELETE FROM jobs WHERE id = ?", [id.0])?;
            Ok(())
        })
    }

    /// Drops the jobs that have not begun at their deadline: those whose deadline is not after `now`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn drop_late(&mut self, now: f64) -> Result<usize, QueueError> {
        self.change("drop late jobs", |connection| {
            let change = "UPDATE jobs SET state = 'dropped', since = ?1, note = 'not done at its deadline'
                 WHERE state IN ('waiting', 'paused') AND deadline <= ?1";
            Ok(connection.execute(change, [now])?)
        })
    }

    /// Runs `work` in a transaction that excludes other writers.
    pub(super) fn change<T>(
        &mut self,
        action: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, QueueError> {
        let path = self.store.path().to_owned();
        let all = || {
            let transaction = self.store.begin()?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        told(all(), StoreError::sqlite(&path, action))
    }

    /// Runs `work`, which only reads.
    pub(super) fn read<T>(
        &mut self,
        action: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, QueueError> {
        let failed = self.store.failed(action);
        told(work(self.store.connection()), failed)
    }
}

fn told<T>(result: Result<T, Failure>, failed: impl FnOnce(rusqlite::Error) -> StoreError) -> Result<T, QueueError> {
    result.map_err(|failure| match failure {
        Failure::Database(error) => failed(error).into(),
        Failure::Queue(error) => error,
    })
}

impl From<QueueError> for Failure {
    fn from(error: QueueError) -> Self {
        Self::Queue(error)
    }
}

fn refused(job: &Job, action: &'static str) -> Failure {
    QueueError::State { id: job.id, state: job.state, action }.into()
}

fn set(connection: &Connection, id: JobId, state: State, now: f64, note: Option<&str>) -> rusqlite::Result<()> {
    let change = "UPDATE jobs SET state = ?2, since = ?3, note = ?4, wish = NULL WHERE id = ?1";
    connection.execute(change, params![id.0, state.name(), now, note]).map(|_| ())
}

fn ask(connection: &Connection, id: JobId, wish: Wish) -> rusqlite::Result<bool> {
    let change =
        "UPDATE jobs SET wish = CASE wish WHEN 'cancel' THEN wish ELSE ?2 END WHERE id = ?1 AND state = 'running'";
    Ok(connection.execute(change, params![id.0, wish.name()])? == 1)
}
