//! Log loss of sets of labels: the plain binary cross-entropy of every decision, one a row and class.

use gyeol_data::LabelSets;

use super::finite;

/// Mean over rows and classes of −log of the probability given to what is true (the label present, or absent), in nats, the
/// probability being the sigmoid of the logit; `None` without rows or when a logit is not finite.
///
/// `logits` is row-major `[rows, classes]`. Computed as log(1 + e^∓logit) with the exponent never above 0, which neither
/// overflows nor needs clipping.
pub fn binary_log_loss_from_logits(logits: &[f32], truth: &LabelSets) -> Option<f64> {
    mean(logits, truth, |logit, present| {
        let wrong = if present { -f64::from(logit) } else { f64::from(logit) };
        wrong.max(0.0) + (-wrong.abs()).exp().ln_1p()
    })
}

/// The same of probabilities of the labels, each clipped to `[ε, 1 − ε]`, ε being `f64::EPSILON`, as scikit-learn's
/// `log_loss` does with doubles.
pub fn binary_log_loss_from_probabilities(probabilities: &[f32], truth: &LabelSets) -> Option<f64> {
    mean(probabilities, truth, |probability, present| {
        let probability = f64::from(probability).clamp(f64::EPSILON, 1.0 - f64::EPSILON);
        if present { -probability.ln() } else { -(1.0 - probability).ln() }
    })
}

fn mean(values: &[f32], truth: &LabelSets, loss: impl Fn(f32, bool) -> f64) -> Option<f64> {
    debug_assert_eq!(values.len(), truth.len() * truth.classes());
    if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let row_loss = |(row, set): (&[f32], &[u32])| -> f64 {
        row.iter().zip(0u32..).map(|(&value, class)| loss(value, set.contains(&class))).sum()
    };
    let total: f64 = values.chunks_exact(truth.classes()).zip(truth.iter()).map(row_loss).sum();
    finite(total / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(rows: &[&[u32]]) -> LabelSets {
        let mut sets = LabelSets::new(2);
        rows.iter().for_each(|row| sets.push(row.iter().copied()));
        sets
    }

    #[test]
    fn a_logit_of_0_costs_the_log_of_2_whatever_is_true() {
        let loss = binary_log_loss_from_logits(&[0.0; 4], &truth(&[&[0], &[]])).unwrap();
        assert!((loss - 2f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        assert_eq!(binary_log_loss_from_logits(&[3e38, -3e38], &truth(&[&[0]])), Some(0.0));
        assert_eq!(binary_log_loss_from_logits(&[1e30, -1e30], &truth(&[&[1]])), Some(f64::from(1e30f32)));
    }

    #[test]
    fn a_certain_mistake_costs_a_finite_amount() {
        let loss = binary_log_loss_from_probabilities(&[0.0, 0.0], &truth(&[&[0, 1]]));
        assert_eq!(loss, Some(-f64::EPSILON.ln()));
    }

    #[test]
    fn it_is_undefined_without_rows_and_for_nan() {
        assert_eq!(binary_log_loss_from_logits(&[], &truth(&[])), None);
        assert_eq!(binary_log_loss_from_logits(&[f32::NAN, 0.0], &truth(&[&[0]])), None);
        assert_eq!(binary_log_loss_from_probabilities(&[0.5, f32::NAN], &truth(&[&[0]])), None);
    }
}
