//! What scikit-learn, SciPy and mpmath say of the numerics here: `tests/golden/make_samplers.py`.

use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Golden {
    pub(crate) process: Process,
    /// Best, mean, deviation, logarithm of the expected improvement.
    pub(crate) improvement: Vec<[f64; 4]>,
    /// A number, a level of 4, a choice of 3, log density.
    pub(crate) parzen: Vec<[f64; 4]>,
    /// Exponent, value, transformed.
    pub(crate) yeo_johnson: Vec<[f64; 3]>,
}

#[derive(Deserialize)]
pub(crate) struct Process {
    pub(crate) x: Vec<Vec<f64>>,
    pub(crate) y: Vec<f64>,
    pub(crate) q: Vec<Vec<f64>>,
    pub(crate) parameters: Vec<f64>,
    pub(crate) mean: Vec<f64>,
    pub(crate) variance: Vec<f64>,
    pub(crate) log_marginal: f64,
    pub(crate) gradient: Vec<f64>,
}

pub(crate) fn golden() -> Golden {
    serde_json::from_str(include_str!("../../tests/golden/samplers.json"))
        .expect("the golden is what its script writes")
}

pub(crate) fn assert_close(ours: f64, theirs: f64, tolerance: f64) {
    assert!((ours - theirs).abs() <= tolerance * theirs.abs().max(1.0), "{ours} is not {theirs}");
}
