//! Attention of one sequence's first token over the sequence's inputs, forward and backward, all heads at once: they lie
//! along the lanes of vectors, so that a token's row is read for all of them together and the softmax over tokens takes no
//! step across lanes.

use std::cmp::Reverse;
use std::f32::consts::LOG2_E;

use rayon::prelude::*;

use super::{FirstAttention, Parts};
use crate::attention::lanes::{Lanes, Work};
use crate::attention::operand::{Operand, Products};
use crate::attention::tile::{Product, Rows};
use crate::attention::{Heads, LINE, with_scratch};
use crate::dropout::Dropout;
use crate::isa::Isa;

/// One sequence of a batch.
#[derive(Clone, Copy)]
pub(super) struct Sequence<'a> {
    pub(super) shape: Heads,
    dropout: Option<Dropout>,
    /// Its number, of `sequences`.
    pub(super) index: usize,
    pub(super) sequences: usize,
    /// Its first token.
    pub(super) from: usize,
    /// Its rows of the input, `[length, hidden]`.
    pub(super) x: &'a [f32],
}

/// Rows of one sequence, two a head: row `i` is `stride` elements after row `i - 1`, the heads' first ones come first.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    pub(super) at: *mut f32,
    pub(super) stride: usize,
}

/// Runs `work` on every sequence, the long ones first, with room of [`Sequence::room`] elements.
pub(super) fn for_each_sequence(layer: &FirstAttention<'_>, work: impl Fn(Sequence<'_>, &mut [f32]) + Sync) {
    let &FirstAttention { shape, dropout, x, .. } = layer;
    let (sequences, width) = (layer.sequences(), shape.hidden());
    let mut each = Vec::with_capacity(sequences);
    for (index, pair) in layer.cu_seqlens.windows(2).enumerate() {
        let [from, to] = [pair[0] as usize, pair[1] as usize];
        each.push(Sequence { shape, dropout, index, sequences, from, x: &x[from * width..to * width] });
    }
    each.sort_by_key(|sequence| Reverse(sequence.length()));
    each.par_iter().with_max_len(1).for_each(|sequence| with_scratch(sequence.room(), |room| work(*sequence, room)));
}

impl Sequence<'_> {
    pub(super) fn length(&self) -> usize {
        self.x.len() / self.shape.hidden()
    }

    /// Elements of room that either pass may want: a transpose, two numbers a token and head, the terms of all heads next to
    /// each other, and the input up to whole vectors.
    fn room(&self) -> usize {
        let (lanes, width) = (self.shape.lanes(), self.shape.hidden());
        width * lanes
            + 2 * self.length() * lanes
            + (2 * self.shape.heads + self.length()) * width.next_multiple_of(LINE)
    }

    /// From what queries are in terms of the input to what contexts are.
    ///
    /// # Safety
    /// The terms are accessible, by this call alone.
    pub(super) unsafe fn forward(self, isa: Isa, parts: Parts<'_>, room: &mut [f32]) {
        // SAFETY: passed on to the caller.
        unsafe { f32::enter(isa, Forward { sequence: self, parts, room }) }
    }

    /// From the gradients of contexts in terms of the input to those of queries, and to `dx`, where it is asked for.
    ///
    /// # Safety
    /// The terms are accessible, by this call alone.
    pub(super) unsafe fn backward(
        self,
        isa: Isa,
        parts: Parts<'_>,
        dout: &[f32],
        value_bias: &[f32],
        dx: Option<&mut [f32]>,
        room: &mut [f32],
    ) {
        // SAFETY: passed on to the caller.
        unsafe { f32::enter(isa, Backward { sequence: self, parts, dout, value_bias, dx, room }) }
    }

    /// The rows of all heads from `at` on.
    fn rows(&self, at: *const f32, terms: Terms) -> Rows<f32> {
        Rows { at, stride: terms.stride, rows: self.shape.heads, columns: self.shape.hidden() }
    }

    /// Products of every token's row with `rows`, one a head, into `out`, `[length, lanes]`.
    ///
    /// # Safety
    /// The rows are readable.
    #[inline(always)]
    unsafe fn products<S: Lanes>(&self, s: S, rows: Rows<f32>, transposed: &mut [f32], out: &mut [f32]) {
        let (stride, width, columns) =
            (self.shape.lanes(), self.shape.hidden(), self.shape.heads.next_multiple_of(S::WIDTH));
        assert!(out.len() >= self.length() * stride, "room for the products");
        // SAFETY: the rows are readable as the caller promises, the rest was checked.
        unsafe {
            rows.transpose(s, transposed);
            s.enter(Product {
                rows: self.length(),
                depth: width,
                columns,
                a: self.x.as_ptr(),
                a_row: width,
                a_column: 1,
                b: transposed.as_ptr(),
                b_row: columns,
                out: out.as_mut_ptr(),
                out_row: stride,
                accumulate: false,
            });
        }
    }

    /// For each head the sum of all tokens' rows, weighted by `weights`, `[length, lanes]`, into the rows from `out` on.
    ///
    /// # Safety
    /// The rows are accessible, by this call alone.
    #[inline(always)]
    unsafe fn sums<S: Lanes>(&self, s: S, weights: &[f32], room: &mut [f32], out: *mut f32, terms: Terms) {
        let (stride, width) = (self.shape.lanes(), self.shape.hidden());
        assert!(weights.len() >= self.length() * stride, "a weight a token and head");
        let x = Rows { at: self.x.as_ptr(), stride: width, rows: self.length(), columns: width };
        // SAFETY: the rows are accessible as the caller promises, the rest was checked.
        unsafe {
            let x = if width.is_multiple_of(S::WIDTH) { x } else { x.pack(S::WIDTH, room) };
            s.enter(Product {
                rows: self.shape.heads,
                depth: self.length(),
                columns: width,
                a: weights.as_ptr(),
                a_row: 1,
                a_column: stride,
                b: x.at,
                b_row: x.stride,
                out,
                out_row: terms.stride,
                accumulate: false,
            });
        }
    }

    /// Dropout, if there is any, with the keys of the streams of the heads from `lane` on.
    #[inline(always)]
    fn streams<S: Lanes>(&self, lane: usize) -> Option<(Dropout, [[u32; 16]; 2])> {
        let dropout = self.dropout?;
        let mut keys = [[0; 16]; 2];
        for head in lane..self.shape.heads.min(lane + S::WIDTH) {
            [keys[0][head - lane], keys[1][head - lane]] =
                dropout.part_key((self.from * self.shape.heads + head) as u32);
        }
        Some((dropout, keys))
    }
}

