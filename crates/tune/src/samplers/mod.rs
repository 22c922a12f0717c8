//! Where to try next: one sampler a file, each a function of the dimensions, the history and a random generator.
//!
//! [`Uniform`] and [`Sobol`] look at nothing but which points were tried. [`Tpe`] and [`Gp`] learn from what came of them;
//! [`Bayes`] is the one of these that measured best. A grid is no sampler: who runs a study counts through it.
//!
//! The samplers are the project's own: those of the crate `optimizer` keep the search's state and generator behind a lock and
//! cannot be asked as functions of a history, and its Gaussian process leaves out categories and never fits its length scales.

mod bayes;
mod gp;
mod lbfgs;
mod normal;
mod seen;
mod sobol;
mod tpe;
mod uniform;

pub use bayes::Bayes;
pub use gp::Gp;
pub use sobol::Sobol;
pub use tpe::Tpe;
pub use uniform::Uniform;

use crate::space::{Dimension, Point};

/// The random generator of a suggestion. Its stream is the same in every version of its crate.
pub type Random = rand_chacha::ChaCha8Rng;

/// A trial as samplers see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Where.
    pub point: Point,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// Nothing yet: it is running.
    Pending,
    /// It failed, which counts as bad, not as absent.
    Failed,
    /// The objective, a finite number; a smaller one is better.
    Value(f64),
}

/// Suggests points.
pub trait Sampler: std::fmt::Debug + Send + Sync {
    /// The next point to try. `history` holds every trial so far in the order they began; its length is the number of the
    /// suggestion. Coordinates of inactive dimensions are NaN.
    fn suggest(&self, dimensions: &[Dimension], history: &[Observation], random: &mut Random) -> Point;
}

#[cfg(test)]
mod contract;
#[cfg(test)]
mod golden;
