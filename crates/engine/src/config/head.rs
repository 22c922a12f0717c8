//! `[head]`: what turns the encoder's output into the task's.

use serde::{Deserialize, Serialize};

/// `[head]`. What is absent is resolved when the base model is known, see each key.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeadConfig {
    /// Which head.
    pub kind: HeadChoice,
    /// How the tokens of a text become one vector; absent: `cls`, and for a bi-encoder what the base says, else `mean`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// `mlp`: the widths of its hidden layers, from the encoder up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub widths: Vec<usize>,
    /// `mlp`: what follows each of them; absent: `tanh`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<HeadActivation>,
    /// Dropout probability before each layer, 0 ≤ p < 1; absent: the checkpoint's classifier dropout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f32>,
}

/// A kind of head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadChoice {
    /// The architecture's own, over the first token.
    #[default]
    Default,
    /// A linear layer over the pooled tokens.
    Linear,
    /// Hidden layers between the pooled tokens and a linear layer.
    Mlp,
    /// The cosine of two texts, each pooled on its own (Reimers & Gurevych 2019).
    BiEncoder,
}

impl HeadChoice {
    /// As recipes spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Linear => "linear",
            Self::Mlp => "mlp",
            Self::BiEncoder => "bi-encoder",
        }
    }
}

/// How the tokens of a sequence, special ones included, become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The first of them.
    Cls,
    /// Their mean.
    Mean,
    /// The largest value of each column.
    Max,
}

/// An activation of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeadActivation {
    /// tanh(x).
    Tanh,
    /// x·Φ(x) with the exact normal distribution function.
    Gelu,
    /// max(x, 0).
    Relu,
}
