//! The parts of a recipe the engine reads: `[model]`, `[head]`, `[train]` and `[loss]`.

mod head;
mod join;
mod loss;

use gyeol_kernels::{Isa, Operands, PIN_VARIABLE};
use serde::{Deserialize, Serialize};

pub use head::{HeadActivation, HeadChoice, HeadConfig, Pooling};
pub use join::Join;
pub use loss::{ClassWeights, LossConfig, LossKind};

/// `[model]`: which checkpoint to start from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Checkpoint directory, or a hub id; this or `members`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Two or more of them, each with its tokeniser, trained together in the place of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<String>>,
    /// How the outputs of several become those of a row; absent: their mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<Join>,
    /// Where the weights come from.
    #[serde(default)]
    pub init: Init,
    /// Longest token sequence, special tokens included; longer texts are truncated.
    #[serde(default = "default_max_length")]
    pub max_length: usize,
    /// Every dropout probability of the model, 0 ≤ p < 1; absent: the checkpoint's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f32>,
    /// Lower layers kept as they are, and with any of them the embeddings. They run without dropout, so that what they put
    /// out for a row never changes and is computed once.
    #[serde(default)]
    pub freeze_layers: FreezeLayers,
    /// How the embeddings of tokens start that cleaning adds.
    #[serde(default)]
    pub new_tokens: TokenStart,
}

impl ModelConfig {
    /// The bases: one, or the members.
    pub fn bases(&self) -> &[String] {
        let members = self.members.as_deref().unwrap_or_default();
        self.base.as_ref().map_or(members, std::slice::from_ref)
    }
}

/// How the embedding of a new token starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenStart {
    /// At the mean of the pieces of what it replaces.
    #[default]
    Mean,
    /// Drawn as every fresh weight is.
    Random,
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

/// How many of a model's lower layers training leaves as they are: a number, or a share of them as in `"1/3"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreezeLayers {
    /// So many.
    Count(usize),
    /// This share of the model's layers, rounded down.
    Share {
        /// Above the line.
        numerator: u32,
        /// Below it.
        denominator: u32,
    },
}

impl FreezeLayers {
    /// What it comes to in a model of `layers`.
    ///
    /// # Errors
    /// [`NoSuchLayers`] if that is more than there are, or no share at all.
    pub fn of(self, layers: usize) -> Result<usize, NoSuchLayers> {
        match self {
            Self::Count(count) if count <= layers => Ok(count),
            // Neither above 1 nor of 0: the quotient is at most `layers`.
            Self::Share { numerator, denominator } if denominator > 0 && numerator <= denominator => {
                Ok((layers as u128 * u128::from(numerator) / u128::from(denominator)) as usize)
            }
            _ => Err(NoSuchLayers { asked: self, layers }),
        }
    }
}

impl Default for FreezeLayers {
    fn default() -> Self {
        Self::Count(0)
    }
}

impl std::fmt::Display for FreezeLayers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Share { numerator, denominator } => write!(f, "{numerator}/{denominator}"),
        }
    }
}

impl Serialize for FreezeLayers {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u64(*count as u64),
            Self::Share { .. } => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for FreezeLayers {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Count(usize),
            Word(String),
        }
        let share = |word: &str| {
            let (numerator, denominator) = word.split_once('/')?;
            let number = |digits: &str| digits.trim().parse().ok();
            Some(Self::Share { numerator: number(numerator)?, denominator: number(denominator)? })
        };
        let read = match Raw::deserialize(deserializer) {
            Ok(Raw::Count(count)) => Some(Self::Count(count)),
            Ok(Raw::Word(word)) => share(&word),
            Err(_) => None,
        };
        read.ok_or_else(|| serde::de::Error::custom("expected a number of layers, or a share of them such as \"1/3\""))
    }
}

/// More layers are to be frozen than a model has, or no share of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoSuchLayers {
    asked: FreezeLayers,
    layers: usize,
}

impl std::fmt::Display for NoSuchLayers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { asked, layers } = self;
        match asked {
            FreezeLayers::Share { denominator: 0, .. } => {
                write!(f, "{asked} is no share of the model's layers ({layers}); write one such as \"1/3\"")
            }
            _ => {
                write!(f, "{asked} is more layers than the model's {layers}; ")?;
                write!(f, "use at most {layers} (only the head trains)")
            }
        }
    }
}

