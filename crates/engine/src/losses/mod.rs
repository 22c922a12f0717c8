//! Losses: outputs and targets in, the loss of each row and the gradient of the outputs out. Plain host code on slices,
//! as outputs are small; one file a loss.

mod bce;
mod buckets;
mod cross_entropy;
mod focal;
mod huber;
mod l1;
mod l1_huber;
mod l2;
mod pointwise;
mod scale;
mod softmax;
#[cfg(test)]
mod tests;
mod weighted;

use gyeol_data::Targets;

pub use buckets::ScoreBuckets;
pub use cross_entropy::ClassTargets;
pub use scale::ScoreScale;
pub(crate) use weighted::weighted_loss;

/// What training minimises, with all its parameters.
#[derive(Debug, Clone, PartialEq)]
pub enum Loss {
    /// Cross-entropy over classes. Its mean is over the weights of the rows, as PyTorch's.
    CrossEntropy(ClassTargets),
    /// Cross-entropy times (1 − p)^γ. Its mean is over rows, whatever they weigh.
    Focal {
        /// γ, from 0.
        gamma: f64,
        /// Weights and smoothing of the cross-entropy.
        targets: ClassTargets,
    },
    /// Cross-entropy over score buckets, one output a bucket.
    Buckets {
        /// Their centres.
        buckets: ScoreBuckets,
        /// The share of each target that is spread evenly over all buckets, 0 to below 1.
        label_smoothing: f64,
    },
    /// Binary cross-entropy of the sigmoid of each output, mean over the classes.
    Bce,
    /// Absolute error.
    L1,
    /// Squared error.
    L2,
    /// Huber's loss.
    Huber {
        /// The error from which on it is linear, above 0.
        delta: f64,
    },
    /// The sum of absolute error and Huber's loss.
    L1Huber {
        /// The error from which on the latter is linear, above 0.
        delta: f64,
    },
}

impl Loss {
    /// What the sum of the losses of rows with these targets is divided by for their mean: the sum of their classes' weights
    /// where cross-entropy has any, else how many they are.
    ///
    /// # Panics
    /// If a class has no weight.
    pub fn total_weight(&self, targets: &Targets) -> f64 {
        match (self, targets) {
            (Self::CrossEntropy(of), Targets::Classes(classes)) => {
                classes.iter().map(|&class| of.weight(class as usize)).sum()
            }
            _ => targets.len() as f64,
        }
    }
}

impl Loss {
    /// The mean loss of rows by `outputs` (`[rows, n]`); `None` of no row, or where none of them weighs anything.
    ///
    /// # Panics
    /// If the loss does not fit the targets; the recipe is checked for that before training.
    pub fn mean(&self, outputs: &[f32], targets: &Targets) -> Option<f64> {
        let total = self.total_weight(targets);
        (total > 0.0).then(|| loss(self, outputs, targets, 0.0).0 / total)
    }
}

/// The sum of the losses of the rows, and the gradient of `outputs` (`[rows, n]`) of `weight` times that sum: with `weight`
/// one over [`Loss::total_weight`] it is that of the mean, also where the rows are a part of those averaged over.
///
/// # Panics
/// If the loss does not fit the targets; the recipe is checked for that before training.
pub(crate) fn loss(loss: &Loss, outputs: &[f32], targets: &Targets, weight: f64) -> (f64, Vec<f32>) {
    match (loss, targets) {
        (Loss::CrossEntropy(of), Targets::Classes(classes)) => cross_entropy::loss(outputs, classes, of, weight),
        (Loss::Focal { gamma, targets: of }, Targets::Classes(classes)) => {
            focal::loss(outputs, classes, *gamma, of, weight)
        }
        (Loss::Buckets { buckets, label_smoothing }, Targets::Scores(scores)) => {
            buckets::loss(outputs, scores, buckets, *label_smoothing, weight)
        }
        (Loss::Bce, Targets::Sets(sets)) => bce::loss(outputs, sets, weight),
        (Loss::L1, Targets::Scores(scores)) => pointwise::loss(outputs, scores, weight, l1::row),
        (Loss::L2, Targets::Scores(scores)) => pointwise::loss(outputs, scores, weight, l2::row),
        (Loss::Huber { delta }, Targets::Scores(scores)) => {
            pointwise::loss(outputs, scores, weight, |error| huber::row(error, *delta))
        }
        (Loss::L1Huber { delta }, Targets::Scores(scores)) => {
            pointwise::loss(outputs, scores, weight, |error| l1_huber::row(error, *delta))
        }
        _ => unreachable!("a recipe whose loss does not fit its task is refused"),
    }
}