/// Factors of the probabilities of token `j`.
#[inline(always)]
fn factors<S: Lanes>(s: S, j: usize, (dropout, keys): (Dropout, &[[u32; 16]; 2])) -> S::V {
    // SAFETY: vectors have at most 16 elements.
    unsafe { s.factors(dropout, j as u32, [keys[0].as_ptr(), keys[1].as_ptr()]) }
}

struct Forward<'a> {
    sequence: Sequence<'a>,
    parts: Parts<'a>,
    /// [`Sequence::room`] elements.
    room: &'a mut [f32],
}

impl Work<f32> for Forward<'_> {
    /// # Safety
    /// The terms are accessible, by this call alone.
    #[inline(always)]
    unsafe fn run<S: Products<f32>>(self, s: S) {
        let Self { sequence, parts: Parts { terms, probabilities, kept }, room } = self;
        let (heads, length, stride) = (sequence.shape.heads, sequence.length(), sequence.shape.lanes());
        let (transposed, room) = room.split_at_mut(sequence.shape.hidden() * stride);
        let (dropped, room) = room.split_at_mut(length * stride);
        // SAFETY: as the caller promises.
        unsafe { sequence.products(s, sequence.rows(terms.at, terms), transposed, probabilities) };
        for lane in (0..heads).step_by(S::WIDTH) {
            softmax(s, &sequence, lane, probabilities, dropped, kept);
        }
        let applied = if sequence.dropout.is_some() { &*dropped } else { &*probabilities };
        // SAFETY: as the caller promises.
        unsafe { sequence.sums(s, applied, room, terms.at.add(heads * terms.stride), terms) };
    }
}

/// Turns the scores of the vector of heads at `lane` into probabilities, what dropout leaves of those and the sums of that.
#[inline(always)]
fn softmax<S: Lanes>(
    s: S,
    sequence: &Sequence<'_>,
    lane: usize,
    scores: &mut [f32],
    dropped: &mut [f32],
    kept: &mut [f32],
) {
    let (length, stride) = (sequence.length(), sequence.shape.lanes());
    let at = [scores, dropped].map(|values| values[lane..][..(length - 1) * stride + S::WIDTH].as_mut_ptr());
    let kept = kept[lane..][..S::WIDTH].as_mut_ptr();
    let streams = sequence.streams::<S>(lane);
    // SAFETY: the extents were checked.
    unsafe {
        let [at, dropped] = at;
        let mut max = s.splat(f32::NEG_INFINITY);
        for j in 0..length {
            max = s.max(max, s.load(at.add(j * stride)));
        }
        // Powers of 2 rather than of e: the scores' scale takes the factor in.
        let scale = s.splat(sequence.shape.scale() * LOG2_E);
        let (max, mut sum) = (s.mul(max, scale), s.splat(0.0));
        for j in 0..length {
            let power = s.exp2(s.mul_sub(s.load(at.add(j * stride)), scale, max));
            sum = s.add(sum, power);
            s.store(power, at.add(j * stride));
        }
        let (inverse, mut left) = (s.div(s.splat(1.0), sum), s.splat(0.0));
        for j in 0..length {
            let p = s.mul(s.load(at.add(j * stride)), inverse);
            s.store(p, at.add(j * stride));
            if let Some((dropout, keys)) = &streams {
                let p = s.mul(p, factors(s, j, (*dropout, keys)));
                s.store(p, dropped.add(j * stride));
                left = s.add(left, p);
            }
        }
        s.store(if streams.is_some() { left } else { s.splat(1.0) }, kept);
    }
}

