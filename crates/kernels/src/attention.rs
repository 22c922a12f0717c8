//! Multi-head self-attention over ragged sequences: one task a sequence and head, its scores in cache, nothing padded.

use std::cell::RefCell;

use rayon::prelude::*;

use crate::dropout::{Dropout, dropout_part};
use crate::gemm::{Matrix, gemm_raw, gemm_strided};
use crate::isa::{Isa, multiversion};
use crate::shared::SharedMut;
use crate::vecmath;

/// The shape of an attention layer: `heads` heads of `head_dim` features each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Number of heads.
    pub heads: usize,
    /// Features of one head.
    pub head_dim: usize,
}

impl Heads {
    /// Features of all heads together.
    pub fn hidden(self) -> usize {
        self.heads.checked_mul(self.head_dim).expect("a width fits the address space")
    }

    /// Scores are divided by the square root of the head's features.
    pub(crate) fn scale(self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }
}

thread_local! {
    static SCORES: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

fn with_scores<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut scores = SCORES.take();
    if scores.len() < len {
        scores.resize(len, 0.0);
    }
    let result = work(&mut scores[..len]);
    SCORES.set(scores);
    result
}

multiversion! {
    /// Turns scores into probabilities in place; returns the log of the sum of exponentials of the scaled scores.
    fn softmax_row(row: &mut [f32], scale: f32) -> f32 {
        let mut lanes = [f32::NEG_INFINITY; 16];
        let mut chunks = row.chunks_exact(16);
        for chunk in &mut chunks {
            for (lane, x) in lanes.iter_mut().zip(chunk) {
                *lane = lane.max(*x);
            }
        }
        let max = chunks.remainder().iter().chain(&lanes).fold(f32::NEG_INFINITY, |m, &x| m.max(x)) * scale;
        let mut lanes = [0f32; 16];
        let mut chunks = row.chunks_exact_mut(16);
        for chunk in &mut chunks {
            for (lane, x) in lanes.iter_mut().zip(chunk) {
                *x = vecmath::exp(*x * scale - max);
                *lane += *x;
            }
        }
        let mut sum = 0f32;
        for x in chunks.into_remainder() {
            *x = vecmath::exp(*x * scale - max);
            sum += *x;
        }
        sum += lanes.iter().sum::<f32>();
        let inverse = 1.0 / sum;
        for x in row.iter_mut() {
            *x *= inverse;
        }
        max + sum.ln()
    }
}

multiversion! {
    /// The probabilities again, from the scores and the saved log of their sum.
    fn probabilities_row(row: &mut [f32], scale: f32, lse: f32) {
        for x in row.iter_mut() {
            *x = vecmath::exp(*x * scale - lse);
        }
    }
}

multiversion! {
    /// dS = P·(dP − D)·scale, in place of dP.
    fn score_gradient_row(probabilities: &[f32], gradient: &mut [f32], delta: f32, scale: f32) {
        for (gradient, p) in gradient.iter_mut().zip(probabilities) {
            *gradient = p * (*gradient - delta) * scale;
        }
    }
}

/// Splits `[tokens, 3·hidden]` into the query, key and value of one head of the tokens `from..from + length`.
fn head_of(qkv: &[f32], shape: Heads, from: usize, length: usize, head: usize) -> [Matrix<'_>; 3] {
    let hidden = shape.hidden();
    [0, 1, 2].map(|part| {
        let start = from * 3 * hidden + part * hidden + head * shape.head_dim;
        Matrix::strided(&qkv[start..], length, shape.head_dim, 3 * hidden)
    })
}

