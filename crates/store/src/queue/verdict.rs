//! What the end of an attempt means for its job.

use serde::Serialize;

use super::{Job, State, Wish};

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum End {
    /// With an exit code.
    Exited(i32),
    /// By a signal.
    Killed(i32),
    /// Nobody saw how: daemon and job went together, as in a power cut.
    Lost,
    /// There was no process: why.
    NotStarted(String),
}

/// What becomes of the job.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Its next state.
    pub state: State,
    /// Failures counted so far.
    pub failures: u32,
    /// Whether it runs with no other from now on.
    pub alone: bool,
    /// Not tried again before.
    pub not_before: Option<f64>,
    /// How the attempt ended, where that is worth a word.
    pub note: Option<String>,
}

/// Of gyeol's exit codes: the user's mistake, which another attempt would only repeat.
const MISTAKE: i32 = 2;
/// Of gyeol's exit codes: asked to stop, and stopped.
const INTERRUPTED: i32 = 130;
const SIGINT: i32 = 2;
const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

/// Seconds before a job that has failed `failures` times (from 1) is tried again: 2, 8, 32, … up to ten minutes.
fn pause(failures: u32) -> f64 {
    2.0 * 4f64.powi(failures.min(10) as i32 - 1).min(300.0)
}

/// What becomes of `job`, whose attempt ended as `end` says at `now`.
pub fn verdict(job: &Job, end: &End, now: f64) -> Verdict {
    let verdict = unless_paused(job, end, now);
    match (job.wish, verdict.state) {
        // It failed while it stopped: it is tried again, once it is resumed.
        (Some(Wish::Pause), State::Waiting) => Verdict { state: State::Paused, not_before: None, ..verdict },
        _ => verdict,
    }
}

