//! Attention of the first token of each sequence alone, from the layer's input: keys and values are never computed.
//!
//! A score is q·(Kx + k) = (Kᵀq)·x + q·k, whose last term is the same for every token of a sequence and so nothing to the
//! softmax; and Σ p (Vx + v) = V(Σ p x) + v Σ p, where Σ p is 1 but under dropout. One query then costs two products with a
//! head's weights a sequence instead of two a token, and its gradients go back the same way. What is done with the weights
//! is here, in single precision, as the rows are few; [`sequence`] is what is done with the tokens.

mod scratch;
mod sequence;
#[cfg(test)]
mod tests;

use rayon::prelude::*;

use super::Heads;
use crate::dropout::Dropout;
use crate::embedding::{add_column_sums, gather_rows};
use crate::gemm::{Epilogue, Matrix, gemm};
use crate::isa::Isa;
use crate::kernels::LinearGradient;
use crate::optimiser::sum_of_squares;
use crate::rounded::Rows;
use crate::shared::SharedMut;
use scratch::Scratch;
use sequence::{Sequence, Terms, for_each_sequence};

/// What attention of the first token of each sequence reads, forward and backward.
#[derive(Debug, Clone, Copy)]
pub struct FirstAttention<'a> {
    /// Heads and their width.
    pub shape: Heads,
    /// The layer's input, `[tokens, hidden]`.
    pub x: &'a [f32],
    /// Cumulative lengths of the sequences, from 0.
    pub cu_seqlens: &'a [u32],
    /// Of the projection to queries, keys and values, `[3·hidden, hidden]`.
    pub weight: &'a [f32],
    /// `[3·hidden]`.
    pub bias: &'a [f32],
    /// Of probabilities: drops those that it drops of all tokens' attention.
    pub dropout: Option<Dropout>,
}

impl<'a> FirstAttention<'a> {
    pub(crate) fn sequences(&self) -> usize {
        self.cu_seqlens.len() - 1
    }

    /// Queries, keys or values as a layer of their own: the weight `[hidden, hidden]`.
    pub(crate) fn part(&self, part: Projection) -> Matrix<'a> {
        let width = self.shape.hidden();
        Matrix::new(&self.weight[part as usize * width * width..][..width * width], width, width)
    }

    /// The weight `[head_dim, hidden]` of one head in it.
    fn head(&self, part: Projection, head: usize) -> Matrix<'a> {
        let (width, head_dim) = (self.shape.hidden(), self.shape.head_dim);
        let start = (part as usize * width + head * head_dim) * width;
        Matrix::new(&self.weight[start..][..head_dim * width], head_dim, width)
    }

    /// The part's bias, `[hidden]`.
    pub(crate) fn bias(&self, part: Projection) -> &'a [f32] {
        let width = self.shape.hidden();
        &self.bias[part as usize * width..][..width]
    }

    /// The columns of one head in rows `[sequences, hidden]`.
    fn of_head<'b>(&self, rows: &'b [f32], head: usize) -> Matrix<'b> {
        let head_dim = self.shape.head_dim;
        let rows = Matrix::new(rows, self.sequences(), self.shape.hidden());
        rows.columns(head * head_dim..(head + 1) * head_dim)
    }

    fn check(&self, out: &[f32]) {
        let (width, sequences) = (self.shape.hidden(), self.sequences());
        assert!(self.cu_seqlens.windows(2).all(|pair| pair[0] < pair[1]), "cumulative lengths increase");
        let tokens = self.cu_seqlens[sequences] as usize;
        assert_eq!(Some(self.x.len()), tokens.checked_mul(width), "an input row a token");
        let rows = width.checked_mul(3);
        let weights = rows.and_then(|rows| rows.checked_mul(width));
        assert_eq!(Some(self.weight.len()), weights, "queries, keys and values of the input");
        assert_eq!(Some(self.bias.len()), rows, "queries, keys and values of the input");
        assert_eq!(Some(out.len()), sequences.checked_mul(width), "an output row a sequence");
    }
}

/// What the input is projected to, in the order of the weight's rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Projection {
    Query,
    Key,
    Value,
}

