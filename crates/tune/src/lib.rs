//! Hyper-parameter search: a [`Space`] of parameters, [`samplers`] that suggest where to try next, [`pruners`] that end or
//! pause trials early, a study that puts them together, and the [`importance`] of its parameters.
//!
//! Everything here is a function of the history it is given and of a seed: nothing trains, nothing is written, no clock is
//! read. So a search that was killed goes on as if it had not been.

pub mod fidelity;
pub mod importance;
pub mod nearest;
pub mod pruners;
pub mod samplers;
pub mod space;
pub mod study;
pub mod sweep_file;

pub use space::{Assignment, Space, Value};
pub use sweep_file::SweepFile;
