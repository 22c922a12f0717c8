//! Ensembles: which runs and files are members, what is fitted to their predictions, and what is kept of it.
//!
//! How predictions are combined is in `gyeol_eval::ensemble`.

mod combine;
mod dependants;
mod saved;

pub use combine::{combine_files, file_fingerprint};
pub use dependants::ensembles_of;
pub use saved::{PredictionsFile, Saved, SavedMember, Source};