/// `out = softmax(Q·Kᵀ/√d)·V` for every sequence and head.
///
/// `qkv` is `[tokens, 3·hidden]`, `out` `[tokens, hidden]`, `lse` `[tokens, heads]` (kept for the backward pass).
pub(crate) fn attention(
    isa: Isa,
    shape: Heads,
    qkv: &[f32],
    cu_seqlens: &[u32],
    dropout: Option<Dropout>,
    out: &mut [f32],
    lse: &mut [f32],
) {
    check(shape, qkv, cu_seqlens, out, lse);
    let hidden = shape.hidden();
    let (out, lse) = (SharedMut::new(out), SharedMut::new(lse));
    for_each_head(shape, cu_seqlens, |from, length, head| {
        let [q, k, v] = head_of(qkv, shape, from, length, head);
        with_scores(length * length, |scores| {
            gemm_strided(isa, q, k.transposed(), scores, length, false);
            for (i, row) in scores.chunks_exact_mut(length).enumerate() {
                let slot = (from + i) * shape.heads + head;
                let row_lse = softmax_row(isa, row, shape.scale());
                // SAFETY: one task owns this token and head.
                unsafe { lse.slice(slot, 1)[0] = row_lse };
                if let Some(dropout) = dropout {
                    dropout_part(isa, dropout.part(slot as u32), 0, row);
                }
            }
            // SAFETY: one task owns these tokens and the columns of this head.
            unsafe {
                let target = out.get().add(from * hidden + head * shape.head_dim);
                gemm_raw(isa, Matrix::new(scores, length, length), v, target, hidden, false);
            }
        });
    });
}

/// The backward pass of [`attention`] from `dout` to `dqkv`; the probabilities are computed again from `lse`.
#[allow(clippy::too_many_arguments, reason = "the operands of the forward pass and their gradients")]
pub(crate) fn attention_backward(
    isa: Isa,
    shape: Heads,
    qkv: &[f32],
    cu_seqlens: &[u32],
    dropout: Option<Dropout>,
    out: &[f32],
    lse: &[f32],
    dout: &[f32],
    dqkv: &mut [f32],
) {
    check(shape, qkv, cu_seqlens, out, lse);
    assert!(dout.len() == out.len() && dqkv.len() == qkv.len(), "gradients as large as their values");
    let hidden = shape.hidden();
    let dqkv = SharedMut::new(dqkv);
    for_each_head(shape, cu_seqlens, |from, length, head| {
        let [q, k, v] = head_of(qkv, shape, from, length, head);
        let columns = from * hidden + head * shape.head_dim;
        let dout_head = Matrix::strided(&dout[columns..], length, shape.head_dim, hidden);
        // SAFETY: one task owns these tokens and the columns of this head, in each of the three parts.
        let target = |part: usize| unsafe { dqkv.get().add(from * 3 * hidden + part * hidden + head * shape.head_dim) };
        with_scores(3 * length * length, |scratch| {
            let (probabilities, rest) = scratch.split_at_mut(length * length);
            let (dropped, gradient) = rest.split_at_mut(length * length);
            gemm_strided(isa, q, k.transposed(), probabilities, length, false);
            gemm_strided(isa, dout_head, v.transposed(), gradient, length, false);
            for i in 0..length {
                let span = i * length..(i + 1) * length;
                let slot = (from + i) * shape.heads + head;
                let row = &mut probabilities[span.clone()];
                probabilities_row(isa, row, shape.scale(), lse[slot]);
                if let Some(dropout) = dropout.map(|dropout| dropout.part(slot as u32)) {
                    dropped[span.clone()].copy_from_slice(row);
                    dropout_part(isa, dropout, 0, &mut dropped[span.clone()]);
                    dropout_part(isa, dropout, 0, &mut gradient[span.clone()]);
                }
                // Σⱼ Pᵢⱼ·dPᵢⱼ equals dOᵢ·Oᵢ, dropout included.
                let at = columns + i * hidden;
                let delta = dot(isa, &dout[at..at + shape.head_dim], &out[at..at + shape.head_dim]);
                score_gradient_row(isa, row, &mut gradient[span], delta, shape.scale());
            }
            let applied = if dropout.is_some() { &*dropped } else { &*probabilities };
            let (applied, gradient) = (Matrix::new(applied, length, length), Matrix::new(gradient, length, length));
            // SAFETY: see `target`; rows of dqkv are 3·hidden apart.
            unsafe {
                gemm_raw(isa, gradient, k, target(0), 3 * hidden, false);
                gemm_raw(isa, gradient.transposed(), q, target(1), 3 * hidden, false);
                gemm_raw(isa, applied.transposed(), dout_head, target(2), 3 * hidden, false);
            }
        });
    });
}

