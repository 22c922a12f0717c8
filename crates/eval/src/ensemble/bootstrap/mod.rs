//! How far a score may be luck of the rows: the percentile bootstrap (Efron & Tibshirani 1993), which scores the same predictions on rows
//! drawn again with replacement. All candidates are scored on the same draws, so that what they have in common cancels out of their
//! differences.
//!
//! What a metric is on drawn rows is in `scorer.rs` and `weighted.rs`.

mod scorer;
mod weighted;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

use crate::{EvalError, Interval, Metric, Outputs, Truth};
use scorer::Scorer;

/// How many resamples do for two digits of an interval's ends.
pub const RESAMPLES: usize = 2000;

/// Scores no further apart than this share of the larger are as good as each other: predictions are rounded to `f32`, and a
/// difference as small is what that leaves of the same ones computed in another way. Shares of right rows are as near only
/// where one row in eight million parts them.
const ROUNDING: f64 = f32::EPSILON as f64;

/// Candidates' scores with what they could be by chance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bootstrap {
    /// How many resamples there were.
    pub resamples: usize,
    /// The place among the candidates of the one that the others are compared with.
    pub reference: usize,
    /// One for each of the outputs, in their order.
    pub candidates: Vec<Candidate>,
}

/// A candidate's score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// On all rows, once each; `None` where the metric is undefined.
    pub score: Option<f64>,
    /// The interval that holds the middle 95 % of its scores on the resamples; `None` where the score is undefined.
    pub interval: Option<Interval>,
    /// Against the reference; `None` for the reference itself, and where the score of either is undefined.
    pub versus: Option<Versus>,
}

/// A candidate against the reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Versus {
    /// Its score less that of the reference, in units of the metric: where a smaller value is better, below 0 is better.
    pub difference: f64,
    /// The interval that holds the middle 95 % of the differences on the resamples.
    pub interval: Interval,
    /// The share of the resamples in which it is better than the reference, those in which it is as good but for rounding counting half;
    /// 0 to 1.
    pub better: f64,
}

/// Scores each of `outputs` by `metric` on `resamples` samples of the rows, drawn with replacement, as many as there are; with
/// `groups` (a name for each row) on samples of groups, as many as there are, whose rows come all together. The draws are a function
/// of `seed` and the order of the rows alone; [`RESAMPLES`] are usual.
///
/// A resample in which a metric is undefined, such as the correlation with scores that happen to be all equal, is left out of the
/// intervals and shares it would have been part of.
///
/// # Errors
/// If some outputs or the metric are not of the task of the truth, or do not describe its rows.
///
/// # Panics
/// If there is no output at `reference`.
pub fn bootstrap(
    outputs: &[&Outputs],
    truth: Truth<'_>,
    metric: Metric,
    reference: usize,
    groups: Option<&[u32]>,
    resamples: usize,
    seed: u64,
) -> Result<Bootstrap, EvalError> {
    assert!(reference < outputs.len(), "the reference is one of the candidates");
    let scores: Vec<Option<f64>> =
        outputs.iter().map(|outputs| metric.measure(outputs, truth)).collect::<Result<_, _>>()?;
    let units = Units::new(truth.len(), groups)?;
    let scorer = Scorer::new(outputs, truth, metric);
    let drawn: Vec<Vec<Option<f64>>> =
        (0..resamples as u64).into_par_iter().map(|resample| scorer.scores(&units.draw(seed, resample))).collect();

    let candidate = |(at, &score): (usize, &Option<f64>)| {
        let own = drawn.iter().filter_map(|scores| scores[at]).collect();
        let interval = score.and_then(|_| middle(own));
        let pairs = || drawn.iter().filter_map(|scores| scores[at].zip(scores[reference]));
        let against = |(score, of_reference): (f64, f64)| {
            let differences: Vec<f64> = pairs().map(|(score, of_reference)| score - of_reference).collect();
            let points: f64 = pairs().map(|(score, of_reference)| points(metric, score, of_reference)).sum();
            let better = points / differences.len() as f64;
            Some(Versus { difference: score - of_reference, interval: middle(differences)?, better })
        };
        let versus = if at == reference { None } else { score.zip(scores[reference]).and_then(against) };
        Candidate { score, interval, versus }
    };
    Ok(Bootstrap { resamples, reference, candidates: scores.iter().enumerate().map(candidate).collect() })
}

/// 1 for a better score, ½ for the same but for rounding.
fn points(metric: Metric, score: f64, reference: f64) -> f64 {
    let same = (score - reference).abs() <= ROUNDING * score.abs().max(reference.abs());
    match (same, metric.better(Some(score), Some(reference))) {
        (true, _) => 0.5,
        (false, true) => 1.0,
        (false, false) => 0.0,
    }
}

/// From the 2.5th to the 97.5th percentile, between neighbours in proportion as NumPy has it; `None` of no values.
fn middle(mut values: Vec<f64>) -> Option<Interval> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = |share: f64| {
        let place = share * last as f64;
        let below = values[place.floor() as usize];
        below + (place - place.floor()) * (values[place.ceil() as usize] - below)
    };
    Some(Interval { low: at(0.025), high: at(0.975) })
}

/// What is drawn.
enum Units {
    /// Rows, of which there are so many.
    Rows(usize),
    /// Groups: of each row its group, counted from 0, and how many groups there are.
    Groups(Vec<u32>, usize),
}

impl Units {
    fn new(rows: usize, groups: Option<&[u32]>) -> Result<Self, EvalError> {
        let Some(groups) = groups else { return Ok(Self::Rows(rows)) };
        if groups.len() != rows {
            return Err(EvalError::Length { what: "groups", expected: rows, found: groups.len() });
        }
        let mut names = groups.to_vec();
        names.sort_unstable();
        names.dedup();
        let place = |group: &u32| names.partition_point(|name| name < group) as u32;
        Ok(Self::Groups(groups.iter().map(place).collect(), names.len()))
    }

    /// How often each row was drawn in resample `resample`.
    fn draw(&self, seed: u64, resample: u64) -> Vec<u32> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(resample);
        let mut drawn = |units: usize| {
            let mut counts = vec![0; units];
            (0..units).for_each(|_| counts[random.random_range(0..units)] += 1);
            counts
        };
        match self {
            Self::Rows(rows) => drawn(*rows),
            Self::Groups(of_row, groups) => {
                let groups = drawn(*groups);
                of_row.iter().map(|&group| groups[group as usize]).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests;
