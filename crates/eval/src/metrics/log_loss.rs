//! Plain log loss: no class weights, no smoothing, no focus, so that runs trained on different losses compare.

use super::finite;

/// Mean over rows of −log softmax(logits)\[truth\], in nats; `None` without rows or when a logit is not finite.
///
/// `logits` is row-major `[rows, classes]`, `truth` one class index a row. Computed as log-sum-exp minus the true
/// logit, which neither overflows nor needs clipping.
pub fn log_loss_from_logits(logits: &[f32], classes: usize, truth: &[u32]) -> Option<f64> {
    debug_assert_eq!(logits.len(), classes * truth.len());
    let row_loss = |(row, &class): (&[f32], &u32)| {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max) as f64;
        let sum: f64 = row.iter().map(|&logit| (logit as f64 - max).exp()).sum();
        max + sum.ln() - row[class as usize] as f64
    };
    mean(logits.chunks_exact(classes).zip(truth).map(row_loss), truth.len())
}

/// Mean over rows of −log probability of the true class, in nats; `None` without rows or when a probability is NaN.
///
/// `probabilities` is row-major `[rows, classes]`. Each is clipped to `[ε, 1 − ε]`, ε being `f64::EPSILON`, as
/// scikit-learn's `log_loss` does with doubles; rows are not renormalised.
pub fn log_loss_from_probabilities(probabilities: &[f32], classes: usize, truth: &[u32]) -> Option<f64> {
    debug_assert_eq!(probabilities.len(), classes * truth.len());
    let row_loss = |(row, &class): (&[f32], &u32)| negative_log(row[class as usize] as f64);
    mean(probabilities.chunks_exact(classes).zip(truth).map(row_loss), truth.len())
}

/// −log of `probability`, clipped as in [`log_loss_from_probabilities`].
pub(crate) fn negative_log(probability: f64) -> f64 {
    -probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
}

fn mean(losses: impl Iterator<Item = f64>, rows: usize) -> Option<f64> {
    if rows == 0 { None } else { finite(losses.sum::<f64>() / rows as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_logits_cost_the_log_of_the_class_count() {
        let loss = log_loss_from_logits(&[7.0; 8], 4, &[0, 3]).unwrap();
        assert!((loss - 4f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        assert_eq!(log_loss_from_logits(&[3e38, -3e38], 2, &[0]), Some(0.0));
        let wrong = log_loss_from_logits(&[3e38, -3e38], 2, &[1]).unwrap();
        assert!(wrong > 5e38);
    }

    #[test]
    fn a_certain_mistake_costs_a_finite_amount() {
        assert_eq!(log_loss_from_probabilities(&[1.0, 0.0], 2, &[1]), Some(-f64::EPSILON.ln()));
    }

    #[test]
    fn nan_outputs_leave_it_undefined() {
        assert_eq!(log_loss_from_logits(&[f32::NAN, 0.0], 2, &[1]), None);
        assert_eq!(log_loss_from_logits(&[f32::INFINITY, 0.0], 2, &[0]), None);
        assert_eq!(log_loss_from_probabilities(&[f32::NAN, 0.0], 2, &[0]), None);
        assert_eq!(log_loss_from_logits(&[], 2, &[]), None);
    }
}
