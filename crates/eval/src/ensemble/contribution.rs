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

#[cfg(test)]
mod tests {
    use gyeol_data::Task;

    use super::*;
    use crate::ensemble::golden::{aligned, golden};

    #[test]
    fn gains_are_differences_of_cross_fitted_scores_that_grow_with_what_a_member_knows() {
        let golden = golden().classes;
        let members = aligned(Task::Classification, 4, &golden.members);
        let truth = Truth::Classes(&golden.truth);
        let folds: Vec<u32> = (0..golden.truth.len() as u32).map(|row| row % 3).collect();
        let score = |members: &Aligned| {
            let outputs = cross_fitted(Method::Stacked, true, members, truth, Metric::LogLoss, &folds).unwrap();
            Metric::LogLoss.measure(&outputs, truth).unwrap().unwrap()
        };
        let found = leave_one_out(Method::Stacked, true, &members, truth, Metric::LogLoss, &folds).unwrap();
        let without = [score(&members.keep(&[1, 2])), score(&members.keep(&[0, 2])), score(&members.keep(&[0, 1]))];
        for (contribution, without) in found.iter().zip(without) {
            assert_eq!(contribution.without, Some(without));
            // Of the log loss less is better.
            assert_eq!(contribution.gain, Some(without - score(&members)));
        }
        // The members get worse from the first to the last, by how they were made.
        assert!(found[0].gain > found[2].gain, "{found:?}");
        assert_eq!(found.iter().map(|of| of.member.as_str()).collect::<Vec<_>>(), ["m0", "m1", "m2"]);
    }

    #[test]
    fn weights_are_those_of_all_rows() {
        let members = aligned(Task::Regression, 1, &[vec![1.0, 2.0], vec![2.0, 1.0]]);
        let found = leave_one_out(Method::Soft, false, &members, Truth::Scores(&[1.0, 2.0]), Metric::Rmse, &[0, 1]);
        let weights: Vec<Option<f64>> = found.unwrap().into_iter().map(|of| of.weight).collect();
        assert_eq!(weights, [Some(0.5), Some(0.5)]);
    }

    #[test]
    fn a_single_member_has_nobody_to_be_compared_with() {
        let members = aligned(Task::Regression, 1, &[vec![1.0, 2.0]]);
        let truth = Truth::Scores(&[1.0, 2.5]);
        let found = leave_one_out(Method::Soft, false, &members, truth, Metric::Rmse, &[0, 1]).unwrap();
        assert_eq!((found[0].without, found[0].gain), (None, None));
    }
}
