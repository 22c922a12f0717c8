//! The operations a model is made of, slices in and slices out, and their two implementations.
//!
//! Every matrix is row-major; `rows` is the number of tokens (or of gathered rows). A `…_backward` takes the gradient of
//! the result and writes the gradients of the operands; gradients of parameters are added to, all others overwritten.

use crate::activation::{Activation, activation_backward};
use crate::attention::{self, Heads};
use crate::dropout::{self, Dropout};
use crate::embedding::{self, TokenRows};
use crate::gemm::{Epilogue, Matrix, gemm};
use crate::isa::Isa;
use crate::optimiser::{self, AdamStep};
use crate::{norm, reference};

/// The shape of a linear layer: weight `[outputs, inputs]`, as checkpoints store it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// Features in.
    pub inputs: usize,
    /// Features out.
    pub outputs: usize,
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
pub trait Kernels: Send + Sync {
    /// `y = x·Wᵀ + b`.
    fn linear(&self, shape: Linear, x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]);

    /// `x_before = x·Wᵀ + b`, `y = activation(x_before)`.
    #[allow(clippy::too_many_arguments, reason = "one fused operation: its operands are what it fuses")]
    fn linear_activation(
        &self,
        shape: Linear,
        activation: Activation,
        x: &[f32],
        weight: &[f32],
        bias: &[f32],
        before: &mut [f32],
        y: &mut [f32],
    );

    /// `dx = dy·W`, or `dx += dy·W`.
    fn linear_backward_input(&self, shape: Linear, dy: &[f32], weight: &[f32], dx: &mut [f32], accumulate: bool);

    /// `dW += dyᵀ·x`, `db += Σ dy`.
    fn linear_backward_weight(&self, shape: Linear, dy: &[f32], x: &[f32], dweight: &mut [f32], dbias: &mut [f32]);

    /// `gradient *= activation′(before)` in place, and `y = activation(before)` again.
    fn activation_backward(&self, activation: Activation, before: &[f32], gradient: &mut [f32], y: &mut [f32]);

    /// `out = softmax(Q·Kᵀ/√d)·V` for each sequence and head: `qkv` `[tokens, 3·hidden]`, `lse` `[tokens, heads]`.
    fn attention(
        &self,
        shape: Heads,
        qkv: &[f32],
        cu_seqlens: &[u32],
        dropout: Option<Dropout>,
        out: &mut [f32],
        lse: &mut [f32],
    );

    /// The gradient of `qkv` from that of `out`.
    #[allow(clippy::too_many_arguments, reason = "the operands of the forward pass and their gradients")]
    fn attention_backward(
        &self,
        shape: Heads,
        qkv: &[f32],
        cu_seqlens: &[u32],
        dropout: Option<Dropout>,
        out: &[f32],
        lse: &[f32],
        dout: &[f32],
        dqkv: &mut [f32],
    );

    /// `y = LayerNorm(dropout(x) + residual)`; `x` is left normalised, `rstd` holds 1/σ.
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
    );

    /// From `dy`: `dx` of the branch, `dresidual` of the residual; `dgamma`, `dbeta` added to.
    #[allow(clippy::too_many_arguments, reason = "one fused operation: its operands are what it fuses")]
    fn add_norm_backward(
        &self,
        dy: &[f32],
        saved: NormSaved<'_>,
        gamma: &[f32],
        dropout: Option<Dropout>,
        dx: &mut [f32],
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

    /// One AdamW step over equally long slices.
    fn adamw(&self, step: AdamStep, weights: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32]);

    /// Σ x².
    fn sum_of_squares(&self, x: &[f32]) -> f64;

    /// Sets every element to 0.
    fn zero(&self, x: &mut [f32]) {
        optimiser::zero(x);
    }
}

/// The fast kernels of one instruction set, over all threads of the current `rayon` pool.
#[derive(Debug, Clone, Copy)]
pub struct Fast(Isa);

