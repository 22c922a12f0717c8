//! Frozen layers: the part of the encoder below those that train. It runs without dropout and without a backward pass, and
//! what it puts out for a row may be kept.

use super::{Acts, AllocationError, Batch, Device, Extent, Model, Planner, Rows};
use crate::kept::KeptRows;

/// What the frozen layers put out for a batch.
#[derive(Debug, Default)]
pub(super) struct Lower {
    /// `[tokens, hidden]`; with every layer frozen, `[read, hidden]` of the tokens that the head reads, which may be all.
    pub(super) values: Vec<f32>,
    /// Tokens of the rows that were kept from before.
    pub(super) reused: usize,
}

impl<D: Device> Model<D> {
    /// Keeps the lowest `layers` blocks as they are, and with any of them the embeddings: from now on they have no dropout,
    /// no gradient and no update. To be called before training.
    ///
    /// # Panics
    /// If there are fewer blocks.
    pub fn freeze(&mut self, layers: usize) {
        assert!(layers <= self.network.blocks.len(), "{layers} of {} blocks", self.network.blocks.len());
        self.frozen = layers;
    }

    /// What the frozen layers put out for `batch`: of the rows in `kept` that, of the others computed, and kept if there is
    /// room. Empty where nothing is frozen.
    pub(super) fn lower(&mut self, batch: &Batch, kept: &KeptRows) -> Result<Lower, AllocationError> {
        if self.frozen == 0 {
            return Ok(Lower::default());
        }
        let missing: Vec<usize> = (0..batch.len()).filter(|&i| kept.get(batch.rows[i]).is_none()).collect();
        let part = batch.select(&missing);
        let computed = if missing.is_empty() { Vec::new() } else { self.compute_lower(&part)? };
        let first_alone = matches!(self.lower_rows(Extent::of(batch)), Rows::First { .. });
        let (mut values, mut reused, mut rest) = (Vec::new(), 0, &computed[..]);
        for (i, &row) in batch.rows.iter().enumerate() {
            // A row may be in a batch twice: then it was missing both times.
            if missing.binary_search(&i).is_ok() {
                let rows = if first_alone { 1 } else { batch.length(i) };
                let (own, after) = rest.split_at(rows * self.config.hidden_size);
                values.extend_from_slice(own);
                kept.keep(row, own);
                rest = after;
            } else if let Some(own) = kept.get(row) {
                values.extend_from_slice(&own);
                reused += batch.length(i);
            }
        }
        Ok(Lower { values, reused })
    }

    /// The rows that leave the frozen layers.
    fn lower_rows(&self, batch: Extent) -> Rows {
        if self.freezes_all() { self.rows(batch) } else { Rows::All { tokens: batch.tokens } }
    }

    fn freezes_all(&self) -> bool {
        self.frozen == self.network.blocks.len()
    }

    fn plan_lower(&self, planner: &mut Planner, batch: Extent) -> Acts {
        self.plan(planner, 0..self.frozen, self.lower_rows(batch), false)
    }

    /// Numbers that the activations of the frozen layers over `batch` take.
    pub(super) fn lower_len(&self, batch: Extent) -> usize {
        let mut planner = Planner::new(&self.device);
        if self.frozen > 0 {
            self.plan_lower(&mut planner, batch);
        }
        planner.len()
    }

    fn compute_lower(&mut self, batch: &Batch) -> Result<Vec<f32>, AllocationError> {
        let mut planner = Planner::new(&self.device);
        let acts = self.plan_lower(&mut planner, Extent::of(batch));
        let read = if self.freezes_all() { self.read(batch) } else { Vec::new() };
        self.device.reserve_activations(planner.len())?;
        self.encode(batch, read, &acts, &[], None);
        let mut values = vec![0.0; acts.out().span.len];
        self.device.read(acts.out(), &mut values);
        Ok(values)
    }
}
