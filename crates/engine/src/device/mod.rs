//! The seam between the model and the hardware: a small set of coarse operations on opaque handles.
//!
//! Layers are written once over [`Device`]. The host implements it twice, with fast kernels and with their scalar
//! twins; a GPU would implement this trait and nothing else.

mod host;

use std::borrow::Cow;

use gyeol_kernels::{
    Activation, AdafactorStep, AdamStep, Dropout, Heads, Linear, LionStep, Pool, SgdStep, Span, rounded_stride,
};

use crate::config::Optimizer;
use crate::params::Tensor;

pub use host::{Cpu, Host, Reference};

/// A parameter: a range of the weights, and the same range of their gradients and moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param(pub Span);

/// An intermediate value: a range of the activation arena. One that is empty is not kept, for those operations that say so.
///
/// How it is kept is decided where it gets its place: see [`Device::rounds`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Act {
    /// Its place, in numbers of single precision; that of [`Kept::Both`] is followed by its rounded rows.
    pub span: Span,
    /// How it is kept there.
    pub kept: Kept,
}

/// How an intermediate value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kept {
    /// In single precision.
    #[default]
    Single,
    /// Rounded to bfloat16, in rows of this width which are [`rounded_stride`] apart: only products read it.
    Rounded(usize),
    /// In single precision, and behind that once more as [`Kept::Rounded`], which products then read. Only operations that say
    /// so write it.
    Both(usize),
}

impl Act {
    /// A range of numbers of single precision.
    pub(crate) fn single(span: Span) -> Act {
        Act { span, kept: Kept::Single }
    }

    /// Numbers of single precision in whose place a rounded row of `width` is.
    pub(crate) fn rounded_row(width: usize) -> usize {
        rounded_stride(width) / 2
    }

    /// Where what follows its values may begin: at a cache line, as it does.
    pub(crate) fn end_of_values(self) -> usize {
        self.span.start + self.span.len.next_multiple_of(16)
    }

    /// Its values in single precision alone.
    pub(crate) fn values(self) -> Act {
        debug_assert!(!matches!(self.kept, Kept::Rounded(_)), "it has some");
        Act::single(self.span)
    }

    /// Numbers from row to row, of which one is `width` values.
    fn row(self, width: usize) -> usize {
        match self.kept {
            Kept::Single => width,
            Kept::Rounded(_) => Self::rounded_row(width),
            Kept::Both(_) => unreachable!("its rounded rows follow the whole"),
        }
    }

    /// Its first `rows` rows of `width`.
    pub(crate) fn rows(self, rows: usize, width: usize) -> Act {
        let len = rows * self.row(width);
        debug_assert!(len <= self.span.len, "a part is no longer than the whole");
        Act { span: Span::new(self.span.start, len), ..self }
    }
}

/// Whether a device computes a linear layer in the operands it was made with, or exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exactness {
    /// In the device's operands: the layers of the encoder, where the time goes.
    Device,
    /// In single precision always: the layers of the head, whose few rows cost nothing.
    Single,
}

/// A linear layer's parameters: weight `[outputs, inputs]`, bias `[outputs]`.
#[derive(Debug, Clone, Copy)]
pub struct LinearParams {
    /// The number of the layer among all linear layers of the model.
    pub index: usize,
    /// Features in and out.
    pub shape: Linear,
    /// `[outputs, inputs]`.
    pub weight: Param,
    /// `[outputs]`.
    pub bias: Param,
    /// Of its products.
    pub exactness: Exactness,
}

/// What a model keeps in the arenas that are as long as its parameters.
#[derive(Debug, Clone, Copy)]
pub struct Layout<'a> {
    /// Scalars in all tensors together.
    pub len: usize,
    /// Every linear layer in the order of its index, which is that of the weights in the arenas. The weight of the last may
    /// be the word table itself: a decoder tied to it.
    pub linears: &'a [LinearParams],
    /// The embedding tables.
    pub embeddings: &'a EmbeddingParams,
}

/// A LayerNorm's parameters, each `[width]`.
#[derive(Debug, Clone, Copy)]
pub struct NormParams {
    /// Scale.
    pub gamma: Param,
    /// Shift.
    pub beta: Param,
    /// Added to the variance.
    pub eps: f32,
}

/// The three embedding tables, each `[rows, width]`.
#[derive(Debug, Clone, Copy)]
pub struct EmbeddingParams {
    /// Word table.
    pub words: Param,
    /// Position table.
    pub positions: Param,
    /// Segment (token type) table.
    pub segments: Param,
    /// Width of a row.
    pub width: usize,
    /// The row of the word table that is not trained: the padding token's, which a text may hold.
    pub word_padding: usize,
    /// The row of the position table that is not trained, where padding has one of its own.
    pub position_padding: Option<usize>,
}

