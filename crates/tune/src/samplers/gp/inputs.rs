//! Points as the model sees them: one number a dimension, whether active or not.

use crate::space::{Dimension, Kind, deactivate};

/// What an inactive category is: a level of its own.
const NO_LEVEL: f64 = -1.0;
/// Where an inactive number is: in the middle, so that only what it hangs on tells that it is not there.
const MIDDLE: f64 = 0.5;

/// How points are encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) dimensions: &'a [Dimension],
}

impl Inputs<'_> {
    /// Encodes a point: numbers by their coordinate, ordered levels by the middle of their cell, categories by their index.
    /// Coordinates that conditions make inactive count as such, whether they are NaN or not.
    pub(crate) fn encode(&self, point: &[f64]) -> Vec<f64> {
        let mut row = point.to_vec();
        deactivate(self.dimensions, &mut row);
        for (coordinate, dimension) in row.iter_mut().zip(self.dimensions) {
            *coordinate = match &dimension.kind {
                Kind::Categorical { .. } if coordinate.is_nan() => NO_LEVEL,
                _ if coordinate.is_nan() => MIDDLE,
                Kind::Continuous => *coordinate,
                kind @ Kind::Ordinal { .. } => kind.coordinate(kind.level(*coordinate)),
                kind @ Kind::Categorical { .. } => kind.level(*coordinate) as f64,
            };
        }
        row
    }

    /// Which dimensions are compared for equality instead of by their difference.
    pub(crate) fn nominal(&self) -> Vec<bool> {
        self.dimensions.iter().map(|dimension| matches!(dimension.kind, Kind::Categorical { .. })).collect()
    }
}
