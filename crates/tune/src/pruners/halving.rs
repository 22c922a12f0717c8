//! Successive halving that pauses trials and takes them up again.
//!
//! Li et al., "A System for Massively Parallel Hyperparameter Tuning" (MLSys 2020): asynchronous successive halving, ASHA.
//! A trial that reaches a rung goes on if it is among the best `1/eta` of those that have; otherwise it waits at its
//! checkpoint, and is promoted when enough others have turned out worse. Nothing is thrown away: a trial that waits has
//! lost no step, and what it was paused at is its score as long as it waits.
//!
//! What is different from the paper, for trainings of a few evaluations whose length is itself tuned:
//! - There is no largest rung. The last rung of a trial is its own planned end.
//! - A trial that ended by itself before a rung (planned shorter, or out of patience) counts there with the best it reached, as what
//!   counts is whether going on beats what one already has.
//! - A trial is as good at a rung as its best value up to it, since that is the checkpoint it keeps. But if its value at the rung
//!   is not a number, it is worst: a training that diverged has no future.
//! - Once no new trial will be begun, every rung promotes its best even if it has fewer than `eta` trials, so that a short
//!   search also ends with a trial that ran to its end.
//!
//! Trials are compared after the same number of evaluations, which is the same number of epochs where evaluations follow epochs. One
//! that is planned longer is then earlier in its schedule, where its learning rate is still high: it has to be better by
//! what the others gain from theirs having decayed. Comparing at equal shares of the plans would put that right but let long
//! trials, which cost more, do more before they are judged at all.

use super::{Curve, Decision, Pruner, State, curve_of, rungs::InvalidRungs, rungs::Rungs};

/// Pauses trials at `min_iter·eta^k` evaluations unless they are among the best `1/eta` there.
#[derive(Debug, Clone, PartialEq)]
pub struct Halving {
    rungs: Rungs,
    eta: f64,
}

impl Halving {
    /// Of the trials at a rung one in 3 is promoted, as in W&B: the rungs 1, 3 and 9 suit trainings of up to a dozen evaluations.
    pub const ETA: f64 = 3.0;

    /// The first rung at `min_iter` evaluations, each further one at `eta` times as many.
    ///
    /// # Errors
    /// If `min_iter` is 0 or `eta` not a number larger than 1.
    pub fn new(min_iter: u64, eta: f64) -> Result<Self, InvalidRungs> {
        Ok(Self { rungs: Rungs::upwards(min_iter, eta)?, eta })
    }

    /// The first rung for trials of which the longest makes `longest` evaluations: `longest/eta³`, at least 1, so that a full
    /// training has three or four rungs below its end. With an `eta` of 3 it is the first evaluation up to 53 of them. Early is
    /// right, as what is misjudged there is only paused: recorded trainings of 50 evaluations, replayed with a budget of 25 of them
    /// (`examples/replay_taskset`, TPE, 16 seeds), end with a regret of 0.010 from a first rung at 1, 0.016 at 2 and 0.028 at 5.
    pub fn min_iter(longest: u64, eta: f64) -> u64 {
        ((longest as f64 / eta.powi(3)) as u64).max(1)
    }