/// What the tokens of one batch look up: indices into the embedding tables, and where each sequence begins.
#[derive(Debug, Clone, Default)]
pub struct TokenIndices {
    /// Rows of the word table, one a token.
    pub words: Vec<u32>,
    /// Rows of the position table, one a token.
    pub positions: Vec<u32>,
    /// Rows of the segment table, one a token.
    pub segments: Vec<u32>,
    /// Cumulative lengths, one more than there are sequences.
    pub cu_seqlens: Vec<u32>,
    /// The tokens that the head reads, ascending: with them alone the last block goes on after attention.
    pub read: Vec<u32>,
}

/// One of the arenas: as long as the parameters, but for [`Store::FactoredMoments`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// The weights.
    Weights,
    /// Their gradients.
    Gradients,
    /// AdamW's and Lion's first moments, SGD's momentum; empty for another optimiser.
    FirstMoments,
    /// AdamW's second moments; empty for another optimiser.
    SecondMoments,
    /// Adafactor's means of squared gradients, tensor by tensor: of a matrix those of rows, then those of columns. This one is
    /// shorter than the parameters; empty for another optimiser.
    FactoredMoments,
    /// The moving average of the weights; empty where there is none.
    Average,
}

/// One step of an optimiser.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OptimiserStep {
    /// Of one that moves each weight by what is known of that weight alone.
    Element(ElementStep),
    /// Of Adafactor, which needs whole tensors.
    Tensor(AdafactorStep),
}

/// One step of an optimiser that moves each weight by what is known of that weight alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ElementStep {
    /// Of AdamW.
    AdamW(AdamStep),
    /// Of SGD with momentum.
    Sgd(SgdStep),
    /// Of Lion.
    Lion(LionStep),
}

/// The device has no room for what was asked.
#[derive(Debug, thiserror::Error)]
#[error("cannot allocate {bytes} bytes for {what}: {source}; smaller batches and shorter texts need less")]
pub struct AllocationError {
    what: &'static str,
    bytes: usize,
    source: std::io::Error,
}

/// The saved results of a LayerNorm: normalised values `[rows, width]` and 1/σ `[rows]`.
#[derive(Debug, Clone, Copy, Default)]
pub struct NormActs {
    /// The operand before, the normalised values after the forward pass.
    pub x: Act,
    /// 1/σ of each row.
    pub rstd: Act,
}

