//! Passes of a masked language model: logits only where a token is to be filled in.

use super::{Acts, AllocationError, Batch, Device, DropoutStream, MaskedLmActs, Model, Planner, Rows};

/// The tokens of a batch that are to be filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Masked {
    /// Where they are among the batch's tokens, ascending.
    pub positions: Vec<u32>,
    /// What they were.
    pub labels: Vec<u32>,
}

impl<D: Device> Model<D> {
    /// The cross-entropy of each token to be filled in, without dropout.
    ///
    /// # Errors
    /// If the device has no room for the activations.
    pub fn masked_losses(&mut self, batch: &Batch, masked: &Masked) -> Result<Vec<f32>, AllocationError> {
        if masked.positions.is_empty() {
            return Ok(Vec::new());
        }
        let (_, head) = self.fill_in(batch, masked, None)?;
        Ok(self.masked_loss(&head, masked, 0.0))
    }

    /// The cross-entropy of each token to be filled in, with dropout; adds the gradients of their sum times `weight`.
    ///
    /// # Errors
    /// If the device has no room for the activations.
    pub fn train_masked(
        &mut self,
        batch: &Batch,
        masked: &Masked,
        weight: f32,
        stream: DropoutStream,
    ) -> Result<Vec<f32>, AllocationError> {
        if masked.positions.is_empty() {
            return Ok(Vec::new());
        }
        let (acts, head) = self.fill_in(batch, masked, Some(stream))?;
        let losses = self.masked_loss(&head, masked, weight);
        let d = &mut self.device;
        self.network.head.masked_lm().backward(d, acts.out(), &head, acts.scratch.stream);
        self.encode_backward(&acts, stream);
        Ok(losses)
    }

    /// The logits `[masked, vocabulary]` of the tokens to be filled in, without dropout.
    ///
    /// # Errors
    /// If the device has no room for the activations.
    pub fn masked_logits(&mut self, batch: &Batch, masked: &Masked) -> Result<Vec<f32>, AllocationError> {
        let (_, head) = self.fill_in(batch, masked, None)?;
        let mut logits = vec![0.0; head.logits.span.len];
        self.device.read(head.logits, &mut logits);
        Ok(logits)
    }

    /// Losses of the logits, which become their gradient.
    fn masked_loss(&mut self, head: &MaskedLmActs, masked: &Masked, weight: f32) -> Vec<f32> {
        let mut losses = vec![0.0; masked.labels.len()];
        self.device.cross_entropy(head.logits, &masked.labels, weight, &mut losses);
        losses
    }

    /// Places for the activations of a pass over `tokens`, of which `picked` are to be filled in.
    pub(super) fn plan_masked(
        &self,
        planner: &mut Planner,
        tokens: usize,
        picked: usize,
        training: bool,
    ) -> (Acts, MaskedLmActs) {
        let acts = self.plan(planner, 0..self.network.blocks.len(), Rows::Picked { tokens, picked }, training);
        let head = self.network.head.masked_lm().plan(planner, picked, training);
        (acts, head)
    }

    /// The forward pass, up to the logits.
    fn fill_in(
        &mut self,
        batch: &Batch,
        masked: &Masked,
        stream: Option<DropoutStream>,
    ) -> Result<(Acts, MaskedLmActs), AllocationError> {
        assert_eq!(masked.positions.len(), masked.labels.len(), "one label a position");
        let (training, picked) = (stream.is_some(), masked.positions.len());
        let mut planner = Planner::new(&self.device);
        let (acts, head) = self.plan_masked(&mut planner, batch.tokens(), picked, training);
        self.device.reserve_activations(planner.len())?;
        self.encode(batch, masked.positions.clone(), &acts, &[], stream);
        self.network.head.masked_lm().forward(&mut self.device, acts.out(), &head);
        Ok((acts, head))
    }
}
