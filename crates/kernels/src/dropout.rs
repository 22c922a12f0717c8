//! Dropout from a counter-based generator: whether an element is kept is a function of its position and a key, so no
//! mask is stored and the backward pass, any number of threads and a resumed run all see the same one.

use rayon::prelude::*;

use crate::ELEMENTS_PER_TASK;
use crate::isa::{Isa, multiversion};

/// Which elements of one tensor are dropped in one pass, and the scale of the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    threshold: u32,
    scale: f32,
    key: [u32; 2],
}

impl Dropout {
    /// Drops with probability `p` (0 < p < 1) by the stream `key`; `None` where `p` is 0.
    ///
    /// # Panics
    /// If `p` is outside `[0, 1)`.
    pub fn new(p: f32, key: u64) -> Option<Self> {
        assert!((0.0..1.0).contains(&p), "a dropout probability lies in [0, 1)");
        let threshold = (f64::from(p) * 4_294_967_296.0).round().min(f64::from(u32::MAX)) as u32;
        (threshold > 0).then_some(Self { threshold, scale: 1.0 / (1.0 - p), key: [key as u32, (key >> 32) as u32] })
    }

    /// The independent stream of part `index` of the tensor (a row of attention probabilities).
    pub(crate) fn part(self, index: u32) -> Self {
        Self { key: self.part_key(index), ..self }
    }

    /// The key of [`Self::part`].
    #[inline(always)]
    pub(crate) fn part_key(self, index: u32) -> [u32; 2] {
        [mix(index, self.key), mix(index, [self.key[1], !self.key[0]])]
    }

    /// [`Self::factor`] of element `index` of several parts at once, from the halves of their keys.
    #[inline(always)]
    pub(crate) fn factors_of_parts<const N: usize>(self, index: u32, keys: [[u32; N]; 2]) -> [f32; N] {
        std::array::from_fn(|i| Self { key: [keys[0][i], keys[1][i]], ..self }.factor(index))
    }

    /// 0 where element `index` is dropped, else 1 / (1 - p).
    #[inline(always)]
    pub(crate) fn factor(self, index: u32) -> f32 {
        if mix(index, self.key) < self.threshold { 0.0 } else { self.scale }
    }
}

/// A keyed 32-bit mixer: the finaliser "lowbias32" (Wellons, hash-prospector) with a key word before each half.
#[inline(always)]
fn mix(index: u32, key: [u32; 2]) -> u32 {
    let x = index.wrapping_mul(0x9e37_79b9) ^ key[0];
    let x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    let x = (x ^ (x >> 15) ^ key[1]).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

multiversion! {
    /// Multiplies elements `first..` of the tensor by their factors.
    pub(crate) fn dropout_part(dropout: Dropout, first: u32, x: &mut [f32]) {
        for (i, x) in x.iter_mut().enumerate() {
            *x *= dropout.factor(first.wrapping_add(i as u32));
        }
    }
}

/// Multiplies every element by its factor: the forward pass on values, the backward pass on gradients.
pub(crate) fn dropout(isa: Isa, dropout: Dropout, x: &mut [f32]) {
    x.par_chunks_mut(ELEMENTS_PER_TASK).enumerate().for_each(|(chunk, x)| {
        dropout_part(isa, dropout, (chunk * ELEMENTS_PER_TASK) as u32, x);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;
    use crate::testing::{isas, random};

    #[test]
    fn the_share_dropped_is_the_probability_and_the_mean_is_kept() {
        for p in [0.1f32, 0.5, 0.9] {
            for key in [0, 1, u64::MAX] {
                let mut x = vec![1.0; 200_000];
                super::dropout(Isa::fastest(), Dropout::new(p, key).unwrap(), &mut x);
                let dropped = x.iter().filter(|&&x| x == 0.0).count() as f32 / x.len() as f32;
                assert!((dropped - p).abs() < 0.005, "p {p}, key {key}: {dropped}");
                let mean = x.iter().sum::<f32>() / x.len() as f32;
                assert!((mean - 1.0).abs() < 0.05, "p {p}, key {key}: mean {mean}");
            }
        }
    }

    #[test]
    fn neighbouring_keys_and_parts_are_uncorrelated() {
        let agreement = |a: Dropout, b: Dropout| {
            (0..100_000).filter(|&i| (a.factor(i) == 0.0) == (b.factor(i) == 0.0)).count() as f32 / 1e5
        };
        let base = Dropout::new(0.5, 7).unwrap();
        for other in [Dropout::new(0.5, 8).unwrap(), Dropout::new(0.5, 7 << 32).unwrap(), base.part(0), base.part(1)] {
            assert!((agreement(base, other) - 0.5).abs() < 0.01);
        }
        assert!((agreement(base.part(3), base.part(4)) - 0.5).abs() < 0.01);
    }

    #[test]
    fn every_isa_agrees_with_the_scalar_twin() {
        // Several tasks, the last one short.
        let (x, dropout) = (random(1, 3 * ELEMENTS_PER_TASK + 17), Dropout::new(0.3, 99).unwrap());
        let mut want = x.clone();
        reference::dropout(dropout, &mut want);
        for isa in isas() {
            let mut got = x.clone();
            super::dropout(isa, dropout, &mut got);
            assert!(got == want, "on {}", isa.name());
        }
    }

    #[test]
    fn no_probability_is_no_dropout() {
        assert_eq!(Dropout::new(0.0, 1), None);
    }
}
