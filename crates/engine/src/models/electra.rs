//! ELECTRA (Clark et al. 2020): embeddings of their own width with a projection, and a dense + GELU + linear head.

use gyeol_kernels::Activation;

use super::{MaskedLmNames, linear};
use crate::heads::ClassificationHead;
use crate::hf::EncoderConfig;
use crate::params::{ParamTable, Part};

pub(super) const PREFIX: &str = "electra";

pub(super) fn classification(table: &mut ParamTable, config: &EncoderConfig, outputs: usize) -> ClassificationHead {
    let dense = linear(table, "classifier.dense", config.hidden_size, config.hidden_size);
    table.begin(Part::Output);
    let out = linear(table, "classifier.out_proj", config.hidden_size, outputs);
    ClassificationHead {
        dense,
        // The head's activation is GELU whatever `hidden_act` says.
        activation: Activation::Gelu,
        out,
        input_dropout: true,
        dropout: config.classifier_dropout,
    }
}

/// The head of a generator: back to the width of the embeddings. Its activation is GELU whatever `hidden_act` says.
pub(super) fn masked_lm() -> MaskedLmNames {
    MaskedLmNames {
        dense: "generator_predictions.dense",
        norm: "generator_predictions.LayerNorm",
        bias: "generator_lm_head.bias",
        activation: Activation::Gelu,
    }
}