/// `out = softmax(Q·Kᵀ/√d)·V` of the first token of each sequence, `[sequences, hidden]`. `scratch` is as long as
/// [`Heads::first_scratch`] says and keeps what [`attention_first_backward`] needs.
pub(crate) fn attention_first(isa: Isa, layer: FirstAttention<'_>, scratch: &mut [f32], out: &mut [f32]) {
    layer.check(out);
    let (shape, width, sequences) = (layer.shape, layer.shape.hidden(), layer.sequences());
    if sequences == 0 {
        return;
    }
    let Scratch { first, queries, by_head, terms, probabilities, kept } = Scratch::of(&layer, scratch);
    gather_rows(layer.x, &layer.cu_seqlens[..sequences], width, first);
    let query = layer.part(Projection::Query).transposed();
    let first = Matrix::new(first, sequences, width);
    gemm(isa, first, query, queries, Epilogue::Bias(layer.bias(Projection::Query)));

    let rows = sequences * width;
    let keyed = &mut terms[..shape.heads * rows];
    keyed.par_chunks_mut(rows).enumerate().for_each(|(head, keyed)| {
        gemm(isa, layer.of_head(queries, head), layer.head(Projection::Key, head), keyed, Epilogue::None);
    });
    let shared = [&mut *terms, probabilities, &mut *kept].map(SharedMut::new);
    for_each_sequence(&layer, |sequence, room| {
        // SAFETY: one task owns what is a sequence's; the sizes are those of the scratch.
        unsafe { sequence.forward(isa, Parts::of(sequence, shared), room) };
    });
    let weighed = terms[shape.heads * rows..].par_chunks(rows);
    let heads = by_head.par_chunks_mut(sequences * shape.head_dim).zip(weighed);
    heads.enumerate().for_each(|(head, (context, weighed))| {
        let value = layer.head(Projection::Value, head).transposed();
        gemm(isa, Matrix::new(weighed, sequences, width), value, context, Epilogue::None);
    });
    side_by_side(shape, by_head, out);
    for (out, kept) in out.chunks_exact_mut(width).zip(kept.chunks_exact(shape.lanes())) {
        add_scaled(shape, layer.bias(Projection::Value), kept, out);
    }
}

/// The backward pass of [`attention_first`], whose `scratch` this is, from `dout`, `[sequences, hidden]`: the gradient of the
/// input is added to `dx`, those of weight and bias go where `gradient` says; a bias of keys has none. Returns the sum of
/// the squares of the weight's gradient as it then stands. What `scratch` kept is lost.
pub(crate) fn attention_first_backward(
    isa: Isa,
    layer: FirstAttention<'_>,
    scratch: &mut [f32],
    dout: &[f32],
    mut dx: Option<&mut [f32]>,
    gradient: LinearGradient<'_>,
) -> f64 {
    layer.check(dout);
    let (shape, width, sequences) = (layer.shape, layer.shape.hidden(), layer.sequences());
    assert!(dx.as_ref().is_none_or(|dx| dx.len() == layer.x.len()), "a gradient as large as its value");
    assert!(gradient.weight.len() == layer.weight.len() && gradient.bias.len() == layer.bias.len(), "of both");
    let LinearGradient { weight: dweight, bias: dbias, accumulate } = gradient;
    if sequences == 0 {
        if !accumulate {
            dweight.fill(0.0);
        }
        return sum_of_squares(isa, dweight);
    }
    let (dquery, rest) = dweight.split_at_mut(width * width);
    let (dkey, dvalue) = rest.split_at_mut(width * width);
    let Scratch { first, queries, by_head, terms, probabilities, kept } = Scratch::of(&layer, scratch);
    let (rows, weight_len) = (sequences * width, shape.head_dim * width);
    let outer = |a: Matrix<'_>, b: &[f32], out: &mut [f32]| {
        let mut squares = 0.0;
        let epilogue = Epilogue::Gradient { accumulate, squares: &mut squares };
        gemm(isa, a.transposed(), Matrix::new(b, sequences, width), out, epilogue);
        squares
    };

    for (dout, kept) in dout.chunks_exact(width).zip(kept.chunks_exact(shape.lanes())) {
        add_scaled(shape, dout, kept, &mut dbias[2 * width..]);
    }
    // Weighed inputs give way to their gradients.
    let weighed = terms[shape.heads * rows..].par_chunks_mut(rows);
    let heads = weighed.zip(dvalue.par_chunks_mut(weight_len)).enumerate();
    let of_values = heads.map(|(head, (weighed, dvalue))| {
        let dout = layer.of_head(dout, head);
        let squares = outer(dout, weighed, dvalue);
        gemm(isa, dout, layer.head(Projection::Value, head), weighed, Epilogue::None);
        squares
    });
    let of_values: Vec<f64> = of_values.collect();

    // Then queries in terms of the input give way to theirs.
    let shared = [&mut *terms, probabilities, kept].map(SharedMut::new);
    let shared_dx = dx.as_mut().map(|dx| SharedMut::new(dx));
    for_each_sequence(&layer, |sequence, room| {
        let dout = &dout[sequence.index * width..][..width];
        // SAFETY: one task owns what is a sequence's; the sizes are those of the scratch, and of `x`.
        unsafe {
            let dx = shared_dx.map(|dx| dx.slice(sequence.from * width, sequence.x.len()));
            let parts = Parts::of(sequence, shared);
            sequence.backward(isa, parts, dout, layer.bias(Projection::Value), dx, room);
        }
    });
    let heads = by_head.par_chunks_mut(sequences * shape.head_dim).zip(dkey.par_chunks_mut(weight_len));
    let of_keys = heads.zip(terms.par_chunks(rows)).enumerate().map(|(head, ((dqueries, dkey), dkeyed))| {
        let key = layer.head(Projection::Key, head).transposed();
        gemm(isa, Matrix::new(dkeyed, sequences, width), key, dqueries, Epilogue::None);
        outer(layer.of_head(queries, head), dkeyed, dkey)
    });
    let of_keys: Vec<f64> = of_keys.collect();

    let dqueries = queries;
    side_by_side(shape, by_head, dqueries);
    add_column_sums(isa, Rows::Single(dqueries), &mut dbias[..width]);
    let dqueries = Matrix::new(dqueries, sequences, width);
    let of_queries = outer(dqueries, first, dquery);
    if let Some(dx) = dx {
        let dfirst = by_head;
        gemm(isa, dqueries, layer.part(Projection::Query), dfirst, Epilogue::None);
        for (dfirst, &token) in dfirst.chunks_exact(width).zip(layer.cu_seqlens) {
            let dx = &mut dx[token as usize * width..][..width];
            dx.iter_mut().zip(dfirst).for_each(|(dx, dfirst)| *dx += dfirst);
        }
    }
    of_queries + of_keys.iter().sum::<f64>() + of_values.iter().sum::<f64>()
}

