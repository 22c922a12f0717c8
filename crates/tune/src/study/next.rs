//! What is to be done next.

use super::{Limits, Origin, Study};
use crate::{Assignment, pruners::State};

/// What is to be done next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// A new trial.
    Begin {
        /// Its number.
        trial: u32,
        /// Where its values come from.
        origin: Origin,
        /// They.
        assignment: Assignment,
    },
    /// A paused trial goes on.
    Resume {
        /// The trial.
        trial: u32,
    },
    /// A good trial is run again.
    Rerun {
        /// The trial.
        trial: u32,
        /// The seed to run it with.
        seed: u64,
    },
    /// Nothing, before something that is at work has reported or ended.
    Wait,
    /// Nothing any more.
    Done,
}

impl Study {
    /// What is to be done next by a worker that is free; `rerunning` are the trials and seeds that are being run again.
    ///
    /// Trials that are running and have no process, as after a crash, are the caller's to take up first.
    pub fn next(&self, limits: &Limits, rerunning: &[(u32, u64)]) -> Next {
        if limits.out_of_time {
            return if self.running() || !rerunning.is_empty() { Next::Wait } else { Next::Done };
        }
        if !self.ends(limits) {
            if let Some(trial) = self.pruner.promote(&self.curves()) {
                return Next::Resume { trial };
            }
            if let Some((origin, assignment)) = self.suggest() {
                return Next::Begin { trial: self.trials.len() as u32 + 1, origin, assignment };
            }
        }
        // Without any trial at its end there would be nothing to show.
        if !self.reached(limits)
            && (!limits.closing || self.ranking().is_empty())
            && let Some(trial) = self.pruner.finish(&self.curves())
        {
            return Next::Resume { trial };
        }
        if self.running() {
            return Next::Wait;
        }
        let mut wanted =
            self.finalists().into_iter().flat_map(|trial| self.settings.seeds.iter().map(|seed| (trial.number, *seed)));
        let missing = |(trial, seed): &(u32, u64)| {
            !rerunning.contains(&(*trial, *seed))
                && !self.reruns.iter().any(|rerun| (rerun.trial, rerun.seed) == (*trial, *seed))
        };
        match wanted.find(missing) {
            Some((trial, seed)) => Next::Rerun { trial, seed },
            None if rerunning.is_empty() => Next::Done,
            None => Next::Wait,
        }
    }

    fn running(&self) -> bool {
        self.trials.iter().any(|trial| trial.state == State::Running)
    }

    /// Whether no new trial begins any more.
    fn ends(&self, limits: &Limits) -> bool {
        let counted = limits.count.is_some_and(|count| self.trials.len() as u32 >= count);
        counted || limits.closing || self.reached(limits) || limits.patience.is_some_and(|most| self.stale() >= most)
    }

    fn reached(&self, limits: &Limits) -> bool {
        let goal = self.settings.goal;
        let best = self.ranking().first().and_then(|trial| trial.score);
        limits.target.zip(best).is_some_and(|(target, best)| goal.loss(best) <= goal.loss(target))
    }

    /// How many trials have ended, or were cut short, since the best one began.
    fn stale(&self) -> u32 {
        let best = self.ranking().first().map_or(0, |trial| trial.number);
        let later = |trial: &&super::Trial| trial.number > best && trial.state != State::Running;
        self.trials.iter().filter(later).count() as u32
    }
}
