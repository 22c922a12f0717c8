//! One row for each sequence from the rows of its tokens: their mean, or the largest value of each column.

use rayon::prelude::*;

use crate::isa::{Isa, multiversion};

/// How the rows of a sequence become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// Their mean.
    Mean,
    /// The largest value of each column, or a NaN if it has one.
    Max,
}

multiversion! {
    fn mean(x: &[f32], width: usize, out: &mut [f32]) {
        out.fill(0.0);
        for row in x.chunks_exact(width) {
            for (sum, x) in out.iter_mut().zip(row) {
                *sum += x;
            }
        }
        let share = 1.0 / (x.len() / width) as f32;
        for sum in &mut *out {
            *sum *= share;
        }
    }
}

multiversion! {
    fn mean_backward(dout: &[f32], width: usize, dx: &mut [f32]) {
        let share = 1.0 / (dx.len() / width) as f32;
        for row in dx.chunks_exact_mut(width) {
            for (dx, dout) in row.iter_mut().zip(dout) {
                *dx = dout * share;
            }
        }
    }
}

/// Whether `x` takes the place of the largest value so far: of equal values the first one stays, and so does a NaN, as in
/// PyTorch.
#[inline(always)]
fn is_above(x: f32, largest: f32) -> bool {
    x > largest || (x.is_nan() && !largest.is_nan())
}

multiversion! {
    fn max(x: &[f32], width: usize, out: &mut [f32]) {
        out.fill(f32::NEG_INFINITY);
        for row in x.chunks_exact(width) {
            for (largest, x) in out.iter_mut().zip(row) {
                *largest = if is_above(*x, *largest) { *x } else { *largest };
            }
        }
    }
}

multiversion! {
    /// The value that [`max`] took has the gradient.
    fn max_backward(x: &[f32], dout: &[f32], width: usize, dx: &mut [f32]) {
        let (mut largest, mut chosen) = (x[..width].to_vec(), vec![0u32; width]);
        for (row, values) in x.chunks_exact(width).enumerate().skip(1) {
            for ((largest, chosen), x) in largest.iter_mut().zip(&mut chosen).zip(values) {
                let above = is_above(*x, *largest);
                *chosen = if above { row as u32 } else { *chosen };
                *largest = if above { *x } else { *largest };
            }
        }
        dx.fill(0.0);
        for (column, (row, dout)) in chosen.iter().zip(dout).enumerate() {
            dx[*row as usize * width + column] = *dout;
        }
    }
}

/// The rows `[tokens, width]` of each sequence.
fn sequences<'a>(x: &'a [f32], cu_seqlens: &'a [u32], width: usize) -> impl Fn(usize) -> &'a [f32] + Sync {
    move |sequence| &x[cu_seqlens[sequence] as usize * width..cu_seqlens[sequence + 1] as usize * width]
}

/// That `x` holds a row a token, and `pooled` one a sequence.
pub(crate) fn check(x: &[f32], cu_seqlens: &[u32], width: usize, pooled: &[f32]) {
    assert_eq!(cu_seqlens.first(), Some(&0), "cumulative lengths start with 0");
    assert!(cu_seqlens.windows(2).all(|pair| pair[0] < pair[1]), "cumulative lengths increase");
    let sequences = cu_seqlens.len() - 1;
    assert_eq!(Some(x.len()), (cu_seqlens[sequences] as usize).checked_mul(width), "a row a token");
    assert_eq!(Some(pooled.len()), sequences.checked_mul(width), "a row a sequence");
}

/// `out[s]` of the rows `x` of sequence `s`, which has one at least.
pub(crate) fn pool(isa: Isa, pool: Pool, x: &[f32], cu_seqlens: &[u32], width: usize, out: &mut [f32]) {
    check(x, cu_seqlens, width, out);
    let rows = sequences(x, cu_seqlens, width);
    out.par_chunks_exact_mut(width).enumerate().for_each(|(sequence, out)| match pool {
        Pool::Mean => mean(isa, rows(sequence), width, out),
        Pool::Max => max(isa, rows(sequence), width, out),
    });
}

