//! A function of a score, straight between knots.

use serde::{Deserialize, Serialize};

/// A piecewise linear function. Beyond its first and last knot it goes on level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Where the knots are, ascending; at least one.
    x: Vec<f64>,
    /// The values at the knots.
    y: Vec<f64>,
}

impl Curve {
    /// The curve through `knots`, which ascend in their first number.
    pub(super) fn through(knots: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let (x, y) = knots.into_iter().unzip();
        Self { x, y }
    }

    /// The value at `x`. NaN stays NaN.
    pub fn at(&self, x: f64) -> f64 {
        let above = self.x.partition_point(|&knot| knot <= x);
        match (self.x.get(above), above) {
            _ if x.is_nan() => x,
            (_, 0) => self.y.first().copied().unwrap_or(x),
            (None, _) => self.y[above - 1],
            (Some(right), _) => {
                let left = self.x[above - 1];
                let slope = (self.y[above] - self.y[above - 1]) / (right - left);
                self.y[above - 1] + slope * (x - left)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_straight_between_knots_and_level_beyond() {
        let curve = Curve::through([(0.0, 1.0), (1.0, 3.0), (3.0, 4.0)]);
        assert_eq!([-5.0, 0.0, 0.5, 1.0, 2.0, 3.0, 9.0].map(|x| curve.at(x)), [1.0, 1.0, 2.0, 3.0, 3.5, 4.0, 4.0]);
        assert!(curve.at(f64::NAN).is_nan());
        assert_eq!(Curve::through([(0.0, 2.0)]).at(7.0), 2.0);
    }
}