impl Fast {
    /// Kernels for `isa`.
    ///
    /// # Panics
    /// If this processor lacks it.
    pub fn new(isa: Isa) -> Self {
        assert!(isa.available(), "this processor lacks {}", isa.name());
        Self(isa)
    }
}

impl Kernels for Fast {
    fn linear(&self, shape: Linear, x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
        let (x, w) = (of_width(x, shape.inputs), Matrix::new(weight, shape.outputs, shape.inputs));
        gemm(self.0, x, w.transposed(), y, Epilogue::Bias(bias));
    }

    fn linear_activation(
        &self,
        shape: Linear,
        activation: Activation,
        x: &[f32],
        weight: &[f32],
        bias: &[f32],
        before: &mut [f32],
        y: &mut [f32],
    ) {
        let (x, w) = (of_width(x, shape.inputs), Matrix::new(weight, shape.outputs, shape.inputs));
        gemm(self.0, x, w.transposed(), before, Epilogue::BiasActivation { bias, activation, out: y });
    }

    fn linear_backward_input(&self, shape: Linear, dy: &[f32], weight: &[f32], dx: &mut [f32], accumulate: bool) {
        let (dy, w) = (of_width(dy, shape.outputs), Matrix::new(weight, shape.outputs, shape.inputs));
        gemm(self.0, dy, w, dx, if accumulate { Epilogue::Accumulate } else { Epilogue::None });
    }

    fn linear_backward_weight(&self, shape: Linear, dy: &[f32], x: &[f32], dweight: &mut [f32], dbias: &mut [f32]) {
        let (dy_t, x) = (of_width(dy, shape.outputs).transposed(), of_width(x, shape.inputs));
        gemm(self.0, dy_t, x, dweight, Epilogue::Accumulate);
        embedding::add_column_sums(self.0, dy, dbias);
    }

    fn activation_backward(&self, activation: Activation, before: &[f32], gradient: &mut [f32], y: &mut [f32]) {
        activation_backward(self.0, activation, before, gradient, y);
    }

    fn attention(
        &self,
        shape: Heads,
        qkv: &[f32],
        cu_seqlens: &[u32],
        dropout: Option<Dropout>,
        out: &mut [f32],
        lse: &mut [f32],
    ) {
        attention::attention(self.0, shape, qkv, cu_seqlens, dropout, out, lse);
    }

    fn attention_backward(
        &self,
        shape: Heads,
        qkv: &[f32],
        cu_seqlens: &[u32],
        dropout: Option<Dropout>,
        out: &[f32],
        lse: &[f32],
        dout: &[f32],
        dqkv: &mut [f32],
    ) {
        attention::attention_backward(self.0, shape, qkv, cu_seqlens, dropout, out, lse, dout, dqkv);
    }

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
    ) {
        norm::add_norm(self.0, x, residual, gamma, beta, eps, dropout, y, rstd);
    }

    fn add_norm_backward(
        &self,
        dy: &[f32],
        saved: NormSaved<'_>,
        gamma: &[f32],
        dropout: Option<Dropout>,
        dx: &mut [f32],
        dresidual: &mut [f32],
        dgamma: &mut [f32],
        dbeta: &mut [f32],
    ) {
        let NormSaved { normalised, rstd } = saved;
        norm::add_norm_backward(self.0, dy, normalised, rstd, gamma, dropout, dx, dresidual, dgamma, dbeta);
    }

    fn embed(&self, rows: TokenRows<'_>, tables: [&[f32]; 3], width: usize, out: &mut [f32]) {
        embedding::embed(self.0, rows, tables, width, out);
    }

    fn embed_backward(&self, rows: TokenRows<'_>, dout: &[f32], width: usize, gradients: [&mut [f32]; 3]) {
        embedding::embed_backward(self.0, rows, dout, width, gradients);
    }

    fn dropout(&self, dropout: Dropout, x: &mut [f32]) {
        dropout::dropout(self.0, dropout, x);
    }

    fn adamw(&self, step: AdamStep, weights: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32]) {
        optimiser::adamw(self.0, step, weights, gradients, first, second);
    }

    fn sum_of_squares(&self, x: &[f32]) -> f64 {
        optimiser::sum_of_squares(self.0, x)
    }
}