impl std::error::Error for NoSuchLayers {}

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
    /// What turns gradients into updates.
    pub optimizer: Optimizer,
    /// SGD's momentum, 0 ≤ μ < 1; the other optimisers have none.
    pub momentum: f64,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Factor d of the learning rate per layer downwards, 0 < d ≤ 1: the head has the rate × 1, the top block × d, the next
    /// × d², and so on; the embeddings of an encoder with L blocks × dᴸ⁺¹ (Howard & Ruder 2018).
    pub layer_decay: f64,
    /// Weight decay, not applied to biases and LayerNorm: decoupled from the gradient, but for SGD, as in PyTorch, added to it.
    pub weight_decay: f64,
    /// How the learning rate moves after the warm-up.
    pub schedule: Schedule,
    /// The power of the polynomial schedule, above 0.
    pub power: f64,
    /// Half cosines of the cosine schedule with restarts, from 1; transformers' own default is 1, a plain cosine.
    pub cycles: u32,
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
    /// Decay of the exponential moving average of the weights, which then is what is evaluated and kept; 0: none.
    pub ema: f64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 3,
            max_steps: 0,
            batch_size: 32,
            eval_batch_size: 128,
            accumulate: 1,
            optimizer: Optimizer::AdamW,
            momentum: 0.9,
            learning_rate: 2e-5,
            layer_decay: 1.0,
            weight_decay: 0.01,
            schedule: Schedule::Linear,
            power: 1.0,
            cycles: 2,
            warmup_steps: 0,
            warmup_ratio: 0.0,
            max_grad_norm: 1.0,
            precision: Precision::Auto,
            shuffle: true,
            evaluate_every: EvaluateEvery::Epoch,
            patience: 0,
            keep: 3,
            ema: 0.0,
        }
    }
}

/// `[swa]`: the mean of the weights of several checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SwaConfig {
    /// Of how many the mean is kept, if it is better than the best of them; 1: no mean.
    pub checkpoints: usize,
    /// Which they are.
    pub select: Select,
}

impl Default for SwaConfig {
    fn default() -> Self {
        Self { checkpoints: 1, select: Select::Best }
    }
}

/// Which checkpoints are averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Select {
    /// The best by the metric.
    Best,
    /// The latest; beside them the best one is kept.
    Last,
}

/// What turns gradients into updates, and which figures of past gradients it keeps beside each weight. Biases and LayerNorm
/// are never decayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019), β = (0.9, 0.999), ε = 1e-8. Keeps two figures a weight.
    AdamW,
    /// Stochastic gradient descent with `momentum`, as PyTorch's `SGD`: weight decay is added to the gradient. Keeps one figure.
    Sgd,
    /// Lion (Chen et al. 2023), β = (0.9, 0.99). Keeps one figure; wants a learning rate 3 to 10 times smaller than AdamW's.
    Lion,
    /// Adafactor (Shazeer & Stern 2018), as Hugging Face Trainer's `optim="adafactor"`: no first moment, the learning rate is
    /// the schedule's. Keeps one figure for each row and column of a matrix.
    Adafactor,
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
    /// Falls to 1e-7 at the last step, with what is left of the steps to the `power`; transformers' `polynomial`.
    Polynomial,
    /// Falls on `cycles` half cosines, each from the peak to 0; transformers' `cosine_with_restarts`.
    CosineRestarts,
}

/// Where [`Schedule::Polynomial`] ends: transformers' `lr_end`. A learning rate has to begin above it.
pub const POLYNOMIAL_END: f64 = 1e-7;

/// In which number format the matrix products of linear layers and of attention take their operands. All else, and every
/// sum, is single precision.
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
    fn frozen_layers_are_a_number_or_a_share_rounded_down() {
        let share = |numerator, denominator| FreezeLayers::Share { numerator, denominator };
        for (asked, layers, frozen) in [
            (FreezeLayers::Count(0), 12, 0),
            (FreezeLayers::Count(12), 12, 12),
            (share(1, 3), 12, 4),
            (share(1, 3), 2, 0),
            (share(2, 3), 4, 2),
            (share(0, 5), 6, 0),
            (share(u32::MAX, u32::MAX), 6, 6),
        ] {
            assert_eq!(asked.of(layers), Ok(frozen), "{asked} of {layers}");
        }
    }

    #[test]
    fn more_frozen_layers_than_there_are_is_an_error_that_names_both_numbers() {
        let message = |asked: FreezeLayers| asked.of(12).unwrap_err().to_string();
        let most = "is more layers than the model's 12; use at most 12 (only the head trains)";
        assert_eq!(message(FreezeLayers::Count(13)), format!("13 {most}"));
        assert_eq!(message(FreezeLayers::Share { numerator: 13, denominator: 12 }), format!("13/12 {most}"));
        let nothing = message(FreezeLayers::Share { numerator: 1, denominator: 0 });
        assert_eq!(nothing, "1/0 is no share of the model's layers (12); write one such as \"1/3\"");
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
