//! The mean of the weights of several checkpoints (stochastic weight averaging, Izmailov et al. 2018), made once the training
//! is over.

use std::ops::ControlFlow;

use super::members::add_to_mean;
use super::{KeptCheckpoint, Observer, Score, State, TrainError, Trainer};
use crate::config::Select;
use crate::joint::Trained;
use crate::objectives::Objective;

/// The score of the mean of the weights of some checkpoints.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Averaged {
    /// How many.
    pub checkpoints: usize,
    /// Its score by the declared metric.
    pub score: f64,
}

/// Which weights a run keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// What every mean scored that was made.
    pub averaged: Vec<Averaged>,
    /// Of how many checkpoints the kept weights are the mean; 1: those of the best.
    pub checkpoints: usize,
}

impl<M: Trained, O: Objective<M>> Trainer<'_, M, O> {
    /// Scores the mean of the first two kept checkpoints, of the first three and so on, and gives the model that of
    /// `swa.checkpoints` if it is better than the best checkpoint, else the best checkpoint. `None` if the observer breaks
    /// off: the last weights are lost by then, and a saved state is where to go on from.
    pub(super) fn choose(&mut self, state: &State, observer: &mut dyn Observer) -> Result<Option<Choice>, TrainError> {
        let mut choice = Choice { averaged: Vec::new(), checkpoints: 1 };
        let Some(best) = state.best.first() else { return Ok(Some(choice)) };
        let steps: Vec<u64> = match self.swa.select {
            Select::Best => state.best.iter().map(|kept| kept.step).collect(),
            Select::Last => state.latest.iter().rev().copied().collect(),
        };
        if steps.len() > 1 {
            self.restore(steps[0])?;
        }
        for (index, &step) in steps.iter().enumerate().skip(1) {
            let checkpoints = index + 1;
            self.add_to_mean(step, checkpoints)?;
            observer.average_begins(checkpoints);
            let ControlFlow::Continue(score) = self.score(observer)? else { return Ok(None) };
            choice.averaged.push(Averaged { checkpoints, score: score.value });
            observer.averaged(checkpoints, score.value);
            // Where fewer were kept than asked for, all of them.
            if checkpoints == self.swa.checkpoints.min(steps.len()) && self.is_better(score, best, state) {
                choice.checkpoints = checkpoints;
            }
        }
        let has_best = choice.averaged.is_empty() && best.step == state.step && self.config.ema == 0.0;
        let has_choice = choice.checkpoints > 1 && choice.checkpoints == steps.len();
        if !has_best && !has_choice {
            let chosen = if choice.checkpoints > 1 { &steps[..choice.checkpoints] } else { &[best.step][..] };
            self.restore(chosen[0])?;
            for (index, &step) in chosen.iter().enumerate().skip(1) {
                self.add_to_mean(step, index + 1)?;
            }
        }
        Ok(Some(choice))
    }

    /// Makes the weights, a mean, that of `checkpoints` with the one of step `step`.
    fn add_to_mean(&mut self, step: u64, checkpoints: usize) -> Result<(), TrainError> {
        let path = self.checkpoint(step);
        Ok(add_to_mean(self.model.models_mut(), &path, checkpoints)?)
    }

    /// Whether a mean is better than the best checkpoint: that first which the guard admits.
    fn is_better(&self, mean: Score, best: &KeptCheckpoint, state: &State) -> bool {
        let guard = self.guard.zip(state.best_guarded);
        let admitted = |guarded| guard.is_none_or(|(guard, best)| guard.admits(guarded, best));
        let better = if self.higher_is_better { mean.value > best.score } else { mean.value < best.score };
        admitted(mean.guarded) && (better || !admitted(best.guarded))
    }
}
