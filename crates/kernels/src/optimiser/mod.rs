//! The optimiser's passes over the arenas: the global gradient norm, and AdamW. [`adamw`] takes any slice;
//! [`adamw_linear`] rebuilds the packed copies of a linear weight in the same pass; [`LazyRows`] puts off the rows of a
//! table that had no gradient, and still ends at the same bits.

mod lazy;
mod linear;
mod replay;

use rayon::prelude::*;

pub use lazy::LazyRows;
pub(crate) use linear::adamw_linear;

use crate::ELEMENTS_PER_TASK;
use crate::isa::{Isa, multiversion};

/// The scalars of one AdamW step (Loshchilov & Hutter 2019), as PyTorch's `AdamW` computes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Decay rate of the first moment.
    pub beta1: f64,
    /// Decay rate of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Number of this step, the first being 1 (for the bias corrections).
    pub step: u64,
    /// Every gradient is multiplied by this first (clipping).
    pub gradient_scale: f64,
}

impl AdamStep {
    /// 1 − βᵗ of both moments.
    pub(crate) fn bias_corrections(&self) -> (f64, f64) {
        let t = self.step as f64;
        (1.0 - self.beta1.powf(t), 1.0 - self.beta2.powf(t))
    }

    /// What an element's update needs, combined in double precision and rounded once, as PyTorch's scalars are.
    fn factors(&self) -> Factors {
        let (correction1, correction2) = self.bias_corrections();
        Factors {
            gradient: self.gradient_scale as f32,
            keep: (1.0 - self.learning_rate * self.weight_decay) as f32,
            size: (self.learning_rate / correction1) as f32,
            first: (1.0 - self.beta1) as f32,
            beta2: self.beta2 as f32,
            second: (1.0 - self.beta2) as f32,
            root: (1.0 / correction2.sqrt()) as f32,
            eps: self.eps as f32,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Factors {
    /// Multiplies the gradient.
    gradient: f32,
    /// Multiplies the weight: 1 − ηλ.
    keep: f32,
    /// Multiplies the first moment in the update: η / (1 − β₁ᵗ).
    size: f32,
    /// 1 − β₁.
    first: f32,
    beta2: f32,
    /// 1 − β₂.
    second: f32,
    /// Multiplies the root of the second moment: 1 / √(1 − β₂ᵗ).
    root: f32,
    eps: f32,
}

impl Factors {
    /// Updates one element. Every pass takes exactly these operations in this order, so that all agree in every bit.
    #[inline(always)]
    fn update(&self, g: f32, w: &mut f32, m: &mut f32, v: &mut f32) {
        let g = g * self.gradient;
        *m += (g - *m) * self.first;
        *v = *v * self.beta2 + g * g * self.second;
        *w = *w * self.keep - self.size * *m / (v.sqrt() * self.root + self.eps);
    }
}

multiversion! {
    fn adamw_part(f: Factors, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
        for (((w, g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
            f.update(*g, w, m, v);
        }
    }
}

/// One AdamW step over equally long slices: weights, gradients, first and second moments.
pub(crate) fn adamw(isa: Isa, step: AdamStep, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
    assert!(w.len() == g.len() && w.len() == m.len() && w.len() == v.len(), "a gradient and two moments a weight");
    let factors = step.factors();
    w.par_chunks_mut(ELEMENTS_PER_TASK)
        .zip(g.par_chunks(ELEMENTS_PER_TASK))
        .zip(m.par_chunks_mut(ELEMENTS_PER_TASK))
        .zip(v.par_chunks_mut(ELEMENTS_PER_TASK))
        .for_each(|(((w, g), m), v)| adamw_part(isa, factors, w, g, m, v));
}

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
    use crate::testing::{close, isas, random};

    pub(super) const STEP: AdamStep = AdamStep {
        learning_rate: 1e-2,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        weight_decay: 0.1,
        step: 7,
        gradient_scale: 0.5,
    };

    #[test]
    fn every_isa_agrees_with_the_scalar_twin() {
        for len in [1, 15, 16, 1000, 70_003] {
            let (w, g, m) = (random(1, len), random(2, len), random(3, len));
            let v: Vec<f32> = random(4, len).iter().map(|x| x * x).collect();
            let mut want = [w.clone(), m.clone(), v.clone()];
            let [ww, wm, wv] = &mut want;
            reference::adamw(STEP, ww, &g, wm, wv);
            for isa in isas() {
                let mut got = [w.clone(), m.clone(), v.clone()];
                let [gw, gm, gv] = &mut got;
                adamw(isa, STEP, gw, &g, gm, gv);
                for (got, want) in got.iter().zip(&want) {
                    close(got, want, 1e-6).unwrap();
                }
                let (got, want) = (sum_of_squares(isa, &g), reference::sum_of_squares(&g));
                assert!((got - want).abs() <= 1e-6 * want, "{got} {want}");
            }
        }
    }
}
