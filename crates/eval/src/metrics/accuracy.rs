//! Accuracy.

/// Share of rows whose predicted class is the true one; `None` without rows.
///
/// `truth` and `predicted` are class indices, one a row.
pub fn accuracy(truth: &[u32], predicted: &[u32]) -> Option<f64> {
    debug_assert_eq!(truth.len(), predicted.len());
    let right = truth.iter().zip(predicted).filter(|(t, p)| t == p).count();
    (!truth.is_empty()).then(|| right as f64 / truth.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_rows_that_agree() {
        assert_eq!(accuracy(&[0, 1, 2, 2], &[0, 2, 2, 2]), Some(0.75));
    }

    #[test]
    fn is_undefined_without_rows() {
        assert_eq!(accuracy(&[], &[]), None);
    }
}
