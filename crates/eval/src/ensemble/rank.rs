//! Rank averaging: members that agree about the order of rows but not about the scale, or whose scales are bent differently,
//! are compared by rank.

use serde::{Deserialize, Serialize};

use super::Aligned;
use crate::EvalError;

/// How far a rank may be off where a distribution has more than [`KEPT`] different scores.
const PRECISION: f64 = 0.001;

/// A distribution of so many numbers or fewer is kept whole.
const KEPT: usize = 1001;

/// The ranks of a member's scores. All different scores up to 1,001 are kept; of more, so few (2,001 at the most) that a rank is
/// right to 0.001.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranks {
    /// Different scores, ascending.
    scores: Vec<f32>,
    /// The rank of each, from 0 for the lowest row to 1 for the highest: that of the middle one of equals. Ascending.
    ranks: Vec<f64>,
}

impl Ranks {
    /// The ranks of the finite ones of `scores`; `None` if there is none.
    fn of(scores: &[f32]) -> Option<Self> {
        let sorted = ascending(scores)?;
        let last = (sorted.len() - 1).max(1) as f64;
        let mut all = Self { scores: Vec::new(), ranks: Vec::new() };
        let mut start = 0;
        for equals in sorted.chunk_by(|a, b| a == b) {
            all.scores.push(equals[0]);
            all.ranks.push(if sorted.len() == 1 {
                0.5
            } else {
                (start as f64 + (equals.len() - 1) as f64 / 2.0) / last
            });
            start += equals.len();
        }
        Some(if all.scores.len() > KEPT { all.thinned() } else { all })
    }

    /// Without the scores that lie between two kept ones whose ranks are [`PRECISION`] apart or less.
    fn thinned(&self) -> Self {
        let mut kept = vec![0];
        for place in 1..self.ranks.len() {
            let needed =
                self.ranks.get(place + 1).is_none_or(|next| next - self.ranks[kept[kept.len() - 1]] > PRECISION);
            if needed {
                kept.push(place);
            }
        }
        Self {
            scores: kept.iter().map(|&place| self.scores[place]).collect(),
            ranks: kept.iter().map(|&place| self.ranks[place]).collect(),
        }
    }

    /// The rank of a score, linear between neighbours, that of the nearest where it lies beyond all. NaN has none: NaN.
    fn rank(&self, score: f32) -> f64 {
        if score.is_nan() {
            return f64::NAN;
        }
        let above = self.scores.partition_point(|&other| other < score);
        if above == 0 || above == self.scores.len() {
            return self.ranks[above.min(self.scores.len() - 1)];
        }
        let [low, high] = [above - 1, above].map(|place| f64::from(self.scores[place]));
        let part = (f64::from(score) - low) / (high - low);
        self.ranks[above - 1] + (self.ranks[above] - self.ranks[above - 1]) * part
    }

    /// Whether it can be used: as many scores as ranks, at least one, all finite, ascending.
    pub(super) fn is_sound(&self) -> bool {
        self.scores.len() == self.ranks.len()
            && is_ascending(self.scores.iter().map(|&score| f64::from(score)))
            && is_ascending(self.ranks.iter().copied())
            && self.ranks.iter().all(|rank| (0.0..=1.0).contains(rank))
    }
}

/// A distribution of scores: its quantiles at evenly spaced ranks from 0 to 1, ascending. Of 1,001 scores or fewer it has each; of
/// more, 1,001 quantiles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quantiles(Vec<f32>);

impl Quantiles {
    /// The distribution of the finite ones of `scores`; `None` if there is none.
    fn of(scores: &[f32]) -> Option<Self> {
        let all = Self(ascending(scores)?);
        let rank = |place: usize| place as f64 / (KEPT - 1) as f64;
        let whole = all.0.len() <= KEPT;
        Some(if whole { all } else { Self((0..KEPT).map(|place| all.at(rank(place)) as f32).collect()) })
    }

    /// The score at a rank from 0 to 1, linear between neighbours (numpy's `quantile`).
    fn at(&self, rank: f64) -> f64 {
        let place = rank * (self.0.len() - 1) as f64;
        let [low, high] = [place.floor(), place.ceil()].map(|place| f64::from(self.0[place as usize]));
        low + (high - low) * place.fract()
    }

    /// Whether it can be used: at least one score, all finite, ascending.
    pub(super) fn is_sound(&self) -> bool {
        is_ascending(self.0.iter().map(|&score| f64::from(score)))
    }
}

