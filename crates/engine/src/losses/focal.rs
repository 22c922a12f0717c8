//! Focal loss (Lin et al. 2017, "Focal Loss for Dense Object Detection") over the classes of a softmax: cross-entropy, with
//! its weights and label smoothing, times (1 − p)^γ, where p is the probability of the right class.

use super::cross_entropy::ClassTargets;
use super::softmax::Softmax;

/// (1 − p)^γ · cross-entropy of each row.
///
/// Both the factor and its slope are taken from log(1 − p), summed over the other classes: 1 − p itself is 0 where p rounds to
/// 1, and for γ < 1 the slope −γ·(1 − p)^(γ−1) would be infinite there, times the softmax's 0. The product is finite: the
/// slope with respect to an output is γ·(1 − p)^γ·p times −1 for the right class, and times its share of the others else.
pub(super) fn loss(
    outputs: &[f32],
    classes: &[u32],
    gamma: f64,
    targets: &ClassTargets,
    weight: f64,
) -> (f64, Vec<f32>) {
    let n = outputs.len() / classes.len();
    let mut gradient = Vec::with_capacity(outputs.len());
    let mut shares = vec![0.0; n];
    let mut total = 0.0;
    for (row, &class) in outputs.chunks_exact(n).zip(classes) {
        let class = class as usize;
        targets.shares(class as u32, &mut shares);
        let softmax = Softmax::new(row);
        let others = softmax.others(class);
        let factor = (gamma * others.log_probability).exp();
        let cross_entropy = softmax.cross_entropy(&shares);
        let slope = gamma * factor * softmax.probability(class);
        total += factor * cross_entropy;
        gradient.extend(softmax.cross_entropy_gradient(&shares).enumerate().map(|(output, of_cross_entropy)| {
            let of_factor = if output == class { -slope } else { slope * others.shares[output] };
            (weight * (factor * of_cross_entropy + cross_entropy * of_factor)) as f32
        }));
    }
    (total, gradient)
}
