//! The closed sets of words in `config.json`: model types, activations, problem types.

use serde::{Deserialize, Serialize};

use super::HfError;
use super::keys::Keys;

/// The encoder families the engine computes; they differ in positions, embedding projection and head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// BERT: positions from 0, a pooler before the classifier.
    Bert,
    /// RoBERTa: positions from `pad_token_id + 1`, a dense + tanh head.
    Roberta,
    /// ELECTRA: embeddings of their own width, a dense + GELU head.
    Electra,
}

/// The values of `model_type` that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelType {
    /// `bert`
    Bert,
    /// `roberta`
    Roberta,
    /// `xlm-roberta`: laid out as RoBERTa.
    XlmRoberta,
    /// `camembert`: laid out as RoBERTa.
    Camembert,
    /// `electra`
    Electra,
}

impl ModelType {
    /// Every supported value.
    pub const ALL: [ModelType; 5] =
        [ModelType::Bert, ModelType::Roberta, ModelType::XlmRoberta, ModelType::Camembert, ModelType::Electra];

    /// As `config.json` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            ModelType::Bert => "bert",
            ModelType::Roberta => "roberta",
            ModelType::XlmRoberta => "xlm-roberta",
            ModelType::Camembert => "camembert",
            ModelType::Electra => "electra",
        }
    }

    /// The family that computes it.
    pub fn family(self) -> Family {
        match self {
            ModelType::Bert => Family::Bert,
            ModelType::Roberta | ModelType::XlmRoberta | ModelType::Camembert => Family::Roberta,
            ModelType::Electra => Family::Electra,
        }
    }

    /// The `transformers` class of a sequence classifier of this type.
    pub fn classifier_architecture(self) -> &'static str {
        match self {
            ModelType::Bert => "BertForSequenceClassification",
            ModelType::Roberta => "RobertaForSequenceClassification",
            ModelType::XlmRoberta => "XLMRobertaForSequenceClassification",
            ModelType::Camembert => "CamembertForSequenceClassification",
            ModelType::Electra => "ElectraForSequenceClassification",
        }
    }

    /// The `transformers` class of a masked language model of this type.
    pub fn masked_lm_architecture(self) -> &'static str {
        match self {
            ModelType::Bert => "BertForMaskedLM",
            ModelType::Roberta => "RobertaForMaskedLM",
            ModelType::XlmRoberta => "XLMRobertaForMaskedLM",
            ModelType::Camembert => "CamembertForMaskedLM",
            ModelType::Electra => "ElectraForMaskedLM",
        }
    }

    /// The `transformers` class of an encoder of this type without a head.
    pub fn encoder_architecture(self) -> &'static str {
        match self {
            ModelType::Bert => "BertModel",
            ModelType::Roberta => "RobertaModel",
            ModelType::XlmRoberta => "XLMRobertaModel",
            ModelType::Camembert => "CamembertModel",
            ModelType::Electra => "ElectraModel",
        }
    }

    pub(super) fn default_vocab_size(self) -> usize {
        if self == ModelType::Roberta { 50265 } else { 30522 }
    }
}

/// `hidden_act`: the feed-forward activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// GELU by the error function: `gelu`, `gelu_python`.
    Gelu,
    /// GELU by its tanh approximation: `gelu_new`, `gelu_fast`, `gelu_pytorch_tanh`, `gelu_python_tanh`.
    GeluNew,
    /// `relu`
    Relu,
}

/// In which number format weights are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightPrecision {
    /// Single precision, as they are trained.
    #[default]
    F32,
    /// bfloat16: half the size, and 8 bits of significand.
    Bf16,
}

impl WeightPrecision {
    /// As PyTorch calls it.
    pub(super) fn torch_name(self) -> &'static str {
        match self {
            WeightPrecision::F32 => "float32",
            WeightPrecision::Bf16 => "bfloat16",
        }
    }
}

/// `problem_type`: what the head's outputs mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemType {
    /// One of several classes; the outputs are logits.
    SingleLabelClassification,
    /// Any of several classes; the outputs are logits, each on its own.
    MultiLabelClassification,
    /// The outputs are scores.
    Regression,
}

impl ProblemType {
    const ALL: [ProblemType; 3] =
        [ProblemType::SingleLabelClassification, ProblemType::MultiLabelClassification, ProblemType::Regression];

    /// As `config.json` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            ProblemType::SingleLabelClassification => "single_label_classification",
            ProblemType::MultiLabelClassification => "multi_label_classification",
            ProblemType::Regression => "regression",
        }
    }
}

pub(super) fn model_type(keys: &Keys<'_>) -> Result<ModelType, HfError> {
    let supported = || ModelType::ALL.map(ModelType::as_str).join(", ");
    let Some(found) = keys.text("model_type")? else {
        return Err(HfError::key(keys.path, "model_type", format!("absent; add one of: {}", supported())));
    };
    ModelType::ALL.into_iter().find(|kind| kind.as_str() == found).ok_or_else(|| HfError::ModelType {
        path: keys.path.to_path_buf(),
        found: found.to_owned(),
        supported: supported(),
    })
}

pub(super) fn activation(keys: &Keys<'_>) -> Result<Activation, HfError> {
    match keys.text("hidden_act")?.unwrap_or("gelu") {
        "gelu" | "gelu_python" => Ok(Activation::Gelu),
        "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" | "gelu_python_tanh" => Ok(Activation::GeluNew),
        "relu" => Ok(Activation::Relu),
        other => Err(HfError::key(
            keys.path,
            "hidden_act",
            format!("\"{other}\" is not supported; supported: gelu, gelu_new, gelu_pytorch_tanh, relu"),
        )),
    }
}

pub(super) fn problem_type(keys: &Keys<'_>) -> Result<Option<ProblemType>, HfError> {
    let Some(found) = keys.text("problem_type")? else { return Ok(None) };
    let known = ProblemType::ALL.into_iter().find(|kind| kind.as_str() == found);
    known.map(Some).ok_or_else(|| {
        let names = ProblemType::ALL.map(ProblemType::as_str).join(", ");
        HfError::key(keys.path, "problem_type", format!("\"{found}\" is none of: {names}"))
    })
}
