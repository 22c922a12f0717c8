//! The backward pass: the sums along and over a few rows in one reading of them, then their gradients.

use rayon::prelude::*;

use super::{LANES, Run, add, round_into, rows_per_task, sum_of_lanes};
use crate::dropout::Dropout;
use crate::isa::{Isa, multiversion};
use crate::rounded::{RowsMut, rounded_stride};

/// Rows of the backward pass read together: each has chains of its own, and the sums over rows are loaded and stored
/// once for all of them.
const ROWS_TOGETHER: usize = 4;

/// Most parts the sums over rows are cut into: bounds the memory of the partial sums.
const MOST_PARTS: usize = 32;

/// What the gradients of some rows come from.
#[derive(Clone, Copy)]
struct Backward<'a> {
    dy: &'a [f32],
    normalised: &'a [f32],
    rstd: &'a [f32],
    gamma: &'a [f32],
    dropout: Option<Dropout>,
    /// The position of the first element in the whole tensor, by which dropout is drawn.
    first: usize,
}

impl<'a> Backward<'a> {
    /// Rows `start..end` of these.
    #[inline(always)]
    fn rows(self, start: usize, end: usize) -> Self {
        let n = self.gamma.len();
        Self {
            dy: &self.dy[start * n..end * n],
            normalised: &self.normalised[start * n..end * n],
            rstd: &self.rstd[start..end],
            first: self.first + start * n,
            ..self
        }
    }

    /// Each row's mean of g and of g·x̂, with g = dy·gamma; adds to `dgamma` and `dbeta` what these `R` rows bring.
    #[inline(always)]
    fn sums<const R: usize>(self, dgamma: &mut [f32], dbeta: &mut [f32]) -> [[f32; R]; 2] {
        let n = self.gamma.len();
        let dy: [_; R] = std::array::from_fn(|row| self.dy[row * n..][..n].as_chunks::<LANES>());
        let normalised: [_; R] = std::array::from_fn(|row| self.normalised[row * n..][..n].as_chunks::<LANES>());
        let (gamma, gamma_tail) = self.gamma.as_chunks::<LANES>();
        let (dgamma, dgamma_tail) = dgamma.as_chunks_mut::<LANES>();
        let (dbeta, dbeta_tail) = dbeta.as_chunks_mut::<LANES>();
        let [mut means, mut slopes] = [[[0f32; LANES]; R]; 2];
        for i in 0..gamma.len() {
            // Copies: what lies behind a reference would be stored and loaded again for each row.
            let (gamma, mut gamma_sum, mut beta_sum) = (gamma[i], dgamma[i], dbeta[i]);
            for row in 0..R {
                let (dy, normalised) = (dy[row].0[i], normalised[row].0[i]);
                let product: Run = std::array::from_fn(|lane| dy[lane] * normalised[lane]);
                add(&mut beta_sum, dy);
                add(&mut gamma_sum, product);
                add(&mut means[row], std::array::from_fn(|lane| dy[lane] * gamma[lane]));
                add(&mut slopes[row], std::array::from_fn(|lane| product[lane] * gamma[lane]));
            }
            (dgamma[i], dbeta[i]) = (gamma_sum, beta_sum);
        }
        let [mut means, mut slopes] = [means.map(sum_of_lanes), slopes.map(sum_of_lanes)];
        for (i, gamma) in gamma_tail.iter().enumerate() {
            for row in 0..R {
                let (dy, normalised) = (dy[row].1[i], normalised[row].1[i]);
                dbeta_tail[i] += dy;
                dgamma_tail[i] += dy * normalised;
                means[row] += dy * gamma;
                slopes[row] += dy * normalised * gamma;
            }
        }
        [means, slopes].map(|sums| sums.map(|sum| sum / n as f32))
    }

    /// The gradients of these `R` rows, the sums over rows included.
    #[inline(always)]
    fn gradients<const R: usize>(self, dx: &mut [f32], dresidual: &mut [f32], dgamma: &mut [f32], dbeta: &mut [f32]) {
        let n = self.gamma.len();
        let [means, slopes] = self.sums::<R>(dgamma, dbeta);
        for row in 0..R {
            let (of_row, dx, dresidual) = (self.rows(row, row + 1), &mut dx[row * n..], &mut dresidual[row * n..]);
            match self.dropout {
                None => of_row.row_gradient(means[row], slopes[row], |_, dz| dz, dx, dresidual),
                Some(dropout) => {
                    let first = of_row.first as u32;
                    let branch = |i, dz| dz * dropout.factor(first.wrapping_add(i as u32));
                    of_row.row_gradient(means[row], slopes[row], branch, dx, dresidual);
                }
            }
        }
    }

