//! No pruning.

use super::{Curve, Decision, Pruner};

/// Every trial runs to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Never;

impl Pruner for Never {
    fn decide(&self, _trial: u32, _history: &[Curve]) -> Decision {
        Decision::Continue
    }
}
