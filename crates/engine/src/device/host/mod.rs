//! The host as a device: arenas in memory, and whichever set of kernels it is given.

mod keeping;
mod moments;
mod parameters;
mod sharing;

use std::borrow::Cow;

use gyeol_kernels::{
    Activation, Arena, Dropout, Fast, FirstAttention, Heads, Isa, Kernels, NormSaved, Operands, Pool, Rows, Scalar,
    Span, Texts, TokenRows, halves_mut,
};

use super::{
    Act, AllocationError, Device, EmbeddingParams, Layout, LinearParams, NormActs, NormParams, OptimiserStep, Param,
    Store, TokenIndices,
};
use crate::config::Optimizer;
use crate::params::Tensor;
use keeping::{copy, place, rows, rows_mut};
use parameters::Waiting;
use sharing::SharedParameters;

/// The host's memory with one set of kernels.
#[derive(Debug)]
pub struct Host<K> {
    kernels: K,
    parameters: SharedParameters,
    activations: Arena,
    batch: TokenIndices,
}

/// The host with the fast kernels.
pub type Cpu = Host<Fast>;

/// The host with the scalar twins: what [`Cpu`] is tested against.
pub type Reference = Host<Scalar>;

impl Cpu {
    /// The fast kernels of `isa` with linear layers and attention in `operands`, over the current `rayon` pool.
    ///
    /// # Panics
    /// If this processor lacks `isa`, or `isa` the products of `operands`.
    pub fn new(isa: Isa, operands: Operands) -> Self {
        assert!(operands == Operands::F32 || isa.has_bf16(), "{} has no products of bfloat16", isa.name());
        Self::with(Fast::new(isa), operands)
    }
}

impl Reference {
    /// The scalar twins with linear layers and attention in `operands`.
    pub fn scalar(operands: Operands) -> Self {
        Self::with(Scalar, operands)
    }
}

impl<K: Kernels> Host<K> {
    fn with(kernels: K, operands: Operands) -> Self {
        Self {
            kernels,
            parameters: SharedParameters::new(operands),
            activations: Arena::zeros(0).expect("nothing always fits"),
            batch: TokenIndices::default(),
        }
    }

    /// The whole arena of activations.
    #[cfg(test)]
    pub(crate) fn activations(&mut self) -> &mut [f32] {
        self.activations.as_mut_slice()
    }

    /// Words of the copies that products read instead of the weights.
    #[cfg(test)]
    pub(crate) fn packed_words(&self) -> usize {
        self.parameters.packed_words()
    }

    fn rows(batch: &TokenIndices) -> TokenRows<'_> {
        TokenRows { words: &batch.words, positions: &batch.positions, segments: &batch.segments }
    }
}

/// The texts that `rows` of `width` belong to, if they are those of all tokens; others are texts of their own.
fn texts<'a>(batch: &'a TokenIndices, rows: Rows<'a>, width: usize) -> Texts<'a> {
    let of_tokens = rows.count(width) == batch.words.len();
    Texts { rows, starts: if of_tokens { &batch.cu_seqlens } else { &[] } }
}

/// Computes a product, and the update that waits for it on another thread meanwhile: one waits for memory while the other
/// computes.
fn beside<K: Kernels>(kernels: &K, update: Option<Waiting<'_>>, product: impl FnOnce() + Send) {
    match update {
        Some(update) => {
            rayon::join(product, || update.apply(kernels));
        }
        None => product(),
    }
}

impl<K: Kernels + Copy> Device for Host<K> {
    fn allocate(&mut self, layout: Layout<'_>, training: bool) -> Result<(), AllocationError> {
        self.parameters.allocate(layout, training)
    }

    fn allocate_moments(&mut self, tensors: &[Tensor], optimizer: Optimizer) -> Result<(), AllocationError> {
        // Updates that wait would otherwise be made with the new moments.
        self.settle();
        self.parameters.allocate_moments(tensors, optimizer)
    }

    fn packed_bytes(&self, linears: &[LinearParams]) -> usize {
        self.parameters.packed_bytes(linears)
    }

    fn rounds(&self) -> bool {
        self.parameters.rounds()
    }

