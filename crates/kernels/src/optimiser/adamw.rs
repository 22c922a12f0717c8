//! AdamW over plain slices, and the arithmetic of one element that every AdamW pass shares.

use rayon::prelude::*;

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
    pub(super) fn factors(&self) -> Factors {
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
pub(super) struct Factors {
    /// Multiplies the gradient.
    gradient: f32,
    /// Multiplies the weight: 1 − ηλ.
    pub(super) keep: f32,
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
    pub(super) fn update(&self, g: f32, w: &mut f32, m: &mut f32, v: &mut f32) {
        let g = g * self.gradient;
        *m += (g - *m) * self.first;
        *v = *v * self.beta2 + g * g * self.second;
        *w = *w * self.keep - self.size * *m / (v.sqrt() * self.root + self.eps);
    }
}

multiversion! {
    pub(super) fn adamw_part(f: Factors, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::reference;
    use crate::testing::{close, isas, random};

    pub(in crate::optimiser) const STEP: AdamStep = AdamStep {
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
            }
        }
    }
}
