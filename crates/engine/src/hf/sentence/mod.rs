//! Directories of sentence-transformers: an encoder, what pools its tokens, and dense layers, each a module in a directory of
//! its own, listed in `modules.json`.
//!
//! Here: which modules there are and what they say, in and out. Not here: what is computed with them, and the tensors of the
//! encoder, which are a checkpoint as any other.

mod read;
mod write;

use crate::config::{HeadActivation, Pooling};

pub use read::SentenceDirectory;

/// The list of modules.
const MODULES: &str = "modules.json";

/// The settings of a module, and of an encoder in single precision, its weights.
const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";

/// Settings of the encoder's module; `sentence_roberta_config.json` and others in old directories.
const ENCODER_CONFIG: &str = "sentence_bert_config.json";

/// Settings of the whole.
const WHOLE_CONFIG: &str = "config_sentence_transformers.json";

/// The directory of the pooling module, as sentence-transformers names it.
const POOLING: &str = "1_Pooling";

/// The directory of the dense layer `index` of a head, counted from 0 from the encoder up.
pub(crate) fn dense_module(index: usize) -> String {
    // Transformer and Pooling come before.
    format!("{}_Dense", index + 2)
}

/// What follows the encoder.
#[derive(Debug, Clone, PartialEq)]
pub struct SentenceTransformer {
    /// How the tokens of a text become one vector.
    pub pooling: Pooling,
    /// The dense layers over it, in their order; with none a text is its vector.
    pub dense: Vec<Dense>,
    /// Longest token sequence, if anything says it.
    pub max_length: Option<usize>,
}

/// A dense layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dense {
    /// Features in.
    pub inputs: usize,
    /// Features out.
    pub outputs: usize,
    /// What follows it, if anything does.
    pub activation: Option<HeadActivation>,
}

/// PyTorch's class of an activation, as sentence-transformers names it.
fn class(activation: Option<HeadActivation>) -> &'static str {
    match activation {
        Some(HeadActivation::Tanh) => "torch.nn.modules.activation.Tanh",
        Some(HeadActivation::Gelu) => "torch.nn.modules.activation.GELU",
        Some(HeadActivation::Relu) => "torch.nn.modules.activation.ReLU",
        None => "torch.nn.modules.linear.Identity",
    }
}

#[cfg(test)]
mod tests;
