//! The sum of absolute error and Huber's loss: a slope that does not fade for small errors, steeper for larger ones.

use super::{huber, l1};

/// |error| + Huber's loss of it, and its slope.
pub(super) fn row(error: f64, delta: f64) -> (f64, f64) {
    let ((l1, l1_slope), (huber, huber_slope)) = (l1::row(error), huber::row(error, delta));
    (l1 + huber, l1_slope + huber_slope)
}
