//! Encoders with explicit forward and backward, their heads, losses, optimiser and trainer, and checkpoint directories.

pub mod config;
