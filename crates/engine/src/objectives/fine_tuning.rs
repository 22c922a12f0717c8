//! Fine-tuning: the outputs of the head against the targets of the rows.

use std::ops::ControlFlow;

use gyeol_data::{Batch, Targets, Tokenised};

use super::{Accumulated, Objective, Window};
use crate::device::{AllocationError, Device};
use crate::joint::Joint;
use crate::kept::KeptRows;
use crate::losses::{self, Loss};
use crate::pass::DropoutStream;
use crate::sampling::Balance;

/// Rows of a tokenised table and what the model is to say about them.
#[derive(Debug, Clone, Copy)]
pub struct TrainSet<'a> {
    /// The tokens of the whole table, as each member of the model reads it: one of a model alone.
    pub tokens: &'a [Tokenised],
    /// The targets of the whole table.
    pub targets: &'a Targets,
    /// The rows that belong to the set, in the order of the file.
    pub rows: &'a [u32],
}

/// Classification or regression. An evaluation gives the outputs `[rows, outputs]` of the rows to evaluate on.
#[derive(Debug)]
pub struct FineTuning<'a> {
    /// What is minimised.
    pub loss: &'a Loss,
    /// The rows to fit.
    pub train: TrainSet<'a>,
    /// How much each row of the table of `train` counts, from 0, beside one of weight 1; `None`: alike. A window of
    /// light rows moves the model little: what its losses are divided by does not depend on these.
    pub row_weights: Option<&'a [f32]>,
    /// How an epoch draws them; `None`: each once.
    pub balance: Option<&'a Balance>,
    /// The rows to evaluate on.
    pub valid: Option<TrainSet<'a>>,
    /// What each member's frozen layers put out for the rows to fit.
    pub kept: Vec<KeptRows>,
    /// The same of the rows to evaluate on.
    pub kept_valid: Vec<KeptRows>,
}

impl FineTuning<'_> {
    /// The losses of `rows` together, and the gradient of their outputs of `weight` times that sum.
    fn loss_of(&self, rows: &[u32], outputs: &[f32], weight: f64) -> (f64, Vec<f32>) {
        let targets = self.train.targets.select(rows);
        match self.weights(rows) {
            Some(weights) => losses::weighted_loss(self.loss, outputs, &targets, &weights, weight),
            None => losses::loss(self.loss, outputs, &targets, weight),
        }
    }

    fn weights(&self, rows: &[u32]) -> Option<Vec<f32>> {
        self.row_weights.map(|weights| rows.iter().map(|&row| weights[row as usize]).collect())
    }
}

impl<D: Device> Objective<Joint<D>> for FineTuning<'_> {
    fn rows(&self) -> &[u32] {
        self.train.rows
    }

    fn balance(&self) -> Option<&Balance> {
        self.balance
    }

    fn evaluated_rows(&self) -> Option<usize> {
        self.valid.map(|valid| valid.rows.len())
    }

    /// What a row weighs does not depend on how the window falls into batches.
    fn accumulate(&mut self, model: &mut Joint<D>, window: Window<'_>) -> Result<Accumulated, AllocationError> {
        let weight = 1.0 / self.loss.total_weight(&self.train.targets.select(window.rows));
        let (mut total, mut done) = (0.0, Accumulated::default());
        for rows in window.rows.chunks(window.batch_size) {
            let batches: Vec<Batch> = self.train.tokens.iter().map(|tokens| tokens.batch(rows)).collect();
            let stream = DropoutStream::new(window.seed, window.pass + done.passes);
            let (outputs, reused) = model.forward(&batches, &self.kept, stream)?;
            let (loss, gradient) = self.loss_of(rows, &outputs, weight);
            model.backward(&gradient);
            total += loss * weight;
            done.tokens += batches.iter().map(Batch::tokens).sum::<usize>();
            done.reused += reused;
            done.passes += 1;
        }
        done.loss = Some(total);
        Ok(done)
    }

    fn evaluate(
        &mut self,
        model: &mut Joint<D>,
        batch_size: usize,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Vec<f32>>, AllocationError> {
        let Some(valid) = self.valid else { return Ok(Some(Vec::new())) };
        model.predict(valid.tokens, valid.rows, batch_size, &self.kept_valid, progress)
    }
}