    /// The gradient of one row's sum, dz = rstd·(g − mean(g) − x̂·mean(g·x̂)), and that of its branch, made from it.
    #[inline(always)]
    fn row_gradient(
        self,
        mean: f32,
        slope: f32,
        branch: impl Fn(usize, f32) -> f32,
        dx: &mut [f32],
        dresidual: &mut [f32],
    ) {
        let (n, rstd) = (self.gamma.len(), self.rstd[0]);
        // Slices of one known length let the compiler drop the bounds checks of the loop.
        let (dy, normalised, gamma) = (&self.dy[..n], &self.normalised[..n], self.gamma);
        let (dx, dresidual) = (&mut dx[..n], &mut dresidual[..n]);
        for i in 0..n {
            let dz = rstd * (dy[i] * gamma[i] - mean - normalised[i] * slope);
            dresidual[i] = dz;
            dx[i] = branch(i, dz);
        }
    }
}

multiversion! {
    /// The gradients of rows; what they bring to `dgamma` and `dbeta` is added to them.
    fn norm_backward_rows(
        from: Backward<'_>,
        dx: &mut [f32],
        dresidual: &mut [f32],
        dgamma: &mut [f32],
        dbeta: &mut [f32],
    ) {
        let (n, rows) = (from.gamma.len(), from.rstd.len());
        let mut row = 0;
        while row < rows {
            let (dx, dresidual) = (&mut dx[row * n..], &mut dresidual[row * n..]);
            if rows - row >= ROWS_TOGETHER {
                from.rows(row, row + ROWS_TOGETHER).gradients::<ROWS_TOGETHER>(dx, dresidual, dgamma, dbeta);
                row += ROWS_TOGETHER;
            } else {
                from.rows(row, row + 1).gradients::<1>(dx, dresidual, dgamma, dbeta);
                row += 1;
            }
        }
    }
}

/// The backward pass of [`add_norm`](super::add_norm) from `dy`: `dresidual` is the gradient of the residual, `dx` of
/// the branch; `dgamma` and `dbeta` are added to.
#[allow(clippy::too_many_arguments, reason = "one fused operation: its operands are what it fuses")]
pub(crate) fn add_norm_backward(
    isa: Isa,
    dy: &[f32],
    normalised: &[f32],
    rstd: &[f32],
    gamma: &[f32],
    dropout: Option<Dropout>,
    dx: RowsMut<'_>,
    dresidual: &mut [f32],
    dgamma: &mut [f32],
    dbeta: &mut [f32],
) {
    let n = gamma.len();
    assert!(dy.len() == rstd.len() * n && dy.len() == normalised.len(), "rows of the width of gamma");
    assert!(dx.holds(rstd.len(), n) && dy.len() == dresidual.len(), "gradients as large as their values");
    assert!(dgamma.len() == n && dbeta.len() == n, "gradients of gamma and beta of the width of gamma");
    let whole = Backward { dy, normalised, rstd, gamma, dropout, first: 0 };
    // The parts depend on the shape alone, and are added up in order: the bits do not depend on the number of threads.
    let rows = rows_per_task(n).max(rstd.len().div_ceil(MOST_PARTS)).next_multiple_of(ROWS_TOGETHER);
    let mut partial = vec![0f32; rstd.len().div_ceil(rows) * 2 * n];
    dx.split(rows, n)
        .into_par_iter()
        .zip(dresidual.par_chunks_mut(rows * n))
        .zip(partial.par_chunks_mut(2 * n))
        .enumerate()
        .for_each(|(part, ((dx, dresidual), partial))| {
            let from = whole.rows(part * rows, part * rows + dresidual.len() / n);
            let (dgamma, dbeta) = partial.split_at_mut(n);
            match dx {
                RowsMut::Single(dx) => norm_backward_rows(isa, from, dx, dresidual, dgamma, dbeta),
                RowsMut::Rounded(dx) => norm_backward_rounded(isa, from, dx, dresidual, dgamma, dbeta),
            }
        });
    for partial in partial.chunks_exact(2 * n) {
        let (gamma_part, beta_part) = partial.split_at(n);
        for (sums, part) in [(&mut *dgamma, gamma_part), (&mut *dbeta, beta_part)] {
            sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
    }
}

/// [`norm_backward_rows`] by way of a few rows in single precision.
fn norm_backward_rounded(
    isa: Isa,
    from: Backward<'_>,
    dx: &mut [u16],
    dresidual: &mut [f32],
    dgamma: &mut [f32],
    dbeta: &mut [f32],
) {
    let (n, stride) = (from.gamma.len(), rounded_stride(from.gamma.len()));
    let mut single = vec![0f32; ROWS_TOGETHER * n];
    let parts = dx.chunks_mut(ROWS_TOGETHER * stride).zip(dresidual.chunks_mut(ROWS_TOGETHER * n));
    for (part, (dx, dresidual)) in parts.enumerate() {
        let (row, rows) = (part * ROWS_TOGETHER, dresidual.len() / n);
        let single = &mut single[..rows * n];
        norm_backward_rows(isa, from.rows(row, row + rows), single, dresidual, dgamma, dbeta);
        round_into(isa, single, dx, n);
    }
}
