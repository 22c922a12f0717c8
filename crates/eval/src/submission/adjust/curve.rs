//! A function of a score, straight between knots.

use serde::{Deserialize, Serialize};

use crate::EvalError;

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

    /// Checks what a file may hold that fitting never gives: no knots, knots without a value, numbers that are none, knots out
    /// of order.
    ///
    /// # Errors
    /// [`EvalError::Damaged`], with what is wrong.
    pub(super) fn check(&self) -> Result<(), EvalError> {
        let wrong = |problem: String| Err(EvalError::Damaged { what: "adjustment", problem });
        let (x, y) = (&self.x, &self.y);
        if x.is_empty() || x.len() != y.len() {
            return wrong(format!("it has {} values for {} knots", y.len(), x.len()));
        }
        if let Some(number) = x.iter().chain(y).find(|number| !number.is_finite()) {
            return wrong(format!("a knot or a value is {number}"));
        }
        match x.windows(2).find(|pair| pair[0] >= pair[1]) {
            Some(pair) => wrong(format!("its knots do not ascend: {} comes after {}", pair[1], pair[0])),
            None => Ok(()),
        }
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

    #[test]
    fn a_damaged_curve_is_refused_with_what_is_wrong() {
        let message = |x: &[f64], y: &[f64]| {
            let curve = Curve { x: x.to_vec(), y: y.to_vec() };
            curve.check().unwrap_err().to_string()
        };
        assert!(message(&[], &[]).contains("0 values for 0 knots"));
        assert!(message(&[0.0, 1.0], &[1.0]).contains("1 values for 2 knots"));
        assert!(message(&[0.0, f64::INFINITY], &[1.0, 2.0]).contains("a knot or a value is inf"));
        assert!(message(&[0.0], &[f64::NAN]).contains("a knot or a value is NaN"));
        assert!(message(&[0.0, 2.0, 1.0], &[1.0, 2.0, 3.0]).contains("do not ascend: 1 comes after 2"));
        assert!(message(&[1.0, 1.0], &[1.0, 2.0]).contains("do not ascend"));
        Curve::through([(0.0, 1.0), (1.0, 0.0)]).check().unwrap();
    }
}
