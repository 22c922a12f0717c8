//! Spearman's rank correlation.

use super::pearson::correlation;

/// Spearman's ρ: Pearson's r of the ranks, tied values sharing the mean of their ranks (as SciPy's `spearmanr`).
///
/// `None` with fewer than two rows, when either side is constant, or when a value is NaN.
pub fn spearman(truth: &[f32], predicted: &[f32]) -> Option<f64> {
    debug_assert_eq!(truth.len(), predicted.len());
    if truth.iter().chain(predicted).any(|value| value.is_nan()) {
        return None;
    }
    let (truth, predicted) = (average_ranks(truth), average_ranks(predicted));
    correlation(truth.iter().copied(), predicted.iter().copied())
}

/// Ranks from 1; values that are equal (0.0 and −0.0 too) get the mean of the ranks they span.
fn average_ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        // Ranks start + 1 ..= start + n have the mean start + (n + 1) / 2.
        let rank = start as f64 + (tied.len() as f64 + 1.0) / 2.0;
        tied.iter().for_each(|&row| ranks[row] = rank);
        start += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_the_mean_of_their_ranks() {
        assert_eq!(average_ranks(&[3.0, 1.0, 3.0, 0.0, -0.0]), [4.5, 3.0, 4.5, 1.5, 1.5]);
    }

    #[test]
    fn any_rising_curve_correlates_fully() {
        assert_eq!(spearman(&[1.0, 2.0, 3.0, 4.0], &[1.0, 10.0, 11.0, 1e9]), Some(1.0));
    }

    #[test]
    fn constants_and_nan_leave_it_undefined() {
        assert_eq!(spearman(&[1.0, 2.0], &[5.0, 5.0]), None);
        assert_eq!(spearman(&[1.0, 2.0], &[5.0, f32::NAN]), None);
    }
}
