//! The experiment store: one SQLite file under the home directory, written by many processes at once.
//!
//! What it says of runs and sweeps is an index of their directories, and can be made again from them; jobs are its own.

mod error;
mod migrations;
pub mod queue;
mod runs;
mod store;
mod sweeps;
mod words;

pub use error::StoreError;
pub use runs::{ArtifactRow, EventRow, MetricRow, RunRecord, RunRow, RunStatus};
pub use store::{FILE, Store};
pub use sweeps::{Goal, SweepRow, SweepStatus, TrialOrigin, TrialRow, TrialState};
