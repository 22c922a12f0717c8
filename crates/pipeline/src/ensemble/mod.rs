//! Ensembles: which runs and files are members, what is fitted to their predictions, and what is kept of it.
//!
//! How predictions are combined is in `gyeol_eval::ensemble`.

mod saved;

pub use saved::{PredictionsFile, Saved, SavedMember, Source};
