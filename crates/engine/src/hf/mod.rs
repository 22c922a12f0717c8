//! Hugging Face checkpoint directories, in and out.
//!
//! Here: `config.json` as a typed [`EncoderConfig`], weights of every layout the hub has ([`Weights`]), the writer of
//! directories that `transformers` opens, our own [`GyeolJson`] beside them, and the atomic file and directory helpers
//! they stand on. Not here: which tensor belongs where in the encoder (that is the model's business), tokenizers, and
//! downloads.
//!
//! Everything read is treated as hostile: sizes are checked before memory is taken, offsets before bytes are touched,
//! and no pickle is ever executed.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use gyeol_engine::hf::{EncoderConfig, Weights};
//!
//! let dir = Path::new("klue-bert");
//! let config = EncoderConfig::read(dir)?;
//! if let Some(weights) = Weights::open(dir)? {
//!     let shape = [config.vocab_size, config.embedding_size];
//!     let mut words = vec![0.0; shape[0] * shape[1]];
//!     weights.read_f32("bert.embeddings.word_embeddings.weight", &shape, &mut words)?;
//! }
//! # Ok::<(), gyeol_engine::hf::HfError>(())
//! ```

mod atomic;
mod config;
mod error;
mod gyeol_json;
mod keys;
mod kinds;
mod located;
mod pickle;
mod safetensors;
mod sentence;
mod torch_zip;
mod weights;
mod write;

pub use self::atomic::{recover_directory, write_directory, write_file};
pub use self::config::EncoderConfig;
pub use self::error::HfError;
pub use self::gyeol_json::{GYEOL_JSON, GyeolJson, JointModels};
pub use self::kinds::{Activation, Family, ModelType, ProblemType, WeightPrecision};
pub use self::located::TensorInfo;
pub(crate) use self::sentence::dense_module;
pub use self::sentence::{Dense, SentenceDirectory, SentenceTransformer};
pub use self::weights::Weights;
pub use self::write::{write_config, write_masked_lm_config, write_safetensors};
pub use ::safetensors::Dtype;
