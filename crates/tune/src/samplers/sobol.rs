//! Points that fill the space evenly: Sobol's sequence with Owen's scrambling, whatever came of earlier trials.

use super::{Observation, Random, Sampler, seen::Seen};
use crate::space::{Dimension, Point, deactivate};

/// The crate's sequence is this long and has this many dimensions; further ones are those of other seeds.
const LENGTH: u32 = 1 << 16;
const DIMENSIONS: u32 = sobol_burley::NUM_DIMENSIONS;

/// The scrambled sequence of a seed: suggestion `n` is its point `n`, or a random one where that was tried before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sobol {
    seed: u32,
}

impl Sobol {
    /// The sequence of a seed. All suggestions of a search have to come from the same one to be spread evenly.
    pub fn new(seed: u64) -> Self {
        Self { seed: (seed ^ (seed >> 32)) as u32 }
    }

    /// Point `index` of the sequence, before inactive coordinates become NaN.
    pub(crate) fn point(&self, index: usize, dimensions: usize) -> Point {
        let index = index as u32;
        let coordinate = |dimension: u32| {
            let seed =
                self.seed ^ (index / LENGTH).wrapping_mul(0x9e37_79b9) ^ (dimension / DIMENSIONS).rotate_right(8);
            f64::from(sobol_burley::sample(index % LENGTH, dimension % DIMENSIONS, seed))
        };
        (0..dimensions as u32).map(coordinate).collect()
    }
}

impl Sampler for Sobol {
    fn suggest(&self, dimensions: &[Dimension], history: &[Observation], random: &mut Random) -> Point {
        let seen = Seen::new(dimensions, history);
        let mut point = self.point(history.len(), dimensions.len());
        deactivate(dimensions, &mut point);
        if seen.contains(&point) { seen.fresh(random) } else { point }
    }
}
