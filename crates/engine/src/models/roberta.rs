//! RoBERTa (Liu et al. 2019): positions begin after the padding token's id, and the head is dense + tanh + linear.

use gyeol_kernels::Activation;

use super::{Network, blocks, embeddings, linear};
use crate::heads::ClassificationHead;
use crate::hf::EncoderConfig;
use crate::params::{ParamTable, Part};

pub(super) const PREFIX: &str = "roberta";

pub(super) fn build(config: &EncoderConfig, outputs: usize) -> Network {
    let mut table = ParamTable::default();
    let embeddings = embeddings(&mut table, config, PREFIX);
    let blocks = blocks(&mut table, config, PREFIX);
    table.begin(Part::Head);
    let dense = linear(&mut table, "classifier.dense", config.hidden_size, config.hidden_size);
    table.begin(Part::Output);
    let out = linear(&mut table, "classifier.out_proj", config.hidden_size, outputs);
    let head = ClassificationHead {
        dense,
        activation: Activation::Tanh,
        out,
        input_dropout: true,
        dropout: config.classifier_dropout,
    };
    Network { table, embeddings, blocks, head }
}
