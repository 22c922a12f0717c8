//! Whether a training has gone off: a loss or gradient that is not finite, or a loss far above where it began.

use serde::{Deserialize, Serialize};

/// Steps whose mean loss is looked at.
const STEPS: usize = 16;

/// How many times the mean loss of the first steps that of the latest may be. A loss that only fails to fall stays near
/// where it began; one that has gone off is soon orders of magnitude above.
const TIMES: f64 = 10.0;

/// Losses below this are as good as it: a training that begins with next to none may well come to ten times that.
const SMALL: f64 = 0.1;

/// What a step was like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Divergence {
    /// The step.
    pub step: u64,
    /// Its loss.
    pub loss: f64,
    /// Its gradient norm.
    pub gradient_norm: f64,
    /// Its learning rate.
    pub learning_rate: f64,
}

impl std::fmt::Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { step, loss, gradient_norm, learning_rate } = self;
        if loss.is_finite() && gradient_norm.is_finite() {
            write!(f, "step {step}: the loss of the last {STEPS} steps is more than {TIMES} times that of the first")?;
            write!(f, " (now {loss:.4}, learning rate {learning_rate:.3e})")
        } else {
            write!(f, "step {step}: the loss is {loss} and the gradient norm {gradient_norm}")?;
            write!(f, " (learning rate {learning_rate:.3e})")
        }
    }
}

/// The losses that are compared.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Losses {
    first: Vec<f32>,
    latest: Vec<f32>,
}

impl Losses {
    /// Counts the loss of a step; whether the training has gone off.
    pub(super) fn explode(&mut self, loss: f64) -> bool {
        if self.first.len() < STEPS {
            self.first.push(loss as f32);
            return false;
        }
        self.latest.push(loss as f32);
        if self.latest.len() > STEPS {
            self.latest.remove(0);
        }
        let mean = |losses: &[f32]| losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / losses.len() as f64;
        self.latest.len() == STEPS && mean(&self.latest) > TIMES * mean(&self.first).max(SMALL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explodes_at(losses: impl IntoIterator<Item = f64>) -> Option<usize> {
        let mut seen = Losses::default();
        losses.into_iter().position(|loss| seen.explode(loss))
    }

    #[test]
    fn a_loss_far_above_where_it_began_is_seen_and_one_that_only_stays_is_not() {
        assert_eq!(explodes_at((0..200).map(|_| 1.4)), None);
        assert_eq!(explodes_at((0..200).map(|step| if step % 40 == 39 { 30.0 } else { 0.5 })), None, "single outliers");
        assert_eq!(explodes_at((0..200).map(|step| if step < 50 { 0.0 } else { 0.9 })), None, "from nothing");
        let grows = (0..200).map(|step| if step < 100 { 1.4 } else { 1.4 * 1.5f64.powi(step - 100) });
        assert!(explodes_at(grows).is_some_and(|step| (100..115).contains(&step)));
    }
}
