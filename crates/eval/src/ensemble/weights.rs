//! Weights from the members' scores by the metric.

use crate::Metric;

/// The same weight for each of `count` members.
pub(super) fn equal(count: usize) -> Vec<f64> {
    vec![1.0 / count as f64; count]
}

/// Weights in proportion to the scores or, where a smaller value is better, to their inverses.
///
/// An undefined score, and one of 0 or less where larger is better, has weight 0: a correlation of −0.1 is no reason to listen
/// a little. Errors of 0 share all the weight. Where nothing would have weight, all have the same.
pub(super) fn proportional(scores: &[Option<f64>], metric: Metric) -> Vec<f64> {
    let goodness = |score: &Option<f64>| match *score {
        None => 0.0,
        Some(score) if metric.higher_is_better() => score,
        Some(score) => score.recip(),
    };
    let goodness: Vec<f64> = scores.iter().map(goodness).collect();
    if goodness.contains(&f64::INFINITY) {
        return normalised(goodness.iter().map(|&value| f64::from(u8::from(value.is_infinite()))).collect());
    }
    normalised(goodness)
}

/// Weights `exp((score − best) / temperature)`, the sign turned where a smaller value is better. An undefined score has weight 0;
/// where none is defined, all have the same.
pub(super) fn sharpened(scores: &[Option<f64>], metric: Metric, temperature: f64) -> Vec<f64> {
    let best = scores.iter().copied().fold(None, |best, score| if metric.better(score, best) { score } else { best });
    let weight = |score: &Option<f64>| match (score, best) {
        (Some(score), Some(best)) => (-(score - best).abs() / temperature).exp(),
        _ => 0.0,
    };
    normalised(scores.iter().map(weight).collect())
}

/// `weights` divided by their sum, those that are no positive number counting as 0; the same for all where the sum is 0.
pub(super) fn normalised(mut weights: Vec<f64>) -> Vec<f64> {
    // `max` also turns a NaN into 0.
    weights.iter_mut().for_each(|weight| *weight = weight.max(0.0));
    let sum: f64 = weights.iter().sum();
    if sum > 0.0 {
        weights.iter_mut().for_each(|weight| *weight /= sum);
        weights
    } else {
        equal(weights.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_and_inverse_errors_are_normalised() {
        assert_eq!(proportional(&[Some(0.75), Some(0.25)], Metric::Accuracy), [0.75, 0.25]);
        assert_eq!(proportional(&[Some(0.5), Some(1.5)], Metric::Rmse), [0.75, 0.25]);
    }

    #[test]
    fn members_that_are_no_better_than_nothing_have_no_weight() {
        assert_eq!(proportional(&[Some(0.5), Some(-0.2), None], Metric::Pearson), [1.0, 0.0, 0.0]);
        assert_eq!(proportional(&[Some(-0.5), Some(0.0), None, None], Metric::Pearson), [0.25; 4]);
        assert_eq!(proportional(&[None, Some(2.0)], Metric::LogLoss), [0.0, 1.0]);
    }

    #[test]
    fn errors_of_nothing_share_the_weight() {
        assert_eq!(proportional(&[Some(0.0), Some(0.1), Some(0.0)], Metric::Rmse), [0.5, 0.0, 0.5]);
    }

    #[test]
    fn a_member_worse_by_the_temperature_counts_one_part_in_e() {
        for (metric, scores) in [(Metric::Accuracy, [0.9, 0.88]), (Metric::LogLoss, [0.3, 0.32])] {
            let weights = sharpened(&scores.map(Some), metric, 0.02);
            assert!((weights[0] / weights[1] - 1f64.exp()).abs() < 1e-9);
        }
        assert_eq!(sharpened(&[Some(0.3), None], Metric::Pearson, 0.01), [1.0, 0.0]);
        assert_eq!(sharpened(&[None, None], Metric::Pearson, 0.01), [0.5, 0.5]);
    }

    #[test]
    fn a_small_temperature_leaves_the_best_alone() {
        assert_eq!(sharpened(&[Some(0.9), Some(0.1)], Metric::Accuracy, 1e-300), [1.0, 0.0]);
    }
}
