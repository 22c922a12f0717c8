//! The optimiser's passes over the arenas: the global gradient norm, and one step of each optimiser. Those of AdamW, SGD and
//! Lion take any slice; [`adamw_linear`] rebuilds the packed copies of a linear weight in the same pass, [`LazyRows`] puts
//! off the rows of a table that had no gradient, and still ends at the same bits. Those of Adafactor take a whole tensor.

mod adafactor;
mod adamw;
mod lazy;
mod linear;
mod lion;
mod replay;
mod sgd;

use rayon::prelude::*;

pub use adafactor::AdafactorStep;
pub(crate) use adafactor::{adafactor, adafactor_matrix};
pub use adamw::AdamStep;
pub(crate) use adamw::adamw;
pub use lazy::LazyRows;
pub(crate) use linear::adamw_linear;
pub use lion::LionStep;
pub(crate) use lion::lion;
pub use sgd::SgdStep;
pub(crate) use sgd::sgd;

use crate::ELEMENTS_PER_TASK;
use crate::isa::{Isa, multiversion};

/// Elements summed in single precision before their sums go on in double: fast, and exact enough for any length.
const RUN: usize = 1024;

multiversion! {
    /// Σ x² over rows of some thousand elements in all, on the calling thread.
    pub(crate) fn squares_of_rows(rows: impl Iterator<Item: AsRef<[f32]>>) -> f64 {
        // Four chains of sums, as each addition waits for the one before in its chain.
        let mut chains = [[0f32; 16]; 4];
        let mut beyond = 0f64;
        for row in rows {
            let (blocks, tail) = row.as_ref().as_chunks::<64>();
            for block in blocks {
                for (sum, x) in chains.as_flattened_mut().iter_mut().zip(block) {
                    *sum += x * x;
                }
            }
            beyond += tail.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
        }
        let [a, b, c, d] = chains;
        (0..16).map(|lane| f64::from((a[lane] + b[lane]) + (c[lane] + d[lane]))).sum::<f64>() + beyond
    }
}

/// Σ x² on the calling thread.
pub(crate) fn squares_part(isa: Isa, x: &[f32]) -> f64 {
    x.chunks(RUN).map(|run| squares_of_rows(isa, std::iter::once(run))).sum()
}

/// Σ x², its parts added in a fixed order whatever the number of threads.
pub(crate) fn sum_of_squares(isa: Isa, x: &[f32]) -> f64 {
    let parts: Vec<f64> = x.par_chunks(ELEMENTS_PER_TASK).map(|part| squares_part(isa, part)).collect();
    parts.iter().sum()
}

/// Sets every element to 0.
pub(crate) fn zero(x: &mut [f32]) {
    x.par_chunks_mut(ELEMENTS_PER_TASK).for_each(|part| part.fill(0.0));
}

/// Moves an average towards `x`, as PyTorch's `lerp_` does.
pub(crate) fn average(decay: f64, x: &[f32], average: &mut [f32]) {
    assert_eq!(x.len(), average.len(), "an average a value");
    let share = (1.0 - decay) as f32;
    average.par_chunks_mut(ELEMENTS_PER_TASK).zip(x.par_chunks(ELEMENTS_PER_TASK)).for_each(|(average, x)| {
        for (average, x) in average.iter_mut().zip(x) {
            *average += share * (x - *average);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;
    use crate::testing::{isas, random};

    #[test]
    fn an_average_moves_towards_its_values() {
        // Several tasks, the last one short.
        let len = 2 * ELEMENTS_PER_TASK + 17;
        let (x, before) = (random(1, len), random(2, len));
        for decay in [0.0, 0.9, 0.999, 1.0] {
            let mut got = before.clone();
            average(decay, &x, &mut got);
            for ((&got, &x), &before) in got.iter().zip(&x).zip(&before) {
                let want = decay * f64::from(before) + (1.0 - decay) * f64::from(x);
                assert!((f64::from(got) - want).abs() <= 3e-7, "{got} {want}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "an average a value")]
    fn an_average_of_other_values_is_refused() {
        average(0.5, &[1.0, 2.0], &mut [0.0]);
    }

    #[test]
    fn the_sum_of_squares_agrees_with_the_scalar_twin() {
        for len in [1, 15, 16, 1000, 70_003] {
            let g = random(2, len);
            for isa in isas() {
                let (got, want) = (sum_of_squares(isa, &g), reference::sum_of_squares(&g));
                assert!((got - want).abs() <= 1e-6 * want, "{got} {want}");
            }
        }
    }
}
