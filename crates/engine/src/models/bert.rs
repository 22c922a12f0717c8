//! BERT (Devlin et al. 2018): the pooler is part of the encoder's tensors, the classifier one linear layer.

use gyeol_kernels::Activation;

use super::{MaskedLmNames, activation, linear};
use crate::heads::ClassificationHead;
use crate::hf::EncoderConfig;
use crate::params::{ParamTable, Part};

pub(super) const PREFIX: &str = "bert";

pub(super) fn classification(table: &mut ParamTable, config: &EncoderConfig, outputs: usize) -> ClassificationHead {
    let dense = linear(table, "bert.pooler.dense", config.hidden_size, config.hidden_size);
    table.begin(Part::Output);
    let out = linear(table, "classifier", config.hidden_size, outputs);
    ClassificationHead {
        dense,
        activation: Activation::Tanh,
        out,
        input_dropout: false,
        dropout: config.classifier_dropout,
    }
}

/// The head's activation is the encoder's.
pub(super) fn masked_lm(config: &EncoderConfig) -> MaskedLmNames {
    MaskedLmNames {
        dense: "cls.predictions.transform.dense",
        norm: "cls.predictions.transform.LayerNorm",
        bias: "cls.predictions.bias",
        activation: activation(config.activation),
    }
}
