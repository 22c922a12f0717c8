//! Masked language modelling (Devlin et al. 2018): some tokens of a text are hidden, and the model fills them in.

use std::ops::ControlFlow;

use gyeol_data::{Batch, Tokenised};

use super::{Accumulated, Objective, Window};
use crate::config::TrainConfig;
use crate::device::{AllocationError, Device};
use crate::masking::Masking;
use crate::model::{Masked, Model};
use crate::pass::DropoutStream;
use crate::predict::Room;
use crate::trainer::TrainPlan;

/// Masked language modelling. The tokens hidden from a row are drawn anew in every epoch; an evaluation hides the same ones
/// each time, and gives the loss of each.
#[derive(Debug, Clone, Copy)]
pub struct MaskedLm<'a> {
    /// The tokens of all texts.
    pub tokens: &'a Tokenised,
    /// How tokens are hidden.
    pub masking: Masking<'a>,
    /// The rows to fit.
    pub train: &'a [u32],
    /// The rows to evaluate on; none: no evaluation.
    pub valid: &'a [u32],
    /// Keys the tokens hidden in evaluations.
    pub valid_seed: u64,
}

impl MaskedLm<'_> {
    /// Bytes of the activations of the largest pass of `model` in a run by `plan` and `config` from `seed`, training or
    /// evaluating.
    pub fn activation_bytes<D: Device>(
        &self,
        model: &Model<D>,
        plan: &TrainPlan,
        config: &TrainConfig,
        seed: u64,
    ) -> u64 {
        let bytes = |tokens: usize, training: bool| {
            model.masked_activation_bytes(tokens, self.masking.most_hidden(tokens), training)
        };
        let trained = plan.largest_batches(config, self.train, None, seed, std::slice::from_ref(self.tokens));
        let length = |rows: &[u32]| rows.iter().map(|&row| self.tokens.length(row as usize)).sum();
        let evaluated = self.evaluated(config.eval_batch_size).map(length).max().unwrap_or(0);
        bytes(trained[0].tokens, true).max(bytes(evaluated, false))
    }

    /// The rows to evaluate on, batch by batch.
    fn evaluated(&self, batch_size: usize) -> impl Iterator<Item = &[u32]> {
        let mut rest = self.valid;
        std::iter::from_fn(move || {
            let lengths = rest.iter().map(|&row| self.tokens.length(row as usize));
            let (rows, after) = rest.split_at(if rest.is_empty() { 0 } else { Room::alone(batch_size).take(lengths) });
            rest = after;
            (!rows.is_empty()).then_some(rows)
        })
    }

    /// The rows as a batch with tokens hidden.
    fn masked(&self, rows: &[u32], seed: u64, epoch: u64) -> (Batch, Masked) {
        let mut batch = self.tokens.batch(rows);
        let masked = self.masking.hide(&mut batch, seed, epoch);
        (batch, masked)
    }
}

impl<D: Device> Objective<Model<D>> for MaskedLm<'_> {
    fn rows(&self) -> &[u32] {
        self.train
    }

    fn evaluated_rows(&self) -> Option<usize> {
        (!self.valid.is_empty()).then_some(self.valid.len())
    }

    /// Every hidden token weighs the same, however the window falls into batches.
    fn accumulate(&mut self, model: &mut Model<D>, window: Window<'_>) -> Result<Accumulated, AllocationError> {
        let batches: Vec<(Batch, Masked)> =
            window.rows.chunks(window.batch_size).map(|rows| self.masked(rows, window.seed, window.epoch)).collect();
        let hidden: usize = batches.iter().map(|(_, masked)| masked.labels.len()).sum();
        let weight = 1.0 / hidden as f64;
        let (mut total, mut done) = (0.0, Accumulated::default());
        for (batch, masked) in &batches {
            let stream = DropoutStream::new(window.seed, window.pass + done.passes);
            let losses = model.train_masked(batch, masked, weight as f32, stream)?;
            total += losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() * weight;
            done.tokens += batch.tokens();
            done.passes += 1;
        }
        // A window of short texts may have no hidden token at all.
        done.loss = (hidden > 0).then_some(total);
        Ok(done)
    }

    fn evaluate(
        &mut self,
        model: &mut Model<D>,
        batch_size: usize,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Vec<f32>>, AllocationError> {
        let (mut losses, mut done) = (Vec::new(), 0);
        for rows in self.evaluated(batch_size) {
            let (batch, masked) = self.masked(rows, self.valid_seed, 0);
            losses.extend(model.masked_losses(&batch, &masked)?);
            done += rows.len();
            if progress(done).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(losses))
    }
}
