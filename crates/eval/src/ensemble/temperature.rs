//! Temperatures: one number a member that its logits are divided by, so that it is as sure as it is right
//! (Guo et al. 2017, <https://proceedings.mlr.press/v70/guo17a.html>). Which class is the likeliest does not change.
//!
//! How well probabilities are calibrated is in `calibration.rs`.

use std::borrow::Cow;

use gyeol_data::Task;
use rayon::prelude::*;

use super::{
    Aligned,
    logits::{logits, sigmoid, softmax},
};
use crate::Truth;

/// The smallest and the largest temperature. A member that would want one beyond them is right, or wrong, in nearly all rows.
pub const TEMPERATURES: [f64; 2] = [0.05, 20.0];

/// The derivative of the mean log loss is as good as 0 below this.
const FLAT: f64 = 1e-12;

/// The temperature of the smallest log loss of `values` (row-major `[rows, width]` probabilities) on rows whose truth is
/// `truth`, within [`TEMPERATURES`]; of independent labels one for all of them. 1 where none is better than another, and for
/// scores, which have none.
///
/// The log loss is convex in the inverse of the temperature, so its derivative has one root, which Newton's method finds within
/// an interval that bisection narrows.
pub fn fit(values: &[f32], truth: Truth<'_>, width: usize) -> f64 {
    let logits = logits(values, truth.task(), width);
    let slope = |inverse: f64| slope(&logits, truth, width, inverse);
    let (at_one, _) = slope(1.0);
    if truth.is_empty() || at_one.abs() <= FLAT {
        return 1.0;
    }
    // Too sure: the inverse is below 1.
    let [mut low, mut high] = if at_one > 0.0 { [1.0 / TEMPERATURES[1], 1.0] } else { [1.0, 1.0 / TEMPERATURES[0]] };
    let end = if at_one > 0.0 { low } else { high };
    if slope(end).0 * at_one > 0.0 {
        return 1.0 / end;
    }
    let mut inverse = 1.0;
    for _ in 0..100 {
        let (first, second) = slope(inverse);
        *(if first > 0.0 { &mut high } else { &mut low }) = inverse;
        let newton = inverse - first / second;
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        let moved = (next - inverse).abs();
        inverse = next;
        if moved <= 1e-12 * inverse {
            break;
        }
    }
    1.0 / inverse
}

/// The first and second derivative of the mean log loss by the inverse temperature.
fn slope(logits: &[f64], truth: Truth<'_>, width: usize, inverse: f64) -> (f64, f64) {
    let (mut first, mut second) = (0.0, 0.0);
    match truth {
        Truth::Classes(classes) => {
            let mut row = vec![0.0; width];
            for (logits, &class) in logits.chunks_exact(width).zip(classes) {
                row.iter_mut().zip(logits).for_each(|(scaled, logit)| *scaled = logit * inverse);
                softmax(&mut row);
                let mean: f64 = row.iter().zip(logits).map(|(p, logit)| p * logit).sum();
                let variance: f64 = row.iter().zip(logits).map(|(p, logit)| p * (logit - mean).powi(2)).sum();
                first += mean - logits[class as usize];
                second += variance;
            }
        }
        Truth::Sets(sets) => {
            for (logits, set) in logits.chunks_exact(width).zip(sets.iter()) {
                for (&logit, label) in logits.iter().zip(0u32..) {
                    let p = sigmoid(logit * inverse);
                    first += (p - if set.contains(&label) { 1.0 } else { 0.0 }) * logit;
                    second += p * (1.0 - p) * logit * logit;
                }
            }
        }
        Truth::Scores(_) => {}
    }
    let rows = truth.len() as f64;
    (first / rows, second / rows)
}

