//! The training loop: windows of batches into optimiser steps, evaluations, the best checkpoints, and a state from
//! which an interrupted run goes on to the same bits.

mod averaging;
mod batches;
mod checkpoints;
mod divergence;
mod error;
mod guard;
mod members;
mod observer;
mod plan;
mod state;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::config::{SwaConfig, TrainConfig};
use crate::joint::Trained;
use crate::objectives::{Accumulated, Objective, Window};
use crate::optim::{learning_rate, optimise};
use crate::sampling;

pub use averaging::{Averaged, Choice};
pub use checkpoints::KeptCheckpoint;
pub use divergence::Divergence;
pub use error::TrainError;
pub use guard::{Guard, Limit, Score, Side};
#[cfg(test)]
pub(crate) use members::add_to_mean;
pub use observer::{Action, Evaluation, Observer, StepReport};
pub use plan::TrainPlan;
use state::State;

/// Checkpoints that fell out and wait for the next saved state to go; more force one, as a disk is not endless.
const MOST_STALE: usize = 8;

/// Where a trainer writes.
#[derive(Debug, Clone)]
pub struct TrainPaths {
    /// The directory of the best checkpoints.
    pub checkpoints: PathBuf,
    /// The directory of the resume state.
    pub state: PathBuf,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StopReason {
    /// Every step was taken that was to be.
    Finished,
    /// `train.patience` evaluations brought no improvement.
    Patience,
    /// The training has gone off; a checkpoint from before is kept.
    Diverged(Divergence),
    /// The observer asked for it; the state is saved.
    Interrupted,
}

/// How a run ended. Unless interrupted, the model holds the weights chosen (without evaluations: the last).
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Why it ended.
    pub reason: StopReason,
    /// Optimiser steps taken.
    pub steps: u64,
    /// The best checkpoints kept, the best first; empty without evaluations.
    pub best: Vec<KeptCheckpoint>,
    /// What the model holds, and what the alternatives scored; `None` if the run was interrupted.
    pub choice: Option<Choice>,
}

/// One run: a model, or several together, trained for an objective.
#[derive(Debug)]
pub struct Trainer<'a, M, O> {
    /// The model, with the weights to start from.
    pub model: &'a mut M,
    /// `[train]` of the recipe.
    pub config: &'a TrainConfig,
    /// What it is trained for.
    pub objective: O,
    /// Keys the order of the rows, the dropout, and what the objective draws.
    pub seed: u64,
    /// Steps after which to end, where those are fewer than the schedule of the learning rate has; `None`: all of them.
    pub stop_after: Option<u64>,
    /// Whether a larger score is a better one.
    pub higher_is_better: bool,
    /// What else a checkpoint has to be to be chosen.
    pub guard: Option<Guard>,
    /// Which checkpoints are averaged at the end.
    pub swa: SwaConfig,
    /// Where to write.
    pub paths: TrainPaths,
    /// What the run's bits depend on, as the caller fingerprints it: a state of another run is refused.
    pub fingerprint: String,
}

