//! The fast kernels as one set.

use super::{AdamSlices, KEPT_ALIKE, Kernels, Linear, LinearGradient, NormSaved, RowSlices, Weight, of_width};
use crate::activation::{Activation, activation_backward};
use crate::attention::{self, FirstAttention, Heads};
use crate::dropout::{self, Dropout};
use crate::embedding::{self, TokenRows};
use crate::gemm::{Epilogue, Matrix, gemm, gemm_bf16, gemm_fixed, gemm_packed, gemm_strassen};
use crate::isa::{Isa, Operands};
use crate::optimiser::{self, AdafactorStep, AdamStep, LazyRows, LionStep, SgdStep};
use crate::pooling::{self, Pool};
use crate::rounded::{Rows, RowsMut, Texts, rounded_stride};
use crate::{cosine, cross_entropy, norm, packed};

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

impl Fast {
    fn forward(&self, shape: Linear, x: Texts<'_>, weight: Weight<'_>, y: &mut [f32], epilogue: Epilogue<'_>) {
        let (x, texts) = (matrix(x.rows, shape.inputs), x.starts);
        match weight.packed {
            Some(packed) if packed.is_for_inference() && shape.uses_fixed() => {
                gemm_fixed(self.0, x, packed.forward, shape.outputs, y, epilogue);
            }
            Some(packed) if shape.uses_strassen() => {
                gemm_strassen(self.0, x, texts, packed.forward, shape.outputs, y, epilogue);
            }
            Some(packed) => gemm_packed(self.0, x, packed.forward, shape.outputs, y, epilogue),
            None => {
                let weight = Matrix::new(weight.values, shape.outputs, shape.inputs);
                gemm(self.0, x, weight.transposed(), y, epilogue);
            }
        }
    }

    fn backward(&self, shape: Linear, dy: Rows<'_>, weight: Weight<'_>, dx: &mut [f32], epilogue: Epilogue<'_>) {
        let dy = matrix(dy, shape.outputs);
        match weight.packed {
            Some(packed) if shape.uses_strassen() => {
                let texts = [0, dy.shape()[0] as u32];
                gemm_strassen(self.0, dy, &texts, packed.backward, shape.inputs, dx, epilogue);
            }
            Some(packed) => gemm_packed(self.0, dy, packed.backward, shape.inputs, dx, epilogue),
            None => gemm(self.0, dy, Matrix::new(weight.values, shape.outputs, shape.inputs), dx, epilogue),
        }
    }
}

impl Kernels for Fast {
    fn linear(&self, shape: Linear, x: Texts<'_>, weight: Weight<'_>, bias: &[f32], y: RowsMut<'_>) {
        match y {
            RowsMut::Single(y) => self.forward(shape, x, weight, y, Epilogue::Bias(bias)),
            RowsMut::Rounded(out) => self.forward(shape, x, weight, &mut [], Epilogue::BiasRounded { bias, out }),
        }
    }

    fn linear_activation(
        &self,
        shape: Linear,
        activation: Activation,
        x: Texts<'_>,
        weight: Weight<'_>,
        bias: &[f32],
        before: Option<RowsMut<'_>>,
        y: RowsMut<'_>,
    ) {
        match (before, y) {
            (None, RowsMut::Single(y)) => {
                self.forward(shape, x, weight, y, Epilogue::BiasActivation { bias, activation, out: None });
            }
            (Some(RowsMut::Single(before)), RowsMut::Single(y)) => {
                self.forward(shape, x, weight, before, Epilogue::BiasActivation { bias, activation, out: Some(y) });
            }
            (None, RowsMut::Rounded(out)) => {
                let epilogue = Epilogue::ActivateRounded { bias, activation, before: None, out };
                self.forward(shape, x, weight, &mut [], epilogue);
            }
            (Some(RowsMut::Rounded(before)), RowsMut::Rounded(out)) => {
                let epilogue = Epilogue::ActivateRounded { bias, activation, before: Some(before), out };
                self.forward(shape, x, weight, &mut [], epilogue);
            }
            _ => panic!("{KEPT_ALIKE}"),
        }
    }

    fn linear_backward_input(&self, shape: Linear, dy: Rows<'_>, weight: Weight<'_>, dx: &mut [f32], accumulate: bool) {
        self.backward(shape, dy, weight, dx, if accumulate { Epilogue::Accumulate } else { Epilogue::None });
    }

    fn linear_backward_activation(
        &self,
        shape: Linear,
        activation: Activation,
        dy: Rows<'_>,
        weight: Weight<'_>,
        before: Rows<'_>,
        gradient: RowsMut<'_>,
        y: RowsMut<'_>,
    ) {
        match (before, gradient, y) {
            (Rows::Single(before), RowsMut::Single(gradient), RowsMut::Single(y)) => {
                self.backward(shape, dy, weight, gradient, Epilogue::None);
                activation_backward(self.0, activation, before, gradient, y);
            }
            (Rows::Rounded(before), RowsMut::Rounded(gradient), RowsMut::Rounded(out)) => {
                let epilogue = Epilogue::ActivationGradient { activation, before, gradient, out };
                self.backward(shape, dy, weight, &mut [], epilogue);
            }
            _ => panic!("{KEPT_ALIKE}"),
        }
    }

    fn linear_backward_weight(
        &self,
        shape: Linear,
        operands: Operands,
        dy: Rows<'_>,
        x: Rows<'_>,
        gradient: LinearGradient<'_>,
    ) -> f64 {
        assert_eq!(gradient.bias.len(), shape.outputs, "one bias an output");
        embedding::add_column_sums(self.0, dy, gradient.bias);
        let (dy_t, x) = (matrix(dy, shape.outputs).transposed(), matrix(x, shape.inputs));
        let mut squares = 0.0;
        let epilogue = Epilogue::Gradient { accumulate: gradient.accumulate, squares: &mut squares };
        match operands {
            Operands::F32 => gemm(self.0, dy_t, x, gradient.weight, epilogue),
            Operands::Bf16 => gemm_bf16(self.0, dy_t, x, gradient.weight, epilogue),
        }
        squares
    }

