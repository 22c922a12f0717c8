//! Passes of a model whose head gives outputs for each sequence.

use super::{Acts, AllocationError, Batch, Device, DropoutStream, HeadActs, HeadKind, Model, Planner, Rows, Saved};

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

    /// The outputs `[texts, outputs]` of a batch, without dropout.
    ///
    /// # Errors
    /// If the device has no room for the activations.
    pub fn infer(&mut self, batch: &Batch) -> Result<Vec<f32>, AllocationError> {
        Ok(self.classify(batch, None)?.0)
    }

    /// The outputs `[texts, outputs]` of a batch with dropout; what [`Model::backward`] needs is kept.
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
        d.write(head.doutputs, doutputs);
        self.network.head.classification().backward(d, acts.last.out, &head, acts.scratch.stream, Some(stream));
        self.encode_backward(&acts, stream);
    }

    /// Places for the activations of a pass over `batch`.
    pub(super) fn plan_classification(&self, planner: &mut Planner, batch: &Batch, training: bool) -> (Acts, HeadActs) {
        let first = Rows::First { tokens: batch.tokens(), sequences: batch.len() };
        let acts = self.plan(planner, batch, first, training);
        let head = self.network.head.classification().plan(planner, batch.len(), training);
        (acts, head)
    }

    fn classify(
        &mut self,
        batch: &Batch,
        stream: Option<DropoutStream>,
    ) -> Result<(Vec<f32>, Acts, HeadActs), AllocationError> {
        let training = stream.is_some();
        let mut planner = Planner::default();
        let (acts, head) = self.plan_classification(&mut planner, batch, training);
        self.device.reserve_activations(planner.len())?;
        self.encode(batch, batch.cu_seqlens[..batch.len()].to_vec(), &acts, stream);
        let d = &mut self.device;
        self.network.head.classification().forward(d, acts.last.out, &head, stream);
        let mut outputs = vec![0.0; batch.len() * self.outputs()];
        self.device.read(head.outputs, &mut outputs);
        Ok((outputs, acts, head))
    }
}
