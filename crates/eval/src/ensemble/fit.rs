//! From a method to its fitted rule.
//!
//! Neither the order of rows nor that of members may change what is fitted. So rows are taken in the order of their ids and members
//! in that of their names, for sums depend on the order in their last bits, and choices between equals depend on sums.

use std::borrow::Cow;

use super::{
    Aligned, Method, Rule, Stack, buckets,
    fit_target::Target,
    greedy,
    mean::arithmetic,
    rank,
    simplex::{self, single},
    weights::{equal, proportional, sharpened},
};
use crate::{EvalError, Metric, Truth, metrics};

/// Picks of the greedy selection that the search on the simplex may start from.
const STARTING_PICKS: usize = 20;

/// Fits `method` to the rows of `members`.
///
/// # Errors
/// As [`Fitted::new`](super::Fitted::new).
pub(super) fn fit(method: Method, members: &Aligned, truth: Truth<'_>, metric: Metric) -> Result<Rule, EvalError> {
    let count = members.members().len();
    if count == 0 || members.rows() == 0 {
        return Err(EvalError::Unlike { what: "number: there are none" });
    }
    method.check(members.task())?;
    if !metric.applies_to(members.task()) {
        return Err(EvalError::MetricNotForTask { metric, task: members.task() });
    }
    metrics::check(&members.outputs(0), truth)?;
    Ok(match method {
        Method::Soft => Rule::Mean { weights: equal(count) },
        Method::Geometric => Rule::Geometric { weights: equal(count) },
        Method::Hard => Rule::Hard { weights: equal(count) },
        Method::Rank => {
            let (ranks, truth) = rank::fit(members, scores(truth))?;
            Rule::Rank { weights: equal(count), ranks, truth }
        }
        Method::Buckets { buckets } => {
            let range = buckets::range(scores(truth));
            let range = range.ok_or(EvalError::Unlike { what: "truth: none of its scores is a finite number" })?;
            Rule::Buckets { weights: equal(count), range, buckets }
        }
        Method::Weighted | Method::Sharpened { .. } | Method::Greedy { .. } | Method::Simplex => {
            Rule::Mean { weights: fit_weights(method, members, truth, metric) }
        }
        Method::Stacked => Rule::Stacked(Stack::fit(members, truth, metric)?),
    })
}

/// The weights of the members' mean.
fn fit_weights(method: Method, members: &Aligned, truth: Truth<'_>, metric: Metric) -> Vec<f64> {
    let mut rows: Vec<usize> = (0..members.rows()).collect();
    rows.sort_by(|&one, &other| members.ids()[one].cmp(&members.ids()[other]));
    let in_order = rows.is_sorted();
    let members = if in_order { Cow::Borrowed(members) } else { Cow::Owned(members.select(&rows)) };
    let ordered;
    let truth = if in_order {
        truth
    } else {
        ordered = truth.select(&rows);
        ordered.borrow()
    };
    let mut order: Vec<usize> = (0..members.members().len()).collect();
    order.sort_by_key(|&member| &members.members()[member]);

    let values: Vec<&[f32]> = order.iter().map(|&member| members.values(member)).collect();
    let target = Target::new(metric, truth, members.width());
    let fitted = match method {
        Method::Greedy { steps } => no_worse_than_the_best(greedy::select(&values, &target, steps), &values, &target),
        Method::Simplex => {
            let starts = vec![
                best(&values, &target),
                equal(values.len()),
                proportional(&each_score(&values, &target), metric),
                greedy::select(&values, &target, STARTING_PICKS),
            ];
            no_worse_than_the_best(simplex::search(&values, &target, starts), &values, &target)
        }
        Method::Sharpened { temperature } => sharpened(&each_score(&values, &target), metric, temperature),
        _ => proportional(&each_score(&values, &target), metric),
    };
    let mut weights = vec![0.0; fitted.len()];
    order.into_iter().zip(fitted).for_each(|(member, weight)| weights[member] = weight);
    weights
}

/// Each member's score by the metric.
fn each_score(values: &[&[f32]], target: &Target<'_>) -> Vec<Option<f64>> {
    values.iter().map(|values| target.quality(values).score).collect()
}

/// All weight on the best member.
fn best(values: &[&[f32]], target: &Target<'_>) -> Vec<f64> {
    greedy::select(values, target, 1)
}

/// `weights`, or those of the best member if these are worse. Searches judge sums that are rounded elsewhere than those of the
/// finished weights, which can turn a row that hangs by a bit.
fn no_worse_than_the_best(weights: Vec<f64>, values: &[&[f32]], target: &Target<'_>) -> Vec<f64> {
    let quality = |weights: &[f64]| target.quality(&single(&arithmetic(values, weights)));
    let best = best(values, target);
    if target.better(quality(&best), quality(&weights)) { best } else { weights }
}

/// The truth of a regression, which the method's check and that of the truth have made sure it is.
fn scores(truth: Truth<'_>) -> &[f32] {
    match truth {
        Truth::Scores(scores) => scores,
        Truth::Classes(_) | Truth::Sets(_) => &[],
    }
}
