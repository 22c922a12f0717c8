//! The operations a model is made of, slices in and slices out, and their two implementations.
//!
//! Every matrix is row-major; `rows` is the number of tokens (or of gathered rows). A `…_backward` takes the gradient of
//! the result and writes the gradients of the operands; gradients of parameters are added to unless it says otherwise, all
//! others overwritten.

mod fast;
mod scalar;
#[cfg(test)]
mod tests;

use crate::activation::Activation;
use crate::attention::{FirstAttention, Heads};
use crate::dropout::Dropout;
use crate::embedding::{self, TokenRows};
use crate::gemm::Matrix;
use crate::isa::Operands;
use crate::optimiser::{self, AdafactorStep, AdamStep, LazyRows, LionStep, SgdStep};
use crate::pooling::Pool;
use crate::rounded::{Rows, RowsMut, Texts};

pub use fast::Fast;
pub use scalar::Scalar;

/// The shape of a linear layer: weight `[outputs, inputs]`, as checkpoints store it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// Features in.
    pub inputs: usize,
    /// Features out.
    pub outputs: usize,
}

/// A linear layer's weight, `[outputs, inputs]`.
#[derive(Debug, Clone, Copy)]
pub struct Weight<'a> {
    /// Single precision, row-major.
    pub values: &'a [f32],
    /// In [`Operands::Bf16`]: the copies its products read.
    pub packed: Option<PackedWeight<'a>>,
}

impl Weight<'_> {
    /// The format its products are computed in.
    pub fn operands(self) -> Operands {
        if self.packed.is_some() { Operands::Bf16 } else { Operands::F32 }
    }
}

/// The copies of a weight in bfloat16, as [`Kernels::pack`] writes them.
#[derive(Debug, Clone, Copy)]
pub struct PackedWeight<'a> {
    /// For `x·Wᵀ`; where only inference is meant, perhaps for products of whole numbers.
    pub forward: &'a [u32],
    /// For `dy·W`; empty where only inference is meant.
    pub backward: &'a [u32],
}

impl PackedWeight<'_> {
    /// Whether only inference is meant: where products are of whole numbers then, it is packed for them.
    pub(crate) fn is_for_inference(self) -> bool {
        self.backward.is_empty()
    }
}

/// Where the gradients of a linear layer go.
#[derive(Debug)]
pub struct LinearGradient<'a> {
    /// `[outputs, inputs]`.
    pub weight: &'a mut [f32],
    /// `[outputs]`, added to.
    pub bias: &'a mut [f32],
    /// Whether `weight` holds what the gradient is added to; otherwise it is overwritten.
    pub accumulate: bool,
}

/// What AdamW reads and writes, each slice as long as the others; an optimiser that keeps less leaves moments empty.
#[derive(Debug)]
pub struct AdamSlices<'a> {
    /// The weights.
    pub weights: &'a mut [f32],
    /// Their gradients.
    pub gradients: &'a [f32],
    /// First moments.
    pub first: &'a mut [f32],
    /// Second moments.
    pub second: &'a mut [f32],
}

impl AdamSlices<'_> {
    /// The same for a while.
    pub fn reborrow(&mut self) -> AdamSlices<'_> {
        let Self { weights, gradients, first, second } = self;
        AdamSlices { weights, gradients, first, second }
    }
}

/// A table that [`LazyRows`] updates, with its moments.
#[derive(Debug)]
pub struct RowSlices<'a> {
    /// The weights.
    pub weights: &'a mut [f32],
    /// First moments.
    pub first: &'a mut [f32],
    /// Second moments.
    pub second: &'a mut [f32],
}

/// Operands of a LayerNorm backward pass that the forward pass saved.
#[derive(Debug, Clone, Copy)]
pub struct NormSaved<'a> {
    /// The normalised values, `[rows, hidden]`.
    pub normalised: &'a [f32],
    /// 1/σ of each row.
    pub rstd: &'a [f32],
}

