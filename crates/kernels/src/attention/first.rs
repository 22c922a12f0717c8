//! Attention of the first token of each sequence alone, from the layer's input: keys and values are never computed.
//!
//! A score is q·(Kx + k) = (Kᵀq)·x + q·k, whose last term is the same for every token of a sequence and so nothing to the
//! softmax; and Σ p (Vx + v) = V(Σ p x) + v. One query then costs two products with a head's weights a sequence instead of
//! two a token. The few rows are computed in single precision.

use rayon::prelude::*;

use super::Heads;
use crate::gemm::{Epilogue, Matrix, gemm};
use crate::isa::{Isa, multiversion};
use crate::shared::SharedMut;
use crate::vecmath;

impl Heads {
    /// Numbers of scratch that attention of the first token of each of `sequences` takes.
    pub fn first_scratch(self, sequences: usize) -> usize {
        // First rows, queries and contexts; what a head's query and context are in terms of the input.
        sequences * self.hidden() * (3 + 2 * self.heads)
    }
}

/// `out = softmax(Q·Kᵀ/√d)·V` of the first token of each sequence, `[sequences, hidden]`.
///
/// `x` is the layer's input `[tokens, hidden]`, `weight` `[3·hidden, hidden]` and `bias` `[3·hidden]` its projection to
/// queries, keys and values; `scratch` is as long as [`Heads::first_scratch`] says.
#[allow(clippy::too_many_arguments, reason = "the operands of one fused operation and its result")]
pub(crate) fn attention_first(
    isa: Isa,
    shape: Heads,
    x: &[f32],
    cu_seqlens: &[u32],
    weight: &[f32],
    bias: &[f32],
    scratch: &mut [f32],
    out: &mut [f32],
) {
    let (width, sequences) = (shape.hidden(), cu_seqlens.len() - 1);
    assert!(cu_seqlens.windows(2).all(|pair| pair[0] < pair[1]), "cumulative lengths increase");
    assert_eq!(x.len(), cu_seqlens[sequences] as usize * width, "an input row a token");
    assert_eq!(weight.len(), 3 * width * width, "queries, keys and values of the input");
    assert!(bias.len() == 3 * width && out.len() == sequences * width, "an output row a sequence");
    assert_eq!(scratch.len(), shape.first_scratch(sequences), "scratch as long as it takes");
    let rows = sequences * width;
    let (first, rest) = scratch.split_at_mut(rows);
    let (queries, rest) = rest.split_at_mut(rows);
    let (contexts, rest) = rest.split_at_mut(rows);
    let (keyed, weighed) = rest.split_at_mut(shape.heads * rows);
    for (row, &token) in first.chunks_exact_mut(width).zip(cu_seqlens) {
        row.copy_from_slice(&x[token as usize * width..][..width]);
    }
    let first = Matrix::new(first, sequences, width);
    // The rows of one head: keys begin after the queries, values after the keys.
    let head = |part: usize, head: usize| {
        let start = part * width + head * shape.head_dim;
        let weight = &weight[start * width..][..shape.head_dim * width];
        (Matrix::new(weight, shape.head_dim, width), &bias[start..][..shape.head_dim])
    };
    let of_query = Matrix::new(&weight[..width * width], width, width).transposed();
    gemm(isa, first, of_query, queries, Epilogue::Bias(&bias[..width]));
    let queries = Matrix::new(queries, sequences, width);
    keyed.par_chunks_mut(rows).enumerate().for_each(|(i, keyed)| {
        let query = queries.columns(i * shape.head_dim..(i + 1) * shape.head_dim);
        gemm(isa, query, head(1, i).0, keyed, Epilogue::None);
    });
    let shared = SharedMut::new(weighed);
    (0..sequences).into_par_iter().for_each(|sequence| {
        let x = &x[cu_seqlens[sequence] as usize * width..cu_seqlens[sequence + 1] as usize * width];
        let mut scores = vec![0.0; x.len() / width];
        for i in 0..shape.heads {
            let at = i * rows + sequence * width;
            // SAFETY: one task owns a sequence.
            let weighed = unsafe { shared.slice(at, width) };
            weigh(isa, shape.scale(), &keyed[at..at + width], x, &mut scores, weighed);
        }
    });
    let of_head = sequences * shape.head_dim;
    contexts.par_chunks_mut(of_head).zip(weighed.par_chunks(rows)).enumerate().for_each(|(i, (context, weighed))| {
        let (weight, bias) = head(2, i);
        let weighed = Matrix::new(weighed, sequences, width);
        gemm(isa, weighed, weight.transposed(), context, Epilogue::Bias(bias));
    });
    for (sequence, out) in out.chunks_exact_mut(width).enumerate() {
        for (i, out) in out.chunks_exact_mut(shape.head_dim).enumerate() {
            out.copy_from_slice(&contexts[i * of_head + sequence * shape.head_dim..][..shape.head_dim]);
        }
    }
}

