//! Tables of texts and labels, their splits, and their tokens: everything before the model.

mod batch;

pub use batch::Batch;
