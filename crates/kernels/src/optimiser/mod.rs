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

multiversion! {
    /// Σ x² on the calling thread.
    pub(crate) fn squares_part(x: &[f32]) -> f64 {
        let mut lanes = [0f32; 16];
        let mut total = 0f64;
        // Short runs in single precision, their sums in double: fast, and exact enough for any length.
        for run in x.chunks(512) {
            lanes.fill(0.0);
            let chunks = run.chunks_exact(16);
            total += chunks.remainder().iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
            for chunk in chunks {
                for (lane, x) in lanes.iter_mut().zip(chunk) {
                    *lane += x * x;
                }
            }
            total += lanes.iter().map(|&x| f64::from(x)).sum::<f64>();
        }
        total
    }
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
