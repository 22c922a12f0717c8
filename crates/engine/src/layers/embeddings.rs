//! Word + position + segment embeddings, LayerNorm, dropout, and ELECTRA's projection to the hidden width.

use crate::device::{Act, Device, EmbeddingParams, LinearParams, NormActs, NormParams};
use crate::layers::Scratch;
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

/// What the backward pass reads, and the result `out`, `[tokens, hidden]`.
#[derive(Debug, Clone)]
pub(crate) struct EmbeddingsActs {
    norm: NormActs,
    normed: Act,
    pub(crate) out: Act,
}

impl Embeddings {
    pub(crate) fn plan(&self, planner: &mut Planner, tokens: usize) -> EmbeddingsActs {
        let norm = NormActs { x: planner.act(tokens * self.tables.width), rstd: planner.act(tokens) };
        let normed = planner.act(tokens * self.tables.width);
        let out = self.projection.map_or(normed, |projection| planner.act(tokens * projection.shape.outputs));
        EmbeddingsActs { norm, normed, out }
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

    /// From the gradient of `out` in `scratch.stream`.
    pub(crate) fn backward<D: Device>(
        &self,
        d: &mut D,
        acts: &EmbeddingsActs,
        scratch: &Scratch,
        stream: Option<DropoutStream>,
    ) {
        let mut gradient = scratch.stream;
        if let Some(projection) = &self.projection {
            d.linear_backward_weight(projection, gradient, acts.normed);
            d.linear_backward_input(projection, gradient, scratch.embedding, false);
            gradient = scratch.embedding;
        }
        if let Some(dropout) = stream.and_then(|stream| stream.site(0, Site::Embeddings, self.dropout)) {
            d.dropout(dropout, gradient);
        }
        // Without a residual both gradients of the norm's operand are the same: one goes to waste.
        let (dx, waste) = scratch.embedding_pair;
        d.add_norm_backward(&self.norm, acts.norm, None, gradient, dx, waste);
        d.embed_backward(&self.tables, dx);
    }
}