    fn pack(&self, shape: Linear, weight: &[f32], forward: &mut [u32], backward: &mut [u32]) {
        packed::pack(self.0, shape, weight, forward, backward);
    }

    fn activation_backward(&self, activation: Activation, before: &[f32], gradient: &mut [f32], y: &mut [f32]) {
        activation_backward(self.0, activation, before, gradient, y);
    }

    fn attention(
        &self,
        shape: Heads,
        qkv: Rows<'_>,
        cu_seqlens: &[u32],
        dropout: Option<Dropout>,
        out: RowsMut<'_>,
        lse: &mut [f32],
    ) {
        attention::attention(self.0, shape, qkv, cu_seqlens, dropout, out, lse);
    }

    fn attention_first(&self, layer: FirstAttention<'_>, scratch: &mut [f32], out: &mut [f32]) {
        attention::attention_first(self.0, layer, scratch, out);
    }

    fn attention_first_backward(
        &self,
        layer: FirstAttention<'_>,
        scratch: &mut [f32],
        dout: &[f32],
        dx: Option<&mut [f32]>,
        gradient: LinearGradient<'_>,
    ) -> f64 {
        attention::attention_first_backward(self.0, layer, scratch, dout, dx, gradient)
    }

    fn attention_backward(
        &self,
        shape: Heads,
        qkv: Rows<'_>,
        cu_seqlens: &[u32],
        dropout: Option<Dropout>,
        lse: &[f32],
        dout: &[f32],
        dqkv: RowsMut<'_>,
    ) {
        attention::attention_backward(self.0, shape, qkv, cu_seqlens, dropout, lse, dout, dqkv);
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
        rounded: Option<&mut [u16]>,
    ) {
        norm::add_norm(self.0, x, residual, gamma, beta, eps, dropout, y, rstd, rounded);
    }

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

    fn pool(&self, pool: Pool, x: &[f32], cu_seqlens: &[u32], width: usize, out: &mut [f32]) {
        pooling::pool(self.0, pool, x, cu_seqlens, width, out);
    }

    fn pool_backward(&self, pool: Pool, x: &[f32], cu_seqlens: &[u32], dout: &[f32], width: usize, dx: &mut [f32]) {
        pooling::pool_backward(self.0, pool, x, cu_seqlens, dout, width, dx);
    }

    fn cosine(&self, x: &[f32], width: usize, out: &mut [f32]) {
        cosine::cosine(self.0, x, width, out);
    }

    fn cosine_backward(&self, x: &[f32], width: usize, dout: &[f32], dx: &mut [f32]) {
        cosine::cosine_backward(self.0, x, width, dout, dx);
    }

    fn cross_entropy(&self, logits: &mut [f32], classes: &[u32], weight: f32, losses: &mut [f32]) {
        cross_entropy::cross_entropy(self.0, logits, classes, weight, losses);
    }

    fn adamw(&self, step: AdamStep, weights: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32]) {
        optimiser::adamw(self.0, step, weights, gradients, first, second);
    }

    fn sum_of_squares(&self, x: &[f32]) -> f64 {
        optimiser::sum_of_squares(self.0, x)
    }

    fn adamw_packed(
        &self,
        step: AdamStep,
        shape: Linear,
        state: AdamSlices<'_>,
        forward: &mut [u32],
        backward: &mut [u32],
    ) {
        let AdamSlices { weights, gradients, first, second } = state;
        optimiser::adamw_linear(self.0, step, shape, weights, gradients, first, second, forward, backward);
    }

    fn adamw_rows(&self, step: AdamStep, rows: &mut LazyRows, table: RowSlices<'_>, gradients: &mut [f32]) {
        rows.step(self.0, step, table.weights, gradients, table.first, table.second);
    }

    fn catch_up(&self, rows: &mut LazyRows, ids: Option<&[u32]>, table: RowSlices<'_>) {
        match ids {
            Some(ids) => rows.catch_up(self.0, ids, table.weights, table.first, table.second),
            None => rows.settle(self.0, table.weights, table.first, table.second),
        }
    }

    fn sgd(&self, step: SgdStep, weights: &mut [f32], gradients: &[f32], momentum: &mut [f32]) {
        optimiser::sgd(self.0, step, weights, gradients, momentum);
    }

    fn lion(&self, step: LionStep, weights: &mut [f32], gradients: &[f32], moments: &mut [f32]) {
        optimiser::lion(self.0, step, weights, gradients, moments);
    }

    fn adafactor(&self, step: AdafactorStep, weights: &mut [f32], gradients: &[f32], means: &mut [f32]) {
        optimiser::adafactor(self.0, step, weights, gradients, means);
    }

    fn adafactor_matrix(
        &self,
        step: AdafactorStep,
        weights: &mut [f32],
        gradients: &[f32],
        row_means: &mut [f32],
        column_means: &mut [f32],
    ) {
        optimiser::adafactor_matrix(self.0, step, weights, gradients, row_means, column_means);
    }

    fn sum_of_squares_rows(&self, rows: &LazyRows, gradients: &[f32]) -> f64 {
        rows.sum_of_squares(self.0, gradients)
    }
}

/// Rows of `width` as a matrix.
fn matrix(rows: Rows<'_>, width: usize) -> Matrix<'_> {
    match rows {
        Rows::Single(values) => of_width(values, width),
        Rows::Rounded(halves) => Matrix::rounded(halves, halves.len() / rounded_stride(width), width),
    }
}
