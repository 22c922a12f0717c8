//! Word + position + segment embeddings, LayerNorm, dropout, and ELECTRA's projection to the hidden width.

use crate::device::{Act, Device, EmbeddingParams, LinearParams, NormActs, NormParams};
use crate::pass::{DropoutStream, Planner, Site};

/// The embedding layer's parameters.
#[derive(Debug, Clone)]
pub(crate) struct Embeddings {
    pub(crate) tables: EmbeddingParams,
    pub(crate) norm: NormParams,
    /// From the embedding's width to the hidden width, where they differ.
    pub(crate) projection: Option<LinearParams>,
    pub(crate) dropout: f32,
}

/// What the backward pass reads, its gradients, and the result `out`, `[tokens, hidden]`.
#[derive(Debug, Clone)]
pub(crate) struct EmbeddingsActs {
    norm: NormActs,
    normed: Act,
    pub(crate) out: Act,
    /// The gradient of `normed`, where that is projected.
    dnormed: Act,
    /// The gradient of the tables' rows.
    drows: Act,
    waste: Act,
}

impl Embeddings {
    pub(crate) fn plan(&self, planner: &mut Planner, tokens: usize, training: bool) -> EmbeddingsActs {
        let len = tokens * self.tables.width;
        let norm = NormActs { x: planner.act(len), rstd: planner.act(tokens) };
        let normed = planner.act(len);
        let out = self.projection.map_or(normed, |projection| planner.act(tokens * projection.shape.outputs));
        let mut gradient = |needed: bool| if training && needed { planner.act(len) } else { Act::default() };
        let dnormed = gradient(self.projection.is_some());
        EmbeddingsActs { norm, normed, out, dnormed, drows: gradient(true), waste: gradient(true) }
    }

    pub(crate) fn forward<D: Device>(&self, d: &mut D, acts: &EmbeddingsActs, stream: Option<DropoutStream>) {
        d.embed(&self.tables, acts.norm.x);
        d.add_norm(&self.norm, acts.norm, None, None, acts.normed);
        if let Some(dropout) = stream.and_then(|stream| stream.site(0, Site::Embeddings, self.dropout)) {
            d.dropout(dropout, acts.normed);
        }
        if let Some(projection) = &self.projection {
            d.linear(projection, acts.normed, acts.out);
        }
    }

    /// From the gradient of `out` in `dout`.
    pub(crate) fn backward<D: Device>(
        &self,
        d: &mut D,
        acts: &EmbeddingsActs,
        dout: Act,
        stream: Option<DropoutStream>,
    ) {
        let mut gradient = dout;
        if let Some(projection) = &self.projection {
            d.linear_backward_weight(projection, gradient, acts.normed);
            d.linear_backward_input(projection, gradient, acts.dnormed, false);
            gradient = acts.dnormed;
        }
        if let Some(dropout) = stream.and_then(|stream| stream.site(0, Site::Embeddings, self.dropout)) {
            d.dropout(dropout, gradient);
        }
        // Without a residual both gradients of the norm's operand are the same: one goes to waste.
        d.add_norm_backward(&self.norm, acts.norm, None, gradient, acts.drows, acts.waste);
        d.embed_backward(&self.tables, acts.drows);
    }
}
