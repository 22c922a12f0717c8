//! What each member adds: the ensemble with it against the ensemble without it.

use serde::Serialize;

use super::{Aligned, Method, cross_fitted, fit};
use crate::{EvalError, Metric, Truth};

/// A member's part in an ensemble.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contribution {
    /// The member.
    pub member: String,
    /// Its weight in the ensemble fitted on all rows, where the method has one number for each member.
    pub weight: Option<f64>,
    /// The score of the ensemble of the others, cross-fitted; `None` where it is undefined, or there are no others.
    pub without: Option<f64>,
    /// By how much the score of the whole, cross-fitted, is better than that, in units of the metric; below 0 where the others do
    /// better without it.
    pub gain: Option<f64>,
}

/// For each of `members` what it adds to their ensemble by `method`. All scores are of predictions by [`cross_fitted`] over
/// `folds`; without a member everything is fitted anew.
///
/// # Errors
/// As [`cross_fitted`].
pub fn leave_one_out(
    method: Method,
    calibrate: bool,
    members: &Aligned,
    truth: Truth<'_>,
    metric: Metric,
    folds: &[u32],
) -> Result<Vec<Contribution>, EvalError> {
    let score =
        |members: &Aligned| metric.measure(&cross_fitted(method, calibrate, members, truth, metric, folds)?, truth);
    let whole = score(members)?;
    let fitted = fit(method, calibrate, members, truth, metric)?;
    let count = members.members().len();
    let contribution = |(member, name): (usize, &String)| {
        let others: Vec<usize> = (0..count).filter(|&other| other != member).collect();
        let without = if others.is_empty() { None } else { score(&members.keep(&others))? };
        let better = |(whole, without): (f64, f64)| {
            if metric.higher_is_better() { whole - without } else { without - whole }
        };
        let weight = fitted.weights().map(|weights| weights[member]);
        Ok(Contribution { member: name.clone(), weight, without, gain: whole.zip(without).map(better) })
    };
    members.members().iter().enumerate().map(contribution).collect()
}
