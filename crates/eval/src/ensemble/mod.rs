//! Predictions of several models as one: what members there are, how they are combined, and how good that is, measured on
//! rows that had no part in it.
//!
//! Files, runs and models are not here: members come in as [`Predictions`](crate::Predictions).

mod aligned;
mod buckets;
mod fit;
mod fit_target;
mod fitted;
mod greedy;
mod mean;
mod method;
mod rank;
mod simplex;
mod vote;
mod weights;

pub use aligned::Aligned;
pub use fitted::{Fitted, Rule};
pub use method::{Method, MethodKind};
pub use rank::{Quantiles, Ranks};
