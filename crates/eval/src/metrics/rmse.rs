//! Root mean squared error.

use super::finite;

/// Root of the mean squared difference, in units of the score; `None` without rows or when a value is not finite.
pub fn rmse(truth: &[f32], predicted: &[f32]) -> Option<f64> {
    debug_assert_eq!(truth.len(), predicted.len());
    let squares: f64 = truth.iter().zip(predicted).map(|(&t, &p)| (p as f64 - t as f64).powi(2)).sum();
    if truth.is_empty() { None } else { finite((squares / truth.len() as f64).sqrt()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_error_itself_when_all_errors_are_equal() {
        assert_eq!(rmse(&[1.0, 5.0], &[3.0, 3.0]), Some(2.0));
    }

    #[test]
    fn is_undefined_without_rows_or_with_nan() {
        assert_eq!(rmse(&[], &[]), None);
        assert_eq!(rmse(&[1.0], &[f32::NAN]), None);
    }
}
