//! The training loop: windows of batches into optimiser steps, evaluations, the best checkpoints, and a state from
//! which an interrupted run goes on to the same bits.

mod checkpoints;
mod error;
mod observer;
mod plan;
mod state;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::path::PathBuf;

use gyeol_data::{Targets, Tokenised};

use crate::config::{LossKind, TrainConfig};
use crate::device::Device;
use crate::model::Model;
use crate::optim::learning_rate;
use crate::pass::DropoutStream;
use crate::{losses, random};

pub use checkpoints::KeptCheckpoint;
pub use error::TrainError;
pub use observer::{Action, Evaluation, Observer, StepReport};
pub use plan::TrainPlan;
use state::State;

/// Checkpoints that fell out and wait for the next saved state to go; more force one, as a disk is not endless.
const MOST_STALE: usize = 8;

/// Rows of a tokenised table and what the model is to say about them.
#[derive(Debug, Clone, Copy)]
pub struct TrainSet<'a> {
    /// The tokens of the whole table.
    pub tokens: &'a Tokenised,
    /// The targets of the whole table.
    pub targets: &'a Targets,
    /// The rows that belong to the set, in the order of the file.
    pub rows: &'a [u32],
}

/// Where a trainer writes.
#[derive(Debug, Clone)]
pub struct TrainPaths {
    /// The directory of the best checkpoints.
    pub checkpoints: PathBuf,
    /// The directory of the resume state.
    pub state: PathBuf,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Every step was taken.
    Finished,
    /// `train.patience` evaluations brought no improvement.
    Patience,
    /// The observer asked for it; the state is saved.
    Interrupted,
}

/// How a run ended. Unless interrupted, the model holds the best weights (without evaluations: the last).
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Why it ended.
    pub reason: StopReason,
    /// Optimiser steps taken.
    pub steps: u64,
    /// The best checkpoints kept, the best first; empty without evaluations.
    pub best: Vec<KeptCheckpoint>,
}

/// One fine-tuning run.
#[derive(Debug)]
pub struct Trainer<'a, D> {
    /// The model, with the weights to start from.
    pub model: &'a mut Model<D>,
    /// `[train]` of the recipe.
    pub config: &'a TrainConfig,
    /// What is minimised.
    pub loss: LossKind,
    /// Keys the order of the rows and the dropout.
    pub seed: u64,
    /// The rows to fit.
    pub train: TrainSet<'a>,
    /// The rows to evaluate on.
    pub valid: Option<TrainSet<'a>>,
    /// Whether a larger score is a better one.
    pub higher_is_better: bool,
    /// Where to write.
    pub paths: TrainPaths,
    /// What the run's bits depend on, as the caller fingerprints it: a state of another run is refused.
    pub fingerprint: String,
}

