//! What turns the encoder's output into the task's: one file a head.

mod classification;

pub(crate) use classification::{ClassificationHead, HeadActs};