impl<M: Trained, O: Objective<M>> Trainer<'_, M, O> {
    /// Trains from the start, or from the saved state where `resume` is set and there is one.
    ///
    /// # Errors
    /// If the training goes off before there is a checkpoint, the device has no room, or a file cannot be written or read.
    pub fn run(&mut self, resume: bool, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
        for model in self.model.models_mut() {
            model.optimise_with(self.config.optimizer)?;
            if self.config.ema > 0.0 {
                model.keep_average()?;
            }
        }
        let mut state = if resume { self.load_state(observer)? } else { None }.unwrap_or_default();
        let plan = TrainPlan::new(self.config, self.objective.rows().len());
        let last = self.stop_after.map_or(plan.steps, |last| last.min(plan.steps));
        let mut order = self.order(state.epoch);
        let mut reason = StopReason::Finished;
        let mut save_wanted = false;
        while state.step < last || state.evaluation_due {
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
                let report = match self.step(window, &plan, last, &mut state)? {
                    Ok(report) => report,
                    Err(divergence) if state.best.iter().all(|kept| kept.score.is_nan()) => {
                        return Err(TrainError::Diverged(divergence));
                    }
                    Err(divergence) => {
                        reason = StopReason::Diverged(divergence);
                        break;
                    }
                };
                state.window += 1;
                let epoch_ends = state.window == plan.steps_per_epoch;
                if epoch_ends {
                    (state.epoch, state.window) = (state.epoch + 1, 0);
                    order = self.order(state.epoch);
                }
                let due = plan.evaluates_after(self.config, state.step, epoch_ends);
                state.evaluation_due = due && self.objective.evaluated_rows().is_some();
                observer.step(&report)
            };
            // An evaluation that is due belongs to its step: a state between the two is only saved to stop there.
            save_wanted |= action == Action::Save || state.stale.len() > MOST_STALE;
            if action == Action::Stop || (save_wanted && !state.evaluation_due) {
                self.save_state(&mut state, observer)?;
                save_wanted = false;
            }
            if action == Action::Stop {
                return Ok(interrupted(state));
            }
        }
        if self.config.ema > 0.0 && state.best.is_empty() {
            self.swap_average();
        }
        let Some(choice) = self.choose(&state, observer)? else { return Ok(interrupted(state)) };
        self.remove_stale(&mut state)?;
        Ok(Outcome { reason, steps: state.step, best: state.best, choice: Some(choice) })
    }

    /// Exchanges the weights and their average.
    fn swap_average(&mut self) {
        self.model.models_mut().iter_mut().for_each(|model| model.swap_average());
    }

    /// The rows of an epoch in the order they are trained on.
    fn order(&self, epoch: u64) -> Vec<u32> {
        sampling::order(self.objective.rows(), self.objective.balance(), self.config.shuffle, self.seed, epoch)
    }

    /// One optimiser step on the mean loss of the rows of `window`, unless the training has gone off.
    fn step(
        &mut self,
        rows: &[u32],
        plan: &TrainPlan,
        last: u64,
        state: &mut State,
    ) -> Result<Result<StepReport, Divergence>, TrainError> {
        let State { epoch, pass, .. } = *state;
        let window = Window { rows, batch_size: self.config.batch_size, seed: self.seed, epoch, pass };
        let Accumulated { loss, tokens, reused, passes } = self.objective.accumulate(self.model, window)?;
        state.pass += passes;
        let rate = learning_rate(self.config, state.step, plan.steps);
        state.step += 1;
        // Without anything learnt there are no gradients, and what the arena holds is stale: the weights stay as they are, and
        // whether the training goes off is not to be seen.
        let mut gradient_norm = 0.0;
        if let Some(loss) = loss {
            gradient_norm = optimise(self.model.models_mut(), self.config, rate, state.step);
            if !loss.is_finite() || !gradient_norm.is_finite() || state.losses.explode(loss) {
                return Ok(Err(Divergence { step: state.step, loss, gradient_norm, learning_rate: rate }));
            }
        }
        if self.config.ema > 0.0 {
            let decay = if state.step == 1 { 0.0 } else { self.config.ema };
            self.model.models_mut().iter_mut().for_each(|model| model.average(decay));
        }
        Ok(Ok(StepReport {
            step: state.step,
            steps: last,
            epoch: plan.epochs_at(state.step),
            loss,
            learning_rate: rate,
            gradient_norm,
            rows: rows.len(),
            tokens,
            reused,
        }))
    }

    /// Scores the model, and keeps its weights if it is among the best.
    fn evaluate(
        &mut self,
        state: &mut State,
        plan: &TrainPlan,
        observer: &mut dyn Observer,
    ) -> Result<ControlFlow<(), Action>, TrainError> {
        let averages = self.config.ema > 0.0;
        if averages {
            self.swap_average();
        }
        let scored = self.score(observer)?;
        let kept = match scored {
            ControlFlow::Continue(Score { value, guarded }) => {
                Some((value, self.keep(state, KeptCheckpoint { step: state.step, score: value, guarded })?))
            }
            ControlFlow::Break(()) => None,
        };
        // Before the state is saved, whatever came of it.
        if averages {
            self.swap_average();
        }
        let Some((score, improved)) = kept else { return Ok(ControlFlow::Break(())) };
        state.since_best = if improved { 0 } else { state.since_best + 1 };
        state.evaluation_due = false;
        let evaluation = Evaluation { step: state.step, epoch: plan.epochs_at(state.step), score, improved };
        Ok(ControlFlow::Continue(observer.evaluated(&evaluation)))
    }

    /// Scores the weights that the model has.
    fn score(&mut self, observer: &mut dyn Observer) -> Result<ControlFlow<(), Score>, TrainError> {
        observer.evaluation_begins(self.objective.evaluated_rows().unwrap_or(0));
        let mut progress = |done| observer.evaluated_rows(done);
        let outputs = self.objective.evaluate(self.model, self.config.eval_batch_size, &mut progress)?;
        let Some(outputs) = outputs else { return Ok(ControlFlow::Break(())) };
        let score = observer.score(&outputs);
        // Some metrics are defined on them all the same; a model that computes no numbers is the worst by any.
        let sound = outputs.iter().all(|output| output.is_finite());
        Ok(ControlFlow::Continue(if sound { score } else { f64::NAN.into() }))
    }
}

fn interrupted(state: State) -> Outcome {
    Outcome { reason: StopReason::Interrupted, steps: state.step, best: state.best, choice: None }
}

/// The rows of step number `index` of an epoch.
fn window<'a>(order: &'a [u32], plan: &TrainPlan, index: u64) -> &'a [u32] {
    let start = index as usize * plan.rows_per_step;
    &order[start..order.len().min(start + plan.rows_per_step)]
}
