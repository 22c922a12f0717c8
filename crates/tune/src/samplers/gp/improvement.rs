//! The logarithm of the expected improvement, which stays finite and steep where the improvement itself is rounded to nothing
//! (Ament et al. 2023, <https://arxiv.org/abs/2310.20708>).

use super::super::normal::{LOG_SQRT_TAU, cumulative, density};

/// Below this, the tail's series is exact to about 1e-9 and direct evaluation loses digits to cancellation.
const TAIL: f64 = -30.0;

/// The logarithm of the expected improvement, and how it changes with the mean and with the standard deviation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LogImprovement {
    pub(crate) value: f64,
    pub(crate) by_mean: f64,
    pub(crate) by_deviation: f64,
}

impl LogImprovement {
    /// By how much a normal variable is expected to come out below `best`; `deviation` is positive.
    pub(crate) fn new(best: f64, mean: f64, deviation: f64) -> Self {
        let z = (best - mean) / deviation;
        let (log_h, cumulative_by_h, density_by_h) = if z > TAIL {
            let h = z.mul_add(cumulative(z), density(z));
            (h.ln(), cumulative(z) / h, density(z) / h)
        } else {
            // With w = 1/z²: h = φ w (1 − 3w + 15w² − …) and Φ = φ/|z| (1 − w + 3w² − …).
            let w = 1.0 / (z * z);
            let h = 1.0 - w * (3.0 - w * (15.0 - w * (105.0 - w * 945.0)));
            let tail = 1.0 - w * (1.0 - w * (3.0 - w * (15.0 - w * 105.0)));
            (-0.5 * z * z - LOG_SQRT_TAU + w.ln() + h.ln(), -z * tail / h, z * z / h)
        };
        Self {
            value: log_h + deviation.ln(),
            by_mean: -cumulative_by_h / deviation,
            by_deviation: density_by_h / deviation,
        }
    }
}
