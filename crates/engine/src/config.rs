//! The parts of a recipe the engine reads: `[model]`, `[train]` and `[loss]`.

use gyeol_kernels::{Isa, Operands, PIN_VARIABLE};
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
    /// Number format of the operands of matrix products.
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

/// In which number format the matrix products of linear layers take their operands. All else, and every sum, is single
/// precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// bfloat16 where the instruction set multiplies it, else single precision.
    Auto,
    /// bfloat16; an error where the instruction set does not multiply it.
    Bf16,
    /// Single precision.
    F32,
}

impl Precision {
    /// What it comes to on `isa`.
    ///
    /// # Errors
    /// [`NoBf16`] if it asks for bfloat16 and `isa` does not multiply it.
    pub fn operands(self, isa: Isa) -> Result<Operands, NoBf16> {
        match self {
            Precision::Bf16 if !isa.has_bf16() => Err(NoBf16 { pinned: Isa::fastest().has_bf16().then_some(isa) }),
            Precision::Auto if !isa.has_bf16() => Ok(Operands::F32),
            Precision::Auto | Precision::Bf16 => Ok(Operands::Bf16),
            Precision::F32 => Ok(Operands::F32),
        }
    }
}

/// `bf16` is asked for on an instruction set that does not multiply bfloat16.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoBf16 {
    /// The instruction set computed with, where the processor has a faster one that does.
    pinned: Option<Isa>,
}

impl std::fmt::Display for NoBf16 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let needed = Isa::Avx512Bf16.name();
        match self.pinned {
            Some(isa) => {
                write!(f, "\"bf16\" needs {needed}, and {PIN_VARIABLE} asks for {}; unset it, or ", isa.name())?;
            }
            None => write!(f, "\"bf16\" needs {needed}, and this processor has {} at most; ", Isa::fastest().name())?,
        }
        f.write_str("use \"auto\" or \"f32\"")
    }
}

impl std::error::Error for NoBf16 {}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_is_bf16_exactly_where_the_instruction_set_multiplies_it() {
        for isa in Isa::ALL {
            let expected = if isa.has_bf16() { Operands::Bf16 } else { Operands::F32 };
            assert_eq!(Precision::Auto.operands(isa), Ok(expected), "{}", isa.name());
            assert_eq!(Precision::F32.operands(isa), Ok(Operands::F32), "{}", isa.name());
            assert_eq!(Precision::Bf16.operands(isa).ok(), isa.has_bf16().then_some(Operands::Bf16), "{}", isa.name());
        }
    }

    #[test]
    fn bf16_that_cannot_be_had_says_why_and_what_to_do() {
        let message = NoBf16 { pinned: Some(Isa::Avx2) }.to_string();
        let expected = "\"bf16\" needs avx512bf16, and GYEOL_ISA asks for avx2; unset it, or use \"auto\" or \"f32\"";
        assert_eq!(message, expected);
        let message = NoBf16 { pinned: None }.to_string();
        assert!(message.starts_with("\"bf16\" needs avx512bf16, and this processor has "), "{message}");
        assert!(message.ends_with(" at most; use \"auto\" or \"f32\""), "{message}");
    }
}
