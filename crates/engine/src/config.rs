//! The parts of a recipe the engine reads: `[model]`, `[train]` and `[loss]`.

use serde::{Deserialize, Serialize};

/// `[model]`: which checkpoint to start from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Checkpoint directory, or a hub id.
    pub base: String,
    /// Where the weights come from.
    #[serde(default)]
    pub init: Init,
    /// Longest token sequence, special tokens included; longer texts are truncated.
    #[serde(default = "default_max_length")]
    pub max_length: usize,
    /// Every dropout probability of the model, 0 ≤ p < 1; absent: the checkpoint's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f32>,
}

/// Where a model's weights come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// The checkpoint's weights.
    #[default]
    Pretrained,
    /// Fresh weights drawn from `initializer_range`; the directory needs none.
    Random,
}

/// `[train]`: the optimisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Passes over the training rows.
    pub epochs: u32,
    /// Optimiser steps in total; 0: `epochs` decide.
    pub max_steps: u64,
    /// Rows of one forward and backward pass.
    pub batch_size: usize,
    /// Rows of one evaluation pass.
    pub eval_batch_size: usize,
    /// Batches averaged into one optimiser step.
    pub accumulate: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Decoupled weight decay, not applied to biases and LayerNorm.
    pub weight_decay: f64,
    /// How the learning rate moves after the warm-up.
    pub schedule: Schedule,
    /// Steps of linear warm-up from 0.
    pub warmup_steps: u64,
    /// Warm-up as a share of all steps (rounded up), when `warmup_steps` is 0.
    pub warmup_ratio: f64,
    /// Gradients are scaled down to this global L2 norm; 0: never.
    pub max_grad_norm: f64,
    /// Arithmetic of the matrix products.
    pub precision: Precision,
    /// Draw a new order of the rows each epoch; false: the order of the file.
    pub shuffle: bool,
    /// When to evaluate.
    pub evaluate_every: EvaluateEvery,
    /// Evaluations without improvement before stopping; 0: never.
    pub patience: u32,
    /// Best checkpoints kept.
    pub keep: usize,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 3,
            max_steps: 0,
            batch_size: 32,
            eval_batch_size: 128,
            accumulate: 1,
            learning_rate: 2e-5,
            weight_decay: 0.01,
            schedule: Schedule::Linear,
            warmup_steps: 0,
            warmup_ratio: 0.0,
            max_grad_norm: 1.0,
            precision: Precision::Auto,
            shuffle: true,
            evaluate_every: EvaluateEvery::Epoch,
            patience: 0,
            keep: 3,
        }
    }
}

/// How the learning rate moves after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Stays at its peak.
    Constant,
    /// Falls on a line to 0 at the last step.
    Linear,
    /// Falls on a half cosine to 0 at the last step.
    Cosine,
}

/// Arithmetic of the matrix products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// The best this build has for the processor.
    Auto,
    /// Single precision throughout.
    F32,
}

/// When to evaluate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvaluateEvery {
    /// After each pass over the training rows.
    Epoch,
    /// After every so many optimiser steps, and after the last.
    Steps(u64),
}

impl Serialize for EvaluateEvery {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Epoch => serializer.serialize_str("epoch"),
            Self::Steps(steps) => serializer.serialize_u64(*steps),
        }
    }
}

impl<'de> Deserialize<'de> for EvaluateEvery {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Steps(u64),
            Word(String),
        }
        match Raw::deserialize(deserializer) {
            Ok(Raw::Steps(steps)) if steps > 0 => Ok(Self::Steps(steps)),
            Ok(Raw::Word(word)) if word == "epoch" => Ok(Self::Epoch),
            _ => Err(serde::de::Error::custom("expected \"epoch\" or a number of steps above 0")),
        }
    }
}

/// `[loss]`: what training minimises.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossConfig {
    /// The loss; absent: `cross_entropy` for classification, `l2` for regression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<LossKind>,
}

/// A loss of the outputs against the targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossKind {
    /// Mean negative log-likelihood of the softmax (classification).
    CrossEntropy,
    /// Mean squared error (regression).
    L2,
}

fn default_max_length() -> usize {
    128
}
