//! LayerNorm over the last dimension, with the dropout of the branch and the residual sum fused in front of it.

mod backward;
mod forward;

pub(crate) use backward::add_norm_backward;
pub(crate) use forward::add_norm;

use crate::ELEMENTS_PER_TASK;
use crate::isa::Isa;
use crate::packed::round_halves;
use crate::rounded::rounded_stride;

/// Elements summed side by side in one vector register: the compiler may not reorder a plain sum, so it is written
/// reordered.
const LANES: usize = 16;

/// A run of elements of a row.
type Run = [f32; LANES];

#[inline(always)]
fn add(sum: &mut Run, terms: Run) {
    for (sum, term) in sum.iter_mut().zip(terms) {
        *sum += term;
    }
}

/// The sum of the lanes, by halves.
#[inline(always)]
fn sum_of_lanes(mut lanes: Run) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// `rounded` = rows of `width`, each odd one followed by a zero; none if there is no room for any.
fn round_into(isa: Isa, values: &[f32], rounded: &mut [u16], width: usize) {
    for (row, rounded) in values.chunks_exact(width).zip(rounded.chunks_exact_mut(rounded_stride(width))) {
        let (halves, beyond) = rounded.split_at_mut(width);
        round_halves(isa, row, halves);
        beyond[..width % 2].fill(0);
    }
}

