//! Ensembles: which runs and files are members, what is fitted to their predictions, and what is kept of it.
//!
//! How predictions are combined is in `gyeol_eval::ensemble`.

mod compare;
mod gather;
mod labelled;
mod member;
mod recipe;
mod run;
mod saved;

pub use compare::{Chosen, Compared, Comparing, Standing, alike, choose, compare};
pub use gather::{Gathered, Gathering};
pub use labelled::TruthTable;
pub use member::Missing;
pub use recipe::{EnsembleConfig, EnsembleRecipe};
pub use run::{Called, Ensemble, EnsembleReport, check_name};
pub use saved::{PredictionsFile, Saved, SavedMember, Source};
