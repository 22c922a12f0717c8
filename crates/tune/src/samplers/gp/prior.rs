//! What is thought of hyper-parameters before anything was observed: length scales near the width of the space, a variance near
//! that of the values, little noise. The shapes are those of Optuna, which measured better here than log-normal length scales
//! that grow with the number of dimensions (Hvarfner et al. 2024).

/// How strongly precisions far from 1 are held off, in either direction.
const PRECISION: f64 = 0.1;
/// The variance of the noise has a gamma prior: shape − 1, and rate.
const NOISE: (f64, f64) = (0.1, 30.0);
/// The logarithm of the variance of the noise that the search begins with.
const NOISE_START: f64 = -4.0;

/// The log density, without its constant, of the hyper-parameters of [`super::likelihood::Likelihood`]; adds its gradient.
pub(crate) fn log_density(parameters: &[f64], gradient: &mut [f64]) -> f64 {
    let d = parameters.len() - 2;
    let mut sum = 0.0;
    for j in 0..d {
        let (long, short) = (PRECISION * (-parameters[j]).exp(), PRECISION * parameters[j].exp());
        sum -= long + short;
        gradient[j] += long - short;
    }
    // Gamma priors: of shape 2 and rate 1 for the variance of the function.
    for (j, (power, rate)) in [(d, (1.0, 1.0)), (d + 1, NOISE)] {
        let variance = parameters[j].exp();
        sum += power * parameters[j] - rate * variance;
        gradient[j] += power - rate * variance;
    }
    sum
}

/// Where the search for the most plausible hyper-parameters begins.
pub(crate) fn start(dimensions: usize) -> Vec<f64> {
    let mut parameters = vec![0.0; dimensions];
    parameters.extend([0.0, NOISE_START]);
    parameters
}