/// The same for a job that nobody has asked to pause, or that obeyed.
fn unless_paused(job: &Job, end: &End, now: f64) -> Verdict {
    let unchanged =
        Verdict { state: State::Waiting, failures: job.failures, alone: job.alone, not_before: None, note: None };
    let over = |state, note: &str| Verdict { state, note: Some(note.to_owned()), ..unchanged.clone() };
    let asked = match end {
        End::Exited(0) => return Verdict { state: State::Done, ..unchanged },
        End::Exited(code) => *code == INTERRUPTED,
        End::Killed(signal) => [SIGINT, SIGTERM].contains(signal),
        End::Lost | End::NotStarted(_) => false,
    };
    let obeyed = asked || matches!(end, End::Lost | End::Killed(SIGKILL));
    match job.wish {
        Some(Wish::Cancel) => return over(State::Cancelled, "cancelled while it ran"),
        Some(Wish::Stop) if obeyed => return over(State::Waiting, "stopped with the daemon"),
        Some(Wish::Pause) if obeyed => return over(State::Paused, "stopped to pause"),
        Some(Wish::Deadline) if obeyed => return over(State::Dropped, "stopped at its deadline"),
        _ if *end == End::Lost => return over(State::Waiting, "its process ended unseen"),
        // As a machine that shuts down asks all its processes.
        _ if asked => {
            let not_before = Some(now + pause(1));
            return Verdict { not_before, ..over(State::Waiting, "stopped, but not by the queue") };
        }
        _ => {}
    }
    let shared = job.attempt.shared && !job.alone;
    let how = match end {
        End::Killed(SIGKILL) if shared => {
            let note = "killed, likely for want of memory; is tried again alone";
            return Verdict { alone: true, ..over(State::Waiting, note) };
        }
        End::Killed(SIGKILL) => "killed, likely for want of memory".to_owned(),
        End::Killed(signal) => format!("ended by signal {signal}"),
        End::Exited(MISTAKE) => return over(State::Failed, "exit code 2: a wrong command, recipe or table"),
        End::Exited(code) => format!("exit code {code}"),
        End::NotStarted(why) => why.clone(),
        End::Lost => unreachable!("judged above"),
    };
    let failures = job.failures + 1;
    if failures > job.spec.retries {
        return Verdict { failures, ..over(State::Failed, &how) };
    }
    Verdict { failures, not_before: Some(now + pause(failures)), ..over(State::Waiting, &how) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::tests::job;

    fn state(job: &Job, end: End) -> State {
        verdict(job, &end, 100.0).state
    }

    #[test]
    fn a_failure_is_tried_again_after_a_pause_that_grows_and_then_given_up() {
        let mut job = job(1);
        job.spec.retries = 2;
        let mut pauses = Vec::new();
        let last = loop {
            let verdict = verdict(&job, &End::Exited(1), 100.0);
            job.failures = verdict.failures;
            match verdict.not_before {
                Some(then) => pauses.push(then - 100.0),
                None => break verdict,
            }
        };
        assert_eq!((pauses, last.state, last.failures), (vec![2.0, 8.0], State::Failed, 3));
        assert_eq!(last.note.as_deref(), Some("exit code 1"));
        assert_eq!(pause(100), 600.0);
    }

    #[test]
    fn a_mistake_is_not_tried_again() {
        let job = Job { spec: crate::queue::Spec { retries: 9, ..job(1).spec }, ..job(1) };
        assert_eq!(state(&job, End::Exited(2)), State::Failed);
    }

    #[test]
    fn a_job_that_stopped_as_it_was_asked_comes_to_what_was_asked_for() {
        for (wish, expected) in [
            (Wish::Stop, State::Waiting),
            (Wish::Pause, State::Paused),
            (Wish::Cancel, State::Cancelled),
            (Wish::Deadline, State::Dropped),
        ] {
            let job = Job { wish: Some(wish), ..job(1) };
            for end in [End::Exited(130), End::Killed(2), End::Killed(9), End::Lost] {
                assert_eq!(verdict(&job, &end, 100.0).failures, 0);
                assert_eq!(state(&job, end), expected);
            }
            // It was faster than the wish.
            assert_eq!(state(&job, End::Exited(0)), State::Done);
        }
        let job = Job { wish: Some(Wish::Stop), spec: crate::queue::Spec { retries: 0, ..job(1).spec }, ..job(1) };
        assert_eq!(state(&job, End::Exited(1)), State::Failed);
    }

    #[test]
    fn an_end_that_nobody_saw_is_no_failure() {
        let job = Job { spec: crate::queue::Spec { retries: 0, ..job(1).spec }, ..job(1) };
        let verdict = verdict(&job, &End::Lost, 100.0);
        assert_eq!((verdict.state, verdict.failures, verdict.not_before), (State::Waiting, 0, None));
    }

    #[test]
    fn a_job_stopped_by_somebody_else_waits_and_has_not_failed() {
        let job = Job { spec: crate::queue::Spec { retries: 0, ..job(1).spec }, ..job(1) };
        for end in [End::Exited(130), End::Killed(2), End::Killed(15)] {
            let verdict = verdict(&job, &end, 100.0);
            assert_eq!((verdict.state, verdict.failures, verdict.not_before), (State::Waiting, 0, Some(102.0)));
        }
    }

    #[test]
    fn a_job_that_fails_while_it_stops_to_pause_is_paused_if_it_is_tried_again() {
        let mut job = Job { wish: Some(Wish::Pause), ..job(1) };
        job.spec.retries = 1;
        let first = verdict(&job, &End::Exited(1), 100.0);
        assert_eq!((first.state, first.failures, first.not_before), (State::Paused, 1, None));
        job.failures = 1;
        assert_eq!(state(&job, End::Exited(1)), State::Failed);
    }

    #[test]
    fn a_job_that_cannot_be_started_is_tried_again_like_any_other() {
        let mut job = job(1);
        job.spec.retries = 1;
        let first = verdict(&job, &End::NotStarted("no directory".into()), 100.0);
        assert_eq!((first.state, first.failures, first.not_before), (State::Waiting, 1, Some(102.0)));
        job.failures = 1;
        let last = verdict(&job, &End::NotStarted("no directory".into()), 100.0);
        assert_eq!((last.state, last.note.as_deref()), (State::Failed, Some("no directory")));
    }

    #[test]
    fn a_job_killed_for_memory_beside_others_is_tried_once_alone() {
        let mut job = job(1);
        job.spec.retries = 0;
        job.attempt.shared = true;
        let first = verdict(&job, &End::Killed(9), 100.0);
        assert_eq!((first.state, first.alone, first.failures), (State::Waiting, true, 0));
        job.alone = true;
        assert_eq!(state(&job, End::Killed(9)), State::Failed);
        let mut by_itself = job.clone();
        (by_itself.alone, by_itself.attempt.shared) = (false, false);
        assert_eq!(state(&by_itself, End::Killed(9)), State::Failed);
    }
}
