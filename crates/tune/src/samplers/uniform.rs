//! Random search: uniform in every coordinate, whatever came of earlier trials.

use super::{Observation, Random, Sampler, seen::Seen};
use crate::space::{Dimension, Point};

/// Draws every coordinate uniformly, so that every parameter follows its own distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uniform;

impl Sampler for Uniform {
    fn suggest(&self, dimensions: &[Dimension], history: &[Observation], random: &mut Random) -> Point {
        Seen::new(dimensions, history).fresh(random)
    }
}
