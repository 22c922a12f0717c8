//! Whole commands: the built binary in a directory of its own, its two streams and its exit code.

mod bad_input;
mod boost;
mod choice;
mod clean;
mod completions;
mod destination;
mod ensemble;
mod ensemble_predict;
mod evaluate;
mod folds;
mod freeze;
mod heads;
mod help;
mod init;
mod joint;
mod losses;
mod masked_lm;
mod memory;
mod multi_label;
#[cfg(unix)]
mod optimisers;
mod precision;
mod predict;
mod profile;
mod project;
#[cfg(unix)]
mod queue;
mod refit;
#[cfg(unix)]
mod resume;
mod runs;
mod sample;
mod submissions;
mod support;
#[cfg(unix)]
mod sweep;
mod train;
