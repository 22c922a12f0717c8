//! Cross-entropy of the softmax over classes, PyTorch's `CrossEntropyLoss` with its weights and label smoothing.

use super::softmax::Softmax;

/// What is asked of the softmax for a row of a class.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClassTargets {
    /// How much each class counts, in the order of the outputs; `None`: alike. A class of any row that trains must have a
    /// weight above 0.
    pub weights: Option<Vec<f64>>,
    /// The share of the target that is spread evenly over all classes, 0 to below 1.
    pub label_smoothing: f64,
}

impl ClassTargets {
    /// The weight of a class.
    pub(super) fn weight(&self, class: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[class])
    }

    /// Writes the share of each output in the loss of a row of `class`: (1 − ε)·w of its own, and ε/n·w of every one.
    pub(super) fn shares(&self, class: u32, shares: &mut [f64]) {
        let even = self.label_smoothing / shares.len() as f64;
        for (output, share) in shares.iter_mut().enumerate() {
            let own = if output == class as usize { 1.0 - self.label_smoothing } else { 0.0 };
            *share = self.weight(output) * (own + even);
        }
    }
}

/// −Σ shares·log softmax(outputs) of each row.
pub(super) fn loss(outputs: &[f32], classes: &[u32], targets: &ClassTargets, weight: f64) -> (f64, Vec<f32>) {
    let n = outputs.len() / classes.len();
    let mut gradient = Vec::with_capacity(outputs.len());
    let mut shares = vec![0.0; n];
    let mut total = 0.0;
    for (row, &class) in outputs.chunks_exact(n).zip(classes) {
        targets.shares(class, &mut shares);
        let softmax = Softmax::new(row);
        total += softmax.cross_entropy(&shares);
        gradient.extend(softmax.cross_entropy_gradient(&shares).map(|slope| (weight * slope) as f32));
    }
    (total, gradient)
}