/// The gradient of `x` from that of [`pool`]'s result.
pub(crate) fn pool_backward(
    isa: Isa,
    pool: Pool,
    x: &[f32],
    cu_seqlens: &[u32],
    dout: &[f32],
    width: usize,
    dx: &mut [f32],
) {
    check(x, cu_seqlens, width, dout);
    assert_eq!(dx.len(), x.len(), "a gradient as large as its value");
    let rows = sequences(x, cu_seqlens, width);
    let mut parts = Vec::with_capacity(cu_seqlens.len());
    let mut rest = dx;
    for pair in cu_seqlens.windows(2) {
        let (part, after) = rest.split_at_mut((pair[1] - pair[0]) as usize * width);
        parts.push(part);
        rest = after;
    }
    parts.into_par_iter().zip(dout.par_chunks_exact(width)).enumerate().for_each(|(sequence, (dx, dout))| match pool {
        Pool::Mean => mean_backward(isa, dout, width, dx),
        Pool::Max => max_backward(isa, rows(sequence), dout, width, dx),
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reference;
    use crate::testing::{close, isas, random};

    proptest! {
        #[test]
        fn every_isa_agrees_with_the_scalar_twin(
            lengths in prop::collection::vec(1usize..20, 1..6),
            width in 1usize..70,
            seed in any::<u64>(),
        ) {
            let mut cu_seqlens = vec![0u32];
            lengths.iter().for_each(|&length| cu_seqlens.push(cu_seqlens[cu_seqlens.len() - 1] + length as u32));
            let mut x = random(seed, lengths.iter().sum::<usize>() * width);
            // Equal values, of which one has the gradient.
            x.iter_mut().step_by(3).for_each(|x| *x = (*x * 2.0).round());
            let dout = random(seed ^ 1, lengths.len() * width);
            for kind in [Pool::Mean, Pool::Max] {
                let (mut want, mut dwant) = (vec![0.0; dout.len()], vec![0.0; x.len()]);
                reference::pool(kind, &x, &cu_seqlens, width, &mut want);
                reference::pool_backward(kind, &x, &cu_seqlens, &dout, width, &mut dwant);
                for isa in isas() {
                    // What stood there before does not matter.
                    let (mut got, mut dgot) = (vec![f32::NAN; dout.len()], vec![f32::NAN; x.len()]);
                    pool(isa, kind, &x, &cu_seqlens, width, &mut got);
                    pool_backward(isa, kind, &x, &cu_seqlens, &dout, width, &mut dgot);
                    close(&got, &want, 1e-5)?;
                    close(&dgot, &dwant, 1e-6)?;
                }
            }
        }
    }

    #[test]
    fn the_largest_value_is_the_first_nan_as_in_pytorch() {
        // torch.max(x, dim=0) and its backward pass.
        let (tokens, width) = (5, 37);
        let mut x = random(4, tokens * width);
        for (column, at) in [(0, 0), (1, 2), (1, 4), (20, 3), (36, 1), (36, 2)] {
            x[at * width + column] = f32::NAN;
        }
        let first = |column: usize| (0..tokens).find(|at| x[at * width + column].is_nan());
        let check = |values: &[f32], dx: &[f32]| {
            for (column, value) in values.iter().enumerate() {
                assert_eq!(value.is_nan(), first(column).is_some(), "column {column}");
                let chosen: Vec<usize> = (0..tokens).filter(|at| dx[at * width + column] != 0.0).collect();
                assert_eq!(chosen.len(), 1);
                assert_eq!(first(column).unwrap_or(chosen[0]), chosen[0], "column {column}");
            }
        };
        let (cu_seqlens, dout) = ([0, tokens as u32], vec![1.0; width]);
        let (mut values, mut dx) = (vec![0.0; width], vec![0.0; x.len()]);
        reference::pool(Pool::Max, &x, &cu_seqlens, width, &mut values);
        reference::pool_backward(Pool::Max, &x, &cu_seqlens, &dout, width, &mut dx);
        check(&values, &dx);
        for isa in isas() {
            pool(isa, Pool::Max, &x, &cu_seqlens, width, &mut values);
            pool_backward(isa, Pool::Max, &x, &cu_seqlens, &dout, width, &mut dx);
            check(&values, &dx);
        }
    }
}
