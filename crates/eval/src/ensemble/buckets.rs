//! Score bucketing: members vote for a part of the scale, and only those that agree are averaged.

use super::Aligned;

/// A scale in equal parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    /// Where it starts.
    pub(super) low: f64,
    /// Where it ends, not before.
    pub(super) high: f64,
    /// How many parts it has, 1 or more.
    pub(super) buckets: usize,
}

/// The scores of the winning buckets, and how many rows were ties.
pub(super) struct Counted {
    /// One a row.
    pub(super) scores: Vec<f64>,
    /// Rows in which several buckets had the most votes.
    pub(super) ties: usize,
}

impl Scale {
    /// The bucket of a score, the outermost for one beyond the scale. Where two buckets meet it is the upper one.
    fn bucket(&self, score: f64) -> usize {
        // A scale without length gives a NaN or an infinity; the cast makes 0 of the one and is bounded for the other.
        let part = (score - self.low) / (self.high - self.low) * self.buckets as f64;
        (part.floor() as usize).min(self.buckets - 1)
    }

    /// The middle of a bucket.
    fn centre(&self, bucket: usize) -> f64 {
        self.low + (self.high - self.low) * (bucket as f64 + 0.5) / self.buckets as f64
    }
}

/// The range of the finite ones of `truth`; `None` if there is none.
pub(super) fn range(truth: &[f32]) -> Option<[f64; 2]> {
    let finite = || truth.iter().copied().filter(|score| score.is_finite());
    let (low, high) = (finite().reduce(f32::min)?, finite().reduce(f32::max)?);
    Some([low, high].map(f64::from))
}

/// For each row the weighted mean of the scores in the bucket with the most votes; of several such, the one whose middle is
/// nearest to the mean of all members (the lower of two equally near). A row with a NaN is NaN.
pub(super) fn count(members: &Aligned, weights: &[f64], scale: Scale) -> Counted {
    let mut counted = Counted { scores: Vec::with_capacity(members.rows()), ties: 0 };
    for row in 0..members.rows() {
        let voters = || members.all().iter().zip(weights).map(|(values, &weight)| (f64::from(values[row]), weight));
        let mean = voters().filter(|(_, weight)| *weight > 0.0).map(|(score, weight)| weight * score).sum::<f64>();
        if mean.is_nan() {
            counted.scores.push(mean);
            continue;
        }
        // Members are few and buckets may be many.
        let mut votes: Vec<(usize, f64)> = Vec::new();
        for (score, weight) in voters().filter(|(_, weight)| *weight > 0.0) {
            let bucket = scale.bucket(score);
            match votes.iter_mut().find(|(other, _)| *other == bucket) {
                Some((_, votes)) => *votes += weight,
                None => votes.push((bucket, weight)),
            }
        }
        let most = votes.iter().map(|(_, votes)| *votes).fold(0.0, f64::max);
        let mut tied: Vec<usize> =
            votes.iter().filter(|(_, votes)| *votes == most).map(|(bucket, _)| *bucket).collect();
        tied.sort_unstable();
        counted.ties += usize::from(tied.len() > 1);
        let distance = |bucket: usize| (scale.centre(bucket) - mean).abs();
        let nearer = |best: usize, bucket: usize| if distance(bucket) < distance(best) { bucket } else { best };
        let winner = tied.into_iter().reduce(nearer).unwrap_or(0);
        let agreeing = voters().filter(|(score, weight)| *weight > 0.0 && scale.bucket(*score) == winner);
        let (sum, all) = agreeing.fold((0.0, 0.0), |(sum, all), (score, weight)| (sum + weight * score, all + weight));
        counted.scores.push(sum / all);
    }
    counted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Outputs, Predictions};

    const SCALE: Scale = Scale { low: 0.0, high: 5.0, buckets: 5 };

    fn scores(members: &[f32], scale: Scale) -> (f64, usize) {
        let predictions: Vec<Predictions> = members
            .iter()
            .map(|&score| Predictions::new("id", vec!["a".to_owned()], Outputs::Scores(vec![score])).unwrap())
            .collect();
        let named: Vec<_> = predictions.iter().enumerate().map(|(member, p)| (member.to_string(), p)).collect();
        let aligned = Aligned::new(&named, &["a".to_owned()]).unwrap();
        let counted = count(&aligned, &vec![1.0 / members.len() as f64; members.len()], scale);
        (counted.scores[0], counted.ties)
    }

    #[test]
    fn those_in_the_bucket_with_the_most_votes_are_averaged() {
        let (score, ties) = scores(&[1.25, 1.75, 4.5], SCALE);
        assert!((score - 1.5).abs() < 1e-12);
        assert_eq!(ties, 0);
    }

    #[test]
    fn a_tie_goes_to_the_bucket_nearest_to_the_mean_of_all() {
        // The mean is 1.9; the buckets' middles are 0.5, 1.5 and 3.5.
        assert_eq!(scores(&[0.5, 1.5, 3.7], SCALE), (1.5, 1));
    }

    #[test]
    fn scores_beyond_the_scale_are_in_its_outermost_buckets() {
        assert_eq!(scores(&[-3.0, 0.5, 4.0, 2.0], SCALE), (-1.25, 0));
        assert_eq!(scores(&[5.0, 6.0, 0.0, 2.0], SCALE), (5.5, 0));
    }

    #[test]
    fn a_scale_without_length_is_one_bucket_on_either_side() {
        let (score, _) = scores(&[1.0, 2.0, 2.0], Scale { low: 2.0, high: 2.0, buckets: 4 });
        assert!((score - 5.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_score_that_is_no_number_is_not_hidden() {
        assert!(scores(&[f32::NAN, 1.0], SCALE).0.is_nan());
    }
}
