//! Predictions of several models as one: what members there are, how they are combined, and how good that is, measured on
//! rows that had no part in it.
//!
//! Files, runs and models are not here: members come in as [`Predictions`](crate::Predictions).

mod agreement;
mod aligned;
mod bootstrap;
mod buckets;
mod calibration;
mod contribution;
mod cross;
mod fit;
mod fit_target;
mod fitted;
#[cfg(test)]
mod golden;
mod greedy;
mod logits;
mod mean;
mod method;
mod rank;
mod simplex;
mod stack;
pub mod temperature;
mod vote;
mod weights;

pub use agreement::{Agreement, agreement};
pub use aligned::Aligned;
pub use bootstrap::{Bootstrap, Candidate, RESAMPLES, Versus, bootstrap};
pub use calibration::calibration_error;
pub use contribution::{Contribution, leave_one_out};
pub use cross::{cross_fitted, fit};
pub use fitted::{Fitted, Rule};
pub use method::{Method, MethodKind};
pub use rank::{Quantiles, Ranks};
pub use stack::Stack;
