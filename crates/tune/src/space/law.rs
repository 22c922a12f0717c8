//! Probability distributions of numbers: their quantiles and their cumulative probabilities.
//!
//! Not here: rounding to multiples (`lattice.rs`), integers and choices (`coding.rs`).

use serde_json::json;
use statrs::distribution::{Beta, ContinuousCDF, Normal};

use super::Value;

/// A distribution of real numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Law {
    /// Equally likely everywhere between two numbers.
    Uniform {
        /// The smallest value.
        min: f64,
        /// The largest value, above `min`.
        max: f64,
    },
    /// The logarithm is uniform. W&B's `log_uniform` and `inv_log_uniform` are this one as well: their bounds are natural
    /// exponents of these, and the inverse of a log-uniform number is log-uniform.
    LogUniform {
        /// The smallest value, above 0.
        min: f64,
        /// The largest value, above `min`.
        max: f64,
    },
    /// Gaussian.
    Normal {
        /// The mean.
        mu: f64,
        /// The standard deviation, above 0.
        sigma: f64,
    },
    /// The logarithm is Gaussian.
    LogNormal {
        /// The mean of the natural logarithm.
        mu: f64,
        /// The standard deviation of the natural logarithm, above 0.
        sigma: f64,
    },
    /// Beta, between 0 and 1.
    Beta {
        /// The first shape, α, above 0.
        a: f64,
        /// The second shape, β, above 0.
        b: f64,
    },
}

/// Distributions without ends are cut where this much probability is left: at six standard deviations. Further out,
/// cumulative probabilities near 1 are too coarse in double precision to tell values apart.
const TAIL: f64 = 1e-9;

impl Law {
    /// The value below which the share `probability` (0 to 1) of all values lie.
    pub(super) fn quantile(&self, probability: f64) -> f64 {
        let within = probability.clamp(TAIL, 1.0 - TAIL);
        match *self {
            Self::Uniform { min, max } => (min + probability * (max - min)).clamp(min, max),
            Self::LogUniform { min, max } => (min.ln() + probability * (max.ln() - min.ln())).exp().clamp(min, max),
            Self::Normal { mu, sigma } => mu + sigma * standard_normal().inverse_cdf(within),
            Self::LogNormal { mu, sigma } => (mu + sigma * standard_normal().inverse_cdf(within)).exp(),
            Self::Beta { a, b } => beta(a, b).inverse_cdf(probability),
        }
    }

    /// The share of values that are at most `value`, 0 to 1.
    pub(super) fn cumulative(&self, value: f64) -> f64 {
        let share = |low: f64, value: f64, high: f64| ((value - low) / (high - low)).clamp(0.0, 1.0);
        match *self {
            Self::Uniform { min, max } => share(min, value, max),
            Self::LogUniform { min, .. } if value <= min => 0.0,
            Self::LogUniform { min, max } => share(min.ln(), value.ln(), max.ln()),
            Self::Normal { mu, sigma } => standard_normal().cdf((value - mu) / sigma),
            Self::LogNormal { .. } if value <= 0.0 => 0.0,
            Self::LogNormal { mu, sigma } => standard_normal().cdf((value.ln() - mu) / sigma),
            Self::Beta { a, b } => beta(a, b).cdf(value.clamp(0.0, 1.0)),
        }
    }

    /// Where the distribution ends, infinite where it does not.
    pub(super) fn support(&self) -> (f64, f64) {
        match *self {
            Self::Uniform { min, max } | Self::LogUniform { min, max } => (min, max),
            Self::Normal { .. } => (f64::NEG_INFINITY, f64::INFINITY),
            Self::LogNormal { .. } => (0.0, f64::INFINITY),
            Self::Beta { .. } => (0.0, 1.0),
        }
    }

    /// Its name in a sweep file, without a prefix for rounding, and its numbers.
    pub(super) fn describe(&self) -> (&'static str, Value) {
        match *self {
            Self::Uniform { min, max } => ("uniform", json!({ "min": min, "max": max })),
            Self::LogUniform { min, max } => ("log_uniform_values", json!({ "min": min, "max": max })),
            Self::Normal { mu, sigma } => ("normal", json!({ "mu": mu, "sigma": sigma })),
            Self::LogNormal { mu, sigma } => ("log_normal", json!({ "mu": mu, "sigma": sigma })),
            Self::Beta { a, b } => ("beta", json!({ "a": a, "b": b })),
        }
    }
}

fn standard_normal() -> Normal {
    Normal::standard()
}

fn beta(a: f64, b: f64) -> Beta {
    Beta::new(a, b).expect("shapes are checked when a space is made")
}