multiversion! {
    fn dot(a: &[f32], b: &[f32]) -> f32 {
        let mut lanes = [0f32; 16];
        let (a_chunks, b_chunks) = (a.chunks_exact(16), b.chunks_exact(16));
        let tail: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(a, b)| a * b).sum();
        for (a, b) in a_chunks.zip(b_chunks) {
            for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
                *lane += a * b;
            }
        }
        lanes.iter().sum::<f32>() + tail
    }
}

fn for_each_head(shape: Heads, cu_seqlens: &[u32], work: impl Fn(usize, usize, usize) + Sync) {
    let sequences = cu_seqlens.len() - 1;
    // Short sequences finish in microseconds: hand out about half a sequence's heads at a time.
    (0..sequences * shape.heads).into_par_iter().with_min_len(shape.heads.div_ceil(2)).for_each(|task| {
        let (sequence, head) = (task / shape.heads, task % shape.heads);
        let (from, to) = (cu_seqlens[sequence] as usize, cu_seqlens[sequence + 1] as usize);
        work(from, to - from, head);
    });
}

fn check(shape: Heads, qkv: &[f32], cu_seqlens: &[u32], out: &[f32], lse: &[f32]) {
    assert!(cu_seqlens.windows(2).all(|pair| pair[0] < pair[1]), "cumulative lengths increase");
    let tokens = *cu_seqlens.last().expect("cumulative lengths start with 0") as usize;
    let width = shape.hidden();
    assert_eq!(Some(out.len()), tokens.checked_mul(width), "an output row a token");
    assert_eq!(Some(qkv.len()), out.len().checked_mul(3), "queries, keys and values of every token");
    assert_eq!(Some(lse.len()), tokens.checked_mul(shape.heads), "one sum a token and head");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;
    use crate::testing::{close, isas, random};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn every_isa_agrees_with_the_scalar_twin(
            lengths in proptest::collection::vec(1usize..40, 1..5), heads in 1usize..4, head_dim in 1usize..35, drop: bool, seed: u64,
        ) {
            let shape = Heads { heads, head_dim };
            let mut cu = vec![0u32];
            lengths.iter().for_each(|&l| cu.push(cu[cu.len() - 1] + l as u32));
            let tokens = cu[cu.len() - 1] as usize;
            let (qkv, dout) = (random(seed, tokens * 3 * shape.hidden()), random(seed ^ 1, tokens * shape.hidden()));
            let dropout = Dropout::new(if drop { 0.25 } else { 0.0 }, seed);
            let run = |isa: Option<Isa>| {
                let (mut out, mut lse, mut dqkv) = (vec![0.0; dout.len()], vec![0.0; tokens * heads], vec![0.0; qkv.len()]);
                match isa {
                    Some(isa) => {
                        attention(isa, shape, &qkv, &cu, dropout, &mut out, &mut lse);
                        attention_backward(isa, shape, &qkv, &cu, dropout, &out, &lse, &dout, &mut dqkv);
                    }
                    None => {
                        reference::attention(shape, &qkv, &cu, dropout, &mut out, &mut lse);
                        reference::attention_backward(shape, &qkv, &cu, dropout, &dout, &mut dqkv);
                    }
                }
                [out, lse, dqkv]
            };
            let want = run(None);
            for isa in isas() {
                for (got, want) in run(Some(isa)).iter().zip(&want) {
                    close(got, want, 3e-5)?;
                }
            }
        }
    }
}
