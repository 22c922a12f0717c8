//! Masked-LM runs: a base model adapted to the texts of a task (`gyeol adapt`, TAPT), or an encoder from nothing
//! (`gyeol pretrain`). Both are one run: texts to tokens, some kept aside, the loop, and a directory that transformers
//! opens as `…ForMaskedLM`.

mod adapt;
mod config;
mod pretrain;
mod rows;
mod run;

pub(crate) use adapt::{Adaptation, OWN};
pub use adapt::{Adapted, adapt};
pub use config::{AdaptConfig, Beginning, MaskedLmConfig, PretrainConfig};
pub use pretrain::{Pretraining, pretrain};
pub use rows::MOST_HELD_OUT;

/// What these runs are measured by: e to the power of the mean cross-entropy of the hidden tokens.
pub(crate) const METRIC: &str = "perplexity";

/// What `report.json` calls their task.
pub(crate) const TASK: &str = "masked_lm";
