//! One encoder block: self-attention and feed-forward, each with dropout, residual and LayerNorm (post-norm).

use gyeol_kernels::{Activation, Heads};

use crate::device::{Act, Device, LinearParams, NormActs, NormParams};
use crate::pass::{DropoutStream, Planner, Site};

/// A block's parameters.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// Number of the block, the lowest being 0: keys its dropout.
    pub(crate) index: usize,
    pub(crate) heads: Heads,
    /// Query, key and value as one layer, `[3·hidden, hidden]`.
    pub(crate) qkv: LinearParams,
    pub(crate) attention_output: LinearParams,
    pub(crate) attention_norm: NormParams,
    pub(crate) up: LinearParams,
    pub(crate) activation: Activation,
    pub(crate) down: LinearParams,
    pub(crate) output_norm: NormParams,
    pub(crate) attention_dropout: f32,
    pub(crate) hidden_dropout: f32,
}

/// What a block's backward pass reads, and its result `out`, `[tokens, hidden]`.
#[derive(Debug, Clone)]
pub(crate) struct BlockActs {
    qkv: Act,
    context: Act,
    lse: Act,
    attention_norm: NormActs,
    attended: Act,
    up: Act,
    output_norm: NormActs,
    pub(crate) out: Act,
}

/// Room that blocks take in turn: activated feed-forward values, and in training the gradients.
#[derive(Debug, Clone)]
pub(crate) struct Scratch {
    /// Activated feed-forward values, `[tokens, intermediate]`.
    activated: Act,
    /// The gradient running down the residual stream, `[tokens, hidden]`.
    pub(crate) stream: Act,
    branch: Act,
    residual: Act,
    wide: Act,
    qkv: Act,
    /// The gradient before ELECTRA's projection, `[tokens, embedding]`.
    pub(crate) embedding: Act,
    /// Two gradients of the embedding's width.
    pub(crate) embedding_pair: (Act, Act),
}

impl Scratch {
    pub(crate) fn plan(planner: &mut Planner, tokens: usize, shape: ScratchShape, training: bool) -> Self {
        let activated = planner.act(tokens * shape.intermediate);
        let mut gradient = |width: usize| if training { planner.act(tokens * width) } else { Act::default() };
        Self {
            activated,
            stream: gradient(shape.hidden),
            branch: gradient(shape.hidden),
            residual: gradient(shape.hidden),
            wide: gradient(shape.intermediate),
            qkv: gradient(3 * shape.hidden),
            embedding: gradient(shape.embedding),
            embedding_pair: (gradient(shape.embedding), gradient(shape.embedding)),
        }
    }
}

/// The widths that [`Scratch`] is planned for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScratchShape {
    pub(crate) hidden: usize,
    pub(crate) intermediate: usize,
    pub(crate) embedding: usize,
}

impl Block {
    pub(crate) fn plan(&self, planner: &mut Planner, tokens: usize) -> BlockActs {
        let hidden = self.heads.hidden();
        BlockActs {
            qkv: planner.act(tokens * 3 * hidden),
            context: planner.act(tokens * hidden),
            lse: planner.act(tokens * self.heads.heads),
            attention_norm: NormActs { x: planner.act(tokens * hidden), rstd: planner.act(tokens) },
            attended: planner.act(tokens * hidden),
            up: planner.act(tokens * self.up.shape.outputs),
            output_norm: NormActs { x: planner.act(tokens * hidden), rstd: planner.act(tokens) },
            out: planner.act(tokens * hidden),
        }
    }

    pub(crate) fn forward<D: Device>(
        &self,
        d: &mut D,
        x: Act,
        acts: &BlockActs,
        scratch: &Scratch,
        stream: Option<DropoutStream>,
    ) {
        let site = |site, p| stream.and_then(|stream| stream.site(self.index, site, p));
        d.linear(&self.qkv, x, acts.qkv);
        d.attention(self.heads, acts.qkv, site(Site::Attention, self.attention_dropout), acts.context, acts.lse);
        d.linear(&self.attention_output, acts.context, acts.attention_norm.x);
        let dropout = site(Site::AttentionOutput, self.hidden_dropout);
        d.add_norm(&self.attention_norm, acts.attention_norm, Some(x), dropout, acts.attended);
        d.linear_activation(&self.up, self.activation, acts.attended, acts.up, scratch.activated);
        d.linear(&self.down, scratch.activated, acts.output_norm.x);
        let dropout = site(Site::FeedForwardOutput, self.hidden_dropout);
        d.add_norm(&self.output_norm, acts.output_norm, Some(acts.attended), dropout, acts.out);
    }

    /// From the gradient of `out` in `scratch.stream` to the gradient of `x` in the same place.
    pub(crate) fn backward<D: Device>(
        &self,
        d: &mut D,
        x: Act,
        acts: &BlockActs,
        scratch: &Scratch,
        stream: Option<DropoutStream>,
    ) {
        let site = |site, p| stream.and_then(|stream| stream.site(self.index, site, p));
        let Scratch { stream: dstream, branch, residual, wide, .. } = *scratch;

        let dropout = site(Site::FeedForwardOutput, self.hidden_dropout);
        d.add_norm_backward(&self.output_norm, acts.output_norm, dropout, dstream, branch, residual);
        d.linear_backward_input(&self.down, branch, wide, false);
        d.activation_backward(self.activation, acts.up, wide, scratch.activated);
        d.linear_backward_weight(&self.down, branch, scratch.activated);
        d.linear_backward_input(&self.up, wide, residual, true);
        d.linear_backward_weight(&self.up, wide, acts.attended);

        let dropout = site(Site::AttentionOutput, self.hidden_dropout);
        d.add_norm_backward(&self.attention_norm, acts.attention_norm, dropout, residual, branch, dstream);
        d.linear_backward_input(&self.attention_output, branch, residual, false);
        d.linear_backward_weight(&self.attention_output, branch, acts.context);
        let dropout = site(Site::Attention, self.attention_dropout);
        d.attention_backward(self.heads, acts.qkv, dropout, acts.context, acts.lse, residual, scratch.qkv);
        d.linear_backward_input(&self.qkv, scratch.qkv, dstream, true);
        d.linear_backward_weight(&self.qkv, scratch.qkv, x);
    }
}
