//! How plausible hyper-parameters are: the log marginal likelihood of the observations (Rasmussen & Williams, eq. 5.8 and 5.9)
//! and a prior.

use nalgebra::{DMatrix, DVector};

use super::kernel::{matern, squared_difference};

/// Bounds of the logarithms of precisions, scale and noise.
const PRECISION: (f64, f64) = (-9.0, 9.0);
const SCALE: (f64, f64) = (-5.0, 5.0);
const NOISE: (f64, f64) = (-13.8, 1.0);

/// The observations, as far as hyper-parameters meet them.
///
/// Hyper-parameters are logarithms: of each dimension's precision 1/ℓ², of the function's variance, of the noise's variance.
pub(crate) struct Likelihood {
    /// What each dimension adds to the squared distance of observations i and k < i: row after row, a dimension after another.
    differences: Vec<f64>,
    values: DVector<f64>,
    dimensions: usize,
}

impl Likelihood {
    /// Of encoded points and their values, which should be of mean 0 and variance 1.
    pub(crate) fn new(rows: &[Vec<f64>], nominal: &[bool], values: &[f64]) -> Self {
        let mut differences = Vec::with_capacity(rows.len() * rows.len() / 2 * nominal.len());
        for (i, row) in rows.iter().enumerate() {
            for other in &rows[..i] {
                differences.extend((0..nominal.len()).map(|j| squared_difference(row[j], other[j], nominal[j])));
            }
        }
        Self { differences, values: DVector::from_column_slice(values), dimensions: nominal.len() }
    }

    /// The bounds of the hyper-parameters.
    pub(crate) fn bounds(&self) -> Vec<(f64, f64)> {
        let mut bounds = vec![PRECISION; self.dimensions];
        bounds.extend([SCALE, NOISE]);
        bounds
    }

    /// The log marginal likelihood without its constant; writes its gradient. Minus infinity where the covariance of the
    /// observations cannot be told from a singular one.
    pub(crate) fn log_marginal(&self, parameters: &[f64], gradient: &mut [f64]) -> f64 {
        let (n, d) = (self.values.len(), self.dimensions);
        let precisions: Vec<f64> = parameters[..d].iter().map(|logarithm| logarithm.exp()).collect();
        let (scale, noise) = (parameters[d].exp(), parameters[d + 1].exp());
        let mut covariance = DMatrix::zeros(n, n);
        let mut slopes = Vec::with_capacity(n * n / 2);
        let mut pairs = self.differences.chunks_exact(d);
        for i in 0..n {
            for k in 0..i {
                let pair = pairs.next().expect("a row of differences each pair");
                let (value, slope) =
                    matern(pair.iter().zip(&precisions).map(|(pair, precision)| pair * precision).sum());
                covariance[(i, k)] = scale * value;
                slopes.push(scale * slope);
            }
            covariance[(i, i)] = scale + noise;
        }
        let Some(factor) = covariance.clone().cholesky() else {
            gradient.fill(0.0);
            return f64::NEG_INFINITY;
        };
        let weights = factor.solve(&self.values);
        let inverse = factor.inverse();
        let log_determinant: f64 = factor.l_dirty().diagonal().iter().map(|diagonal| diagonal.ln()).sum();

        gradient.fill(0.0);
        let mut slopes = slopes.into_iter();
        let mut pairs = self.differences.chunks_exact(d);
        for i in 0..n {
            for k in 0..i {
                let pull = weights[i] * weights[k] - inverse[(i, k)];
                gradient[d] += pull * covariance[(i, k)];
                let by_square = pull * slopes.next().expect("a slope each pair");
                let pair = pairs.next().expect("a row of differences each pair");
                gradient.iter_mut().zip(pair).for_each(|(gradient, difference)| *gradient += by_square * difference);
            }
            let pull = 0.5 * (weights[i] * weights[i] - inverse[(i, i)]);
            gradient[d] += pull * scale;
            gradient[d + 1] += pull * noise;
        }
        gradient.iter_mut().zip(&precisions).for_each(|(gradient, precision)| *gradient *= precision);
        -0.5 * self.values.dot(&weights) - log_determinant
    }
}
