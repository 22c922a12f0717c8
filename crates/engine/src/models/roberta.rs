//! RoBERTa (Liu et al. 2019): positions begin after the padding token's id, and the head is dense + tanh + linear.

use gyeol_kernels::Activation;

use super::{MaskedLmNames, linear};
use crate::heads::ClassificationHead;
use crate::hf::EncoderConfig;
use crate::params::{ParamTable, Part};

pub(super) const PREFIX: &str = "roberta";

pub(super) fn classification(table: &mut ParamTable, config: &EncoderConfig, outputs: usize) -> ClassificationHead {
    let dense = linear(table, "classifier.dense", config.hidden_size, config.hidden_size);
    table.begin(Part::Output);
    let out = linear(table, "classifier.out_proj", config.hidden_size, outputs);
    ClassificationHead {
        dense,
        activation: Activation::Tanh,
        out,
        input_dropout: true,
        dropout: config.classifier_dropout,
    }
}

/// The head's activation is GELU whatever `hidden_act` says.
pub(super) fn masked_lm() -> MaskedLmNames {
    MaskedLmNames {
        dense: "lm_head.dense",
        norm: "lm_head.layer_norm",
        bias: "lm_head.bias",
        activation: Activation::Gelu,
    }
}
