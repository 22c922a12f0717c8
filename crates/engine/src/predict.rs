//! Outputs of a model for many rows, batch by batch: one batch a thread where there are several, which then never wait for each
//! other.

mod batches;
#[cfg(test)]
mod tests;

use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicUsize, Ordering};

use gyeol_data::Tokenised;

use crate::device::{AllocationError, Device};
use crate::kept::KeptRows;
use crate::model::{Extent, Model};
use crate::side_by_side::side_by_side;

pub(crate) use batches::Room;
use batches::{cut, most_workers};

impl<D: Device> Model<D> {
    /// The outputs `[rows.len(), outputs]` of `rows` in their order; `None` if `progress`, which is told the rows done so
    /// far, breaks off. A batch has at most `batch_size` texts, fewer where they are long: memory is bounded by tokens.
    ///
    /// Batches are computed one a thread of the current `rayon` pool, where the device can share its parameters; a batch that is
    /// the last to run has the threads of all. Only the calling thread, best one of the pool, calls `progress`.
    ///
    /// Texts of like length share a batch, so that batches are alike in size: a row's outputs do not depend on its
    /// neighbours, nor on the number of threads. What frozen layers put out is taken from `kept`, and left there.
    ///
    /// # Errors
    /// If the device has no room for a batch.
    ///
    /// # Panics
    /// If `batch_size` is 0.
    pub fn predict(
        &mut self,
        tokens: &Tokenised,
        rows: &[u32],
        batch_size: usize,
        kept: &KeptRows,
        mut progress: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Vec<f32>>, AllocationError> {
        let (order, lengths) = longest_first(tokens, rows);
        let wanted = most_workers(lengths.iter().sum(), rayon::current_num_threads());
        let mut others: Vec<Self> = std::iter::from_fn(|| self.share()).take(wanted - 1).collect();
        let batches = cut(&lengths, batch_size, 1 + others.len());

        let (width, kept, done) = (self.outputs(), kept, AtomicUsize::new(0));
        let compute = |model: &mut Self, batch: usize| {
            let rows: Vec<u32> = order[batches[batch].clone()].iter().map(|&i| rows[i as usize]).collect();
            let outputs = model.infer(&tokens.batch(&rows), kept)?;
            done.fetch_add(rows.len(), Ordering::Relaxed);
            Ok(outputs)
        };
        let mut told = 0;
        let tell = || {
            let done = done.load(Ordering::Relaxed);
            if std::mem::replace(&mut told, done) == done { ControlFlow::Continue(()) } else { progress(done) }
        };
        let Some(results) = side_by_side(self, &mut others, batches.len(), compute, tell)? else { return Ok(None) };
        let mut outputs = vec![0.0; rows.len() * width];
        for (&i, values) in order.iter().zip(results.iter().flat_map(|batch| batch.chunks_exact(width))) {
            outputs[i as usize * width..][..width].copy_from_slice(values);
        }
        Ok(Some(outputs))
    }

    /// What [`Model::predict`] of `rows` takes for activations.
    ///
    /// # Panics
    /// If `batch_size` is 0, or it is a masked language model.
    pub fn predict_bytes(&self, tokens: &Tokenised, rows: &[u32], batch_size: usize) -> PredictBytes {
        let (_, lengths) = longest_first(tokens, rows);
        let workers = most_workers(lengths.iter().sum(), rayon::current_num_threads());
        let batches = cut(&lengths, batch_size, workers);
        let sequences = self.network.head.sequence().sequences();
        let bytes = |batch: &Range<usize>| {
            let tokens = lengths[batch.clone()].iter().sum();
            self.activation_bytes(Extent { tokens, sequences: sequences * batch.len() }, false)
        };
        // Neither the first nor the last need be it: texts may be bounded in the one and tokens in the other.
        let own = batches.iter().map(bytes).max().unwrap_or(0);
        PredictBytes { own, beside: (workers - 1) as u64 * own }
    }
}

/// Bytes of the activations of a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PredictBytes {
    /// Of its largest batch, in the model's own room.
    pub own: u64,
    /// Of batches that are computed at the same time as the model's own: none on one thread.
    pub beside: u64,
}

impl PredictBytes {
    /// Room for either prediction.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { own: self.own.max(other.own), beside: self.beside.max(other.beside) }
    }
}

/// Places in `rows`, those of the longest texts first: a batch that does not fit memory fails at once. And how long they are.
fn longest_first(tokens: &Tokenised, rows: &[u32]) -> (Vec<u32>, Vec<usize>) {
    let length = |i: u32| tokens.length(rows[i as usize] as usize);
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(length(i)));
    let lengths = order.iter().map(|&i| length(i)).collect();
    (order, lengths)
}
