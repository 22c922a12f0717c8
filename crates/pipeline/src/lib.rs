//! The route from a recipe to predictions: the one crate that knows all the steps.
//!
//! What a step does lives in the crate of that step; what is here is the [`recipe`] that names the choices, the [`hub`]
//! that finds a base model, the [`runs`] directory a run is kept in, and the functions that walk the route.

mod appender;
mod arithmetic;
mod base;
mod boost;
mod class_shares;
mod class_weights;
mod classes;
mod cleaning;
mod course;
pub mod demo;
mod division;
mod dry_run;
pub mod ensemble;
mod error;
mod evaluate;
mod fingerprints;
mod folds;
mod frozen;
mod head;
pub mod hub;
mod loss;
mod masked_lm;
mod memory;
mod observer;
mod parts;
mod predict;
mod prepare;
mod process;
pub mod recipe;
mod refit;
pub mod runs;
mod sampling;
mod save_policy;
mod session;
pub mod submission;
pub mod sweep;
mod totals;
mod train;
mod tuned;
mod watch;

use gyeol_tune::nearest;

pub use arithmetic::Arithmetic;
pub use base::Base;
pub use boost::BoostConfig;
pub use cleaning::fitted_cleaner;
pub use course::Overfitting;
pub use division::Division;
pub use dry_run::{Estimate, estimate};
pub use error::Error;
pub use evaluate::{EvaluateOptions, Evaluated, evaluate};
pub use fingerprints::code_version;
pub use masked_lm::{
    AdaptConfig, Adapted, Beginning, MOST_HELD_OUT, MaskedLmConfig, PretrainConfig, Pretraining, adapt, pretrain,
};
pub use memory::available_memory;
pub use predict::{PredictOptions, Predicted, Predictor, Target, model_directory};
pub use prepare::{Part, Prepared};
pub use refit::{RefitConfig, RefitFrom, refit};
pub use session::{Trained, Which};
pub use train::train;
pub use tuned::TunedConfig;
pub use watch::Watcher;