/// The coarse operations of the encoder family. Shapes are those of `gyeol_kernels::Kernels`; a backward operation
/// adds to the gradients of its parameters and overwrites those of its operands.
pub trait Device: Send + Sized {
    /// Room for the parameters of `layout`, zero; `training` also for gradients.
    fn allocate(&mut self, layout: Layout<'_>, training: bool) -> Result<(), AllocationError>;
    /// Room for what `optimizer` keeps of past gradients of `tensors`, all there are, zero; what was kept before is lost.
    fn allocate_moments(&mut self, tensors: &[Tensor], optimizer: Optimizer) -> Result<(), AllocationError>;
    /// Bytes that it keeps in training for the products of `linears`, beside the weights.
    fn packed_bytes(&self, linears: &[LinearParams]) -> usize;
    /// Whether intermediate values that products read are to be kept rounded ([`Kept::Rounded`], [`Kept::Both`]); else all are in
    /// single precision.
    fn rounds(&self) -> bool;
    /// Room for `len` activations; what they held is lost.
    fn reserve_activations(&mut self, len: usize) -> Result<(), AllocationError>;
    /// Makes up for every update put off: a device may leave those of linear weights until the next forward pass, and those
    /// of embedding rows that no token touches until they are read.
    fn settle(&mut self);
    /// Another device over the same parameters, with a batch and activations of its own, for passes of inference at the same
    /// time as this one's; makes up for every update put off. While there are two, neither is asked to change a parameter.
    /// `None` where passes are computed one after the other in any case.
    fn share(&mut self) -> Option<Self>;
    /// A whole arena, copied only where the device's memory is not the host's; without the updates put off, see
    /// [`Device::settle`].
    fn download(&self, store: Store) -> Cow<'_, [f32]>;
    /// Overwrites a part of an arena.
    fn upload(&mut self, store: Store, part: Span, values: &[f32]);
    /// Reads an intermediate value.
    fn read(&self, from: Act, out: &mut [f32]);
    /// Writes an intermediate value.
    fn write(&mut self, to: Act, values: &[f32]);
    /// Makes `indices` those of the operations that follow, which are those of a training pass or of inference: the device may
    /// compute the two in different ways.
    fn set_batch(&mut self, indices: TokenIndices, training: bool);

    /// Embedding rows of the batch's tokens, summed.
    fn embed(&mut self, p: &EmbeddingParams, out: Act);
    /// Adds the gradients of the embedding rows, but not to those of padding, as PyTorch's `padding_idx` has it.
    fn embed_backward(&mut self, p: &EmbeddingParams, dout: Act);
    /// `y = x·Wᵀ + b`, which may be an operand.
    fn linear(&mut self, p: &LinearParams, x: Act, y: Act);
    /// `before = x·Wᵀ + b`, `y = activation(before)`; both are kept alike, and only the backward operations of the
    /// activation read `before`, which may be empty.
    fn linear_activation(&mut self, p: &LinearParams, activation: Activation, x: Act, before: Act, y: Act);
    /// `dx = dy·W`, or with `accumulate` added to.
    fn linear_backward_input(&mut self, p: &LinearParams, dy: Act, dx: Act, accumulate: bool);
    /// Gradients of weight and bias; that of the weight is overwritten the first time after
    /// [`Device::zero_gradients`], so that it need not be cleared.
    fn linear_backward_weight(&mut self, p: &LinearParams, dy: Act, x: Act);
    /// `gradient = (dy·W) ∘ activation′(before)`; recomputes `y`.
    fn linear_backward_activation(
        &mut self,
        p: &LinearParams,
        activation: Activation,
        dy: Act,
        before: Act,
        gradient: Act,
        y: Act,
    );
    /// `gradient *= activation′(before)`; recomputes `y`.
    fn activation_backward(&mut self, activation: Activation, before: Act, gradient: Act, y: Act);
    /// Self-attention of each sequence; `qkv` and `out` may be operands.
    fn attention(&mut self, shape: Heads, qkv: Act, dropout: Option<Dropout>, out: Act, lse: Act);
    /// Self-attention of the first token of each sequence, from the layer's input: `p` projects it to queries, keys and
    /// values. `scratch` is as long as [`Heads::first_scratch`] says.
    fn attention_first(
        &mut self,
        shape: Heads,
        p: &LinearParams,
        x: Act,
        dropout: Option<Dropout>,
        scratch: Act,
        out: Act,
    );
    /// From `dout`, and the `scratch` that the forward pass left, which is lost: the gradients of weight and bias, as of
    /// [`Device::linear_backward_weight`], and that of the input, added to `dx` where it is asked for.
    #[allow(clippy::too_many_arguments, reason = "the operands of the forward pass and their gradients")]
    fn attention_first_backward(
        &mut self,
        shape: Heads,
        p: &LinearParams,
        x: Act,
        dropout: Option<Dropout>,
        scratch: Act,
        dout: Act,
        dx: Option<Act>,
    );
    /// Gradient of `qkv`; both may be operands.
    fn attention_backward(&mut self, shape: Heads, qkv: Act, dropout: Option<Dropout>, lse: Act, dout: Act, dqkv: Act);
    /// `y = LayerNorm(dropout(x) + residual)`, which may be kept as both.
    fn add_norm(&mut self, p: &NormParams, x: NormActs, residual: Option<Act>, dropout: Option<Dropout>, y: Act);
    /// From `dy`: `dx` of the branch, which may be an operand, and `dresidual`.
    fn add_norm_backward(
        &mut self,
        p: &NormParams,
        saved: NormActs,
        dropout: Option<Dropout>,
        dy: Act,
        dx: Act,
        dresidual: Act,
    );
    /// Multiplies values or gradients by their dropout factors.
    fn dropout(&mut self, dropout: Dropout, x: Act);
    /// Copies an intermediate value.
    fn copy(&mut self, from: Act, to: Act);
    /// The rows of the tokens that the head reads; `x` and `out` are kept alike.
    fn gather_read(&mut self, x: Act, width: usize, out: Act);
    /// The gradient of [`Device::gather_read`]: zero but for those rows.
    fn scatter_read(&mut self, dout: Act, width: usize, dx: Act);
    /// One row of `width` for each sequence from the rows of its tokens.
    fn pool(&mut self, pool: Pool, x: Act, width: usize, out: Act);
    /// The gradient of [`Device::pool`].
    fn pool_backward(&mut self, pool: Pool, x: Act, dout: Act, width: usize, dx: Act);
    /// The cosine of each two rows of `width` that follow each other.
    fn cosine(&mut self, x: Act, width: usize, out: Act);
    /// The gradient of [`Device::cosine`].
    fn cosine_backward(&mut self, x: Act, width: usize, dout: Act, dx: Act);
    /// The cross-entropy of the softmax of each row of `logits`, `[classes.len(), …]`, into `losses`; the logits become the
    /// gradient of `weight · Σ losses`.
    fn cross_entropy(&mut self, logits: Act, classes: &[u32], weight: f32, losses: &mut [f32]);

    /// Clears the gradients.
    fn zero_gradients(&mut self);
    /// Σ g² over all gradients.
    fn gradient_squares(&mut self) -> f64;
    /// Clears the gradient of a parameter that is no linear weight and no table.
    fn clear_gradient(&mut self, parameter: Param);
    /// Makes room for the average of the weights.
    fn allocate_average(&mut self) -> Result<(), AllocationError>;
    /// `average = decay · average + (1 − decay) · weights`.
    fn average(&mut self, decay: f64);
    /// The average takes the place of the weights, and the weights that of the average.
    fn swap_average(&mut self);
    /// One step of the optimiser that there is room for over `part` of the parameters, which cuts no tensor and no linear
    /// weight, at once or put off, see [`Device::settle`]: a forward pass comes before the next gradients.
    fn update(&mut self, step: OptimiserStep, part: Span);
}
