//! One row for each sequence from the rows of its tokens: their mean, or the largest value of each column.

use rayon::prelude::*;

use crate::isa::{Isa, multiversion};

/// How the rows of a sequence become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// Their mean.
    Mean,
    /// The largest value of each column.
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

multiversion! {
    fn max(x: &[f32], width: usize, out: &mut [f32]) {
        out.fill(f32::NEG_INFINITY);
        for row in x.chunks_exact(width) {
            for (largest, x) in out.iter_mut().zip(row) {
                *largest = if *x > *largest { *x } else { *largest };
            }
        }
    }
}

multiversion! {
    /// Of equal values the first has the gradient, as in PyTorch.
    fn max_backward(x: &[f32], dout: &[f32], width: usize, dx: &mut [f32]) {
        let (mut largest, mut chosen) = (x[..width].to_vec(), vec![0u32; width]);
        for (row, values) in x.chunks_exact(width).enumerate().skip(1) {
            for ((largest, chosen), x) in largest.iter_mut().zip(&mut chosen).zip(values) {
                let above = *x > *largest;
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

/// `out[s]` of the rows `x` of sequence `s`, which has one at least.
pub(crate) fn pool(isa: Isa, pool: Pool, x: &[f32], cu_seqlens: &[u32], width: usize, out: &mut [f32]) {
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
}
