//! Several AdamW steps without a gradient at once, with the bits of one after the other. Moments of zero, those of rows
//! never seen, stay so and add nothing to the weight: then only its decay is left to do.

use super::adamw::Factors;
use crate::isa::multiversion;

/// Elements replayed together, all steps while they are in registers or the first-level cache.
const CHUNK: usize = 64;

multiversion! {
    /// Applies `steps` with gradients of zero.
    pub(super) fn replay(steps: &[Factors], w: &mut [f32], m: &mut [f32], v: &mut [f32]) {
        let at_rest = steps.iter().all(Factors::leaves_rest);
        let (w, w_tail) = w.as_chunks_mut::<CHUNK>();
        let (m, m_tail) = m.as_chunks_mut::<CHUNK>();
        let (v, v_tail) = v.as_chunks_mut::<CHUNK>();
        for ((w, m), v) in w.iter_mut().zip(m).zip(v) {
            replay_chunk(steps, at_rest, w, m, v);
        }
        replay_chunk(steps, at_rest, w_tail, m_tail, v_tail);
    }
}

#[inline(always)]
fn replay_chunk(steps: &[Factors], at_rest: bool, w: &mut [f32], m: &mut [f32], v: &mut [f32]) {
    if at_rest && m.iter().chain(&*v).fold(0, |bits, x| bits | x.to_bits()) == 0 {
        for f in steps.iter().filter(|f| f.keep != 1.0) {
            w.iter_mut().for_each(|w| *w *= f.keep);
        }
    } else {
        for f in steps {
            for ((w, m), v) in w.iter_mut().zip(&mut *m).zip(&mut *v) {
                f.update(0.0, w, m, v);
            }
        }
    }
}

impl Factors {
    /// Whether moments of zero stay zero without a gradient and add nothing to the weight (a root of zero over an `eps`
    /// of zero, or a scale that is no number, would).
    fn leaves_rest(&self) -> bool {
        let [mut w, mut m, mut v] = [0f32; 3];
        self.update(0.0, &mut w, &mut m, &mut v);
        [w, m, v] == [0.0; 3]
    }
}

#[cfg(test)]
mod tests {
    use super::super::adamw::{AdamStep, adamw_part, tests::STEP};
    use super::*;
    use crate::testing::{isas, random};
    use proptest::prelude::*;

    /// Steps with the learning rate falling.
    fn steps(count: u64, learning_rate: f64, weight_decay: f64) -> Vec<Factors> {
        let step = |step| AdamStep { step, learning_rate: learning_rate / step as f64, weight_decay, ..STEP };
        (1..=count).map(|number| step(number).factors()).collect()
    }

    proptest! {
        #[test]
        fn has_the_bits_of_one_step_after_the_other(
            count in 0u64..40,
            len in 0usize..200,
            [weight, first, second] in [-9..0i32, -40..0i32, -40..0i32],
            learning_rate in -6..0i32,
            weight_decay in prop_oneof![Just(0.0), Just(0.1)],
        ) {
            let steps = steps(count, 10f64.powi(learning_rate), weight_decay);
            let scaled = |seed, exponent: i32| -> Vec<f32> {
                random(seed, len).iter().map(|x| (f64::from(*x) * 10f64.powi(exponent)) as f32).collect()
            };
            let v = scaled(3, second).into_iter().map(f32::abs).collect();
            let before: [Vec<f32>; 3] = [scaled(1, weight), scaled(2, first), v];
            let zeros = vec![0.0; len];
            for isa in isas() {
                let (mut want, mut got) = (before.clone(), before.clone());
                let [w, m, v] = &mut want;
                steps.iter().for_each(|f| adamw_part(isa, *f, w, &zeros, m, v));
                let [w, m, v] = &mut got;
                replay(isa, &steps, w, m, v);
                let bits = |state: [Vec<f32>; 3]| state.map(|x| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>());
                prop_assert_eq!(bits(got), bits(want));
            }
        }
    }
}