/// Elements multiplied and added side by side: four vectors whose additions do not wait for each other.
const CHAINS: usize = 64;

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<CHAINS>(), b.as_chunks::<CHAINS>());
    let mut sums = [0f32; CHAINS];
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let mut width = CHAINS / 2;
    while width > 0 {
        for i in 0..width {
            sums[i] += sums[i + width];
        }
        width /= 2;
    }
    a_rest.iter().zip(b_rest).fold(sums[0], |sum, (a, b)| sum + a * b)
}

multiversion! {
    /// `out` = Σ softmax(scale · x·query) x over the rows of `x`, each as wide as `query`; `scores` has room for a number
    /// a row.
    fn weigh(scale: f32, query: &[f32], x: &[f32], scores: &mut [f32], out: &mut [f32]) {
        for (score, x) in scores.iter_mut().zip(x.chunks_exact(query.len())) {
            *score = scale * dot(query, x);
        }
        let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for score in scores.iter_mut() {
            *score = vecmath::exp(*score - largest);
            sum += *score;
        }
        out.fill(0.0);
        for (score, x) in scores.iter().zip(x.chunks_exact(query.len())) {
            let share = score / sum;
            for (out, x) in out.iter_mut().zip(x) {
                *out += share * x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;
    use crate::testing::{close, isas, random};
    use proptest::prelude::*;

    /// Every isa's result against keys and values computed for every token.
    fn agrees(shape: Heads, lengths: &[usize], seed: u64) -> Result<(), TestCaseError> {
        let width = shape.hidden();
        let mut cu_seqlens = vec![0u32];
        lengths.iter().for_each(|&length| cu_seqlens.push(cu_seqlens[cu_seqlens.len() - 1] + length as u32));
        let tokens = lengths.iter().sum::<usize>();
        let (x, bias) = (random(seed, tokens * width), random(seed ^ 1, 3 * width));
        let weight = random(seed ^ 2, 3 * width * width);
        let mut want = vec![0.0; lengths.len() * width];
        reference::attention_first(shape, &x, &cu_seqlens, &weight, &bias, &mut want);
        let mut scratch = vec![f32::NAN; shape.first_scratch(lengths.len())];
        for isa in isas() {
            let mut got = vec![f32::NAN; want.len()];
            attention_first(isa, shape, &x, &cu_seqlens, &weight, &bias, &mut scratch, &mut got);
            close(&got, &want, 1e-4)?;
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn agrees_with_attention_over_keys_and_values(
            heads in 1usize..4, head_dim in 1usize..20, lengths in prop::collection::vec(1usize..30, 1..6), seed: u64,
        ) {
            agrees(Heads { heads, head_dim }, &lengths, seed)?;
        }
    }

    #[test]
    fn a_wide_layer_and_a_long_sequence_agree_too() {
        agrees(Heads { heads: 3, head_dim: 32 }, &[1, 300, 2], 1).unwrap();
    }

    #[test]
    fn a_sequence_has_the_same_bits_alone_and_beside_others() {
        let (shape, width) = (Heads { heads: 2, head_dim: 24 }, 48);
        let (x, bias, weight) = (random(1, 70 * width), random(2, 3 * width), random(3, 3 * width * width));
        let run = |x: &[f32], cu_seqlens: &[u32]| {
            let sequences = cu_seqlens.len() - 1;
            let (mut scratch, mut out) = (vec![0.0; shape.first_scratch(sequences)], vec![0.0; sequences * width]);
            let isa = Isa::fastest();
            attention_first(isa, shape, x, cu_seqlens, &weight, &bias, &mut scratch, &mut out);
            out
        };
        let together = run(&x, &[0, 17, 50, 70]);
        assert_eq!(together[width..2 * width], run(&x[17 * width..50 * width], &[0, 33]));
    }
}
