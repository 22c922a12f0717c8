//! Whole commands: the built binary in a directory of its own, its two streams and its exit code.

mod completions;
mod help;
mod init;
mod runs;
mod support;
