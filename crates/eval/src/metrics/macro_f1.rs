//! Macro-averaged F1.

/// Unweighted mean of the per-class F1 scores; `None` without rows.
///
/// As scikit-learn's `f1_score(average="macro", zero_division=0)`: the classes are those that occur in `truth` or in
/// `predicted`, so a class that is nowhere does not lower the mean, and one that is never hit counts as 0.
pub fn macro_f1(truth: &[u32], predicted: &[u32]) -> Option<f64> {
    debug_assert_eq!(truth.len(), predicted.len());
    let classes = truth.iter().chain(predicted).max().map_or(0, |&c| c as usize + 1);
    let mut hits = vec![0u64; classes];
    let mut occurrences = vec![0u64; classes];
    for (&t, &p) in truth.iter().zip(predicted) {
        occurrences[t as usize] += 1;
        occurrences[p as usize] += 1;
        hits[t as usize] += u64::from(t == p);
    }
    // F1 = 2·TP / (2·TP + FP + FN), and the denominator is (true rows of the class) + (rows predicted as it).
    let f1 = |(&hits, &occurrences): (&u64, &u64)| 2.0 * hits as f64 / occurrences as f64;
    let present: Vec<f64> = hits.iter().zip(&occurrences).filter(|(_, n)| **n > 0).map(f1).collect();
    (!present.is_empty()).then(|| present.iter().sum::<f64>() / present.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_that_is_nowhere_does_not_count() {
        assert_eq!(macro_f1(&[0, 3], &[0, 3]), Some(1.0));
    }

    #[test]
    fn a_class_never_predicted_counts_as_zero() {
        // Class 0: precision 2/3, recall 1, F1 0.8. Class 1: F1 0.
        assert_eq!(macro_f1(&[0, 0, 1], &[0, 0, 0]), Some(0.4));
    }

    #[test]
    fn is_undefined_without_rows() {
        assert_eq!(macro_f1(&[], &[]), None);
    }
}
