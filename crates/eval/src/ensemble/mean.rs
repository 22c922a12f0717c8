//! Means of the members' numbers: of probabilities or scores, and of logits.

use super::{
    Aligned,
    logits::{logits, sigmoid, softmax},
};
use crate::Task;

/// The weighted mean of `values` (a member each, all of one length), summed in double precision in the members' order. A
/// member without weight plays no part, not even with a NaN.
pub(super) fn arithmetic<T: AsRef<[f32]>>(values: &[T], weights: &[f64]) -> Vec<f64> {
    let mut sums = vec![0f64; values.first().map_or(0, |values| values.as_ref().len())];
    for (values, &weight) in values.iter().zip(weights).filter(|(_, weight)| **weight > 0.0) {
        sums.iter_mut().zip(values.as_ref()).for_each(|(sum, &value)| *sum += weight * f64::from(value));
    }
    sums
}

/// The softmax of the weighted mean of logits; of independent labels the sigmoid. Probabilities have a floor (that of
/// [`logits`]): else one member that rounds to 0 would overrule all the others.
pub(super) fn geometric(members: &Aligned, weights: &[f64]) -> Vec<f64> {
    let (task, width) = (members.task(), members.width());
    let mut sums = vec![0f64; members.rows() * width];
    for (values, &weight) in members.all().iter().zip(weights).filter(|(_, weight)| **weight > 0.0) {
        for ((sum, logit), value) in sums.iter_mut().zip(logits(values, task, width)).zip(values) {
            // The floor hides a NaN.
            *sum += if value.is_nan() { f64::NAN } else { weight * logit };
        }
    }
    match task {
        Task::MultiLabel => sums.iter_mut().for_each(|sum| *sum = sigmoid(*sum)),
        Task::Classification | Task::Regression => sums.chunks_exact_mut(width).for_each(|row| {
            softmax(row);
        }),
    }
    sums
}
