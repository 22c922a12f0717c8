//! The mean of the weights of several checkpoints (stochastic weight averaging, Izmailov et al. 2018), made once the training
//! is over.

use std::ops::ControlFlow;
use std::path::Path;

use super::{KeptCheckpoint, Observer, Score, State, TrainError, Trainer};
use crate::config::Select;
use crate::device::{Device, Store};
use crate::hf::{HfError, Weights};
use crate::model::Model;
use crate::objectives::Objective;
use crate::params::Tensor;

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

impl<D: Device, O: Objective<D>> Trainer<'_, D, O> {
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
            self.model.add_to_mean(&self.checkpoint(step), checkpoints)?;
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
                self.model.add_to_mean(&self.checkpoint(step), index + 1)?;
            }
        }
        Ok(Some(choice))
    }

    /// Whether a mean is better than the best checkpoint: that first which the guard admits.
    fn is_better(&self, mean: Score, best: &KeptCheckpoint, state: &State) -> bool {
        let guard = self.guard.zip(state.best_guarded);
        let admitted = |guarded| guard.is_none_or(|(guard, best)| guard.admits(guarded, best));
        let better = if self.higher_is_better { mean.value > best.score } else { mean.value < best.score };
        admitted(mean.guarded) && (better || !admitted(best.guarded))
    }
}

impl<D: Device> Model<D> {
    /// Makes the weights, the mean of those of `count - 1` checkpoints, the mean of `count`: those and the checkpoint `path`.
    pub(crate) fn add_to_mean(&mut self, path: &Path, count: usize) -> Result<(), HfError> {
        let weights = Weights::open_file(path)?;
        let share = 1.0 / count as f32;
        let mut values = Vec::new();
        let table = self.table().tensors().to_vec();
        for Tensor { name, shape, span, .. } in &table {
            values.resize(span.len, 0.0);
            weights.read_f32(name, shape, &mut values)?;
            for (value, mean) in values.iter_mut().zip(&self.device.download(Store::Weights)[span.start..span.end()]) {
                *value = mean + (*value - mean) * share;
            }
            self.device.upload(Store::Weights, *span, &values);
        }
        Ok(())
    }
}
