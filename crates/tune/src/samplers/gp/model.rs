//! The Gaussian process: hyper-parameters fitted to observations, and what it then says about any point.

use nalgebra::{DMatrix, DVector};

use super::{kernel::Kernel, likelihood::Likelihood, prior};
use crate::samplers::lbfgs::{Stop, minimize};

/// A fitted Gaussian process of mean 0.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    kernel: Kernel,
    noise: f64,
    rows: Vec<Vec<f64>>,
    /// (K + noise)⁻¹ times the values.
    weights: Vec<f64>,
    /// The inverse of the Cholesky factor, row after row up to the diagonal.
    inverse_factor: Vec<Vec<f64>>,
}

/// What the model says about a point, and how that changes with each dimension of it that is a number.
#[derive(Debug, Clone)]
pub(crate) struct Slopes {
    pub(crate) mean: f64,
    pub(crate) variance: f64,
    pub(crate) mean_by: Vec<f64>,
    pub(crate) variance_by: Vec<f64>,
}

impl Model {
    /// The most plausible model of observations under the prior.
    pub(crate) fn fit(rows: Vec<Vec<f64>>, nominal: Vec<bool>, values: &[f64]) -> Self {
        let likelihood = Likelihood::new(&rows, &nominal, values);
        let objective = |parameters: &[f64], gradient: &mut [f64]| {
            let likely = likelihood.log_marginal(parameters, gradient);
            let prior = prior::log_density(parameters, gradient);
            gradient.iter_mut().for_each(|gradient| *gradient = -*gradient);
            -(likely + prior)
        };
        let mut parameters = prior::start(nominal.len());
        let stop = Stop { iterations: 40, gradient: 1e-2, decrease: 1e-3 };
        minimize(objective, &mut parameters, &likelihood.bounds(), stop);
        let d = nominal.len();
        let precisions = parameters[..d].iter().map(|logarithm| logarithm.exp()).collect();
        let kernel = Kernel { scale: parameters[d].exp(), precisions, nominal };
        Self::new(kernel, parameters[d + 1].exp(), rows, values)
    }

    /// The model of given hyper-parameters.
    pub(crate) fn new(kernel: Kernel, mut noise: f64, rows: Vec<Vec<f64>>, values: &[f64]) -> Self {
        let n = rows.len();
        let covariance = DMatrix::from_fn(n, n, |i, k| kernel.between(&rows[i], &rows[k]).0);
        // Rounding can make a covariance singular that is not; a little more noise mends it.
        let factor = loop {
            let mut noisy = covariance.clone();
            (0..n).for_each(|i| noisy[(i, i)] += noise);
            match noisy.cholesky() {
                Some(factor) => break factor,
                None => noise = 10.0 * noise.max(1e-9),
            }
        };
        let weights = factor.solve(&DVector::from_column_slice(values)).as_slice().to_vec();
        let mut inverse = DMatrix::identity(n, n);
        factor.l_dirty().solve_lower_triangular_mut(&mut inverse);
        let inverse_factor = (0..n).map(|i| inverse.row(i).columns(0, i + 1).iter().copied().collect()).collect();
        Self { kernel, noise, rows, weights, inverse_factor }
    }

    /// The same hyper-parameters with further observations.
    pub(crate) fn with(&self, rows: Vec<Vec<f64>>, values: &[f64]) -> Self {
        Self::new(self.kernel.clone(), self.noise, rows, values)
    }

    /// Mean and variance of the function (without noise) at an encoded point.
    pub(crate) fn posterior(&self, x: &[f64]) -> (f64, f64) {
        let covariances: Vec<f64> = self.rows.iter().map(|row| self.kernel.between(x, row).0).collect();
        let explained: f64 = self.inverse_factor.iter().map(|row| dot(row, &covariances).powi(2)).sum();
        (dot(&self.weights, &covariances), self.variance(explained))
    }

    /// The same with derivatives.
    pub(crate) fn slopes(&self, x: &[f64]) -> Slopes {
        let (covariances, derivatives): (Vec<f64>, Vec<f64>) =
            self.rows.iter().map(|row| self.kernel.between(x, row)).unzip();
        let mut explained = 0.0;
        let mut solved = vec![0.0; self.rows.len()];
        for row in &self.inverse_factor {
            let part = dot(row, &covariances);
            explained += part * part;
            solved.iter_mut().zip(row).for_each(|(solved, factor)| *solved += part * factor);
        }
        let (mut mean_by, mut variance_by) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        for (i, row) in self.rows.iter().enumerate() {
            for j in (0..x.len()).filter(|&j| !self.kernel.nominal[j]) {
                let by = 2.0 * derivatives[i] * self.kernel.precisions[j] * (x[j] - row[j]);
                mean_by[j] += self.weights[i] * by;
                variance_by[j] -= 2.0 * solved[i] * by;
            }
        }
        Slopes { mean: dot(&self.weights, &covariances), variance: self.variance(explained), mean_by, variance_by }
    }

    /// What is left of the variance; rounding must not leave less than nothing.
    fn variance(&self, explained: f64) -> f64 {
        (self.kernel.scale - explained).max(1e-12)
    }
}

/// A scalar product, in four sums that the processor can add at once.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let b = &b[..a.len()];
    let mut sums = [0.0; 4];
    let (a, b) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for lane in 0..4 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}
