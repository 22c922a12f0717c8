//! Losses: outputs and targets in, the loss of each row and the gradient of the outputs out. Plain host code on slices,
//! as outputs are small; one file a loss.

mod bce;
mod cross_entropy;
mod l2;

use gyeol_data::Targets;

use crate::config::LossKind;

/// The sum of the losses of the rows, and the gradient of `outputs` (`[rows, n]`) with every row weighing `weight`:
/// with `weight = 1 / rows` the gradient is that of the mean.
///
/// # Panics
/// If the loss does not fit the targets; the recipe is checked for that before training.
pub(crate) fn loss(kind: LossKind, outputs: &[f32], targets: &Targets, weight: f64) -> (f64, Vec<f32>) {
    match (kind, targets) {
        (LossKind::CrossEntropy, Targets::Classes(classes)) => cross_entropy::loss(outputs, classes, weight),
        (LossKind::Bce, Targets::Sets(sets)) => bce::loss(outputs, sets, weight),
        (LossKind::L2, Targets::Scores(scores)) => l2::loss(outputs, scores, weight),
        _ => unreachable!("a recipe whose loss does not fit its task is refused"),
    }
}

#[cfg(test)]
pub(crate) fn check_gradient(outputs: &[f32], loss: impl Fn(&[f32]) -> (f64, Vec<f32>)) {
    let (_, gradient) = loss(outputs);
    for i in 0..outputs.len() {
        let at = |step: f32| {
            let mut moved = outputs.to_vec();
            moved[i] += step;
            loss(&moved).0
        };
        let difference = (at(1e-2) - at(-1e-2)) / 2e-2;
        assert!((difference - f64::from(gradient[i])).abs() < 1e-3, "{i}: {difference} against {}", gradient[i]);
    }
}
