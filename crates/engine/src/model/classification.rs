//! Passes of a model whose head gives outputs for each sequence.

use super::{Acts, AllocationError, Batch, Device, DropoutStream, HeadActs, HeadKind, Model, Planner, Rows, Saved};
use crate::kept::KeptRows;

impl<D: Device> Model<D> {
    /// Number of outputs a text.
    ///
    /// # Panics
    /// If it is a masked language model, which has none.
    pub fn outputs(&self) -> usize {
        match self.head {
            HeadKind::Classification { outputs } => outputs,
            HeadKind::MaskedLm => panic!("a masked language model has no outputs for a sequence"),
        }
    }

    /// The outputs `[texts, outputs]` of a batch, without dropout. What frozen layers put out is taken from `kept`, and left
    /// there.
    ///
    /// # Errors
    /// If the device has no room for the activations.
    pub fn infer(&mut self, batch: &Batch, kept: &mut KeptRows) -> Result<Vec<f32>, AllocationError> {
        Ok(self.classify(batch, kept, None)?.outputs)
    }

    /// The outputs `[texts, outputs]` of a batch with dropout; what [`Model::backward`] needs is kept. Beside them the tokens
    /// of rows for which the frozen layers had nothing to do, as they were in `kept`.
    ///
    /// # Errors
    /// If the device has no room for the activations.
    pub fn forward(
        &mut self,
        batch: &Batch,
        kept: &mut KeptRows,
        stream: DropoutStream,
    ) -> Result<(Vec<f32>, usize), AllocationError> {
        let Pass { outputs, reused, acts, head } = self.classify(batch, kept, Some(stream))?;
        self.saved = Some(Saved { acts, head, stream });
        Ok((outputs, reused))
    }

    /// Adds the gradients of every parameter that is not frozen, from that of the outputs of the last
    /// [`Model::forward`].
    ///
    /// # Panics
    /// Without one.
    pub fn backward(&mut self, doutputs: &[f32]) {
        let Saved { acts, head, stream } = self.saved.take().expect("a backward pass follows a forward pass");
        let d = &mut self.device;
        d.write(head.doutputs, doutputs);
        self.network.head.classification().backward(d, acts.out(), &head, acts.scratch.stream, Some(stream));
        self.encode_backward(&acts, stream);
    }

    /// Places for the activations of a pass over `batch`.
    pub(super) fn plan_classification(&self, planner: &mut Planner, batch: &Batch, training: bool) -> (Acts, HeadActs) {
        let first = Rows::First { tokens: batch.tokens(), sequences: batch.len() };
        let upper = self.frozen..self.network.blocks.len();
        let acts = self.plan(planner, batch, upper, first, training);
        let head = self.network.head.classification().plan(planner, batch.len(), training);
        (acts, head)
    }

    fn classify(
        &mut self,
        batch: &Batch,
        kept: &mut KeptRows,
        stream: Option<DropoutStream>,
    ) -> Result<Pass, AllocationError> {
        let training = stream.is_some();
        let lower = self.lower(batch, kept)?;
        let mut planner = Planner::default();
        let (acts, head) = self.plan_classification(&mut planner, batch, training);
        self.device.reserve_activations(planner.len())?;
        self.encode(batch, batch.cu_seqlens[..batch.len()].to_vec(), &acts, &lower.values, stream);
        let d = &mut self.device;
        self.network.head.classification().forward(d, acts.out(), &head, stream);
        let mut outputs = vec![0.0; batch.len() * self.outputs()];
        self.device.read(head.outputs, &mut outputs);
        Ok(Pass { outputs, reused: lower.reused, acts, head })
    }
}

/// What a pass through the whole model gives.
struct Pass {
    outputs: Vec<f32>,
    /// Tokens for which the frozen layers had nothing to do.
    reused: usize,
    acts: Acts,
    head: HeadActs,
}
