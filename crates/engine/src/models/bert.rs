//! BERT (Devlin et al. 2018): the pooler is part of the encoder's tensors, the classifier one linear layer.

use gyeol_kernels::Activation;

use super::{Network, blocks, embeddings, linear};
use crate::heads::ClassificationHead;
use crate::hf::EncoderConfig;
use crate::params::{ParamTable, Part};

pub(super) const PREFIX: &str = "bert";

pub(super) fn build(config: &EncoderConfig, outputs: usize) -> Network {
    let mut table = ParamTable::default();
    let embeddings = embeddings(&mut table, config, PREFIX);
    let blocks = blocks(&mut table, config, PREFIX);
    table.begin(Part::Head);
    let dense = linear(&mut table, "bert.pooler.dense", config.hidden_size, config.hidden_size);
    table.begin(Part::Output);
    let out = linear(&mut table, "classifier", config.hidden_size, outputs);
    let head = ClassificationHead {
        dense,
        activation: Activation::Tanh,
        out,
        input_dropout: false,
        dropout: config.classifier_dropout,
    };
    Network { table, embeddings, blocks, head }
}
