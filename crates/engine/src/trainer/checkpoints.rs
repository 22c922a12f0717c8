//! Which checkpoints are kept: a pure decision, and the files that follow from it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Guard, State, TrainError, Trainer, members};
use crate::config::Select;
use crate::hf::HfError;
use crate::joint::Trained;

/// A checkpoint on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct KeptCheckpoint {
    /// Steps taken before it.
    pub step: u64,
    /// Its score by the declared metric.
    pub score: f64,
    /// The figure that a guard looks at; `None` without one, and where it is undefined.
    pub guarded: Option<f64>,
}

/// What makes one checkpoint better than another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) higher_is_better: bool,
    /// With the best guarded figure of all evaluations.
    pub(super) guard: Option<(Guard, f64)>,
}

impl Order {
    /// Whether `a` is strictly better than `b`: what a guard admits before what it does not; a score that is not a number is
    /// worse than any, and of several the later is better: it says nothing against the training.
    fn better(self, a: &KeptCheckpoint, b: &KeptCheckpoint) -> bool {
        let admitted = |kept: &KeptCheckpoint| self.guard.is_none_or(|(guard, best)| guard.admits(kept.guarded, best));
        match (admitted(a), admitted(b)) {
            (true, false) => true,
            (false, true) => false,
            _ if b.score.is_nan() => true,
            _ if self.higher_is_better => a.score > b.score,
            _ => a.score < b.score,
        }
    }
}

/// The best `keep` of `kept` and `new`, the best first, and what falls out. Of equals the earlier is better.
fn decide(
    kept: &[KeptCheckpoint],
    new: KeptCheckpoint,
    keep: usize,
    order: Order,
) -> (Vec<KeptCheckpoint>, Option<KeptCheckpoint>) {
    let mut best: Vec<KeptCheckpoint> = Vec::with_capacity(kept.len() + 1);
    // What a guard admits may have changed with the new one, so that the old are put in order again.
    for candidate in kept.iter().copied().chain([new]) {
        let rank = best.iter().position(|other| order.better(&candidate, other)).unwrap_or(best.len());
        best.insert(rank, candidate);
    }
    let out = if best.len() > keep { best.pop() } else { None };
    (best, out)
}

impl<M: Trained, O> Trainer<'_, M, O> {
    /// The file of the weights after step `step`.
    pub(super) fn checkpoint(&self, step: u64) -> PathBuf {
        self.paths.checkpoints.join(format!("step-{step:08}.safetensors"))
    }

    /// How many of the best checkpoints are kept, and how many of the latest.
    fn keeps(&self) -> (usize, usize) {
        match self.swa.select {
            Select::Best => (self.config.keep.max(self.swa.checkpoints), 0),
            Select::Last => (1, self.config.keep.max(self.swa.checkpoints)),
        }
    }

    /// Writes the weights if they are among those to keep; whether they are the best.
    pub(super) fn keep(&mut self, state: &mut State, new: KeptCheckpoint) -> Result<bool, TrainError> {
        if let Some(guard) = self.guard {
            state.best_guarded = guard.better(state.best_guarded, new.guarded);
        }
        let order = Order { higher_is_better: self.higher_is_better, guard: self.guard.zip(state.best_guarded) };
        let (most_best, most_latest) = self.keeps();
        let before = listed(state);
        let score_is_nan = new.score.is_nan();
        (state.best, _) = decide(&state.best, new, most_best, order);
        state.latest.push(new.step);
        state.latest.drain(..state.latest.len().saturating_sub(most_latest));
        let after = listed(state);
        if after.contains(&new.step) {
            let (dir, path) = (&self.paths.checkpoints, self.checkpoint(new.step));
            std::fs::create_dir_all(dir).map_err(HfError::io(dir, "create"))?;
            members::save(self.model.models_mut(), &path)?;
        }
        // The file of a checkpoint that falls out goes only once no saved state lists it any more.
        state.stale.extend(before.into_iter().filter(|step| !after.contains(step)));
        Ok(state.best[0].step == new.step && !score_is_nan)
    }

    /// Removes the files of checkpoints that fell out.
    pub(super) fn remove_stale(&self, state: &mut State) -> Result<(), TrainError> {
        for step in state.stale.drain(..) {
            let path = self.checkpoint(step);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(HfError::io(&path, "remove")(error).into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Gives the model the weights of a checkpoint.
    pub(super) fn restore(&mut self, step: u64) -> Result<(), TrainError> {
        let path = self.checkpoint(step);
        Ok(members::restore(self.model.models_mut(), &path)?)
    }
}

/// The steps of all checkpoints that are kept.
fn listed(state: &State) -> Vec<u64> {
    let mut steps: Vec<u64> = state.best.iter().map(|kept| kept.step).chain(state.latest.iter().copied()).collect();
    steps.sort_unstable();
    steps.dedup();
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trainer::{Limit, Side};

    fn checkpoint(step: u64, score: f64) -> KeptCheckpoint {
        KeptCheckpoint { step, score, guarded: None }
    }

    fn run(scores: &[f64], keep: usize, higher_is_better: bool) -> Vec<u64> {
        let order = Order { higher_is_better, guard: None };
        let mut best = Vec::new();
        for (step, &score) in scores.iter().enumerate() {
            best = decide(&best, checkpoint(step as u64, score), keep, order).0;
        }
        best.iter().map(|kept| kept.step).collect()
    }

    #[test]
    fn the_best_are_kept_in_order() {
        assert_eq!(run(&[0.5, 0.7, 0.6, 0.8], 3, true), [3, 1, 2]);
        assert_eq!(run(&[0.5, 0.7, 0.6, 0.4], 2, false), [3, 0]);
    }

    #[test]
    fn of_equals_the_earlier_is_better_and_nan_is_worst_but_of_two_the_later() {
        assert_eq!(run(&[0.5, 0.5, 0.5], 2, true), [0, 1]);
        assert_eq!(run(&[f64::NAN, 0.1, f64::NAN], 2, true), [1, 2]);
        assert_eq!(run(&[f64::NAN, f64::NAN], 2, true), [1, 0]);
        assert_eq!(run(&[f64::NAN, 0.1], 1, false), [1]);
    }

    #[test]
    fn what_falls_out_is_named_even_if_it_is_the_new_one() {
        let order = Order { higher_is_better: true, guard: None };
        let (best, out) = decide(&[checkpoint(1, 0.9)], checkpoint(2, 0.1), 1, order);
        assert_eq!((best[0].step, out.map(|out| out.step)), (1, Some(2)));
    }

    #[test]
    fn what_a_guard_admits_comes_first_however_it_scores() {
        let guard = Guard { side: Side::AtMost, limit: Limit::OfBest(1.2) };
        let (mut best, mut lowest) = (Vec::new(), None);
        let mut firsts = Vec::new();
        for (step, (score, guarded)) in [(0.60, 0.9), (0.62, 0.8), (0.66, 1.1), (0.64, 0.9)].into_iter().enumerate() {
            lowest = guard.better(lowest, Some(guarded));
            let order = Order { higher_is_better: true, guard: Some(guard).zip(lowest) };
            best = decide(&best, KeptCheckpoint { step: step as u64, score, guarded: Some(guarded) }, 3, order).0;
            firsts.push(best[0].step);
        }
        assert_eq!(firsts, [0, 1, 1, 3]);
        let steps: Vec<u64> = best.iter().map(|kept| kept.step).collect();
        assert_eq!(steps, [3, 1, 0], "the blown-up one fell out");
    }
}
