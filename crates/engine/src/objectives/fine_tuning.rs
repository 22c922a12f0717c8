//! Fine-tuning: the outputs of the head against the targets of the rows.

use std::ops::ControlFlow;

use gyeol_data::{Targets, Tokenised};

use super::{Accumulated, Objective, Window};
use crate::config::LossKind;
use crate::device::{AllocationError, Device};
use crate::kept::KeptRows;
use crate::losses;
use crate::model::Model;
use crate::pass::DropoutStream;

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

/// Classification or regression. An evaluation gives the outputs `[rows, outputs]` of the rows to evaluate on.
#[derive(Debug)]
pub struct FineTuning<'a> {
    /// What is minimised.
    pub loss: LossKind,
    /// The rows to fit.
    pub train: TrainSet<'a>,
    /// The rows to evaluate on.
    pub valid: Option<TrainSet<'a>>,
    /// What frozen layers put out for the rows to fit.
    pub kept: KeptRows,
    /// The same of the rows to evaluate on.
    pub kept_valid: KeptRows,
}

impl<D: Device> Objective<D> for FineTuning<'_> {
    fn rows(&self) -> &[u32] {
        self.train.rows
    }

    fn evaluated_rows(&self) -> Option<usize> {
        self.valid.map(|valid| valid.rows.len())
    }

    /// Every row weighs the same, however the window falls into batches.
    fn accumulate(&mut self, model: &mut Model<D>, window: Window<'_>) -> Result<Accumulated, AllocationError> {
        let weight = 1.0 / window.rows.len() as f64;
        let (mut total, mut done) = (0.0, Accumulated::default());
        for rows in window.rows.chunks(window.batch_size) {
            let batch = self.train.tokens.batch(rows);
            let stream = DropoutStream::new(window.seed, window.pass + done.passes);
            let (outputs, reused) = model.forward(&batch, &mut self.kept, stream)?;
            let (loss, gradient) = losses::loss(self.loss, &outputs, &self.train.targets.select(rows), weight);
            model.backward(&gradient);
            total += loss * weight;
            done.tokens += batch.tokens();
            done.reused += reused;
            done.passes += 1;
        }
        done.loss = Some(total);
        Ok(done)
    }

    fn evaluate(
        &mut self,
        model: &mut Model<D>,
        batch_size: usize,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Vec<f32>>, AllocationError> {
        let Some(valid) = self.valid else { return Ok(Some(Vec::new())) };
        model.predict(valid.tokens, valid.rows, batch_size, &mut self.kept_valid, progress)
    }
}