struct Backward<'a> {
    sequence: Sequence<'a>,
    parts: Parts<'a>,
    /// The sequence's row, `[hidden]`.
    dout: &'a [f32],
    /// `[hidden]`.
    value_bias: &'a [f32],
    /// `[length, hidden]`.
    dx: Option<&'a mut [f32]>,
    /// [`Sequence::room`] elements.
    room: &'a mut [f32],
}

impl Work<f32> for Backward<'_> {
    /// # Safety
    /// The terms are accessible, by this call alone.
    #[inline(always)]
    unsafe fn run<S: Products<f32>>(self, s: S) {
        let Self { sequence, parts: Parts { terms, probabilities, .. }, dout, value_bias, dx, room } = self;
        let (shape, length, stride) = (sequence.shape, sequence.length(), sequence.shape.lanes());
        let width = shape.hidden();
        let (transposed, room) = room.split_at_mut(width * stride);
        let (gradients, room) = room.split_at_mut(length * stride);
        let (dropped, room) = room.split_at_mut(length * stride);
        let (rows, room) = room.split_at_mut(2 * shape.heads * width.next_multiple_of(LINE));
        let dweighed = terms.at.wrapping_add(shape.heads * terms.stride);
        // SAFETY: as the caller promises.
        unsafe { sequence.products(s, sequence.rows(dweighed, terms), transposed, gradients) };
        // The gradient of a probability from the bias of values is the same for all tokens: without dropout nothing to the
        // softmax.
        let mut of_bias = [0f32; 16];
        for lane in (0..shape.heads).step_by(S::WIDTH) {
            if sequence.dropout.is_some() {
                for (head, of_bias) in (lane..shape.heads.min(lane + S::WIDTH)).zip(&mut of_bias) {
                    let columns = head * shape.head_dim..(head + 1) * shape.head_dim;
                    *of_bias = dout[columns.clone()].iter().zip(&value_bias[columns]).map(|(a, b)| a * b).sum();
                }
            }
            softmax_backward(s, &sequence, lane, &of_bias, probabilities, gradients, dropped);
        }
        let applied = if sequence.dropout.is_some() { &*dropped } else { &*probabilities };
        // SAFETY: as the caller promises; `dx` is as long as `x`.
        unsafe {
            if let Some(dx) = dx {
                assert_eq!(dx.len(), sequence.x.len(), "a gradient as large as its value");
                // Next to each other, as in their places they compete for the same lines of the cache.
                let all = Rows { rows: 2 * shape.heads, ..sequence.rows(terms.at, terms) }.pack(S::WIDTH, rows);
                let of_scores = Product {
                    rows: length,
                    depth: shape.heads,
                    columns: width,
                    a: gradients.as_ptr(),
                    a_row: stride,
                    a_column: 1,
                    b: all.at,
                    b_row: all.stride,
                    out: dx.as_mut_ptr(),
                    out_row: width,
                    accumulate: true,
                };
                let b = all.at.add(shape.heads * all.stride);
                s.enter(Product { a: applied.as_ptr(), b, ..of_scores });
                s.enter(of_scores);
            }
            sequence.sums(s, gradients, room, terms.at, terms);
        }
    }
}

/// From the gradients of dropped probabilities of the vector of heads at `lane`, but for the part `of_bias`, to those of
/// scores, dS = P∘(dP − D)·scale with D = Σⱼ Pⱼ·dPⱼ; and the dropped probabilities, where there is dropout.
#[inline(always)]
fn softmax_backward<S: Lanes>(
    s: S,
    sequence: &Sequence<'_>,
    lane: usize,
    of_bias: &[f32; 16],
    probabilities: &[f32],
    gradients: &mut [f32],
    dropped: &mut [f32],
) {
    let (length, stride) = (sequence.length(), sequence.shape.lanes());
    let extent = (length - 1) * stride + S::WIDTH;
    let p_at = probabilities[lane..][..extent].as_ptr();
    let [dp_at, dropped] = [gradients, dropped].map(|values| values[lane..][..extent].as_mut_ptr());
    let streams = sequence.streams::<S>(lane);
    // SAFETY: the extents were checked.
    unsafe {
        let (of_bias, scale) = (s.load(of_bias.as_ptr()), s.splat(sequence.shape.scale()));
        let mut mean = s.splat(0.0);
        for j in 0..length {
            let (p, mut dp) = (s.load(p_at.add(j * stride)), s.load(dp_at.add(j * stride)));
            if let Some((dropout, keys)) = &streams {
                let factors = factors(s, j, (*dropout, keys));
                dp = s.mul(s.add(dp, of_bias), factors);
                s.store(dp, dp_at.add(j * stride));
                s.store(s.mul(p, factors), dropped.add(j * stride));
            }
            mean = s.mul_add(p, dp, mean);
        }
        for j in 0..length {
            let p = s.mul(s.load(p_at.add(j * stride)), scale);
            s.store(s.mul(p, s.sub(s.load(dp_at.add(j * stride)), mean)), dp_at.add(j * stride));
        }
    }
}