    fn reserve_activations(&mut self, len: usize) -> Result<(), AllocationError> {
        if self.activations.len() < len {
            // The old arena is given back first: both at once may not fit. Room for much more, as memory is only occupied
            // once touched and every new arena has to be touched anew.
            self.activations = Arena::zeros(0).expect("nothing always fits");
            self.activations = parameters::arena("the activations of a batch", len.saturating_mul(4))
                .or_else(|_| parameters::arena("the activations of a batch", len))?;
        }
        Ok(())
    }

    fn settle(&mut self) {
        self.parameters.settle(&self.kernels);
    }

    fn share(&mut self) -> Option<Self> {
        Some(Self {
            kernels: self.kernels,
            parameters: self.parameters.share(&self.kernels),
            activations: Arena::zeros(0).expect("nothing always fits"),
            batch: TokenIndices::default(),
        })
    }

    fn download(&self, store: Store) -> Cow<'_, [f32]> {
        Cow::Borrowed(self.parameters.store(store).as_slice())
    }

    fn upload(&mut self, store: Store, part: Span, values: &[f32]) {
        self.parameters.upload(&self.kernels, store, part, values);
    }

    fn read(&self, from: Act, out: &mut [f32]) {
        out.copy_from_slice(self.activations.view(from.span));
    }

    fn write(&mut self, to: Act, values: &[f32]) {
        self.activations.view_mut(to.span).copy_from_slice(values);
    }

    fn set_batch(&mut self, indices: TokenIndices, training: bool) {
        self.parameters.prepare(&self.kernels, &indices.words, training);
        self.batch = indices;
    }

    fn embed(&mut self, p: &EmbeddingParams, out: Act) {
        let tables = [p.words, p.positions, p.segments].map(|table| self.parameters.weights(table));
        self.kernels.embed(Self::rows(&self.batch), tables, p.width, self.activations.view_mut(out.span));
    }

    fn embed_backward(&mut self, p: &EmbeddingParams, dout: Act) {
        self.parameters.touch(&self.batch.words);
        let mut gradients = self.parameters.gradients([p.words, p.positions, p.segments]);
        // The rows of padding stay as they are: a decoder tied to the word table has a gradient there.
        let rows =
            [Some(p.word_padding), p.position_padding].map(|row| row.map(|row| row * p.width..(row + 1) * p.width));
        let kept: Vec<Vec<f32>> =
            gradients.iter().zip(&rows).flat_map(|(table, row)| Some(table[row.clone()?].to_vec())).collect();
        let tables = gradients.each_mut().map(|table| &mut table[..]);
        self.kernels.embed_backward(Self::rows(&self.batch), self.activations.view(dout.span), p.width, tables);
        let padding = gradients.into_iter().zip(rows).filter_map(|(table, row)| Some(&mut table[row?]));
        for (row, kept) in padding.zip(kept) {
            row.copy_from_slice(&kept);
        }
    }

    fn linear(&mut self, p: &LinearParams, x: Act, y: Act) {
        let ([x_values], [y_values]) = self.activations.views([place(x)], [place(y)]);
        let x = texts(&self.batch, rows(x, x_values), p.shape.inputs);
        let (kernels, y) = (&self.kernels, rows_mut(y, y_values));
        let (weight, bias, next) = self.parameters.read(kernels, p);
        beside(kernels, next, || kernels.linear(p.shape, x, weight, bias, y));
    }

    fn linear_activation(&mut self, p: &LinearParams, activation: Activation, x: Act, before: Act, y: Act) {
        let places = [before, y].map(place);
        let ([x_values], [before_values, y_values]) = self.activations.views([place(x)], places);
        let kernels = &self.kernels;
        let (x, y) = (texts(&self.batch, rows(x, x_values), p.shape.inputs), rows_mut(y, y_values));
        let before = (before.span.len > 0).then(|| rows_mut(before, before_values));
        let (weight, bias, next) = self.parameters.read(kernels, p);
        beside(kernels, next, || kernels.linear_activation(p.shape, activation, x, weight, bias, before, y));
    }

    fn linear_backward_input(&mut self, p: &LinearParams, dy: Act, dx: Act, accumulate: bool) {
        let ([dy_values], [dx]) = self.activations.views([place(dy)], [dx.span]);
        let dy = rows(dy, dy_values);
        self.kernels.linear_backward_input(p.shape, dy, self.parameters.weight(p), dx, accumulate);
    }

    fn linear_backward_activation(
        &mut self,
        p: &LinearParams,
        activation: Activation,
        dy: Act,
        before: Act,
        gradient: Act,
        y: Act,
    ) {
        let (read, written) = ([dy, before].map(place), [gradient, y].map(place));
        let ([dy_values, before_values], [gradient_values, y_values]) = self.activations.views(read, written);
        let parameters = &self.parameters;
        let (dy, before) = (rows(dy, dy_values), rows(before, before_values));
        let (gradient, y) = (rows_mut(gradient, gradient_values), rows_mut(y, y_values));
        self.kernels.linear_backward_activation(p.shape, activation, dy, parameters.weight(p), before, gradient, y);
    }

    fn linear_backward_weight(&mut self, p: &LinearParams, dy: Act, x: Act) {
        let (dy_values, x_values) = (self.activations.view(place(dy)), self.activations.view(place(x)));
        let (dy, x) = (rows(dy, dy_values), rows(x, x_values));
        self.parameters.linear_gradient(p, |weight, _, gradient| {
            self.kernels.linear_backward_weight(p.shape, weight.operands(), dy, x, gradient)
        });
    }

    fn activation_backward(&mut self, activation: Activation, before: Act, gradient: Act, y: Act) {
        let ([before], [gradient, y]) = self.activations.views([before.span], [gradient.span, y.span]);
        self.kernels.activation_backward(activation, before, gradient, y);
    }

    fn attention(&mut self, shape: Heads, qkv: Act, dropout: Option<Dropout>, out: Act, lse: Act) {
        let ([qkv_values], [out_values, lse]) = self.activations.views([place(qkv)], [place(out), lse.span]);
        let (qkv, out) = (rows(qkv, qkv_values), rows_mut(out, out_values));
        self.kernels.attention(shape, qkv, &self.batch.cu_seqlens, dropout, out, lse);
    }

    fn attention_first(
        &mut self,
        shape: Heads,
        p: &LinearParams,
        x: Act,
        dropout: Option<Dropout>,
        scratch: Act,
        out: Act,
    ) {
        let ([x], [scratch, out]) = self.activations.views([x.span], [scratch.span, out.span]);
        let (kernels, cu_seqlens) = (&self.kernels, &self.batch.cu_seqlens);
        let (weight, bias, next) = self.parameters.read(kernels, p);
        let layer = FirstAttention { shape, x, cu_seqlens, weight: weight.values, bias, dropout };
        beside(kernels, next, || kernels.attention_first(layer, scratch, out));
    }

    fn attention_first_backward(
        &mut self,
        shape: Heads,
        p: &LinearParams,
        x: Act,
        dropout: Option<Dropout>,
        scratch: Act,
        dout: Act,
        dx: Option<Act>,
    ) {
        let written = [scratch.span, dx.unwrap_or_default().span];
        let ([x, dout], [scratch, dx_rows]) = self.activations.views([x.span, dout.span], written);
        let (kernels, cu_seqlens, dx) = (&self.kernels, &self.batch.cu_seqlens, dx.map(|_| dx_rows));
        self.parameters.linear_gradient(p, |weight, bias, gradient| {
            let layer = FirstAttention { shape, x, cu_seqlens, weight: weight.values, bias, dropout };
            kernels.attention_first_backward(layer, scratch, dout, dx, gradient)
        });
    }

    fn attention_backward(&mut self, shape: Heads, qkv: Act, dropout: Option<Dropout>, lse: Act, dout: Act, dqkv: Act) {
        let ([qkv_values, lse, dout], [dqkv_values]) =
            self.activations.views([place(qkv), lse.span, dout.span], [place(dqkv)]);
        let (qkv, dqkv) = (rows(qkv, qkv_values), rows_mut(dqkv, dqkv_values));
        self.kernels.attention_backward(shape, qkv, &self.batch.cu_seqlens, dropout, lse, dout, dqkv);
    }

    fn add_norm(&mut self, p: &NormParams, x: NormActs, residual: Option<Act>, dropout: Option<Dropout>, y: Act) {
        let (gamma, beta) = (self.parameters.weights(p.gamma), self.parameters.weights(p.beta));
        let copy = copy(y);
        let written = [x.x.span, x.rstd.span, y.span, copy.unwrap_or_default()];
        let ([residual_rows], [x, rstd, y, rounded]) =
            self.activations.views([residual.unwrap_or_default().span], written);
        let (residual, rounded) = (residual.map(|_| residual_rows), copy.map(|_| halves_mut(rounded)));
        self.kernels.add_norm(x, residual, gamma, beta, p.eps, dropout, y, rstd, rounded);
    }

    fn add_norm_backward(
        &mut self,
        p: &NormParams,
        saved: NormActs,
        dropout: Option<Dropout>,
        dy: Act,
        dx: Act,
        dresidual: Act,
    ) {
        let ([normalised, rstd, dy], [dx_values, dresidual]) =
            self.activations.views([saved.x.span, saved.rstd.span, dy.span], [place(dx), dresidual.span]);
        let dx = rows_mut(dx, dx_values);
        let (gamma, [dgamma, dbeta]) = self.parameters.weights_and_gradients(p.gamma, [p.gamma, p.beta]);
        let saved = NormSaved { normalised, rstd };
        self.kernels.add_norm_backward(dy, saved, gamma, dropout, dx, dresidual, dgamma, dbeta);
    }

    fn dropout(&mut self, dropout: Dropout, x: Act) {
        self.kernels.dropout(dropout, self.activations.view_mut(x.span));
    }

    fn copy(&mut self, from: Act, to: Act) {
        let ([from], [to]) = self.activations.views([from.span], [to.span]);
        to.copy_from_slice(from);
    }

    fn gather_read(&mut self, x: Act, width: usize, out: Act) {
        // Rows that are kept rounded are copied as they lie.
        let row = x.row(width);
        let ([x], [out]) = self.activations.views([place(x)], [place(out)]);
        self.kernels.gather_rows(x, &self.batch.read, row, out);
    }

    fn scatter_read(&mut self, dout: Act, width: usize, dx: Act) {
        let ([dout], [dx]) = self.activations.views([dout.span], [dx.span]);
        self.kernels.scatter_rows(dout, &self.batch.read, width, dx);
    }

    fn pool(&mut self, pool: Pool, x: Act, width: usize, out: Act) {
        let ([x], [out]) = self.activations.views([x.span], [out.span]);
        self.kernels.pool(pool, x, &self.batch.cu_seqlens, width, out);
    }

    fn pool_backward(&mut self, pool: Pool, x: Act, dout: Act, width: usize, dx: Act) {
        let ([x, dout], [dx]) = self.activations.views([x.span, dout.span], [dx.span]);
        self.kernels.pool_backward(pool, x, &self.batch.cu_seqlens, dout, width, dx);
    }

    fn cosine(&mut self, x: Act, width: usize, out: Act) {
        let ([x], [out]) = self.activations.views([x.span], [out.span]);
        self.kernels.cosine(x, width, out);
    }

    fn cosine_backward(&mut self, x: Act, width: usize, dout: Act, dx: Act) {
        let ([x, dout], [dx]) = self.activations.views([x.span, dout.span], [dx.span]);
        self.kernels.cosine_backward(x, width, dout, dx);
    }

    fn cross_entropy(&mut self, logits: Act, classes: &[u32], weight: f32, losses: &mut [f32]) {
        self.kernels.cross_entropy(self.activations.view_mut(logits.span), classes, weight, losses);
    }

    fn zero_gradients(&mut self) {
        self.parameters.zero_gradients(&self.kernels);
    }

    fn gradient_squares(&mut self) -> f64 {
        self.parameters.gradient_squares(&self.kernels)
    }

    fn clear_gradient(&mut self, parameter: Param) {
        let [gradient] = self.parameters.gradients([parameter]);
        self.kernels.zero(gradient);
    }

    fn allocate_average(&mut self) -> Result<(), AllocationError> {
        self.parameters.allocate_average()
    }

    fn average(&mut self, decay: f64) {
        self.parameters.average(&self.kernels, decay);
    }

    fn swap_average(&mut self) {
        self.parameters.swap_average(&self.kernels);
    }

    fn update(&mut self, step: OptimiserStep, part: Span) {
        self.parameters.update(&self.kernels, step, part);
    }
}