    /// The trials that have something to show at a rung, the best first, with their values; infinite is worst.
    fn standing<'a>(&self, index: usize, history: &'a [Curve]) -> Vec<(f64, &'a Curve)> {
        let rung = self.rungs.as_slice()[index];
        // A trial that failed was on its way from the rung below.
        let before = index.checked_sub(1).map_or(0, |below| self.rungs.as_slice()[below]);
        let value = |curve: &Curve| match curve.state {
            State::Failed => (curve.values.len() >= before).then_some(f64::INFINITY),
            State::Finished if curve.values.len() < rung => Some(curve.best(rung)),
            _ => curve.values.get(rung - 1).map(|last| if last.is_nan() { f64::INFINITY } else { curve.best(rung) }),
        };
        let mut standing: Vec<_> = history.iter().filter_map(|curve| Some((value(curve)?, curve))).collect();
        standing.sort_by(|(a, one), (b, other)| a.total_cmp(b).then(one.trial.cmp(&other.trial)));
        standing
    }

    /// The trials that may go beyond a rung, the best first: one in `eta`, but at least so many.
    fn leaders<'a>(&self, index: usize, history: &'a [Curve], at_least: usize) -> impl Iterator<Item = &'a Curve> {
        let standing = self.standing(index, history);
        let seats = ((standing.len() as f64 / self.eta) as usize).max(at_least);
        standing.into_iter().take(seats).filter(|(value, _)| value.is_finite()).map(|(_, curve)| curve)
    }

    /// The rung a trial stands at, if it is to be judged there: not on its way between two, nor at its end.
    fn rung_of(&self, curve: &Curve) -> Option<usize> {
        let evaluations = curve.values.len();
        let index = self.rungs.reached(evaluations)?;
        let ends = curve.planned.is_some_and(|planned| evaluations as u64 >= planned);
        (self.rungs.as_slice()[index] == evaluations && !ends).then_some(index)
    }

    fn next(&self, history: &[Curve], at_least: usize) -> Option<u32> {
        let paused = || history.iter().filter(|curve| curve.state == State::Paused);
        // What was interrupted between rungs had been let through at the last one.
        if let Some(interrupted) = paused().find(|curve| self.rung_of(curve).is_none()) {
            return Some(interrupted.trial);
        }
        let highest = paused().filter_map(|curve| self.rung_of(curve)).max()?;
        (0..=highest).rev().find_map(|index| {
            let waits = |curve: &&Curve| curve.state == State::Paused && self.rung_of(curve) == Some(index);
            self.leaders(index, history, at_least).find(waits).map(|curve| curve.trial)
        })
    }
}

impl Pruner for Halving {
    fn decide(&self, trial: u32, history: &[Curve]) -> Decision {
        let Some(index) = self.rung_of(curve_of(trial, history)) else { return Decision::Continue };
        if self.leaders(index, history, 0).any(|curve| curve.trial == trial) {
            Decision::Continue
        } else {
            Decision::Pause
        }
    }

    fn promote(&self, history: &[Curve]) -> Option<u32> {
        self.next(history, 0)
    }

