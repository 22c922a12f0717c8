//! Whole commands: the built binary in a directory of its own, its two streams and its exit code.

mod bad_input;
mod choice;
mod clean;
mod completions;
mod evaluate;
mod freeze;
mod heads;
mod help;
mod init;
mod masked_lm;
mod precision;
mod predict;
mod profile;
mod project;
#[cfg(unix)]
mod resume;
mod runs;
mod support;
mod train;
