//! Quantile mapping: predictions get the distribution of the truth, and keep their order.

use super::curve::Curve;

/// The most knots a curve has: quantiles of a thousandth.
const KNOTS: usize = 1001;

/// The curve from quantiles of the predictions to the same quantiles of the truth. Quantiles lie between two rows by linear
/// interpolation (Hyndman and Fan's definition 7, which NumPy has by default); where many predictions are equal, they
/// get the mean of their quantiles' scores.
pub(super) fn fit(predictions: &[f32], truth: &[f32]) -> Curve {
    let sorted = |values: &[f32]| {
        let mut values: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let (predictions, truth) = (sorted(predictions), sorted(truth));
    let count = predictions.len().min(KNOTS);
    let mut knots: Vec<(f64, f64, f64)> = Vec::with_capacity(count);
    for index in 0..count {
        let level = index as f64 / (count - 1).max(1) as f64;
        let (x, y) = (quantile(&predictions, level), quantile(&truth, level));
        match knots.last_mut() {
            Some((last, sum, tied)) if *last == x => {
                *sum += y;
                *tied += 1.0;
            }
            _ => knots.push((x, y, 1.0)),
        }
    }
    Curve::through(knots.into_iter().map(|(x, sum, tied)| (x, sum / tied)))
}

/// The quantile of `level` (0 to 1) of ascending values.
fn quantile(sorted: &[f64], level: f64) -> f64 {
    let place = level * (sorted.len() - 1) as f64;
    let below = (place.floor() as usize).min(sorted.len() - 1);
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}
