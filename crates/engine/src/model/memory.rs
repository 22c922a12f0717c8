//! How much memory training takes, from the shapes alone: nothing is allocated or computed.

#[cfg(test)]
mod tests;

use gyeol_data::Batch;

use super::{Device, Model, Planner};
use crate::config::Optimizer;

/// How large a batch is: what the memory of a pass over it depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// Tokens of all sequences.
    pub tokens: usize,
    /// Sequences, of which a row may have several.
    pub sequences: usize,
}

impl Extent {
    /// That of `batch`.
    pub fn of(batch: &Batch) -> Self {
        Self { tokens: batch.tokens(), sequences: batch.len() }
    }
}

/// Bytes that training a model occupies at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// The weights, and the copies of them that products read.
    pub weights: u64,
    /// The gradients of what trains.
    pub gradients: u64,
    /// What the optimiser keeps of them.
    pub moments: u64,
    /// The intermediate values of the batches that are kept at once.
    pub activations: u64,
}

impl Memory {
    /// All of it.
    pub fn total(self) -> u64 {
        self.weights + self.gradients + self.moments + self.activations
    }
}

impl std::iter::Sum for Memory {
    /// That of models which are trained together.
    fn sum<I: Iterator<Item = Self>>(models: I) -> Self {
        models.fold(Self::default(), |sum, model| Self {
            weights: sum.weights + model.weights,
            gradients: sum.gradients + model.gradients,
            moments: sum.moments + model.moments,
            activations: sum.activations + model.activations,
        })
    }
}

const NUMBER: u64 = size_of::<f32>() as u64;

impl<D: Device> Model<D> {
    /// What training with `optimizer` occupies, activations apart. Frozen parameters have neither gradient nor moments.
    pub fn memory(&self, optimizer: Optimizer) -> Memory {
        let (table, start) = (self.table(), self.trained_from());
        let trained = || table.tensors().iter().filter(move |tensor| tensor.span.start >= start);
        Memory {
            weights: table.len() as u64 * NUMBER + self.device.packed_bytes(table.linears()) as u64,
            gradients: trained().map(|tensor| tensor.span.len as u64).sum::<u64>() * NUMBER,
            moments: optimizer.moments_len(trained()) as u64 * NUMBER,
            activations: 0,
        }
    }

    /// Bytes of the activations of a pass over `batch`, in training or in inference.
    ///
    /// # Panics
    /// If it is a masked language model.
    pub fn activation_bytes(&self, batch: Extent, training: bool) -> u64 {
        let mut planner = Planner::new(&self.device);
        self.plan_sequences(&mut planner, batch, training);
        planner.len().max(self.lower_len(batch)) as u64 * NUMBER
    }

    /// Bytes of the activations of a pass over `tokens`, of which `picked` are to be filled in, in training or in inference.
    ///
    /// # Panics
    /// If it is no masked language model.
    pub fn masked_activation_bytes(&self, tokens: usize, picked: usize, training: bool) -> u64 {
        let mut planner = Planner::new(&self.device);
        self.plan_masked(&mut planner, tokens, picked, training);
        planner.len() as u64 * NUMBER
    }
}