/// `values` (row-major `[rows, width]` probabilities) with logits divided by `temperature`. A temperature of 1 and scores
/// change nothing.
pub fn scaled(values: &[f32], task: Task, width: usize, temperature: f64) -> Vec<f32> {
    if temperature == 1.0 || task == Task::Regression {
        return values.to_vec();
    }
    let mut logits = logits(values, task, width);
    logits.iter_mut().for_each(|logit| *logit /= temperature);
    match task {
        Task::Classification => logits.chunks_exact_mut(width).for_each(|row| {
            softmax(row);
        }),
        Task::MultiLabel | Task::Regression => logits.iter_mut().for_each(|logit| *logit = sigmoid(*logit)),
    }
    logits.into_iter().map(|probability| probability as f32).collect()
}

/// The temperature of each member.
pub(super) fn fit_members(members: &Aligned, truth: Truth<'_>) -> Vec<f64> {
    members.all().par_iter().map(|values| fit(values, truth, members.width())).collect()
}

/// The members with their logits divided by `temperatures`, one each; as they are where there are none.
pub(super) fn scaled_members<'a>(members: &'a Aligned, temperatures: &[f64]) -> Cow<'a, Aligned> {
    if temperatures.is_empty() {
        return Cow::Borrowed(members);
    }
    let (task, width) = (members.task(), members.width());
    let scale = |(values, &temperature): (&Vec<f32>, &f64)| scaled(values, task, width, temperature);
    Cow::Owned(members.with_values(members.all().par_iter().zip(temperatures).map(scale).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ensemble::golden::{aligned, check, golden};

    #[test]
    fn it_is_the_minimum_that_scipy_finds() {
        let classes = golden().classes;
        let found = fit(&classes.members[2], Truth::Classes(&classes.truth), 4);
        check("classes", found, classes.temperature, 1e-6 * classes.temperature);
        let labels = golden().labels;
        let found = fit(&labels.members[2], Truth::Sets(&labels.sets()), 2);
        check("labels", found, labels.temperature, 1e-6 * labels.temperature);
    }

    #[test]
    fn dividing_by_it_leaves_1_and_keeps_the_order_of_classes() {
        let classes = golden().classes;
        let truth = Truth::Classes(&classes.truth);
        let members = aligned(Task::Classification, 4, &classes.members);
        let temperatures = fit_members(&members, truth);
        let scaled = scaled_members(&members, &temperatures);
        for (member, again) in fit_members(&scaled, truth).into_iter().enumerate() {
            check("again", again, 1.0, 1e-5);
            assert_eq!(scaled.outputs(member).argmax(), members.outputs(member).argmax());
        }
    }

    #[test]
    fn members_that_are_always_right_or_always_wrong_get_the_ends() {
        let sure = [0.9f32, 0.1, 0.2, 0.8];
        assert_eq!(fit(&sure, Truth::Classes(&[0, 1]), 2), TEMPERATURES[0]);
        assert_eq!(fit(&sure, Truth::Classes(&[1, 0]), 2), TEMPERATURES[1]);
    }

    #[test]
    fn nothing_to_learn_is_a_temperature_of_1() {
        assert_eq!(fit(&[0.5; 4], Truth::Classes(&[0, 1]), 2), 1.0);
        assert_eq!(fit(&[], Truth::Classes(&[]), 2), 1.0);
        assert_eq!(fit(&[1.0, 2.0], Truth::Scores(&[1.0, 2.0]), 1), 1.0);
        assert_eq!(scaled(&[1.0, 2.0], Task::Regression, 1, 3.0), [1.0, 2.0]);
        let values = [0.3f32, 0.7];
        assert_eq!(scaled(&values, Task::Classification, 2, 1.0), values);
    }

    #[test]
    fn a_temperature_of_2_halves_logits() {
        let halved = scaled(&[0.2, 0.8], Task::Classification, 2, 2.0);
        assert!((f64::from(halved[1] / halved[0]) - 2.0).abs() < 1e-6);
        let halved = scaled(&[0.8], Task::MultiLabel, 1, 2.0);
        assert!((f64::from(halved[0]) - 2.0 / 3.0).abs() < 1e-6);
    }
}
