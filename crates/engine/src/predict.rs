//! Outputs of a model for many rows, batch by batch.

use std::ops::ControlFlow;

use gyeol_data::Tokenised;

use crate::device::{AllocationError, Device};
use crate::model::Model;

impl<D: Device> Model<D> {
    /// The outputs `[rows.len(), outputs]` of `rows` in their order, `batch_size` texts at a time; `None` if `progress`,
    /// which is told the rows done so far, breaks off.
    ///
    /// Texts of like length share a batch, so that one long text does not make room for many: a row's outputs do not
    /// depend on its neighbours.
    ///
    /// # Errors
    /// If the device has no room for a batch.
    pub fn predict(
        &mut self,
        tokens: &Tokenised,
        rows: &[u32],
        batch_size: usize,
        mut progress: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Vec<f32>>, AllocationError> {
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        // The longest first: a batch that does not fit memory fails at once.
        order.sort_by_key(|&i| std::cmp::Reverse(tokens.length(rows[i as usize] as usize)));
        let width = self.outputs();
        let mut outputs = vec![0.0; rows.len() * width];
        let mut done = 0;
        for chunk in order.chunks(batch_size) {
            let batch_rows: Vec<u32> = chunk.iter().map(|&i| rows[i as usize]).collect();
            let result = self.infer(&tokens.batch(&batch_rows))?;
            for (&i, values) in chunk.iter().zip(result.chunks_exact(width)) {
                outputs[i as usize * width..(i as usize + 1) * width].copy_from_slice(values);
            }
            done += chunk.len();
            if progress(done).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(outputs))
    }
}
