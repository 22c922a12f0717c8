//! The normal distribution: its density and cumulative probability, and numbers drawn from it.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

use rand::RngExt;

use super::Random;

/// The logarithm of √(2π).
pub(crate) const LOG_SQRT_TAU: f64 = 0.918_938_533_204_672_8;

/// The density of the standard normal distribution.
pub(crate) fn density(z: f64) -> f64 {
    (-0.5 * z * z - LOG_SQRT_TAU).exp()
}

/// The cumulative probability of the standard normal distribution, without cancellation in the lower tail.
pub(crate) fn cumulative(z: f64) -> f64 {
    0.5 * libm::erfc(-z * FRAC_1_SQRT_2)
}

/// A number of the standard normal distribution (Box and Muller 1958).
pub(crate) fn draw(random: &mut Random) -> f64 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (TAU * random.random::<f64>()).cos()
}
