//! Scores over seeds: their mean and spread, and whether the difference between two sets of them is more than noise.

use serde::Serialize;

use crate::student_t::quantile_975;

/// A 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    fn around(centre: f64, standard_error: f64, degrees_of_freedom: f64) -> Self {
        let half = quantile_975(degrees_of_freedom) * standard_error;
        Self { low: centre - half, high: centre + half }
    }

    /// Whether `value` lies inside or on an end.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// Mean and spread of some scores, such as one a seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// How many scores.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation with n − 1; absent for a single score.
    pub standard_deviation: Option<f64>,
    /// Student's t interval of the mean at 95 %; absent for a single score.
    pub interval: Option<Interval>,
}

impl Summary {
    /// Summarises `scores`; `None` when there are none.
    pub fn of(scores: &[f64]) -> Option<Self> {
        let (mean, variance) = moments(scores)?;
        let count = scores.len();
        let interval = |variance: f64| Interval::around(mean, (variance / count as f64).sqrt(), (count - 1) as f64);
        Some(Self { count, mean, standard_deviation: variance.map(f64::sqrt), interval: variance.map(interval) })
    }
}

/// The difference of two means with what it could be by chance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// Mean of the second set less mean of the first.
    pub difference: f64,
    /// Its 95 % confidence interval.
    pub interval: Interval,
    /// Degrees of freedom of the t distribution behind the interval.
    pub degrees_of_freedom: f64,
}

impl Difference {
    /// Whether the difference is larger than the noise: its interval leaves 0 out.
    pub fn is_significant(&self) -> bool {
        !self.interval.contains(0.0)
    }
}

/// Second less first for scores that have nothing to do with each other (different seeds), without assuming equal
/// variances: Welch's t interval, with the Welch–Satterthwaite degrees of freedom.
///
/// `None` with fewer than two scores on either side. Two sets without any spread give an interval of width 0.
pub fn welch(first: &[f64], second: &[f64]) -> Option<Difference> {
    let ((mean_a, variance_a), (mean_b, variance_b)) = (moments(first)?, moments(second)?);
    let (n_a, n_b) = (first.len() as f64, second.len() as f64);
    let (share_a, share_b) = (variance_a? / n_a, variance_b? / n_b);
    let squared_error = share_a + share_b;
    let degrees_of_freedom = if squared_error > 0.0 {
        let (a, b) = (share_a / squared_error, share_b / squared_error);
        1.0 / (a * a / (n_a - 1.0) + b * b / (n_b - 1.0))
    } else {
        n_a + n_b - 2.0
    };
    let difference = mean_b - mean_a;
    let interval = Interval::around(difference, squared_error.sqrt(), degrees_of_freedom);
    Some(Difference { difference, interval, degrees_of_freedom })
}

/// Second less first for scores that belong together one by one (the same seeds and splits): the t interval of
/// their differences.
///
/// `None` with fewer than two pairs, or when the sets differ in length.
pub fn paired(first: &[f64], second: &[f64]) -> Option<Difference> {
    if first.len() != second.len() {
        return None;
    }
    let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| b - a).collect();
    let Summary { count, mean, interval, .. } = Summary::of(&differences)?;
    Some(Difference { difference: mean, interval: interval?, degrees_of_freedom: (count - 1) as f64 })
}

/// Mean and, from two values on, the variance with n − 1.
fn moments(values: &[f64]) -> Option<(f64, Option<f64>)> {
    if values.is_empty() {
        return None;
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((mean, (values.len() > 1).then(|| squares / (count - 1.0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_score_has_a_mean_and_no_spread() {
        let summary = Summary::of(&[0.8]).unwrap();
        assert_eq!((summary.mean, summary.standard_deviation, summary.interval), (0.8, None, None));
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn a_difference_within_the_noise_is_not_significant() {
        let difference = welch(&[0.80, 0.82, 0.81], &[0.81, 0.83, 0.82]).unwrap();
        assert!((difference.difference - 0.01).abs() < 1e-12);
        assert!(!difference.is_significant());
    }

    #[test]
    fn pairing_sees_a_steady_gain_that_spread_between_seeds_hides() {
        let (before, after) = ([0.70, 0.80, 0.90], [0.711, 0.812, 0.913]);
        assert!(!welch(&before, &after).unwrap().is_significant());
        assert!(paired(&before, &after).unwrap().is_significant());
    }

    #[test]
    fn scores_without_spread_give_an_interval_of_no_width() {
        let difference = welch(&[0.5, 0.5], &[0.75, 0.75, 0.75]).unwrap();
        assert_eq!(difference.interval, Interval { low: 0.25, high: 0.25 });
        assert!(difference.is_significant());
    }

    #[test]
    fn too_few_scores_have_no_interval() {
        assert_eq!(welch(&[0.5], &[0.5, 0.6]), None);
        assert_eq!(paired(&[0.5], &[0.6]), None);
        assert_eq!(paired(&[0.5, 0.6], &[0.6, 0.7, 0.8]), None);
    }
}
