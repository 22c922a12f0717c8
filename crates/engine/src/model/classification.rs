//! Passes of a model whose head gives outputs for each row.

use super::{Acts, AllocationError, Batch, Device, DropoutStream, Extent, Model, Planner, Rows, Saved, SequenceActs};
use crate::config::Pooling;
use crate::kept::KeptRows;

impl<D: Device> Model<D> {
    /// Number of outputs a row.
    ///
    /// # Panics
    /// If it is a masked language model, which has none.
    pub fn outputs(&self) -> usize {
        self.network.head.sequence().outputs()
    }

    /// The outputs `[rows, outputs]` of a batch, without dropout. A row is a text, or, where the head compares two, two
    /// that follow each other. What frozen layers put out is taken from `kept`, and left there.
    ///
    /// # Errors
    /// If the device has no room for the activations.
    ///
    /// # Panics
    /// If the batch ends within a row.
    pub fn infer(&mut self, batch: &Batch, kept: &KeptRows) -> Result<Vec<f32>, AllocationError> {
        Ok(self.classify(batch, kept, None)?.outputs)
    }

    /// [`Model::infer`] with dropout; what [`Model::backward`] needs is kept. Beside the outputs the tokens of rows for which
    /// the frozen layers had nothing to do, as they were in `kept`.
    ///
    /// # Errors
    /// If the device has no room for the activations.
    pub fn forward(
        &mut self,
        batch: &Batch,
        kept: &KeptRows,
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
        d.write(head.doutputs(), doutputs);
        self.network.head.sequence().backward(d, acts.out(), &head, acts.scratch.stream, Some(stream));
        self.encode_backward(&acts, stream);
    }

    /// Clears the gradient of the bias of the layer that gives the outputs, if one does: without one it does not move.
    pub(crate) fn clear_output_bias_gradient(&mut self) {
        if let Some(layer) = self.network.head.sequence().last_layer() {
            self.device.clear_gradient(layer.bias);
        }
    }

    /// Places for the activations of a pass over `batch`.
    pub(super) fn plan_sequences(&self, planner: &mut Planner, batch: Extent, training: bool) -> (Acts, SequenceActs) {
        let upper = self.frozen..self.network.blocks.len();
        let acts = self.plan(planner, upper, self.rows(batch), training);
        let head = self.network.head.sequence().plan(planner, batch.sequences, training);
        (acts, head)
    }

    fn classify(
        &mut self,
        batch: &Batch,
        kept: &KeptRows,
        stream: Option<DropoutStream>,
    ) -> Result<Pass, AllocationError> {
        let (training, sequences) = (stream.is_some(), batch.len());
        assert!(sequences.is_multiple_of(self.network.head.sequence().sequences()), "a batch holds whole rows");
        let lower = self.lower(batch, kept)?;
        let mut planner = Planner::new(&self.device);
        let (acts, head) = self.plan_sequences(&mut planner, Extent::of(batch), training);
        self.device.reserve_activations(planner.len())?;
        self.encode(batch, self.read(batch), &acts, &lower.values, stream);
        let (d, sequence) = (&mut self.device, self.network.head.sequence());
        sequence.forward(d, acts.out(), &head, stream);
        let mut outputs = vec![0.0; sequences / sequence.sequences() * sequence.outputs()];
        d.read(head.outputs(), &mut outputs);
        Ok(Pass { outputs, reused: lower.reused, acts, head })
    }

    /// The rows of a batch that the head reads, and so all that leave the encoder.
    pub(super) fn rows(&self, Extent { tokens, sequences }: Extent) -> Rows {
        match self.network.head.sequence().pooling() {
            Pooling::Cls => Rows::First { tokens, sequences },
            Pooling::Mean | Pooling::Max => Rows::All { tokens },
        }
    }

    /// Which tokens of `batch` these are, unless all.
    pub(super) fn read(&self, batch: &Batch) -> Vec<u32> {
        match self.rows(Extent::of(batch)) {
            Rows::First { sequences, .. } => batch.cu_seqlens[..sequences].to_vec(),
            Rows::All { .. } | Rows::Picked { .. } => Vec::new(),
        }
    }
}

/// What a pass through the whole model gives.
struct Pass {
    outputs: Vec<f32>,
    /// Tokens for which the frozen layers had nothing to do.
    reused: usize,
    acts: Acts,
    head: SequenceActs,
}