impl<D: Device> Trainer<'_, D> {
    /// Trains from the start, or from the saved state where `resume` is set and there is one.
    ///
    /// # Errors
    /// If a loss or gradient is not finite, the device has no room, or a file cannot be written or read.
    pub fn run(&mut self, resume: bool, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
        let mut state = if resume { self.load_state(observer)? } else { None }.unwrap_or_default();
        let plan = TrainPlan::new(self.config, self.train.rows.len());
        let mut order = self.order(state.epoch);
        let mut reason = StopReason::Finished;
        let mut save_wanted = false;
        while state.step < plan.steps || state.evaluation_due {
            // Asked before a step, not after an evaluation: the state may have been saved between the two.
            if self.config.patience > 0 && state.since_best >= self.config.patience {
                reason = StopReason::Patience;
                break;
            }
            let action = if state.evaluation_due {
                match self.evaluate(&mut state, &plan, observer)? {
                    ControlFlow::Continue(action) => action,
                    // Still due: the run goes on with it from the saved state.
                    ControlFlow::Break(()) => Action::Stop,
                }
            } else {
                observer.step_begins();
                let window = window(&order, &plan, state.window);
                let report = self.step(window, &plan, &mut state)?;
                state.window += 1;
                let epoch_ends = state.window == plan.steps_per_epoch;
                if epoch_ends {
                    (state.epoch, state.window) = (state.epoch + 1, 0);
                    order = self.order(state.epoch);
                }
                let due = plan.evaluates_after(self.config, state.step, epoch_ends);
                state.evaluation_due = due && self.valid.is_some();
                observer.step(&report)
            };
            // An evaluation that is due belongs to its step: a state between the two is only saved to stop there.
            save_wanted |= action == Action::Save || state.stale.len() > MOST_STALE;
            if action == Action::Stop || (save_wanted && !state.evaluation_due) {
                self.save_state(&mut state, observer)?;
                save_wanted = false;
            }
            if action == Action::Stop {
                return Ok(Outcome { reason: StopReason::Interrupted, steps: state.step, best: state.best });
            }
        }
        self.restore_best(&state)?;
        self.remove_stale(&mut state)?;
        Ok(Outcome { reason, steps: state.step, best: state.best })
    }

    /// The rows of an epoch in the order they are trained on.
    fn order(&self, epoch: u64) -> Vec<u32> {
        let rows = self.train.rows;
        if !self.config.shuffle {
            return rows.to_vec();
        }
        random::permutation(self.seed, epoch, rows.len()).into_iter().map(|i| rows[i as usize]).collect()
    }

    /// One optimiser step on the mean loss of the rows of `window`: every row weighs the same, however the window falls
    /// into batches.
    fn step(&mut self, window: &[u32], plan: &TrainPlan, state: &mut State) -> Result<StepReport, TrainError> {
        let weight = 1.0 / window.len() as f64;
        let (mut loss, mut tokens) = (0.0, 0);
        for rows in window.chunks(self.config.batch_size) {
            let batch = self.train.tokens.batch(rows);
            tokens += batch.tokens();
            let outputs = self.model.forward(&batch, DropoutStream::new(self.seed, state.pass))?;
            let (batch_loss, gradient) = losses::loss(self.loss, &outputs, &self.train.targets.select(rows), weight);
            self.model.backward(&gradient);
            loss += batch_loss * weight;
            state.pass += 1;
        }
        let rate = learning_rate(self.config, state.step, plan.steps);
        state.step += 1;
        let gradient_norm = self.model.optimise(self.config, rate, state.step);
        if !loss.is_finite() || !gradient_norm.is_finite() {
            return Err(TrainError::NotFinite { step: state.step, loss, gradient_norm, learning_rate: rate });
        }
        Ok(StepReport {
            step: state.step,
            steps: plan.steps,
            epoch: plan.epochs_at(state.step),
            loss,
            learning_rate: rate,
            gradient_norm,
            rows: window.len(),
            tokens,
        })
    }

    /// Scores the model, and keeps its weights if it is among the best.
    fn evaluate(
        &mut self,
        state: &mut State,
        plan: &TrainPlan,
        observer: &mut dyn Observer,
    ) -> Result<ControlFlow<(), Action>, TrainError> {
        let Some(valid) = self.valid else { return Ok(ControlFlow::Continue(Action::Continue)) };
        observer.evaluation_begins(valid.rows.len());
        let size = self.config.eval_batch_size;
        let outputs = self.model.predict(valid.tokens, valid.rows, size, |done| observer.evaluated_rows(done))?;
        let Some(outputs) = outputs else { return Ok(ControlFlow::Break(())) };
        let score = observer.score(&outputs);
        let improved = self.keep(state, score)?;
        state.since_best = if improved { 0 } else { state.since_best + 1 };
        state.evaluation_due = false;
        let evaluation = Evaluation { step: state.step, epoch: plan.epochs_at(state.step), score, improved };
        Ok(ControlFlow::Continue(observer.evaluated(&evaluation)))
    }
}

/// The rows of step number `index` of an epoch.
fn window<'a>(order: &'a [u32], plan: &TrainPlan, index: u64) -> &'a [u32] {
    let start = index as usize * plan.rows_per_step;
    &order[start..order.len().min(start + plan.rows_per_step)]
}