/// The finite ones of `scores`, ascending; `None` if there is none.
fn ascending(scores: &[f32]) -> Option<Vec<f32>> {
    let mut sorted: Vec<f32> = scores.iter().copied().filter(|score| score.is_finite()).collect();
    sorted.sort_by(f32::total_cmp);
    (!sorted.is_empty()).then_some(sorted)
}

fn is_ascending(numbers: impl ExactSizeIterator<Item = f64> + Clone) -> bool {
    numbers.len() > 0 && numbers.clone().all(f64::is_finite) && numbers.is_sorted()
}

/// The ranks of the members' scores, and the distribution of the truth.
///
/// # Errors
/// [`EvalError::Member`] for one without a finite score; [`EvalError::Unlike`] if the truth has none.
pub(super) fn fit(members: &Aligned, truth: &[f32]) -> Result<(Vec<Ranks>, Quantiles), EvalError> {
    let distribution = |(name, scores): (&String, &Vec<f32>)| {
        let problem = "none of its scores is a finite number";
        Ranks::of(scores).ok_or_else(|| EvalError::Member { member: name.clone(), problem: problem.to_owned() })
    };
    let scores = members.members().iter().zip(members.all()).map(distribution).collect::<Result<_, _>>()?;
    let truth =
        Quantiles::of(truth).ok_or(EvalError::Unlike { what: "truth: none of its scores is a finite number" })?;
    Ok((scores, truth))
}

/// The weighted mean of the members' ranks, each among its own scores, as scores of the truth's distribution.
pub(super) fn combine(members: &Aligned, weights: &[f64], ranks: &[Ranks], truth: &Quantiles) -> Vec<f64> {
    let mut means = vec![0f64; members.rows()];
    for ((values, ranks), &weight) in members.all().iter().zip(ranks).zip(weights).filter(|(_, weight)| **weight > 0.0)
    {
        means.iter_mut().zip(values).for_each(|(mean, &value)| *mean += weight * ranks.rank(value));
    }
    // Weights come to 1 up to rounding.
    let score = |rank: f64| if rank.is_nan() { f64::NAN } else { truth.at(rank.clamp(0.0, 1.0)) };
    means.into_iter().map(score).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ties_have_their_middle_rank_and_what_lies_beyond_that_of_the_nearest() {
        let ranks = Ranks::of(&[3.0, 1.0, 1.0, 2.0, 1.0]).unwrap();
        let found = [0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 9.0].map(|score| ranks.rank(score));
        assert_eq!(found, [0.25, 0.25, 0.5, 0.75, 0.875, 1.0, 1.0]);
        assert!(ranks.is_sound() && ranks.rank(f32::NAN).is_nan());
    }

    #[test]
    fn a_rank_leads_back_to_its_score() {
        let scores: Vec<f32> = (0..50).map(|score| (score as f32).sqrt()).collect();
        let (ranks, quantiles) = (Ranks::of(&scores).unwrap(), Quantiles::of(&scores).unwrap());
        assert!(scores.iter().all(|&score| (quantiles.at(ranks.rank(score)) - f64::from(score)).abs() < 1e-6));
    }

    #[test]
    fn one_score_and_equal_scores_are_in_the_middle() {
        for scores in [&[2.0][..], &[2.0, 2.0, 2.0]] {
            let ranks = Ranks::of(scores).unwrap();
            assert_eq!([1.0, 2.0, 3.0].map(|score| ranks.rank(score)), [0.5; 3]);
            assert_eq!(Quantiles::of(scores).unwrap().at(0.5), 2.0);
        }
        assert_eq!(Ranks::of(&[f32::NAN]), None);
    }

    proptest! {
        #[test]
        fn many_scores_are_kept_in_few_numbers_with_ranks_right_to_a_thousandth(
            scores in prop::collection::vec(0u32..100_000, 1500..4000),
            equal in 1u32..90_000,
        ) {
            // All up to `equal` are one score, which may be that of most rows.
            let scores: Vec<f32> = scores.iter().map(|&score| score.max(equal) as f32 / 7.0).collect();
            let kept = Ranks::of(&scores).unwrap();
            prop_assert!(kept.scores.len() <= 2 * KEPT && kept.is_sound());
            for &score in &scores {
                let below = scores.iter().filter(|other| **other < score).count();
                let equal = scores.iter().filter(|other| **other == score).count();
                let rank = (below as f64 + (equal - 1) as f64 / 2.0) / (scores.len() - 1) as f64;
                prop_assert!((kept.rank(score) - rank).abs() <= PRECISION);
            }
        }
    }
}
