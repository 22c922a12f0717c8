//! Stacking: a linear model over the members' outputs, fitted to rows they were not trained on (Wolpert 1992).
//!
//! - **Classes.** The logit of a class is a weighted sum of the members' logits (centred logarithms of probabilities) of that class,
//!   plus an intercept: multinomial logistic regression that looks, for each class, at what members say about that class alone, as
//!   StackingC does (Seewald 2002), which has fewer weights than one for each pair of classes and was found to be better with several.
//! - **Independent labels.** For each label a binary logistic regression on the members' logits of that label.
//! - **Scores.** Ridge regression on the members' scores.
//!
//! The penalty, on squares, draws weights towards 1 / members rather than towards 0: with a strong one the stack is the geometric
//! (scores: plain) mean of its members with other intercepts, which is what one would take without any labelled row.
//! Intercepts are free. How strong it is, is decided within the rows given by cross-validation, by the log loss, or the squared error of
//! scores. So whoever reports a score cross-validates around all of it.

mod logistic;
mod ridge;

use gyeol_data::Task;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{
    Aligned,
    logits::{logits, sigmoid, softmax},
};
use crate::{EvalError, Metric, Truth, metrics::check};

/// The penalties tried, the strongest first: what a unit of squared deviation costs, in units of the mean loss of a row. Of
/// scores it is multiplied by their mean variance, so that their scale is all the same.
const PENALTIES: [f64; 7] = [10.0, 1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5];

/// The number of parts of the cross-validation that chooses a penalty.
const PARTS: usize = 5;

/// What keys the parts, so that they have nothing to do with folds that were drawn from the same ids.
const SEED: u64 = 0x5741_434b;

/// A fitted linear model over members' outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stack {
    /// The penalty chosen, one of seven from 1e-5 to 10.
    pub penalty: f64,
    /// A member each: what its logit of each class, or its score, counts.
    pub weights: Vec<Vec<f64>>,
    /// One a class; of classes that exclude each other they sum to 0.
    pub intercepts: Vec<f64>,
}

impl Stack {
    /// Fits it to the rows of `members`, whose truth is `truth`. It is a function of the rows as a set: their order changes it by
    /// rounding alone.
    ///
    /// # Errors
    /// If the truth is not of these rows, or the metric not for this task; [`EvalError::Member`] for a member with a number that
    /// is not finite. The metric decides nothing else: a penalty is chosen by the loss that the weights minimise.
    pub fn fit(members: &Aligned, truth: Truth<'_>, metric: Metric) -> Result<Self, EvalError> {
        check(&members.outputs(0), truth)?;
        members.check_finite()?;
        if !metric.applies_to(members.task()) {
            return Err(EvalError::MetricNotForTask { metric, task: members.task() });
        }
        let parts = Parts::new(members.ids());
        Ok(match truth {
            Truth::Scores(scores) => ridge::fit(members, scores, &parts),
            Truth::Classes(_) | Truth::Sets(_) => logistic::fit(members, truth, &parts),
        })
    }

    /// The combined predictions: row-major `[rows, classes]` probabilities, or scores. The members are as many and of the same
    /// classes as those it was fitted with.
    pub fn combine(&self, members: &Aligned) -> Vec<f32> {
        let (task, width) = (members.task(), members.width());
        let mut sums = self.intercepts.repeat(members.rows());
        for (values, weights) in members.all().iter().zip(&self.weights) {
            let numbers = logits(values, task, width);
            for (sums, numbers) in sums.chunks_exact_mut(width).zip(numbers.chunks_exact(width)) {
                for ((sum, number), weight) in sums.iter_mut().zip(numbers).zip(weights) {
                    *sum += weight * number;
                }
            }
        }
        match task {
            Task::Regression => {}
            Task::MultiLabel => sums.iter_mut().for_each(|sum| *sum = sigmoid(*sum)),
            Task::Classification => sums.chunks_exact_mut(width).for_each(|row| {
                softmax(row);
            }),
        }
        sums.into_iter().map(|sum| sum as f32).collect()
    }

    /// Checks one that was read from a file: that it has its numbers for `members` members and `width` classes (1 of scores).
    ///
    /// # Errors
    /// [`EvalError::Damaged`] says what is missing.
    pub fn check(&self, members: usize, width: usize) -> Result<(), EvalError> {
        let damaged = |problem: String| Err(EvalError::Damaged { what: "stack", problem });
        if self.weights.len() != members {
            return damaged(format!("it has weights of {} members where there are {members}", self.weights.len()));
        }
        if let Some(member) = self.weights.iter().position(|weights| weights.len() != width) {
            let found = self.weights[member].len();
            return damaged(format!("member {} has {found} weights where there are {width} outputs", member + 1));
        }
        if self.intercepts.len() != width {
            return damaged(format!("it has {} intercepts where there are {width} outputs", self.intercepts.len()));
        }
        if self.weights.iter().flatten().chain(&self.intercepts).any(|number| !number.is_finite()) {
            return damaged("a weight or an intercept is not a finite number".to_owned());
        }
        Ok(())
    }
}

/// The rows in the parts of the cross-validation that chooses the penalty: rows in the order of their ids' hashes are dealt out in turn.
/// So a row's part depends on which ids there are, not on where they stand, and parts differ by one row at most.
struct Parts {
    /// The rows (indices from 0) part by part, in the order of the hashes.
    rows: Vec<usize>,
    /// Where each part ends in `rows`; as many as there are parts. None where there is a single row.
    ends: Vec<usize>,
}

impl Parts {
    fn new(ids: &[String]) -> Self {
        let hash = |row: usize| (xxh3_64_with_seed(ids[row].as_bytes(), SEED), &ids[row]);
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by_cached_key(|&row| hash(row));
        if ids.len() < 2 {
            return Self { rows: order, ends: Vec::new() };
        }
        let count = PARTS.min(ids.len());
        let mut parts = Self { rows: Vec::with_capacity(ids.len()), ends: Vec::with_capacity(count) };
        for part in 0..count {
            parts.rows.extend(order.iter().skip(part).step_by(count));
            parts.ends.push(parts.rows.len());
        }
        parts
    }

    fn count(&self) -> usize {
        self.ends.len()
    }

    /// The places in `rows` of part `part`.
    fn held_out(&self, part: usize) -> std::ops::Range<usize> {
        let start = if part == 0 { 0 } else { self.ends[part - 1] };
        start..self.ends[part]
    }

    /// The place in [`PENALTIES`] of the smallest loss, given for each part the losses of its rows by penalty; the strongest of
    /// equals, and so the strongest of all where there are no parts.
    fn choose(losses: &[Vec<f64>]) -> usize {
        let total = |penalty: usize| losses.iter().map(|of| of[penalty]).sum::<f64>();
        (1..PENALTIES.len()).fold(0, |best, penalty| if total(penalty) < total(best) { penalty } else { best })
    }
}

#[cfg(test)]
mod tests;
