//! Cross-entropy over score buckets: regression as classification. A score is spread over the two centres it lies between, so
//! that their mean is the score, and a prediction is the mean of the centres by the softmax of the outputs.
//!
//! The distribution can be broad or have two peaks where a single output could only answer with what lies between.

use serde::{Deserialize, Serialize};

use super::softmax::Softmax;

/// The centres of score buckets: at least two finite numbers that rise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<f64>", into = "Vec<f64>")]
pub struct ScoreBuckets {
    centres: Vec<f64>,
}

impl TryFrom<Vec<f64>> for ScoreBuckets {
    type Error = &'static str;

    fn try_from(centres: Vec<f64>) -> Result<Self, Self::Error> {
        let rising = centres.windows(2).all(|pair| pair[0] < pair[1]);
        if centres.len() < 2 || !rising || !centres.iter().all(|centre| centre.is_finite()) {
            return Err("score buckets are at least two finite numbers that rise");
        }
        Ok(Self { centres })
    }
}

impl From<ScoreBuckets> for Vec<f64> {
    fn from(buckets: ScoreBuckets) -> Self {
        buckets.centres
    }
}

impl ScoreBuckets {
    /// `count` centres evenly from `low` to `high`; `None` for fewer than two, or a range whose numbers cannot hold them apart.
    pub fn evenly([low, high]: [f64; 2], count: usize) -> Option<Self> {
        let last = count.saturating_sub(1) as f64;
        let centre = |bucket: usize| (low * (last - bucket as f64) + high * bucket as f64) / last;
        Self::try_from((0..count).map(centre).collect::<Vec<f64>>()).ok()
    }

    /// The centres, in the order of the outputs.
    pub fn centres(&self) -> &[f64] {
        &self.centres
    }

    /// What the outputs are called: the centres as decimals.
    pub fn names(&self) -> Vec<String> {
        self.centres.iter().map(f64::to_string).collect()
    }

    /// The scores that rows of outputs (`[rows, buckets]`) stand for: Σ p·centre.
    pub fn scores(&self, outputs: &[f32]) -> Vec<f32> {
        let score = |row| {
            let softmax = Softmax::new(row);
            let terms = self.centres.iter().enumerate().map(|(bucket, centre)| softmax.probability(bucket) * centre);
            terms.sum::<f64>() as f32
        };
        outputs.chunks_exact(self.centres.len()).map(score).collect()
    }

    /// Writes the share of each bucket in the target of a row. A score beyond the centres is taken to the last one.
    fn shares(&self, score: f32, label_smoothing: f64, shares: &mut [f64]) {
        let centres = &self.centres;
        shares.fill(label_smoothing / centres.len() as f64);
        let score = f64::from(score).clamp(centres[0], centres[centres.len() - 1]);
        let above = centres.partition_point(|&centre| centre <= score).min(centres.len() - 1);
        let way = (score - centres[above - 1]) / (centres[above] - centres[above - 1]);
        shares[above - 1] += (1.0 - label_smoothing) * (1.0 - way);
        shares[above] += (1.0 - label_smoothing) * way;
    }
}

/// −Σ shares·log softmax(outputs) of each row.
pub(super) fn loss(
    outputs: &[f32],
    scores: &[f32],
    buckets: &ScoreBuckets,
    label_smoothing: f64,
    weight: f64,
) -> (f64, Vec<f32>) {
    let n = buckets.centres.len();
    let mut gradient = Vec::with_capacity(outputs.len());
    let mut shares = vec![0.0; n];
    let mut total = 0.0;
    for (row, &score) in outputs.chunks_exact(n).zip(scores) {
        buckets.shares(score, label_smoothing, &mut shares);
        let softmax = Softmax::new(row);
        total += softmax.cross_entropy(&shares);
        gradient.extend(softmax.cross_entropy_gradient(&shares).map(|slope| (weight * slope) as f32));
    }
    (total, gradient)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_score_is_shared_by_its_two_neighbours() {
        let buckets = ScoreBuckets::evenly([0.0, 5.0], 11).unwrap();
        assert_eq!(buckets.centres(), [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0]);
        let shares = |score| {
            let mut shares = vec![0.0; 11];
            buckets.shares(score, 0.0, &mut shares);
            shares.iter().enumerate().filter(|(_, share)| **share > 0.0).map(|(i, s)| (i, *s)).collect::<Vec<_>>()
        };
        assert_eq!(shares(3.125), [(6, 0.75), (7, 0.25)]);
        assert_eq!(shares(0.0), [(0, 1.0)]);
        assert_eq!(shares(2.5), [(5, 1.0)]);
        assert_eq!((shares(5.0), shares(9.0), shares(-1.0)), (vec![(10, 1.0)], vec![(10, 1.0)], vec![(0, 1.0)]));
    }

    #[test]
    fn centres_that_do_not_rise_are_refused() {
        for centres in
            [vec![], vec![1.0], vec![1.0, 1.0], vec![2.0, 1.0], vec![0.0, f64::NAN], vec![0.0, f64::INFINITY]]
        {
            assert!(ScoreBuckets::try_from(centres.clone()).is_err(), "{centres:?}");
        }
        assert_eq!(ScoreBuckets::evenly([1.0, 1.0 + f64::EPSILON], 11), None);
        assert_eq!(ScoreBuckets::evenly([0.0, 5.0], 1), None);
    }

    proptest! {
        #[test]
        fn the_mean_of_a_target_is_the_score(low in -10f32..10.0, width in 0.1f32..10.0, at in 0f32..=1.0, count in 2usize..40) {
            let buckets = ScoreBuckets::evenly([low.into(), (low + width).into()], count).unwrap();
            let score = low + at * width;
            let mut shares = vec![0.0; count];
            buckets.shares(score, 0.0, &mut shares);
            let mean: f64 = shares.iter().zip(buckets.centres()).map(|(share, centre)| share * centre).sum();
            prop_assert!((mean - f64::from(score)).abs() < 1e-5, "{mean} for {score}");
            prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }

        #[test]
        fn predictions_stay_within_the_centres(outputs in proptest::collection::vec(-90f32..90.0, 7)) {
            let score = ScoreBuckets::evenly([0.0, 5.0], 7).unwrap().scores(&outputs)[0];
            prop_assert!((0.0..=5.0).contains(&score), "{score}");
        }
    }
}