/// What is of one sequence in the scratch.
struct Parts<'a> {
    /// What queries, and what contexts are in terms of the input.
    terms: Terms,
    /// `[length, lanes]`.
    probabilities: &'a mut [f32],
    /// The sum of the probabilities that dropout leaves of each head, `[lanes]`.
    kept: &'a mut [f32],
}

impl<'a> Parts<'a> {
    /// From terms, probabilities and kept sums of all sequences.
    ///
    /// # Safety
    /// While the result lives, nothing else accesses what is the sequence's.
    unsafe fn of(sequence: Sequence<'_>, [terms, probabilities, kept]: [SharedMut<'a>; 3]) -> Self {
        let (lanes, width) = (sequence.shape.lanes(), sequence.shape.hidden());
        // SAFETY: as the caller promises.
        unsafe {
            Self {
                terms: Terms { at: terms.get().add(sequence.index * width), stride: sequence.sequences * width },
                probabilities: probabilities.slice(sequence.from * lanes, sequence.length() * lanes),
                kept: kept.slice(sequence.index * lanes, lanes),
            }
        }
    }
}

/// Adds to each head's columns of `to` those of `x`, both `[hidden]`, times the head's `factors`.
fn add_scaled(shape: Heads, x: &[f32], factors: &[f32], to: &mut [f32]) {
    let heads = to.chunks_exact_mut(shape.head_dim).zip(x.chunks_exact(shape.head_dim));
    for ((to, x), factor) in heads.zip(factors) {
        to.iter_mut().zip(x).for_each(|(to, x)| *to += x * factor);
    }
}

/// Rows `[heads, sequences, head_dim]` as `[sequences, hidden]`.
fn side_by_side(shape: Heads, by_head: &[f32], out: &mut [f32]) {
    let of_head = by_head.len() / shape.heads;
    for (sequence, out) in out.chunks_exact_mut(shape.hidden()).enumerate() {
        for (out, rows) in out.chunks_exact_mut(shape.head_dim).zip(by_head.chunks_exact(of_head)) {
            out.copy_from_slice(&rows[sequence * shape.head_dim..][..shape.head_dim]);
        }
    }
}
