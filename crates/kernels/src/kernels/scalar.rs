//! The scalar twins as one set.

use super::{
    AdamSlices, KEPT_ALIKE, Kernels, Linear, LinearGradient, NormSaved, PackedWeight, RowSlices, Weight, of_width,
};
use crate::activation::Activation;
use crate::attention::{FirstAttention, Heads};
use crate::dropout::Dropout;
use crate::embedding::TokenRows;
use crate::gemm::Matrix;
use crate::isa::{Isa, Operands};
use crate::optimiser::{AdafactorStep, AdamStep, LazyRows, LionStep, SgdStep};
use crate::pooling::Pool;
use crate::rounded::{Rows, RowsMut, Texts};
use crate::{packed, reference};

/// The scalar twins as one set of kernels: what the fast ones are tested against, a whole model included.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scalar;

impl Kernels for Scalar {
    fn linear(&self, shape: Linear, x: Texts<'_>, weight: Weight<'_>, bias: &[f32], mut y: RowsMut<'_>) {
        let mut values = bias.repeat(x.rows.count(shape.inputs));
        let [rows, w] = reference::rounded(weight.operands(), [&x.rows.to_single(shape.inputs), weight.values]);
        if weight.packed.is_some_and(PackedWeight::is_for_inference) && shape.uses_fixed() {
            // Weights are rounded to whole numbers, not to bfloat16.
            reference::gemm_fixed(shape, &rows, weight.values, &mut values);
            return y.store(&values, shape.outputs);
        }
        let (rows, w) = (of_width(&rows, shape.inputs), Matrix::new(&w, shape.outputs, shape.inputs).transposed());
        match weight.packed {
            Some(_) if shape.uses_strassen() => reference::gemm_strassen(rows, x.starts, w, &mut values),
            _ => reference::gemm(rows, w, &mut values, true),
        }
        y.store(&values, shape.outputs);
    }

    fn linear_activation(
        &self,
        shape: Linear,
        activation: Activation,
        x: Texts<'_>,
        weight: Weight<'_>,
        bias: &[f32],
        before: Option<RowsMut<'_>>,
        mut y: RowsMut<'_>,
    ) {
        let mut values = vec![0.0; x.rows.count(shape.inputs) * shape.outputs];
        self.linear(shape, x, weight, bias, RowsMut::Single(&mut values));
        values.iter_mut().for_each(|x| *x = y.kept(*x));
        if let Some(mut before) = before {
            assert!(before.is_rounded() == y.is_rounded(), "{KEPT_ALIKE}");
            before.store(&values, shape.outputs);
        }
        values.iter_mut().for_each(|x| *x = reference::activate(activation, *x));
        y.store(&values, shape.outputs);
    }

    fn linear_backward_input(&self, shape: Linear, dy: Rows<'_>, weight: Weight<'_>, dx: &mut [f32], accumulate: bool) {
        let [dy, w] = reference::rounded(weight.operands(), [&dy.to_single(shape.outputs), weight.values]);
        let (dy, w) = (of_width(&dy, shape.outputs), Matrix::new(&w, shape.outputs, shape.inputs));
        if weight.packed.is_some() && shape.uses_strassen() {
            if !accumulate {
                dx.fill(0.0);
            }
            reference::gemm_strassen(dy, &[0, dy.shape()[0] as u32], w, dx);
        } else {
            reference::gemm(dy, w, dx, accumulate);
        }
    }

    fn linear_backward_activation(
        &self,
        shape: Linear,
        activation: Activation,
        dy: Rows<'_>,
        weight: Weight<'_>,
        before: Rows<'_>,
        mut gradient: RowsMut<'_>,
        mut y: RowsMut<'_>,
    ) {
        assert!([gradient.is_rounded(), y.is_rounded()] == [before.is_rounded(); 2], "{KEPT_ALIKE}");
        let before = before.to_single(shape.inputs);
        let (mut product, mut activated) = (vec![0.0; before.len()], vec![0.0; before.len()]);
        self.linear_backward_input(shape, dy, weight, &mut product, false);
        self.activation_backward(activation, &before, &mut product, &mut activated);
        gradient.store(&product, shape.inputs);
        y.store(&activated, shape.inputs);
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
        let (dy, x) = (dy.to_single(shape.outputs), x.to_single(shape.inputs));
        reference::add_column_sums(&dy, gradient.bias);
        let [dy, x] = reference::rounded(operands, [&dy, &x]);
        let dy_t = of_width(&dy, shape.outputs).transposed();
        reference::gemm(dy_t, of_width(&x, shape.inputs), gradient.weight, gradient.accumulate);
        reference::sum_of_squares(gradient.weight)
    }

    fn pack(&self, shape: Linear, weight: &[f32], forward: &mut [u32], backward: &mut [u32]) {
        packed::pack(Isa::Portable, shape, weight, forward, backward);
    }

    fn activation_backward(&self, activation: Activation, before: &[f32], gradient: &mut [f32], y: &mut [f32]) {
        reference::activation_backward(activation, before, gradient, y);
    }

