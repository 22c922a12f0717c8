//! What each member adds: the ensemble with it against the ensemble without it.

use serde::Serialize;

use super::{Aligned, Fitted, cross_fitted};
use crate::{EvalError, Metric, Outputs, Truth};

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

/// For each of `members` what it adds to their ensemble `fitted`, whose cross-fitted predictions score `whole`. Without a member everything
/// is fitted anew, over the same `folds`; `score` is told the cross-fitted predictions of the others, one ensemble after the other, and
/// may end it all.
///
/// # Errors
/// As [`cross_fitted`]; those of `score`.
pub fn leave_one_out<E: From<EvalError>>(
    fitted: &Fitted,
    members: &Aligned,
    truth: Truth<'_>,
    metric: Metric,
    folds: &[u32],
    whole: Option<f64>,
    mut score: impl FnMut(Outputs) -> Result<Option<f64>, E>,
) -> Result<Vec<Contribution>, E> {
    let calibrate = !fitted.temperatures.is_empty();
    let count = members.members().len();
    let better = |(whole, without): (f64, f64)| {
        if metric.higher_is_better() { whole - without } else { without - whole }
    };
    let mut contributions = Vec::with_capacity(count);
    for (member, name) in members.members().iter().enumerate() {
        let others: Vec<usize> = (0..count).filter(|&other| other != member).collect();
        let without = match others.is_empty() {
            true => None,
            false => score(cross_fitted(fitted.method, calibrate, &members.keep(&others), truth, metric, folds)?)?,
        };
        let weight = fitted.weights().map(|weights| weights[member]);
        contributions.push(Contribution {
            member: name.clone(),
            weight,
            without,
            gain: whole.zip(without).map(better),
        });
    }
    Ok(contributions)
}

#[cfg(test)]
mod tests {
    use gyeol_data::Task;

    use super::*;
    use crate::ensemble::golden::{aligned, golden};
    use crate::ensemble::{Method, fit};

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
        let whole = Some(score(&members));
        let fitted = fit(Method::Stacked, true, &members, truth, Metric::LogLoss).unwrap();
        let measure = |outputs: Outputs| Metric::LogLoss.measure(&outputs, truth);
        let found = leave_one_out(&fitted, &members, truth, Metric::LogLoss, &folds, whole, measure).unwrap();
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
        let truth = Truth::Scores(&[1.0, 2.0]);
        let fitted = fit(Method::Soft, false, &members, truth, Metric::Rmse).unwrap();
        let measure = |outputs: Outputs| Metric::Rmse.measure(&outputs, truth);
        let found = leave_one_out(&fitted, &members, truth, Metric::Rmse, &[0, 1], Some(0.0), measure).unwrap();
        let weights: Vec<Option<f64>> = found.into_iter().map(|of| of.weight).collect();
        assert_eq!(weights, [Some(0.5), Some(0.5)]);
    }

    #[test]
    fn a_single_member_has_nobody_to_be_compared_with() {
        let members = aligned(Task::Regression, 1, &[vec![1.0, 2.0]]);
        let truth = Truth::Scores(&[1.0, 2.5]);
        let fitted = fit(Method::Soft, false, &members, truth, Metric::Rmse).unwrap();
        let measure = |_: Outputs| -> Result<_, EvalError> { panic!("there is nobody left to measure") };
        let found = leave_one_out(&fitted, &members, truth, Metric::Rmse, &[0, 1], Some(0.25), measure).unwrap();
        assert_eq!((found[0].without, found[0].gain), (None, None));
    }
}
