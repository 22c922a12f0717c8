//! The one quantile of Student's t that 95 % intervals need. A crate of distributions would be the largest dependency
//! here for this single number.

use std::f64::consts::PI;

/// The 0.975 quantile of Student's t with `degrees_of_freedom` ≥ 1 (not necessarily whole): 12.706 at 1, 1.960 at
/// infinity. Agrees with SciPy to 1e-11, relatively, up to 10⁴ degrees of freedom.
pub(crate) fn quantile_975(degrees_of_freedom: f64) -> f64 {
    // Smaller values cannot occur (Welch's are never below the smaller sample's) except by rounding.
    let degrees_of_freedom = degrees_of_freedom.max(1.0);
    // Bisection to the last bit: the quantile falls from 12.71 to 1.96 and the tail falls with t.
    let (mut low, mut high) = (1.95, 12.75);
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        if two_sided_tail(middle, degrees_of_freedom) > 0.05 { low = middle } else { high = middle }
    }
}

/// P(|T| > t) = I_x(ν/2, 1/2) with x = ν / (ν + t²), for t ≥ √3 (DLMF 8.17.22).
///
/// The continued fraction converges fast for x < (ν + 2) / (ν + 5), which t ≥ √3 implies; that is why the general
/// function's mirrored branch is not here.
fn two_sided_tail(t: f64, degrees_of_freedom: f64) -> f64 {
    let (a, b) = (0.5 * degrees_of_freedom, 0.5);
    let square = t * t / degrees_of_freedom;
    let x = 1.0 / (1.0 + square);
    let ln_beta = ln_gamma(a) + 0.5 * PI.ln() - ln_gamma(a + b);
    // x^a (1 − x)^b / (a B(a, b)), with ln x = −ln(1 + t²/ν) kept exact for large ν.
    let ln_one_minus_x = square.ln() - square.ln_1p();
    let front = (-a * square.ln_1p() + b * ln_one_minus_x - ln_beta).exp() / a;
    front / continued_fraction(a, b, x)
}

/// The continued fraction of the incomplete beta function, by Lentz's method.
fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let guard = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut fraction, mut c, mut d) = (1.0, 1.0, 0.0);
    // A few dozen steps do for the ν of seeds; √ν of them for the largest.
    for step in 1..10_000 {
        let m = f64::from(step / 2);
        let coefficient = if step % 2 == 0 {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        };
        d = 1.0 / guard(1.0 + coefficient * d);
        c = guard(1.0 + coefficient / c);
        fraction *= c * d;
        if (c * d - 1.0).abs() < 1e-16 {
            break;
        }
    }
    fraction
}

/// ln Γ(x) for x > 0: Stirling's series (DLMF 5.11.1), which is exact to a double from 20 on, after the recurrence
/// Γ(x) = Γ(x + 1) / x has carried x there.
fn ln_gamma(mut x: f64) -> f64 {
    let mut product = 1.0;
    while x < 20.0 {
        product *= x;
        x += 1.0;
    }
    let square = x * x;
    let series = (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / (1680.0 * square)) / square) / square) / x;
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * PI).ln() + series - product.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_two_degrees_of_freedom_have_closed_forms() {
        // ν = 1 is the Cauchy distribution: tan(0.475 π). ν = 2: 2q / √(1 − 4q²) at q = 0.475, times 1/√2.
        assert!((quantile_975(1.0) - (0.475 * PI).tan()).abs() < 1e-11);
        let exact = 0.95 * (2.0 / (1.0 - 0.95f64.powi(2))).sqrt();
        assert!((quantile_975(2.0) - exact).abs() < 1e-12);
    }

    #[test]
    fn agrees_with_scipy_from_one_to_ten_thousand_degrees_of_freedom() {
        let golden: serde_json::Value = serde_json::from_str(include_str!("../tests/golden/golden.json")).unwrap();
        let quantiles: Vec<(f64, f64)> = serde_json::from_value(golden["quantiles"].clone()).unwrap();
        for (degrees_of_freedom, expected) in quantiles {
            let found = quantile_975(degrees_of_freedom);
            assert!((found - expected).abs() <= 1e-11 * expected, "ν = {degrees_of_freedom}: {found} {expected}");
        }
    }

    #[test]
    fn many_degrees_of_freedom_approach_the_normal_distribution() {
        assert!((quantile_975(1e6) - 1.959_963_984_540_054).abs() < 1e-5);
    }

    #[test]
    fn falls_as_degrees_of_freedom_grow() {
        let values: Vec<f64> = (2..200).map(|half| quantile_975(f64::from(half) / 2.0)).collect();
        assert!(values.is_sorted_by(|a, b| a > b));
    }
}