/// The scalar twins as one set of kernels: what the fast ones are tested against, a whole model included.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scalar;

impl Kernels for Scalar {
    fn linear(&self, shape: Linear, x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
        y.chunks_exact_mut(shape.outputs).for_each(|row| row.copy_from_slice(bias));
        let w = Matrix::new(weight, shape.outputs, shape.inputs);
        reference::gemm(of_width(x, shape.inputs), w.transposed(), y, true);
    }

    fn linear_activation(
        &self,
        shape: Linear,
        activation: Activation,
        x: &[f32],
        weight: &[f32],
        bias: &[f32],
        before: &mut [f32],
        y: &mut [f32],
    ) {
        self.linear(shape, x, weight, bias, before);
        y.iter_mut().zip(before).for_each(|(y, &mut x)| *y = reference::activate(activation, x));
    }

    fn linear_backward_input(&self, shape: Linear, dy: &[f32], weight: &[f32], dx: &mut [f32], accumulate: bool) {
        let w = Matrix::new(weight, shape.outputs, shape.inputs);
        reference::gemm(of_width(dy, shape.outputs), w, dx, accumulate);
    }

    fn linear_backward_weight(&self, shape: Linear, dy: &[f32], x: &[f32], dweight: &mut [f32], dbias: &mut [f32]) {
        reference::gemm(of_width(dy, shape.outputs).transposed(), of_width(x, shape.inputs), dweight, true);
        reference::add_column_sums(dy, dbias);
    }

    fn activation_backward(&self, activation: Activation, before: &[f32], gradient: &mut [f32], y: &mut [f32]) {
        reference::activation_backward(activation, before, gradient, y);
    }

    fn attention(
        &self,
        shape: Heads,
        qkv: &[f32],
        cu_seqlens: &[u32],
        dropout: Option<Dropout>,
        out: &mut [f32],
        lse: &mut [f32],
    ) {
        reference::attention(shape, qkv, cu_seqlens, dropout, out, lse);
    }

    fn attention_backward(
        &self,
        shape: Heads,
        qkv: &[f32],
        cu_seqlens: &[u32],
        dropout: Option<Dropout>,
        _out: &[f32],
        _lse: &[f32],
        dout: &[f32],
        dqkv: &mut [f32],
    ) {
        reference::attention_backward(shape, qkv, cu_seqlens, dropout, dout, dqkv);
    }

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
    ) {
        reference::add_norm(x, residual, gamma, beta, eps, dropout, y, rstd);
    }

    fn add_norm_backward(
        &self,
        dy: &[f32],
        saved: NormSaved<'_>,
        gamma: &[f32],
        dropout: Option<Dropout>,
        dx: &mut [f32],
        dresidual: &mut [f32],
        dgamma: &mut [f32],
        dbeta: &mut [f32],
    ) {
        let NormSaved { normalised, rstd } = saved;
        reference::add_norm_backward(dy, normalised, rstd, gamma, dropout, dx, dresidual, dgamma, dbeta);
    }

    fn embed(&self, rows: TokenRows<'_>, tables: [&[f32]; 3], width: usize, out: &mut [f32]) {
        reference::embed(rows, tables, width, out);
    }

    fn embed_backward(&self, rows: TokenRows<'_>, dout: &[f32], width: usize, gradients: [&mut [f32]; 3]) {
        reference::embed_backward(rows, dout, width, gradients);
    }

    fn dropout(&self, dropout: Dropout, x: &mut [f32]) {
        reference::dropout(dropout, x);
    }

    fn adamw(&self, step: AdamStep, weights: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32]) {
        reference::adamw(step, weights, gradients, first, second);
    }

    fn sum_of_squares(&self, x: &[f32]) -> f64 {
        reference::sum_of_squares(x)
    }
}

/// As many rows of `width` as fill the slice.
fn of_width(x: &[f32], width: usize) -> Matrix<'_> {
    Matrix::new(x, x.len() / width, width)
}