    fn finish(&self, history: &[Curve]) -> Option<u32> {
        self.next(history, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(trial: u32, values: &[f64], planned: u64, state: State) -> Curve {
        Curve { trial, values: values.to_vec(), planned: Some(planned), state }
    }

    fn paused(trial: u32, values: &[f64]) -> Curve {
        curve(trial, values, 9, State::Paused)
    }

    fn running(trial: u32, values: &[f64]) -> Curve {
        curve(trial, values, 9, State::Running)
    }

    fn halving() -> Halving {
        Halving::new(1, 3.0).unwrap()
    }

    #[test]
    fn trials_wait_until_there_are_eta_of_them_and_the_best_goes_on_without_a_pause() {
        assert_eq!(halving().decide(1, &[running(1, &[0.5])]), Decision::Pause);
        let three = [paused(1, &[0.5]), paused(2, &[0.6]), running(3, &[0.4])];
        assert_eq!(halving().decide(3, &three), Decision::Continue);
        let three = [paused(1, &[0.5]), paused(2, &[0.6]), running(3, &[0.7])];
        assert_eq!(halving().decide(3, &three), Decision::Pause);
    }

    #[test]
    fn the_best_that_waits_is_promoted_and_the_highest_rung_comes_first() {
        let two = [paused(1, &[0.5]), paused(2, &[0.6])];
        assert_eq!(halving().promote(&two), None);
        let three = [paused(1, &[0.5]), paused(2, &[0.6]), paused(3, &[0.7])];
        assert_eq!(halving().promote(&three), Some(1));
        let mut rungs = [0.1, 0.2, 0.3].map(|value| [0.9, 0.9, value]).into_iter().zip(1..);
        let higher =
            std::array::from_fn::<_, 3, _>(|_| rungs.next().map(|(values, trial)| paused(trial, &values)).unwrap());
        let lower = (4..=9).map(|trial| paused(trial, &[0.01 * f64::from(trial)]));
        let all: Vec<Curve> = higher.into_iter().chain(lower).collect();
        assert_eq!(halving().promote(&all), Some(1));
    }

    #[test]
    fn a_promotion_already_made_takes_its_place() {
        let gone = [running(1, &[0.5, 0.5]), paused(2, &[0.6]), paused(3, &[0.7])];
        assert_eq!(halving().promote(&gone), None);
        // Overtaken: the newcomer is now the best of its rung, whatever became of the one that went before.
        let overtaken = [running(1, &[0.5, 0.5]), paused(2, &[0.4]), paused(3, &[0.7])];
        assert_eq!(halving().promote(&overtaken), Some(2));
    }

    #[test]
    fn a_trial_is_judged_at_rungs_only_and_never_at_its_end() {
        let others = [paused(1, &[0.1; 3]), paused(2, &[0.1; 3])];
        let history =
            |values: &[f64], planned| [others.to_vec(), vec![curve(3, values, planned, State::Running)]].concat();
        assert_eq!(halving().decide(3, &history(&[0.9; 2], 9)), Decision::Continue);
        assert_eq!(halving().decide(3, &history(&[0.9; 3], 9)), Decision::Pause);
        assert_eq!(halving().decide(3, &history(&[0.9; 3], 3)), Decision::Continue);
    }

    #[test]
    fn a_shorter_trial_that_has_finished_counts_at_later_rungs() {
        let short = |trial, value| curve(trial, &[0.9, value], 2, State::Finished);
        let against = |value| [short(1, 0.4), short(2, 0.5), running(3, &[0.9, 0.9, value])];
        assert_eq!(halving().decide(3, &against(0.3)), Decision::Continue);
        assert_eq!(halving().decide(3, &against(0.45)), Decision::Pause);
    }

    #[test]
    fn failed_and_diverged_trials_are_worst_where_they_were_and_where_they_were_going() {
        let failed = |values: &[f64]| curve(1, values, 9, State::Failed);
        assert_eq!(halving().promote(&[failed(&[]), paused(2, &[0.6]), paused(3, &[0.7])]), Some(2));
        assert_eq!(halving().promote(&[failed(&[0.1]), paused(2, &[0.6]), paused(3, &[0.7])]), Some(2));
        let at_three = |trial, value| paused(trial, &[0.9, 0.9, value]);
        assert_eq!(halving().promote(&[failed(&[0.1]), at_three(2, 0.6), at_three(3, 0.7)]), Some(2));
        assert_eq!(halving().promote(&[failed(&[]), at_three(2, 0.6), at_three(3, 0.7)]), None);
        let diverged = [paused(1, &[0.1, 0.1, f64::NAN]), at_three(2, 0.6), at_three(3, 0.7)];
        assert_eq!(halving().promote(&diverged), Some(2));
    }

    #[test]
    fn at_the_end_of_a_search_each_rung_brings_its_best_on() {
        let mut history = vec![paused(1, &[0.5]), paused(2, &[0.4])];
        assert_eq!((halving().promote(&history), halving().finish(&history)), (None, Some(2)));
        history[1] = paused(2, &[0.4, 0.4, 0.4]);
        assert_eq!((halving().promote(&history), halving().finish(&history)), (None, Some(2)));
        history[1] = curve(2, &[0.4; 9], 9, State::Finished);
        assert_eq!(halving().finish(&history), None);
        let diverged = [paused(1, &[f64::NAN])];
        assert_eq!(halving().finish(&diverged), None);
    }

    #[test]
    fn what_was_interrupted_between_rungs_goes_on_first() {
        let history = [paused(1, &[0.1]), paused(2, &[0.2]), paused(3, &[0.3]), paused(4, &[0.5, 0.6]), paused(5, &[])];
        assert_eq!(halving().promote(&history), Some(4));
    }

    #[test]
    fn the_first_rung_is_the_first_evaluation_unless_there_are_many() {
        let longest = [1, 3, 12, 50, 54, 300];
        assert_eq!(longest.map(|longest| Halving::min_iter(longest, Halving::ETA)), [1, 1, 1, 1, 2, 11]);
    }
}
