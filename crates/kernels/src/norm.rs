//! LayerNorm over the last dimension, with the dropout of the branch and the residual sum fused in front of it.

use rayon::prelude::*;

use crate::dropout::{Dropout, dropout_part};
use crate::isa::{Isa, multiversion};
use crate::{COLUMNS_PER_TASK, ELEMENTS_PER_TASK, shared::SharedMut};

/// Parallel partial sums in one vector register: the compiler may not reorder a plain sum, so it is written reordered.
const LANES: usize = 16;

#[inline(always)]
fn sum_of(terms: impl Fn(usize) -> f32, len: usize) -> f32 {
    let mut lanes = [0f32; LANES];
    let whole = len - len % LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += terms(start + lane);
        }
    }
    let tail: f32 = (whole..len).map(&terms).sum();
    lanes.iter().sum::<f32>() + tail
}

multiversion! {
    /// Normalises one row in place to zero mean and unit variance, writes `y`, returns 1/σ.
    fn norm_row(x: &mut [f32], residual: Option<&[f32]>, gamma: &[f32], beta: &[f32], eps: f32, y: &mut [f32]) -> f32 {
        let n = gamma.len();
        // Slices of one known length let the compiler drop the bounds checks of the loops below.
        let (x, y, beta) = (&mut x[..n], &mut y[..n], &beta[..n]);
        if let Some(residual) = residual {
            for (x, residual) in x.iter_mut().zip(residual) {
                *x += residual;
            }
        }
        let mean = sum_of(|i| x[i], n) / n as f32;
        let variance = sum_of(|i| (x[i] - mean) * (x[i] - mean), n) / n as f32;
        let rstd = 1.0 / (variance + eps).sqrt();
        for i in 0..n {
            x[i] = (x[i] - mean) * rstd;
            y[i] = x[i] * gamma[i] + beta[i];
        }
        rstd
    }
}

multiversion! {
    /// The gradient of the normalised sum: dz = rstd·(g − mean(g) − x̂·mean(g·x̂)) with g = dy·gamma.
    fn norm_backward_row(dy: &[f32], normalised: &[f32], gamma: &[f32], rstd: f32, dz: &mut [f32]) {
        let n = gamma.len();
        let (dy, normalised, dz) = (&dy[..n], &normalised[..n], &mut dz[..n]);
        let mean = sum_of(|i| dy[i] * gamma[i], n) / n as f32;
        let slope = sum_of(|i| dy[i] * gamma[i] * normalised[i], n) / n as f32;
        for i in 0..n {
            dz[i] = rstd * (dy[i] * gamma[i] - mean - normalised[i] * slope);
        }
    }
}

multiversion! {
    fn column_gradients(dy: &[f32], normalised: &[f32], n: usize, start: usize, dgamma: &mut [f32], dbeta: &mut [f32]) {
        let width = dgamma.len();
        for (dy, normalised) in dy.chunks_exact(n).zip(normalised.chunks_exact(n)) {
            let (dy, normalised) = (&dy[start..start + width], &normalised[start..start + width]);
            for i in 0..width {
                dgamma[i] += dy[i] * normalised[i];
                dbeta[i] += dy[i];
            }
        }
    }
}

/// `y = LayerNorm(dropout(x) + residual)`; `x` is left holding the normalised values, `rstd` 1/σ of each row.
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
) {
    let n = gamma.len();
    assert!(x.len() == y.len() && x.len() == rstd.len() * n && beta.len() == n, "rows of the width of gamma");
    x.par_chunks_mut(n).zip(y.par_chunks_mut(n)).zip(rstd).enumerate().with_min_len(rows_per_task(n)).for_each(
        |(row, ((x, y), rstd))| {
            if let Some(dropout) = dropout {
                dropout_part(isa, dropout, (row * n) as u32, x);
            }
            let residual = residual.map(|residual| &residual[row * n..(row + 1) * n]);
            *rstd = norm_row(isa, x, residual, gamma, beta, eps, y);
        },
    );
}

/// The backward pass of [`add_norm`] from `dy`: `dresidual` is the gradient of the residual, `dx` of the branch;
/// `dgamma` and `dbeta` are added to.
#[allow(clippy::too_many_arguments, reason = "one fused operation: its operands are what it fuses")]
pub(crate) fn add_norm_backward(
    isa: Isa,
    dy: &[f32],
    normalised: &[f32],
    rstd: &[f32],
    gamma: &[f32],
    dropout: Option<Dropout>,
    dx: &mut [f32],
    dresidual: &mut [f32],
    dgamma: &mut [f32],
    dbeta: &mut [f32],
) {
    let n = gamma.len();
    assert!(dy.len() == rstd.len() * n && dy.len() == normalised.len(), "rows of the width of gamma");
    assert!(dy.len() == dx.len() && dy.len() == dresidual.len(), "gradients as large as their values");
    dx.par_chunks_mut(n).zip(dresidual.par_chunks_mut(n)).enumerate().with_min_len(rows_per_task(n)).for_each(
        |(row, (dx, dresidual))| {
            let span = row * n..(row + 1) * n;
            norm_backward_row(isa, &dy[span.clone()], &normalised[span], gamma, rstd[row], dresidual);
            dx.copy_from_slice(dresidual);
            if let Some(dropout) = dropout {
                dropout_part(isa, dropout, (row * n) as u32, dx);
            }
        },
    );
    let (dgamma, dbeta) = (SharedMut::new(dgamma), SharedMut::new(dbeta));
    (0..n.div_ceil(COLUMNS_PER_TASK)).into_par_iter().for_each(|block| {
        let start = block * COLUMNS_PER_TASK;
        let width = COLUMNS_PER_TASK.min(n - start);
        // SAFETY: each task owns its columns.
        let (dgamma, dbeta) = unsafe { (dgamma.slice(start, width), dbeta.slice(start, width)) };
        column_gradients(isa, dy, normalised, n, start, dgamma, dbeta);
    });
}

fn rows_per_task(width: usize) -> usize {
    (ELEMENTS_PER_TASK / width).max(1)
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
        fn every_isa_agrees_with_the_scalar_twin(rows in 1usize..40, n in 1usize..150, drop: bool, with_residual: bool, seed: u64) {
            let dropout = Dropout::new(if drop { 0.3 } else { 0.0 }, seed);
            let (x, residual, dy) = (random(seed, rows * n), random(seed ^ 1, rows * n), random(seed ^ 2, rows * n));
            let residual = with_residual.then_some(&residual[..]);
            let (gamma, beta) = (random(seed ^ 3, n), random(seed ^ 4, n));
            let run = |isa: Option<Isa>| {
                let (mut xh, mut y, mut rstd) = (x.clone(), vec![0.0; rows * n], vec![0.0; rows]);
                let (mut dx, mut dr) = (vec![0.0; rows * n], vec![0.0; rows * n]);
                let (mut dg, mut db) = (vec![1.0; n], vec![2.0; n]);
                match isa {
                    Some(isa) => {
                        add_norm(isa, &mut xh, residual, &gamma, &beta, 1e-2, dropout, &mut y, &mut rstd);
                        add_norm_backward(isa, &dy, &xh, &rstd, &gamma, dropout, &mut dx, &mut dr, &mut dg, &mut db);
                    }
                    None => {
                        reference::add_norm(&mut xh, residual, &gamma, &beta, 1e-2, dropout, &mut y, &mut rstd);
                        reference::add_norm_backward(&dy, &xh, &rstd, &gamma, dropout, &mut dx, &mut dr, &mut dg, &mut db);
                    }
                }
                [xh, y, rstd, dx, dr, dg, db]
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
