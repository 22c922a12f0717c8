//! What a run trains a model for: which rows, how some of them become gradients, and what an evaluation measures. The loop
//! around it, [`Trainer`](crate::Trainer), is the same for all; one file an objective.

mod fine_tuning;
mod masked_lm;

use std::ops::ControlFlow;

use crate::device::AllocationError;
use crate::sampling::Balance;

pub use fine_tuning::{FineTuning, TrainSet};
pub use masked_lm::MaskedLm;

/// The rows of one optimiser step, and what their randomness is keyed by.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    /// The rows.
    pub rows: &'a [u32],
    /// Most rows of one forward and backward pass.
    pub batch_size: usize,
    /// Seed of the run.
    pub seed: u64,
    /// Passes over all rows before this one.
    pub epoch: u64,
    /// Number of the first forward pass; those that follow count on from it.
    pub pass: u64,
}

/// What came of a [`Window`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Accumulated {
    /// The mean loss, whose gradients were added; `None` if there was nothing to learn, and nothing was added.
    pub loss: Option<f64>,
    /// Tokens of all rows.
    pub tokens: usize,
    /// Of them, those for which the frozen layers had nothing to do.
    pub reused: usize,
    /// Forward passes.
    pub passes: u64,
}

/// A purpose of training `M`, a model or several together.
pub trait Objective<M> {
    /// The rows to train on, in the order of their table.
    fn rows(&self) -> &[u32];

    /// How the rows of an epoch are drawn; `None`: each once.
    fn balance(&self) -> Option<&Balance> {
        None
    }

    /// How many rows an evaluation takes; `None` without any.
    fn evaluated_rows(&self) -> Option<usize>;

    /// Adds the gradients of the mean loss of `window`.
    ///
    /// # Errors
    /// If the device has no room for a batch.
    fn accumulate(&mut self, model: &mut M, window: Window<'_>) -> Result<Accumulated, AllocationError>;

    /// What [`Observer::score`](crate::Observer::score) is made of; `None` if `progress`, which is told the rows done so
    /// far, breaks off. No batch has more than `batch_size` rows; several may be computed at the same time, one a thread.
    ///
    /// # Errors
    /// If the device has no room for a batch.
    fn evaluate(
        &mut self,
        model: &mut M,
        batch_size: usize,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Vec<f32>>, AllocationError>;
}
