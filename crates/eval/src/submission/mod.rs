//! From predictions to the file a competition takes: a sample's columns, order and conventions with our predictions in them
//! ([`Sample`]), whether the predicted classes are as frequent as they should be ([`ClassShares`]), and what brings predictions
//! nearer to the distribution of the truth ([`Adjustment`]).
//!
//! Who keeps what was handed in, and when, is no matter of this crate.

mod adjust;
mod error;
#[cfg(test)]
mod golden;
mod layout;
mod raw;
mod sample;
mod shares;

pub use adjust::{Adjustment, AdjustmentKind, Curve, Prior};
pub use error::SubmissionError;
pub use layout::{Layout, Target};
pub use sample::Sample;
pub use shares::{ClassShares, Share};
