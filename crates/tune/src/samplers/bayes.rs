//! The sampler that measured best.

use super::{Gp, Observation, Random, Sampler};
use crate::space::{Dimension, Point};

/// What a sweep of method `bayes` uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bayes {
    gp: Gp,
}

impl Bayes {
    /// Begins with the points of [`super::Sobol`] of this seed.
    pub fn new(seed: u64) -> Self {
        Self { gp: Gp::new(seed) }
    }
}

impl Sampler for Bayes {
    fn suggest(&self, dimensions: &[Dimension], history: &[Observation], random: &mut Random) -> Point {
        self.gp.suggest(dimensions, history, random)
    }
}
