//! What was handed in to a competition: the file with all it was made from ([`Submission`], [`SubmissionRecord`]), the list of
//! all such files ([`Ledger`]), and how many a day there may be ([`quota`]).
//!
//! How a sample is filled in is in `gyeol_eval::submission`; scores that a leaderboard gave are in a run's
//! [`Notes`](crate::runs::Notes).

mod ledger;
mod quota;
mod record;

pub use ledger::{Entry, Ledger};
pub use quota::{quota, set_quota};
pub use record::{Submission, SubmissionRecord, rebuild, sample_path};

#[cfg(test)]
mod tests;
