//! Which checkpoints are kept: a pure decision, and the files that follow from it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{State, TrainError, Trainer};
use crate::device::Device;
use crate::hf::{HfError, Weights};

/// A checkpoint on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct KeptCheckpoint {
    /// Steps taken before it.
    pub step: u64,
    /// Its score by the declared metric.
    pub score: f64,
}

/// The best `keep` of `best` (the best first) and `new`, and what falls out. Of equals the earlier is better; a score
/// that is not a number is worse than any, and of several the latest is better: it says nothing against the training.
fn decide(
    best: &[KeptCheckpoint],
    new: KeptCheckpoint,
    keep: usize,
    higher_is_better: bool,
) -> (Vec<KeptCheckpoint>, Option<KeptCheckpoint>) {
    let better = |a: f64, b: f64| b.is_nan() || if higher_is_better { a > b } else { a < b };
    let rank = best.iter().position(|old| better(new.score, old.score)).unwrap_or(best.len());
    let mut kept = best.to_vec();
    kept.insert(rank, new);
    let out = if kept.len() > keep { kept.pop() } else { None };
    (kept, out)
}

impl<D: Device, O> Trainer<'_, D, O> {
    /// The file of the weights after step `step`.
    fn checkpoint(&self, step: u64) -> PathBuf {
        self.paths.checkpoints.join(format!("step-{step:08}.safetensors"))
    }

    /// Writes the weights if they are among the best; whether they are the best.
    pub(super) fn keep(&mut self, state: &mut State, score: f64) -> Result<bool, TrainError> {
        let new = KeptCheckpoint { step: state.step, score };
        let (best, out) = decide(&state.best, new, self.config.keep, self.higher_is_better);
        if best.contains(&new) || (score.is_nan() && best.iter().any(|kept| kept.step == new.step)) {
            let dir = &self.paths.checkpoints;
            std::fs::create_dir_all(dir).map_err(HfError::io(dir, "create"))?;
            self.model.save(&self.checkpoint(new.step))?;
        }
        // The file of a checkpoint that falls out goes only once no saved state lists it any more.
        state.stale.extend(out.filter(|out| out.step != new.step).map(|out| out.step));
        let improved = best[0].step == new.step && !score.is_nan();
        state.best = best;
        Ok(improved)
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

    /// Gives the model the weights of the best checkpoint, unless it has them.
    pub(super) fn restore_best(&mut self, state: &State) -> Result<(), TrainError> {
        if let Some(best) = state.best.first().filter(|best| best.step != state.step) {
            let path = self.checkpoint(best.step);
            let weights = Weights::open_file(&path)?;
            self.model.load(&weights, &path, self.seed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(scores: &[f64], keep: usize, higher: bool) -> Vec<u64> {
        let mut best = Vec::new();
        for (step, &score) in scores.iter().enumerate() {
            best = decide(&best, KeptCheckpoint { step: step as u64, score }, keep, higher).0;
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
        let best = [KeptCheckpoint { step: 1, score: 0.9 }];
        let new = KeptCheckpoint { step: 2, score: 0.1 };
        assert_eq!(decide(&best, new, 1, true), (best.to_vec(), Some(new)));
    }
}
