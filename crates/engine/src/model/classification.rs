//! Passes of a model whose head gives outputs for each row.

use super::{Acts, AllocationError, Batch, Device, DropoutStream, Model, Planner, Rows, Saved, SequenceActs};
use crate::config::Pooling;

impl<D: Device> Model<D> {
    /// Number of outputs a row.
    ///
    /// # Panics
    /// If it is a masked language model, which has none.
    pub fn outputs(&self) -> usize {
        self.network.head.sequence().outputs()
    }

    /// The outputs `[rows, outputs]` of a batch, without dropout. A row is a text, or, where the head compares two, two
    /// that follow each other.
    ///
    /// # Errors
    /// If the device has no room for the activations.
    ///
    /// # Panics
    /// If the batch ends within a row.
    pub fn infer(&mut self, batch: &Batch) -> Result<Vec<f32>, AllocationError> {
        Ok(self.classify(batch, None)?.0)
    }

    /// [`Model::infer`] with dropout; what [`Model::backward`] needs is kept.
    ///
    /// # Errors
    /// If the device has no room for the activations.
    pub fn forward(&mut self, batch: &Batch, stream: DropoutStream) -> Result<Vec<f32>, AllocationError> {
        let (outputs, acts, head) = self.classify(batch, Some(stream))?;
        self.saved = Some(Saved { acts, head, stream });
        Ok(outputs)
    }

    /// Adds the gradients of every parameter that is not frozen, from that of the outputs of the last
    /// [`Model::forward`].
    ///
    /// # Panics
    /// Without one.
    pub fn backward(&mut self, doutputs: &[f32]) {
        let Saved { acts, head, stream } = self.saved.take().expect("a backward pass follows a forward pass");
        let d = &mut self.device;
        d.write(head.doutputs(), doutputs);
        self.network.head.sequence().backward(d, acts.last.out, &head, acts.scratch.stream, Some(stream));
        self.encode_backward(&acts, stream);
    }

    fn classify(
        &mut self,
        batch: &Batch,
        stream: Option<DropoutStream>,
    ) -> Result<(Vec<f32>, Acts, SequenceActs), AllocationError> {
        let (training, tokens, sequences) = (stream.is_some(), batch.tokens(), batch.len());
        let head = self.network.head.sequence();
        assert!(sequences.is_multiple_of(head.sequences()), "a batch holds whole rows");
        let (last, read) = match head.pooling() {
            Pooling::Cls => (Rows::First { tokens, sequences }, batch.cu_seqlens[..sequences].to_vec()),
            Pooling::Mean | Pooling::Max => (Rows::All { tokens }, Vec::new()),
        };
        let mut planner = Planner::default();
        let acts = self.plan(&mut planner, batch, last, training);
        let head_acts = head.plan(&mut planner, sequences, training);
        let mut outputs = vec![0.0; sequences / head.sequences() * head.outputs()];
        self.device.reserve_activations(planner.len())?;
        self.encode(batch, read, &acts, stream);
        let d = &mut self.device;
        self.network.head.sequence().forward(d, acts.last.out, &head_acts, stream);
        d.read(head_acts.outputs(), &mut outputs);
        Ok((outputs, acts, head_acts))
    }
}
