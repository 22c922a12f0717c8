//! Sweeps: trials as processes of their own, and the directory from which a sweep goes on after anything.

mod protocol;

pub use protocol::{Answer, Message};
