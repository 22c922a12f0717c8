//! Means of the members' numbers: of probabilities or scores, and of logits.

use super::Aligned;
use crate::Task;

/// The geometric mean takes probabilities nearer to 0 than this for this, and labels' probabilities nearer to 1 likewise: else
/// one member that rounds to 0 would overrule all the others. It is the distance of 1 to the next larger number in single
/// precision, beyond which predictions do not tell how sure a member was.
const FLOOR: f64 = f32::EPSILON as f64;

/// The weighted mean of `values` (a member each, all of one length), summed in double precision in the members' order. A
/// member without weight plays no part, not even with a NaN.
pub(super) fn arithmetic<T: AsRef<[f32]>>(values: &[T], weights: &[f64]) -> Vec<f64> {
    let mut sums = vec![0f64; values.first().map_or(0, |values| values.as_ref().len())];
    for (values, &weight) in values.iter().zip(weights).filter(|(_, weight)| **weight > 0.0) {
        sums.iter_mut().zip(values.as_ref()).for_each(|(sum, &value)| *sum += weight * f64::from(value));
    }
    sums
}

/// The softmax of the weighted mean of log-probabilities; of independent labels the sigmoid of the mean logit.
pub(super) fn geometric(members: &Aligned, weights: &[f64]) -> Vec<f64> {
    let log: fn(f64) -> f64 = match members.task() {
        Task::MultiLabel => logit,
        Task::Classification | Task::Regression => |probability| probability.max(FLOOR).ln(),
    };
    let mut sums = vec![0f64; members.rows() * members.width()];
    for (values, &weight) in members.all().iter().zip(weights).filter(|(_, weight)| **weight > 0.0) {
        for (sum, &value) in sums.iter_mut().zip(values) {
            // `max` and `clamp` would hide a NaN.
            *sum += if value.is_nan() { f64::NAN } else { weight * log(f64::from(value)) };
        }
    }
    match members.task() {
        Task::MultiLabel => sums.iter_mut().for_each(|sum| *sum = 1.0 / (1.0 + (-*sum).exp())),
        Task::Classification | Task::Regression => sums.chunks_exact_mut(members.width()).for_each(softmax),
    }
    sums
}

fn logit(probability: f64) -> f64 {
    let probability = probability.clamp(FLOOR, 1.0 - FLOOR);
    (probability / (1.0 - probability)).ln()
}

/// No logarithm is above 0 here, nor below that of the floor, so no exponential overflows or vanishes.
fn softmax(row: &mut [f64]) {
    row.iter_mut().for_each(|log| *log = log.exp());
    let sum: f64 = row.iter().sum();
    row.iter_mut().for_each(|value| *value /= sum);
}
