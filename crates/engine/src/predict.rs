//! Outputs of a model for many rows, batch by batch.

use std::ops::ControlFlow;

use gyeol_data::Tokenised;

use crate::device::{AllocationError, Device};
use crate::kept::KeptRows;
use crate::model::Model;

/// Tokens of a batch, unless its one text has more. With fewer than a thousand the products get slow, with more than three
/// thousand the activations of a block outgrow the last-level cache; between them the speed is much the same.
const TOKENS: usize = 1536;

impl<D: Device> Model<D> {
    /// The outputs `[rows.len(), outputs]` of `rows` in their order; `None` if `progress`, which is told the rows done so
    /// far, breaks off. At most `batch_size` texts are computed at a time, fewer where they are long: memory is bounded by
    /// tokens.
    ///
    /// Texts of like length share a batch, so that batches are alike in size: a row's outputs do not depend on its
    /// neighbours. What frozen layers put out is taken from `kept`, and left there.
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
        kept: &mut KeptRows,
        mut progress: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Vec<f32>>, AllocationError> {
        let length = |i: u32| tokens.length(rows[i as usize] as usize);
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        // The longest first: a batch that does not fit memory fails at once.
        order.sort_by_key(|&i| std::cmp::Reverse(length(i)));
        let width = self.outputs();
        let mut outputs = vec![0.0; rows.len() * width];
        let mut rest = order.as_slice();
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(batch_len(rest.iter().map(|&i| length(i)), batch_size));
            let batch_rows: Vec<u32> = batch.iter().map(|&i| rows[i as usize]).collect();
            let result = self.infer(&tokens.batch(&batch_rows), kept)?;
            for (&i, values) in batch.iter().zip(result.chunks_exact(width)) {
                outputs[i as usize * width..(i as usize + 1) * width].copy_from_slice(values);
            }
            rest = after;
            if progress(rows.len() - rest.len()).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(outputs))
    }
}

/// How many of the next texts, of these lengths, make a batch.
pub(crate) fn batch_len(lengths: impl Iterator<Item = usize>, batch_size: usize) -> usize {
    assert!(batch_size > 0, "a batch holds at least one text");
    let mut tokens = 0;
    let fits = |length: &usize| {
        tokens += length;
        tokens <= TOKENS
    };
    lengths.take(batch_size).take_while(fits).count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_bounded_by_texts_and_by_tokens() {
        let count = |lengths: &[usize], batch_size| batch_len(lengths.iter().copied(), batch_size);
        assert_eq!(count(&[5; 9], 4), 4);
        assert_eq!(count(&[5; 3], 4), 3);
        assert_eq!(count(&[TOKENS / 2, TOKENS / 2, 1], 4), 2);
        assert_eq!(count(&[TOKENS / 2, TOKENS / 2 + 1], 4), 1);
    }

    #[test]
    fn a_text_longer_than_a_batch_is_one_of_its_own() {
        assert_eq!(batch_len([TOKENS + 1, 1].into_iter(), 4), 1);
    }
}
