//! Ensembles: which runs and files are members, what is fitted to their predictions, and what is kept of it.
//!
//! How predictions are combined is in `gyeol_eval::ensemble`.

mod adjust;
mod combine;
mod compare;
mod dependants;
mod gather;
mod labelled;
mod member;
mod recipe;
mod run;
mod saved;

pub use adjust::{Adjusted, adjust};
pub use combine::{combine_files, file_fingerprint};
pub use compare::{Chosen, Compared, Comparing, Standing, alike, choose, compare};
pub use dependants::ensembles_of;
pub use gather::{Gathered, Gathering};
pub use labelled::TruthTable;
pub use member::{Missing, member_files};
pub use recipe::{EnsembleConfig, EnsembleRecipe};
pub use run::{Called, Ensemble, EnsembleReport, check_name};
pub use saved::{PredictionsFile, Saved, SavedMember, Source};
