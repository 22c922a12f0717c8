//! Which parameters mattered: a functional analysis of variance (fANOVA, Hutter, Hoos and Leyton-Brown 2014) of the scores of
//! a search.
//!
//! A forest of regression trees is fitted to the trials. A tree is constant on boxes, so how much of its variance over the
//! whole space is due to one parameter alone, or to two together, can be computed exactly; the means of these shares over
//! the trees are the importances. Beside them stands Spearman's rank correlation, which has a sign.
//!
//! As coordinates are cumulative probabilities, the whole space is the unit cube and every value weighs what the space says
//! it does. A coordinate that a trial does not have is drawn anew for each tree: nothing depends on it there, and so the trees
//! are told. The trees are grown as Optuna's evaluator grows them: on bootstrap samples, over all dimensions, to pure leaves.
//! They cut choices in the order of the space; isolating one in the middle takes two cuts.
//!
//! The crate `fanova` 0.3 was measured too. It agrees where all parameters are numbers, but takes the space to begin and end at
//! the outermost values of the trials, so that the outer values of a list weigh half: over 600 trials of a list of four plus
//! a number it gave the list 0.41 of the variance where 0.48 is right. Nor does it know inactive parameters, or tell how
//! well its forest predicts.

mod correlation;
mod fanova;
mod forest;

use std::cmp::Ordering;

use forest::Forest;

use crate::space::{Dimension, Kind, Point};

/// Fewest scored trials that anything is computed from.
const FEWEST: usize = 4;
/// Scored trials a dimension below which importances say little.
const ENOUGH: usize = 4;
/// The interactions of this many of the most important dimensions are looked at.
const INTERACTING: usize = 4;

/// What the trials of a search say about its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// By dimension, in the order of the space.
    pub dimensions: Vec<DimensionImportance>,
    /// What pairs among the four most important dimensions do together beyond what each does alone; the strongest first.
    pub interactions: Vec<Interaction>,
    /// How many trials this rests on.
    pub used: usize,
    /// How many trials have no finite score: failed, or not far enough.
    pub left_out: usize,
    /// The share of the scores' variance that the forest predicts for trials its trees have not seen (out-of-bag R²), at most
    /// 1. Near or below 0 the forest has learnt nothing and the shares are those of noise. `None` if every tree saw every trial.
    pub explained: Option<f64>,
}

/// How much one dimension matters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DimensionImportance {
    /// The share of the variance over the whole space that is due to this dimension alone, from 0 to 1. Those of all
    /// dimensions sum to at most 1; the rest are interactions.
    pub share: f64,
    /// The standard deviation of the share over trees, each of which saw another bootstrap sample of the trials.
    pub deviation: f64,
    /// Spearman's correlation of values and scores as measured, from −1 to 1, over the trials that have the parameter.
    /// `None` for choices without an order, and where values or scores do not vary.
    pub correlation: Option<f64>,
}

/// How much two dimensions do together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interaction {
    /// Their indices, ascending.
    pub dimensions: [usize; 2],
    /// The share of the variance that is due to the two together and to neither alone, from 0 to 1.
    pub share: f64,
    /// Its standard deviation over trees.
    pub deviation: f64,
}

/// Why there are no importances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImportanceError {
    /// Too few trials have a score.
    #[error("only {0} trials have a score; parameter importance needs at least {FEWEST}")]
    TooFew(usize),
    /// There is nothing to explain.
    #[error("all {0} scores are equal, so no parameter mattered")]
    Constant(usize),
}

impl Importance {
    /// The importances of `dimensions` by the trials at `points`, the forest grown from `seed`.
    ///
    /// `scores[t]` is the metric of the trial at `points[t]` as measured, whichever way it improves; trials without a finite
    /// one are left out. Scores of trials that were ended early belong in: without them, what made trials bad enough
    /// to be ended seems not to matter.
    ///
    /// # Errors
    ///
    /// If fewer than four trials have a score, or all scores are equal.
    ///
    /// # Panics
    ///
    /// If there are not as many scores as points, or a point has not one coordinate a dimension.
    pub fn new(
        dimensions: &[Dimension],
        points: &[Point],
        scores: &[Option<f64>],
        seed: u64,
    ) -> Result<Self, ImportanceError> {
        assert_eq!(points.len(), scores.len(), "a score, or none, for each point");
        assert!(points.iter().all(|point| point.len() == dimensions.len()), "a coordinate for each dimension");
        let scored = points.iter().zip(scores);
        let scored = scored.filter_map(|(point, score)| Some((point, score.filter(|score| score.is_finite())?)));
        let (rows, values): (Vec<&Point>, Vec<f64>) = scored.unzip();
        if rows.len() < FEWEST {
            return Err(ImportanceError::TooFew(rows.len()));
        }
        if values.iter().all(|value| *value == values[0]) {
            return Err(ImportanceError::Constant(rows.len()));
        }
        let kinds: Vec<&Kind> = dimensions.iter().map(|dimension| &dimension.kind).collect();
        let forest = Forest::grow(&kinds, &rows, &values, seed);
        let shares = fanova::Shares::new(&forest, dimensions.len());

        let importances: Vec<DimensionImportance> = (0..dimensions.len())
            .map(|index| {
                let (share, deviation) = shares.single(index);
                let column: Vec<f64> = rows.iter().map(|row| row[index]).collect();
                let ordered = !matches!(kinds[index], Kind::Categorical { .. });
                let correlation = if ordered { correlation::spearman(&column, &values) } else { None };
                DimensionImportance { share, deviation, correlation }
            })
            .collect();
        let descending = |a: f64, b: f64| b.partial_cmp(&a).unwrap_or(Ordering::Equal);
        let mut strongest: Vec<usize> = (0..dimensions.len()).collect();
        strongest.sort_by(|&a, &b| descending(importances[a].share, importances[b].share));
        strongest.truncate(INTERACTING);
        strongest.sort_unstable();
        let pairs = strongest.iter().enumerate().flat_map(|(at, &a)| strongest[at + 1..].iter().map(move |&b| [a, b]));
        let mut interactions: Vec<Interaction> = pairs
            .map(|dimensions| {
                let (share, deviation) = shares.pair(dimensions);
                Interaction { dimensions, share, deviation }
            })
            .collect();
        interactions.sort_by(|a, b| descending(a.share, b.share));
        Ok(Self {
            dimensions: importances,
            interactions,
            used: rows.len(),
            left_out: points.len() - rows.len(),
            explained: forest.explained(),
        })
    }

    /// Whether there are fewer than four trials a dimension, so that the ranking may well be chance.
    pub fn rests_on_few(&self) -> bool {
        self.used < ENOUGH * self.dimensions.len()
    }
}

#[cfg(test)]
mod tests;
