//! Why a job does not run: a function of all jobs and the time.

use std::collections::BTreeMap;

use super::{
    Job, JobId, State,
    schedule::{Candidate, Capacity, Need},
};

/// Where a job stands among the others.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// It runs.
    Running,
    /// It will not run again by itself.
    Over,
    /// Somebody has to resume it.
    Paused,
    /// A job it waits for, at whatever distance, will not be done by itself.
    Held {
        /// That job.
        by: JobId,
        /// How that job stands.
        state: State,
    },
    /// These jobs come first.
    After(Vec<JobId>),
    /// It has failed, and is tried again then.
    Until(f64),
    /// Nothing but room keeps it from running, since then.
    Runnable(f64),
}

/// The standing of each of `jobs` at `now`. A job that others wait for and that is not among them counts as done.
pub fn standings(jobs: &[Job], now: f64) -> BTreeMap<JobId, Standing> {
    let mut by_age: Vec<&Job> = jobs.iter().collect();
    by_age.sort_unstable_by_key(|job| job.id);
    let known: BTreeMap<JobId, &Job> = by_age.iter().map(|job| (job.id, *job)).collect();
    let mut standings = BTreeMap::new();
    // A job waits for older ones only, so theirs are known first.
    for job in by_age {
        let standing = of(job, &known, &standings, now);
        standings.insert(job.id, standing);
    }
    standings
}

fn of(job: &Job, known: &BTreeMap<JobId, &Job>, older: &BTreeMap<JobId, Standing>, now: f64) -> Standing {
    match job.state {
        State::Running => return Standing::Running,
        State::Paused => return Standing::Paused,
        state if state.is_over() => return Standing::Over,
        _ => {}
    }
    let first: Vec<&Job> = job.spec.after.iter().filter_map(|id| known.get(id).copied()).collect();
    let hold = first.iter().find_map(|first| match (first.state, older.get(&first.id)) {
        (State::Done, _) => None,
        (state, _) if state.is_over() || state == State::Paused => Some(Standing::Held { by: first.id, state }),
        (_, Some(held @ Standing::Held { .. })) => Some(held.clone()),
        _ => None,
    });
    if let Some(hold) = hold {
        return hold;
    }
    let open: Vec<JobId> = first.iter().filter(|first| first.state != State::Done).map(|first| first.id).collect();
    if !open.is_empty() {
        return Standing::After(open);
    }
    let waited = job.not_before.unwrap_or(0.0);
    if waited > now {
        return Standing::Until(waited);
    }
    Standing::Runnable(first.iter().map(|first| first.since).fold(job.since.max(waited), f64::max))
}

impl Job {
    /// What it takes where the machine gives `capacity`, and `share` threads to a job that does not say how many. More threads
    /// than there are come to all of them.
    pub fn need(&self, capacity: Capacity, share: u32) -> Need {
        let threads = self.spec.threads.unwrap_or(share).min(capacity.threads);
        Need {
            // Every job takes a thread, so one that takes all runs alone.
            threads: if self.alone { capacity.threads } else { threads },
            memory: self.spec.memory.unwrap_or(0),
        }
    }

    /// What its attempt takes that runs: what the daemon gave that started it, which may have had more or less to give.
    pub fn need_of_attempt(&self, capacity: Capacity, share: u32) -> Need {
        let need = self.need(capacity, share);
        Need { threads: self.attempt.threads.unwrap_or(need.threads), ..need }
    }
}

/// Those of `jobs` that nothing but room keeps from running.
pub fn candidates(
    jobs: &[Job],
    standings: &BTreeMap<JobId, Standing>,
    capacity: Capacity,
    share: u32,
) -> Vec<Candidate> {
    let runnable = jobs.iter().filter(|job| matches!(standings.get(&job.id), Some(Standing::Runnable(_))));
    let candidate = |job: &Job| Candidate {
        id: job.id,
        priority: job.spec.priority,
        need: job.need(capacity, share),
        overtaken: job.overtaken,
    };
    runnable.map(candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::tests::job;

    fn after(id: i64, first: &[i64]) -> Job {
        let mut job = job(id);
        job.spec.after = first.iter().copied().map(JobId).collect();
        job
    }

    fn with(state: State, job: Job) -> Job {
        Job { state, ..job }
    }

    #[test]
    fn a_failed_job_holds_those_behind_it_at_any_distance() {
        let jobs = [with(State::Failed, job(1)), after(2, &[1]), after(3, &[2]), job(4)];
        let found = standings(&jobs, 50.0);
        let held = Standing::Held { by: JobId(1), state: State::Failed };
        assert_eq!((&found[&JobId(2)], &found[&JobId(3)]), (&held, &held));
        assert!(matches!(found[&JobId(4)], Standing::Runnable(_)));
    }

    #[test]
    fn a_job_waits_for_those_that_are_not_done() {
        let jobs = [with(State::Done, job(1)), with(State::Running, job(2)), job(3), after(4, &[1, 2, 3])];
        assert_eq!(standings(&jobs, 50.0)[&JobId(4)], Standing::After(vec![JobId(2), JobId(3)]));
    }

    #[test]
    fn a_job_is_runnable_since_the_last_thing_it_waited_for() {
        let first = Job { since: 30.0, ..with(State::Done, job(1)) };
        let jobs = [first.clone(), Job { since: 10.0, not_before: Some(20.0), ..after(2, &[1]) }];
        assert_eq!(standings(&jobs, 50.0)[&JobId(2)], Standing::Runnable(30.0));
        let jobs = [first, Job { since: 10.0, not_before: Some(60.0), ..after(2, &[1]) }];
        assert_eq!(standings(&jobs, 50.0)[&JobId(2)], Standing::Until(60.0));
    }

    #[test]
    fn a_job_that_does_not_say_gets_its_share_and_one_that_asks_for_too_much_gets_all() {
        let capacity = Capacity { threads: 8, memory: None };
        let threads = |threads, alone| {
            let mut job = Job { alone, ..job(1) };
            job.spec.threads = threads;
            job.need(capacity, 4).threads
        };
        assert_eq!([threads(None, false), threads(Some(99), false), threads(Some(1), true)], [4, 8, 8]);
    }

    #[test]
    fn a_job_that_runs_takes_what_it_was_given_whatever_a_later_daemon_gives() {
        let mut job = Job { spec: crate::queue::Spec { threads: None, ..job(1).spec }, ..job(1) };
        let capacity = Capacity { threads: 8, memory: None };
        assert_eq!(job.need_of_attempt(capacity, 2).threads, 2);
        job.attempt.threads = Some(6);
        assert_eq!(job.need_of_attempt(capacity, 2).threads, 6);
    }
}