/// The operations of the encoder family on the host. See the module's conventions.
///
/// # Panics
/// All of them panic where a slice has not the length that its shape asks for. Products of the fast kernels also panic where
/// they are to take rounded rows in single precision, that is with a weight that is not packed or in [`Operands::F32`],
/// and where they are to be in bfloat16 on an instruction set without such products ([`Isa::has_bf16`]).
///
/// [`Isa::has_bf16`]: crate::Isa::has_bf16
pub trait Kernels: Send + Sync {
    /// `y = x·Wᵀ + b`.
    ///
    /// # Panics
    /// See [`Kernels`] for operands that are refused.
    fn linear(&self, shape: Linear, x: Texts<'_>, weight: Weight<'_>, bias: &[f32], y: RowsMut<'_>);

    /// `before = x·Wᵀ + b`, `y = activation(before)`, both kept in the same way; only [`Kernels::linear_backward_activation`]
    /// and [`Kernels::activation_backward`] read `before`: without them it need not be kept.
    ///
    /// # Panics
    /// If one of the two is to be kept rounded and the other is not; see [`Kernels`] for operands that are refused.
    #[allow(clippy::too_many_arguments, reason = "one fused operation: its operands are what it fuses")]
    fn linear_activation(
        &self,
        shape: Linear,
        activation: Activation,
        x: Texts<'_>,
        weight: Weight<'_>,
        bias: &[f32],
        before: Option<RowsMut<'_>>,
        y: RowsMut<'_>,
    );

    /// `dx = dy·W`, or `dx += dy·W`.
    ///
    /// # Panics
    /// See [`Kernels`] for operands that are refused.
    fn linear_backward_input(&self, shape: Linear, dy: Rows<'_>, weight: Weight<'_>, dx: &mut [f32], accumulate: bool);

    /// `gradient = (dy·W) ∘ activation′(before)`, and `y = activation(before)` again; all three kept in the same way.
    ///
    /// # Panics
    /// If some of the three are rounded and some are not; see [`Kernels`] for operands that are refused.
    #[allow(clippy::too_many_arguments, reason = "one fused operation: its operands are what it fuses")]
    fn linear_backward_activation(
        &self,
        shape: Linear,
        activation: Activation,
        dy: Rows<'_>,
        weight: Weight<'_>,
        before: Rows<'_>,
        gradient: RowsMut<'_>,
        y: RowsMut<'_>,
    );

    /// `dW = dyᵀ·x` or `dW += dyᵀ·x`, `db += Σ dy`; returns Σ dW² as it then stands.
    ///
    /// # Panics
    /// See [`Kernels`] for operands that are refused.
    fn linear_backward_weight(
        &self,
        shape: Linear,
        operands: Operands,
        dy: Rows<'_>,
        x: Rows<'_>,
        gradient: LinearGradient<'_>,
    ) -> f64;

    /// Writes the copies of a weight `[outputs, inputs]` that products in [`Operands::Bf16`] read, as long as
    /// [`Linear::forward_words`] and [`Linear::backward_words`] say; where only inference is meant, `backward` is empty and
    /// `forward` as long as [`Linear::inference_words`] says.
    fn pack(&self, shape: Linear, weight: &[f32], forward: &mut [u32], backward: &mut [u32]);

    /// `gradient *= activation′(before)` in place, and `y = activation(before)` again.
    fn activation_backward(&self, activation: Activation, before: &[f32], gradient: &mut [f32], y: &mut [f32]);

    /// `out = softmax(Q·Kᵀ/√d)·V` for each sequence and head: `qkv` rows of `3·hidden`, `out` rows of
    /// `hidden`, `lse` `[tokens, heads]`. Of rounded `qkv` the products are in bfloat16, as the linear layers' are.
    fn attention(
        &self,
        shape: Heads,
        qkv: Rows<'_>,
        cu_seqlens: &[u32],
        dropout: Option<Dropout>,
        out: RowsMut<'_>,
        lse: &mut [f32],
    );

    /// [`Kernels::attention`] of the first token of each sequence, from the layer's input: `scratch` as long as
    /// [`Heads::first_scratch`] says, `out` `[sequences, hidden]`. In single precision.
    fn attention_first(&self, layer: FirstAttention<'_>, scratch: &mut [f32], out: &mut [f32]);

    /// From the gradient `dout` of [`Kernels::attention_first`]'s result and the `scratch` it left, which is lost: that of
    /// the input, added to `dx`, and those of weight and bias (a bias of keys has none). Returns Σ dW² as
    /// [`Kernels::linear_backward_weight`] does.
    fn attention_first_backward(
        &self,
        layer: FirstAttention<'_>,
        scratch: &mut [f32],
        dout: &[f32],
        dx: Option<&mut [f32]>,
        gradient: LinearGradient<'_>,
    ) -> f64;

    /// The gradient of `qkv`, rows of `3·hidden`, from that of `out`, `[tokens, hidden]`.
    #[allow(clippy::too_many_arguments, reason = "the operands of the forward pass and their gradients")]
    fn attention_backward(
        &self,
        shape: Heads,
        qkv: Rows<'_>,
        cu_seqlens: &[u32],
        dropout: Option<Dropout>,
        lse: &[f32],
        dout: &[f32],
        dqkv: RowsMut<'_>,
    );

    /// `y = LayerNorm(dropout(x) + residual)`; `x` is left normalised, `rstd` holds 1/σ, `rounded` `y` once more, as
    /// [`Rows::Rounded`].
    #[allow(clippy::too_many_arguments, reason = "one fused operation: its operands are what it fuses")]
    fn add_norm(
        &self,
        x: &mut [f32],
        residual: Option<&[f32]>,
        gamma: &[f32],
        beta: &[f32],
        eps: f32,
        dropout: Option<Dropout>,
        y: &mut [f32],
        rstd: &mut [f32],
        rounded: Option<&mut [u16]>,
    );

    /// From `dy`: `dx` of the branch, rounded if products are all that reads it, `dresidual` of the residual; `dgamma`,
    /// `dbeta` added to.
    #[allow(clippy::too_many_arguments, reason = "one fused operation: its operands are what it fuses")]
    fn add_norm_backward(
        &self,
        dy: &[f32],
        saved: NormSaved<'_>,
        gamma: &[f32],
        dropout: Option<Dropout>,
        dx: RowsMut<'_>,
        dresidual: &mut [f32],
        dgamma: &mut [f32],
        dbeta: &mut [f32],
    );

    /// The sum of a word, a position and a segment row a token.
    fn embed(&self, rows: TokenRows<'_>, tables: [&[f32]; 3], width: usize, out: &mut [f32]);

    /// Adds each row of `dout` to the gradients of the rows its token took.
    fn embed_backward(&self, rows: TokenRows<'_>, dout: &[f32], width: usize, gradients: [&mut [f32]; 3]);

    /// Multiplies values (forward) or gradients (backward) by their dropout factors.
    fn dropout(&self, dropout: Dropout, x: &mut [f32]);

    /// `out[i] = x[rows[i]]`.
    fn gather_rows(&self, x: &[f32], rows: &[u32], width: usize, out: &mut [f32]) {
        embedding::gather_rows(x, rows, width, out);
    }

    /// `dx = 0` but for `dx[rows[i]] = dout[i]`; `rows` are distinct.
    fn scatter_rows(&self, dout: &[f32], rows: &[u32], width: usize, dx: &mut [f32]) {
        embedding::scatter_rows(dout, rows, width, dx);
    }

    /// `out[s]` is what `pool` makes of the rows of sequence `s` of `x`, `[tokens, width]`.
    fn pool(&self, pool: Pool, x: &[f32], cu_seqlens: &[u32], width: usize, out: &mut [f32]);

    /// The gradient of `x` from that of [`Kernels::pool`]'s result; of equal values the first of a sequence has it.
    fn pool_backward(&self, pool: Pool, x: &[f32], cu_seqlens: &[u32], dout: &[f32], width: usize, dx: &mut [f32]);

    /// `out[i] = cos(x[2i], x[2i + 1])` of rows of `width`; norms below 1e-8 count as that.
    fn cosine(&self, x: &[f32], width: usize, out: &mut [f32]);

    /// The gradient of `x` from that of [`Kernels::cosine`]'s result.
    fn cosine_backward(&self, x: &[f32], width: usize, dout: &[f32], dx: &mut [f32]);

    /// `losses[i] = -log softmax(logits[i])[classes[i]]`, one row a class of `classes`; `logits` become the gradient of
    /// `weight · Σ losses`.
    fn cross_entropy(&self, logits: &mut [f32], classes: &[u32], weight: f32, losses: &mut [f32]);

    /// One AdamW step over equally long slices.
    fn adamw(&self, step: AdamStep, weights: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32]);

    /// [`Kernels::adamw`] over a weight `[outputs, inputs]`, and [`Kernels::pack`] of what comes out.
    fn adamw_packed(
        &self,
        step: AdamStep,
        shape: Linear,
        state: AdamSlices<'_>,
        forward: &mut [u32],
        backward: &mut [u32],
    );

    /// [`Kernels::adamw`] over a table of which only the touched rows have a gradient, which is zero afterwards; the
    /// others are left to [`Kernels::catch_up`].
    fn adamw_rows(&self, step: AdamStep, rows: &mut LazyRows, table: RowSlices<'_>, gradients: &mut [f32]);

    /// Brings the rows `ids` of a table, or all of them, to the present.
    fn catch_up(&self, rows: &mut LazyRows, ids: Option<&[u32]>, table: RowSlices<'_>);

    /// One step of SGD over equally long slices.
    fn sgd(&self, step: SgdStep, weights: &mut [f32], gradients: &[f32], momentum: &mut [f32]);

    /// One step of Lion over equally long slices.
    fn lion(&self, step: LionStep, weights: &mut [f32], gradients: &[f32], moments: &mut [f32]);

    /// One step of Adafactor over a tensor of one dimension, with the mean of each gradient's squares.
    fn adafactor(&self, step: AdafactorStep, weights: &mut [f32], gradients: &[f32], means: &mut [f32]);

    /// One step of Adafactor over a matrix, with the means of its squared gradients over each row and over each column.
    fn adafactor_matrix(
        &self,
        step: AdafactorStep,
        weights: &mut [f32],
        gradients: &[f32],
        row_means: &mut [f32],
        column_means: &mut [f32],
    );

    /// Σ g² over the touched rows of a table.
    fn sum_of_squares_rows(&self, rows: &LazyRows, gradients: &[f32]) -> f64;

    /// Σ x².
    fn sum_of_squares(&self, x: &[f32]) -> f64;

    /// Sets every element to 0.
    fn zero(&self, x: &mut [f32]) {
        optimiser::zero(x);
    }

    /// `average += (1 − decay) · (x − average)`.
    fn average(&self, decay: f64, x: &[f32], average: &mut [f32]) {
        optimiser::average(decay, x, average);
    }
}

/// Said where results that belong together are to be kept some rounded, some not.
const KEPT_ALIKE: &str = "what an activation is applied to and what comes of it are kept in the same way";

/// As many rows of `width` as fill the slice.
fn of_width(x: &[f32], width: usize) -> Matrix<'_> {
    Matrix::new(x, x.len() / width, width)
}