    fn attention(
        &self,
        shape: Heads,
        qkv: Rows<'_>,
        cu_seqlens: &[u32],
        dropout: Option<Dropout>,
        mut out: RowsMut<'_>,
        lse: &mut [f32],
    ) {
        let qkv = qkv.to_single(3 * shape.hidden());
        let mut values = vec![0.0; qkv.len() / 3];
        reference::attention(shape, &qkv, cu_seqlens, dropout, &mut values, lse);
        out.store(&values, shape.hidden());
    }

    fn attention_first(&self, layer: FirstAttention<'_>, _scratch: &mut [f32], out: &mut [f32]) {
        reference::attention_first(layer, out);
    }

    fn attention_first_backward(
        &self,
        layer: FirstAttention<'_>,
        _scratch: &mut [f32],
        dout: &[f32],
        dx: Option<&mut [f32]>,
        gradient: LinearGradient<'_>,
    ) -> f64 {
        reference::attention_first_backward(layer, dout, dx, gradient)
    }

    fn attention_backward(
        &self,
        shape: Heads,
        qkv: Rows<'_>,
        cu_seqlens: &[u32],
        dropout: Option<Dropout>,
        _lse: &[f32],
        dout: &[f32],
        mut dqkv: RowsMut<'_>,
    ) {
        let qkv = qkv.to_single(3 * shape.hidden());
        let mut values = vec![0.0; qkv.len()];
        reference::attention_backward(shape, &qkv, cu_seqlens, dropout, dout, &mut values);
        dqkv.store(&values, 3 * shape.hidden());
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
        reference::add_norm(x, residual, gamma, beta, eps, dropout, y, rstd);
        if let Some(rounded) = rounded {
            RowsMut::Rounded(rounded).store(y, gamma.len());
        }
    }

    fn add_norm_backward(
        &self,
        dy: &[f32],
        saved: NormSaved<'_>,
        gamma: &[f32],
        dropout: Option<Dropout>,
        mut dx: RowsMut<'_>,
        dresidual: &mut [f32],
        dgamma: &mut [f32],
        dbeta: &mut [f32],
    ) {
        let NormSaved { normalised, rstd } = saved;
        let mut values = vec![0.0; dy.len()];
        reference::add_norm_backward(dy, normalised, rstd, gamma, dropout, &mut values, dresidual, dgamma, dbeta);
        dx.store(&values, gamma.len());
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

    fn pool(&self, pool: Pool, x: &[f32], cu_seqlens: &[u32], width: usize, out: &mut [f32]) {
        reference::pool(pool, x, cu_seqlens, width, out);
    }

    fn pool_backward(&self, pool: Pool, x: &[f32], cu_seqlens: &[u32], dout: &[f32], width: usize, dx: &mut [f32]) {
        reference::pool_backward(pool, x, cu_seqlens, dout, width, dx);
    }

    fn cosine(&self, x: &[f32], width: usize, out: &mut [f32]) {
        reference::cosine(x, width, out);
    }

    fn cosine_backward(&self, x: &[f32], width: usize, dout: &[f32], dx: &mut [f32]) {
        reference::cosine_backward(x, width, dout, dx);
    }

    fn cross_entropy(&self, logits: &mut [f32], classes: &[u32], weight: f32, losses: &mut [f32]) {
        reference::cross_entropy(logits, classes, weight, losses);
    }

    fn adamw(&self, step: AdamStep, weights: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32]) {
        reference::adamw(step, weights, gradients, first, second);
    }

    fn sum_of_squares(&self, x: &[f32]) -> f64 {
        reference::sum_of_squares(x)
    }

    fn adamw_packed(
        &self,
        step: AdamStep,
        shape: Linear,
        state: AdamSlices<'_>,
        forward: &mut [u32],
        backward: &mut [u32],
    ) {
        self.adamw(step, state.weights, state.gradients, state.first, state.second);
        self.pack(shape, state.weights, forward, backward);
    }

    fn adamw_rows(&self, step: AdamStep, rows: &mut LazyRows, table: RowSlices<'_>, gradients: &mut [f32]) {
        rows.step(Isa::Portable, step, table.weights, gradients, table.first, table.second);
    }

    fn catch_up(&self, rows: &mut LazyRows, ids: Option<&[u32]>, table: RowSlices<'_>) {
        match ids {
            Some(ids) => rows.catch_up(Isa::Portable, ids, table.weights, table.first, table.second),
            None => rows.settle(Isa::Portable, table.weights, table.first, table.second),
        }
    }

    fn sgd(&self, step: SgdStep, weights: &mut [f32], gradients: &[f32], momentum: &mut [f32]) {
        reference::sgd(step, weights, gradients, momentum);
    }

    fn lion(&self, step: LionStep, weights: &mut [f32], gradients: &[f32], moments: &mut [f32]) {
        reference::lion(step, weights, gradients, moments);
    }

    fn adafactor(&self, step: AdafactorStep, weights: &mut [f32], gradients: &[f32], means: &mut [f32]) {
        reference::adafactor(step, weights, gradients, means);
    }

    fn adafactor_matrix(
        &self,
        step: AdafactorStep,
        weights: &mut [f32],
        gradients: &[f32],
        row_means: &mut [f32],
        column_means: &mut [f32],
    ) {
        reference::adafactor_matrix(step, weights, gradients, row_means, column_means);
    }

    fn sum_of_squares_rows(&self, rows: &LazyRows, gradients: &[f32]) -> f64 {
        rows.sum_of_squares(Isa::Portable, gradients)
    }
}
