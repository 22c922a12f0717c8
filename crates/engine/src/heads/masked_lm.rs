//! The head of masked language models: a dense layer with activation and LayerNorm, then the word table as the weight of the
//! layer to the vocabulary (tied, as transformers has it by default) with a bias of its own.

use gyeol_kernels::Activation;

use crate::device::{Act, Device, LinearParams, NormActs, NormParams};
use crate::pass::Planner;

/// A masked-LM head's parameters.
#[derive(Debug, Clone)]
pub(crate) struct MaskedLmHead {
    pub(crate) dense: LinearParams,
    pub(crate) activation: Activation,
    pub(crate) norm: NormParams,
    /// From the width of the embeddings to the vocabulary; its weight is the word table.
    pub(crate) decoder: LinearParams,
}

/// What the backward pass reads, gradients of the same shapes, and the result `logits`, `[rows, vocabulary]`, which the
/// loss turns into their own gradient.
#[derive(Debug, Clone)]
pub(crate) struct MaskedLmActs {
    before: Act,
    norm: NormActs,
    normed: Act,
    pub(crate) logits: Act,
    dnormed: Act,
    dactivated: Act,
    waste: Act,
}

impl MaskedLmHead {
    pub(crate) fn plan(&self, planner: &mut Planner, rows: usize, training: bool) -> MaskedLmActs {
        let width = self.dense.shape.outputs;
        let before = planner.act(rows * width);
        let norm = NormActs { x: planner.act(rows * width), rstd: planner.act(rows) };
        let normed = planner.act(rows * width);
        let logits = planner.act(rows * self.decoder.shape.outputs);
        let mut gradient = || if training { planner.act(rows * width) } else { Act::default() };
        MaskedLmActs { before, norm, normed, logits, dnormed: gradient(), dactivated: gradient(), waste: gradient() }
    }

    /// From the encoder's output for the tokens to be filled in, `x` `[rows, hidden]`, to their logits.
    pub(crate) fn forward<D: Device>(&self, d: &mut D, x: Act, acts: &MaskedLmActs) {
        d.linear_activation(&self.dense, self.activation, x, acts.before, acts.norm.x);
        d.add_norm(&self.norm, acts.norm, None, None, acts.normed);
        d.linear(&self.decoder, acts.normed, acts.logits);
    }

    /// From the gradient in `acts.logits` to that of `x`, in `dx`. The decoder comes first: the embeddings add to the
    /// gradient that its product leaves of the word table.
    pub(crate) fn backward<D: Device>(&self, d: &mut D, x: Act, acts: &MaskedLmActs, dx: Act) {
        let dx = dx.rows(1, x.span.len);
        d.linear_backward_weight(&self.decoder, acts.logits, acts.normed);
        d.linear_backward_input(&self.decoder, acts.logits, acts.dnormed, false);
        // Without a residual both gradients of the norm's operand are the same: one goes to waste.
        d.add_norm_backward(&self.norm, acts.norm, None, acts.dnormed, acts.dactivated, acts.waste);
        d.activation_backward(self.activation, acts.before, acts.dactivated, acts.waste);
        d.linear_backward_weight(&self.dense, acts.dactivated, x);
        d.linear_backward_input(&self.dense, acts.dactivated, dx, false);
    }
}
