//! How many steps a run takes, and where it evaluates.

use crate::config::{EvaluateEvery, TrainConfig};

/// The arithmetic of a run: steps, epochs and evaluations, before anything is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainPlan {
    /// Rows of a full optimiser step; the last of an epoch may have fewer.
    pub rows_per_step: usize,
    /// Optimiser steps of an epoch, the last partial one included.
    pub steps_per_epoch: u64,
    /// Optimiser steps of the run.
    pub steps: u64,
    /// Evaluations of the run, if none stops it early.
    pub evaluations: u64,
}

impl TrainPlan {
    /// The plan for `rows` training rows.
    pub fn new(config: &TrainConfig, rows: usize) -> Self {
        let rows_per_step = config.batch_size.saturating_mul(config.accumulate);
        let steps_per_epoch = rows.div_ceil(rows_per_step) as u64;
        let steps = if config.max_steps > 0 { config.max_steps } else { u64::from(config.epochs) * steps_per_epoch };
        let every = match config.evaluate_every {
            EvaluateEvery::Epoch => steps_per_epoch,
            EvaluateEvery::Steps(every) => every,
        };
        Self { rows_per_step, steps_per_epoch, steps, evaluations: steps.div_ceil(every.max(1)) }
    }

    /// Passes over the training rows after `step` steps.
    pub(crate) fn epochs_at(&self, step: u64) -> f64 {
        step as f64 / self.steps_per_epoch as f64
    }

    /// Whether to evaluate after step `step`: as often as asked, and in any case after the last.
    pub(crate) fn evaluates_after(&self, config: &TrainConfig, step: u64, epoch_ends: bool) -> bool {
        step == self.steps
            || match config.evaluate_every {
                EvaluateEvery::Epoch => epoch_ends,
                EvaluateEvery::Steps(every) => step.is_multiple_of(every),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_partial_window_of_an_epoch_is_a_step() {
        let config = TrainConfig { batch_size: 4, accumulate: 2, epochs: 3, ..TrainConfig::default() };
        let plan = TrainPlan::new(&config, 17);
        assert_eq!(plan, TrainPlan { rows_per_step: 8, steps_per_epoch: 3, steps: 9, evaluations: 3 });
    }

    #[test]
    fn max_steps_overrides_the_epochs_and_the_end_is_evaluated() {
        let evaluate_every = EvaluateEvery::Steps(4);
        let config = TrainConfig { batch_size: 4, max_steps: 10, evaluate_every, ..TrainConfig::default() };
        let plan = TrainPlan::new(&config, 17);
        assert_eq!((plan.steps, plan.evaluations), (10, 3));
        let at: Vec<u64> = (1..=10).filter(|&step| plan.evaluates_after(&config, step, step % 5 == 0)).collect();
        assert_eq!(at, [4, 8, 10]);
    }
}