/// Rows of `width` one task takes.
fn rows_per_task(width: usize) -> usize {
    (ELEMENTS_PER_TASK / width).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dropout::Dropout;
    use crate::packed::bf16_bits;
    use crate::reference;
    use crate::rounded::RowsMut;
    use crate::testing::{close, isas, random};
    use proptest::prelude::*;

    /// That `rounded` are the rows of `y`, an odd one followed by a zero.
    fn halves_are(rounded: &[u16], y: &[f32], n: usize) -> Result<(), TestCaseError> {
        for (halves, y) in rounded.chunks_exact(rounded_stride(n)).zip(y.chunks_exact(n)) {
            prop_assert!(halves.iter().zip(y).all(|(&half, &y)| half == bf16_bits(y)));
            prop_assert!(n.is_multiple_of(2) || halves[n] == 0);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn every_isa_agrees_with_the_scalar_twin(rows in 1usize..40, n in 1usize..150, drop: bool, with_residual: bool, seed: u64) {
            let dropout = Dropout::new(if drop { 0.3 } else { 0.0 }, seed);
            let (x, residual, dy) = (random(seed, rows * n), random(seed ^ 1, rows * n), random(seed ^ 2, rows * n));
            let residual = with_residual.then_some(&residual[..]);
            let (gamma, beta) = (random(seed ^ 3, n), random(seed ^ 4, n));
            let run = |isa: Option<Isa>| -> Result<_, TestCaseError> {
                let (mut xh, mut y, mut rstd) = (x.clone(), vec![0.0; rows * n], vec![0.0; rows]);
                let mut rounded = vec![7; rows * rounded_stride(n)];
                let (mut dx, mut dr) = (vec![0.0; rows * n], vec![0.0; rows * n]);
                let (mut dg, mut db) = (vec![1.0; n], vec![2.0; n]);
                match isa {
                    Some(isa) => {
                        add_norm(isa, &mut xh, residual, &gamma, &beta, 1e-2, dropout, &mut y, &mut rstd, Some(&mut rounded));
                        halves_are(&rounded, &y, n)?;
                        let to = RowsMut::Single(&mut dx);
                        add_norm_backward(isa, &dy, &xh, &rstd, &gamma, dropout, to, &mut dr, &mut dg, &mut db);
                        let (mut halves, mut dr_again) = (vec![7; rows * rounded_stride(n)], vec![0.0; rows * n]);
                        let (mut dg_again, mut db_again) = (vec![1.0; n], vec![2.0; n]);
                        let (to, sums) = (RowsMut::Rounded(&mut halves), (&mut dg_again, &mut db_again));
                        add_norm_backward(isa, &dy, &xh, &rstd, &gamma, dropout, to, &mut dr_again, sums.0, sums.1);
                        halves_are(&halves, &dx, n)?;
                        prop_assert!(dr == dr_again && dg == dg_again && db == db_again, "rounding changes nothing else");
                    }
                    None => {
                        reference::add_norm(&mut xh, residual, &gamma, &beta, 1e-2, dropout, &mut y, &mut rstd);
                        reference::add_norm_backward(&dy, &xh, &rstd, &gamma, dropout, &mut dx, &mut dr, &mut dg, &mut db);
                    }
                }
                Ok([xh, y, rstd, dx, dr, dg, db])
            };
            let want = run(None)?;
            for isa in isas() {
                for (got, want) in run(Some(isa))?.iter().zip(&want) {
                    close(got, want, 3e-5)?;
                }
            }
        }
    }

    /// What the passes over `rows` rows of `n` leave: normalised values, `y`, 1/σ and all gradients.
    fn both_passes(isa: Isa, rows: usize, n: usize) -> [Vec<f32>; 7] {
        let dropout = Dropout::new(0.1, 5);
        let (mut x, residual, dy) = (random(1, rows * n), random(2, rows * n), random(3, rows * n));
        let (gamma, beta) = (random(4, n), random(5, n));
        let (mut y, mut rstd) = (vec![0.0; rows * n], vec![0.0; rows]);
        let (mut dx, mut dr, mut dg, mut db) = (vec![0.0; rows * n], vec![0.0; rows * n], vec![1.0; n], vec![2.0; n]);
        add_norm(isa, &mut x, Some(&residual), &gamma, &beta, 1e-5, dropout, &mut y, &mut rstd, None);
        let to = RowsMut::Single(&mut dx);
        add_norm_backward(isa, &dy, &x, &rstd, &gamma, dropout, to, &mut dr, &mut dg, &mut db);
        [x, y, rstd, dx, dr, dg, db]
    }

    #[test]
    fn the_bits_do_not_depend_on_the_number_of_threads() {
        // Several parts with rows left over in the last one, the most parts, and rows wider than a task.
        for (rows, n) in [(101, 1000), (1201, 129), (9, 20_000)] {
            for isa in isas() {
                let on = |threads| {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                    pool.install(|| {
                        both_passes(isa, rows, n).map(|v| v.into_iter().map(f32::to_bits).collect::<Vec<_>>())
                    })
                };
                assert!(on(1) == on(3), "{rows} rows of {n} on {}", isa.name());
            }
        }
    }

    #[test]
    fn sums_over_several_parts_agree_with_the_scalar_twin() {
        let (rows, n) = (101, 1000);
        for isa in isas() {
            let [normalised, _, rstd, dx, dr, dg, db] = both_passes(isa, rows, n);
            let [mut want_dx, mut want_dr] = [vec![0.0; rows * n], vec![0.0; rows * n]];
            let (mut want_dg, mut want_db) = (vec![1.0; n], vec![2.0; n]);
            let (dy, gamma, dropout) = (random(3, rows * n), random(4, n), Dropout::new(0.1, 5));
            reference::add_norm_backward(
                &dy,
                &normalised,
                &rstd,
                &gamma,
                dropout,
                &mut want_dx,
                &mut want_dr,
                &mut want_dg,
                &mut want_db,
            );
            for (got, want) in [(dx, want_dx), (dr, want_dr), (dg, want_dg), (db, want_db)] {
                close(&got, &want, 3e-5).unwrap();
            }
        }
    }

    #[test]
    fn rows_of_several_tasks_agree_with_the_scalar_twin() {
        let (rows, n, dropout) = (101, 1000, Dropout::new(0.1, 5));
        let (x, residual, gamma, beta) = (random(1, rows * n), random(2, rows * n), random(4, n), random(5, n));
        let (mut want, mut want_y, mut want_rstd) = (x.clone(), vec![0.0; rows * n], vec![0.0; rows]);
        reference::add_norm(&mut want, Some(&residual), &gamma, &beta, 1e-5, dropout, &mut want_y, &mut want_rstd);
        for isa in isas() {
            let (mut got, mut y, mut rstd) = (x.clone(), vec![0.0; rows * n], vec![0.0; rows]);
            let mut rounded = vec![7; rows * rounded_stride(n)];
            let to_rounded = Some(&mut rounded[..]);
            add_norm(isa, &mut got, Some(&residual), &gamma, &beta, 1e-5, dropout, &mut y, &mut rstd, to_rounded);
            halves_are(&rounded, &y, n).unwrap();
            for (got, want) in [(got, &want), (y, &want_y), (rstd, &want_rstd)] {
                close(&got, want, 1e-5).unwrap();
            }
        }
    }

    #[test]
    fn a_mean_far_from_zero_does_not_swamp_the_variance() {
        let (rows, n) = (3, 770);
        let (gamma, beta) = (vec![1.0; n], vec![0.0; n]);
        // Steps of 1/64 are exact in single precision at this size.
        let rows_of =
            || random(8, rows * n).into_iter().map(|x| 4096.0 + (x * 64.0).round() / 64.0).collect::<Vec<_>>();
        let (mut want, mut want_y, mut want_rstd) = (rows_of(), vec![0.0; rows * n], vec![0.0; rows]);
        reference::add_norm(&mut want, None, &gamma, &beta, 1e-5, None, &mut want_y, &mut want_rstd);
        for isa in isas() {
            let (mut got, mut y, mut rstd) = (rows_of(), vec![0.0; rows * n], vec![0.0; rows]);
            add_norm(isa, &mut got, None, &gamma, &beta, 1e-5, None, &mut y, &mut rstd, None);
            // The sum of a row is rounded to quarters: that moves the mean by less than a thousandth of the spread.
            close(&y, &want_y, 1e-3).unwrap();
            close(&rstd, &want_rstd, 1e-5).unwrap();
        }
    }
}
