//! The forward pass: two sums along each row in the first-level cache, then the row written.

use rayon::prelude::*;

use super::{LANES, Run, add, round_into, rows_per_task, sum_of_lanes};
use crate::dropout::Dropout;
use crate::isa::{Isa, multiversion};
use crate::rounded::rounded_stride;

/// Sums along a row that do not wait for each other: an addition takes several cycles, and one chain takes one at a time.
const CHAINS: usize = 4;

#[inline(always)]
fn sum_of_chains([mut a, b, mut c, d]: [Run; CHAINS]) -> f32 {
    add(&mut a, b);
    add(&mut c, d);
    add(&mut a, c);
    sum_of_lanes(a)
}

/// The sum of `term` of every element.
#[inline(always)]
fn sum_of(x: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let (runs, tail) = x.as_chunks::<LANES>();
    let (blocks, runs) = runs.as_chunks::<CHAINS>();
    let mut chains = [[0f32; LANES]; CHAINS];
    for block in blocks {
        for (chain, x) in chains.iter_mut().zip(block) {
            add(chain, x.map(&term));
        }
    }
    for x in runs {
        add(&mut chains[0], x.map(&term));
    }
    tail.iter().fold(sum_of_chains(chains), |sum, &x| sum + term(x))
}

/// `x += residual`, and the sum of the results.
#[inline(always)]
fn add_and_sum(x: &mut [f32], residual: &[f32]) -> f32 {
    #[inline(always)]
    fn add_run(x: &mut Run, residual: &Run, chain: &mut Run) {
        // All is read before anything is written, or the compiler fears that the two overlap.
        let mut sum = *x;
        add(&mut sum, *residual);
        add(chain, sum);
        *x = sum;
    }
    let ((runs, tail), (residual, residual_tail)) = (x.as_chunks_mut::<LANES>(), residual.as_chunks::<LANES>());
    let ((blocks, runs), (residual, last)) = (runs.as_chunks_mut::<CHAINS>(), residual.as_chunks::<CHAINS>());
    let mut chains = [[0f32; LANES]; CHAINS];
    for (x, residual) in blocks.iter_mut().zip(residual) {
        for i in 0..CHAINS {
            add_run(&mut x[i], &residual[i], &mut chains[i]);
        }
    }
    for (x, residual) in runs.iter_mut().zip(last) {
        add_run(x, residual, &mut chains[0]);
    }
    tail.iter_mut().zip(residual_tail).fold(sum_of_chains(chains), |sum, (x, residual)| {
        *x += residual;
        sum + *x
    })
}

/// What the rows of one task are normalised with.
#[derive(Clone, Copy)]
struct Forward<'a> {
    residual: Option<&'a [f32]>,
    gamma: &'a [f32],
    beta: &'a [f32],
    eps: f32,
    dropout: Option<Dropout>,
    /// The position of the first element in the whole tensor, by which dropout is drawn.
    first: usize,
}

multiversion! {
    /// Normalises rows in place to zero mean and unit variance, writes `y` and each row's 1/σ.
    fn norm_rows(with: Forward<'_>, x: &mut [f32], y: &mut [f32], rstd: &mut [f32]) {
        let Forward { residual, gamma, beta, eps, dropout, first } = with;
        let n = gamma.len();
        for (row, ((x, y), rstd)) in x.chunks_exact_mut(n).zip(y.chunks_exact_mut(n)).zip(rstd).enumerate() {
            if let Some(dropout) = dropout {
                let first = (first + row * n) as u32;
                for (i, x) in x.iter_mut().enumerate() {
                    *x *= dropout.factor(first.wrapping_add(i as u32));
                }
            }
            let sum = match residual {
                Some(residual) => add_and_sum(x, &residual[row * n..][..n]),
                None => sum_of(x, |x| x),
            };
            let mean = sum / n as f32;
            let variance = sum_of(x, |x| (x - mean) * (x - mean)) / n as f32;
            *rstd = 1.0 / (variance + eps).sqrt();
            for (((x, y), gamma), beta) in x.iter_mut().zip(y).zip(gamma).zip(beta) {
                *x = (*x - mean) * *rstd;
                *y = *x * gamma + beta;
            }
        }
    }
}

/// `y = LayerNorm(dropout(x) + residual)`; `x` is left holding the normalised values, `rstd` 1/σ of each row, `rounded` the
/// rows of `y` as products in bfloat16 take them.
#[allow(clippy::too_many_arguments, reason = "one fused operation: its operands are what it fuses")]
pub(crate) fn add_norm(
    isa: Isa,
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
    let (n, stride) = (gamma.len(), rounded_stride(gamma.len()));
    assert!(x.len() == y.len() && x.len() == rstd.len() * n && beta.len() == n, "rows of the width of gamma");
    let halves = rounded.unwrap_or_default();
    assert!([0, rstd.len() * stride].contains(&halves.len()), "rounded rows");
    let rows = rows_per_task(n);
    // None for any task, or some for each.
    let mut rounded = halves.chunks_mut(rows * stride);
    let parts = x.chunks_mut(rows * n).zip(y.chunks_mut(rows * n)).zip(rstd.chunks_mut(rows));
    let parts: Vec<_> = parts.map(|part| (part, rounded.next().unwrap_or_default())).collect();
    parts.into_par_iter().enumerate().for_each(|(part, (((x, y), rstd), rounded))| {
        let first = part * rows * n;
        let residual = residual.map(|residual| &residual[first..][..x.len()]);
        norm_rows(isa, Forward { residual, gamma, beta, eps, dropout, first }, x, y, rstd);
        round_into(isa, y, rounded, n);
    });
}
