//! What can be varied: named parameters, each with a distribution, and how an assignment of values becomes a point that
//! samplers work with.
//!
//! A sampler never sees a value. Every parameter that varies is a coordinate from 0 to 1: for numbers the cumulative
//! probability of the parameter's distribution, for choices the middle of the choice's cell. So random search is uniform in
//! every coordinate, and a model of the objective sees logarithms where the user asked for a logarithmic distribution.

mod dimension;

pub use dimension::{Condition, Dimension, Kind, Point, deactivate};

/// A value of a parameter, as in the sweep file: a number, a text, true or false, or anything else that JSON holds.
pub type Value = serde_json::Value;

/// Values by the name of their parameter, in the order of the space. A parameter whose condition does not hold is absent.
pub type Assignment = serde_json::Map<String, Value>;

/// The parameters of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    dimensions: Vec<Dimension>,
}

impl Space {
    /// What samplers see: one dimension a parameter that varies.
    pub fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }
}
