//! What is thought of hyper-parameters before anything was observed.

/// The log density, without its constant, of the hyper-parameters of [`super::likelihood::Likelihood`]; adds its gradient.
pub(crate) fn log_density(parameters: &[f64], gradient: &mut [f64]) -> f64 {
    let d = parameters.len() - 2;
    let mut sum = 0.0;
    let e = |n: &str, d: f64| std::env::var(n).ok().and_then(|v| v.parse().ok()).unwrap_or(d);
    let kind = e("PRIOR", 0.0);
    for j in 0..d {
        let p = parameters[j];
        if kind == 0.0 {
            let (a, b) = (0.1 * (-p).exp(), 0.1 * p.exp());
            sum -= a + b;
            gradient[j] += a - b;
        } else {
            // log l ~ N(mu, sd) ; p = -2 log l
            let mu = e("PMU", 2f64.sqrt()) + e("PDIM", 0.5) * (d as f64).ln();
            let sd = e("PSD", 3f64.sqrt());
            let z = (-0.5 * p - mu) / sd;
            sum -= 0.5 * z * z;
            gradient[j] += 0.5 * z / sd;
        }
    }
    let s = parameters[d].exp();
    sum += parameters[d] - s;
    gradient[d] += 1.0 - s;
    let n = parameters[d + 1].exp();
    let rate = e("NRATE", 30.0);
    sum += 0.1 * parameters[d + 1] - rate * n;
    gradient[d + 1] += 0.1 - rate * n;
    sum
}

/// Where the search for the most plausible hyper-parameters begins.
pub(crate) fn start(dimensions: usize) -> Vec<f64> {
    let e = |n: &str, d: f64| std::env::var(n).ok().and_then(|v| v.parse().ok()).unwrap_or(d);
    let mut parameters = vec![e("PSTART", 0.0); dimensions];
    parameters.extend([0.0, e("NSTART", -4.0)]);
    parameters
}
