//! Lion (Chen et al. 2023): a step of one size in the direction of each gradient's sign, smoothed.

use rayon::prelude::*;

use crate::ELEMENTS_PER_TASK;
use crate::isa::{Isa, multiversion};

/// The scalars of one step of Lion: w ← w(1 − ηλ) − η sign(β₁m + (1 − β₁)g), then m ← β₂m + (1 − β₂)g, the sign of 0 being 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LionStep {
    /// Learning rate η of this step.
    pub learning_rate: f64,
    /// Weight β₁ of the moment in the direction.
    pub beta1: f64,
    /// Decay rate β₂ of the moment.
    pub beta2: f64,
    /// Decoupled weight decay λ.
    pub weight_decay: f64,
    /// Every gradient is multiplied by this first (clipping).
    pub gradient_scale: f64,
}

#[derive(Debug, Clone, Copy)]
struct Factors {
    gradient: f32,
    keep: f32,
    rate: f32,
    /// β₁ and 1 − β₁.
    direction: [f32; 2],
    /// β₂ and 1 − β₂.
    moment: [f32; 2],
}

multiversion! {
    fn lion_part(f: Factors, w: &mut [f32], g: &[f32], m: &mut [f32]) {
        for ((w, g), m) in w.iter_mut().zip(g).zip(m) {
            let g = g * f.gradient;
            let direction = *m * f.direction[0] + g * f.direction[1];
            // `signum` has no zero; this compiles to two comparisons and no branch.
            let sign = f32::from(direction > 0.0) - f32::from(direction < 0.0);
            *w = *w * f.keep - f.rate * sign;
            *m = *m * f.moment[0] + g * f.moment[1];
        }
    }
}

/// One step over equally long slices: weights, gradients, moments.
pub(crate) fn lion(isa: Isa, step: LionStep, w: &mut [f32], g: &[f32], m: &mut [f32]) {
    assert!(w.len() == g.len() && w.len() == m.len(), "a gradient and a moment a weight");
    let factors = Factors {
        gradient: step.gradient_scale as f32,
        keep: (1.0 - step.learning_rate * step.weight_decay) as f32,
        rate: step.learning_rate as f32,
        direction: [step.beta1 as f32, (1.0 - step.beta1) as f32],
        moment: [step.beta2 as f32, (1.0 - step.beta2) as f32],
    };
    w.par_chunks_mut(ELEMENTS_PER_TASK)
        .zip(g.par_chunks(ELEMENTS_PER_TASK))
        .zip(m.par_chunks_mut(ELEMENTS_PER_TASK))
        .for_each(|((w, g), m)| lion_part(isa, factors, w, g, m));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;
    use crate::testing::{close, isas, random};

    const STEP: LionStep =
        LionStep { learning_rate: 1e-2, beta1: 0.9, beta2: 0.99, weight_decay: 0.1, gradient_scale: 0.5 };

    #[test]
    fn every_isa_agrees_with_the_scalar_twin() {
        for len in [1, 15, 16, 1000, 70_003] {
            let g = random(2, len);
            let mut want = [random(1, len), random(3, len)];
            let start = want.clone();
            let [w, m] = &mut want;
            reference::lion(STEP, w, &g, m);
            for isa in isas() {
                let mut got = start.clone();
                let [w, m] = &mut got;
                lion(isa, STEP, w, &g, m);
                got.iter().zip(&want).for_each(|(got, want)| close(got, want, 1e-6).unwrap());
            }
        }
    }

    #[test]
    fn a_weight_that_never_had_a_gradient_only_decays() {
        for isa in isas() {
            let (mut w, mut m) = ([2.0; 20], [0.0; 20]);
            lion(isa, STEP, &mut w, &[0.0; 20], &mut m);
            assert_eq!((w, m), ([2.0 * (1.0 - 1e-3); 20], [0.0; 20]));
        }
    }
}
