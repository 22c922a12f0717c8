//! Stochastic gradient descent with momentum.

use rayon::prelude::*;

use crate::ELEMENTS_PER_TASK;
use crate::isa::{Isa, multiversion};

/// The scalars of one step of SGD, as PyTorch's `SGD` computes it without dampening: weight decay is coupled, which is to
/// say added to the gradient, and the momentum is a plain sum of gradients, m ← μm + g + λw, w ← w − ηm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdStep {
    /// Learning rate η of this step.
    pub learning_rate: f64,
    /// Share μ of the momentum that is kept.
    pub momentum: f64,
    /// Coupled weight decay λ.
    pub weight_decay: f64,
    /// Every gradient is multiplied by this first (clipping).
    pub gradient_scale: f64,
}

multiversion! {
    fn sgd_part(step: [f32; 4], w: &mut [f32], g: &[f32], m: &mut [f32]) {
        let [rate, momentum, decay, scale] = step;
        for ((w, g), m) in w.iter_mut().zip(g).zip(m) {
            *m = *m * momentum + (g * scale + *w * decay);
            *w -= rate * *m;
        }
    }
}

/// One step over equally long slices: weights, gradients, momentum.
pub(crate) fn sgd(isa: Isa, step: SgdStep, w: &mut [f32], g: &[f32], m: &mut [f32]) {
    assert!(w.len() == g.len() && w.len() == m.len(), "a gradient and a momentum a weight");
    let factors = [step.learning_rate, step.momentum, step.weight_decay, step.gradient_scale].map(|x| x as f32);
    w.par_chunks_mut(ELEMENTS_PER_TASK)
        .zip(g.par_chunks(ELEMENTS_PER_TASK))
        .zip(m.par_chunks_mut(ELEMENTS_PER_TASK))
        .for_each(|((w, g), m)| sgd_part(isa, factors, w, g, m));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;
    use crate::testing::{close, isas, random};

    #[test]
    fn every_isa_agrees_with_the_scalar_twin() {
        let step = SgdStep { learning_rate: 1e-2, momentum: 0.9, weight_decay: 0.1, gradient_scale: 0.5 };
        for (len, momentum) in [(1, 0.9), (15, 0.0), (16, 0.9), (1000, 0.5), (70_003, 0.9)] {
            let (step, g) = (SgdStep { momentum, ..step }, random(2, len));
            let mut want = [random(1, len), random(3, len)];
            let start = want.clone();
            let [w, m] = &mut want;
            reference::sgd(step, w, &g, m);
            for isa in isas() {
                let mut got = start.clone();
                let [w, m] = &mut got;
                sgd(isa, step, w, &g, m);
                got.iter().zip(&want).for_each(|(got, want)| close(got, want, 1e-6).unwrap());
            }
        }
    }
}
