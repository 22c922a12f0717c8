//! The architectures: each file maps one family's configuration and tensor names onto the one encoder.

mod bert;
mod electra;
mod pooled;
mod roberta;

use gyeol_kernels::{Activation, Heads, Linear};

use crate::device::{EmbeddingParams, Exactness, LinearParams, NormParams};
use crate::heads::{Head, HeadKind, MaskedLmHead, SequenceHead};
use crate::hf::{self, EncoderConfig, Family};
use crate::layers::{Block, Embeddings};
use crate::params::{ParamTable, Part, Role};

/// The encoder and head of one architecture, and the table of their parameters.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) table: ParamTable,
    pub(crate) embeddings: Embeddings,
    pub(crate) blocks: Vec<Block>,
    pub(crate) head: Head,
}

/// Lays out the network of `config` with a head.
pub(crate) fn build(config: &EncoderConfig, head: &HeadKind) -> Network {
    let mut table = ParamTable::default();
    let prefix = prefix(config.family);
    let embeddings = embeddings(&mut table, config, prefix);
    let blocks = blocks(&mut table, config, prefix);
    table.begin(Part::Head);
    let head = match (head, config.family) {
        (&HeadKind::Classification { outputs }, family) => Head::Sequence(SequenceHead::Classification(match family {
            Family::Bert => bert::classification(&mut table, config, outputs),
            Family::Roberta => roberta::classification(&mut table, config, outputs),
            Family::Electra => electra::classification(&mut table, config, outputs),
        })),
        (HeadKind::Mlp(shape), _) => Head::Sequence(SequenceHead::Mlp(pooled::mlp(&mut table, config, shape))),
        (&HeadKind::BiEncoder { pooling }, _) => {
            Head::Sequence(SequenceHead::BiEncoder(pooled::bi_encoder(config, pooling)))
        }
        (HeadKind::MaskedLm, family) => {
            let names = match family {
                Family::Bert => bert::masked_lm(config),
                Family::Roberta => roberta::masked_lm(),
                Family::Electra => electra::masked_lm(),
            };
            Head::MaskedLm(masked_lm(&mut table, config, &embeddings, &names))
        }
    };
    Network { table, embeddings, blocks, head }
}

/// What the families' masked-LM heads differ in.
struct MaskedLmNames {
    dense: &'static str,
    norm: &'static str,
    bias: &'static str,
    activation: Activation,
}

/// The head of a masked language model: its decoder is the word table.
fn masked_lm(
    table: &mut ParamTable,
    config: &EncoderConfig,
    embeddings: &Embeddings,
    names: &MaskedLmNames,
) -> MaskedLmHead {
    let width = config.embedding_size;
    // Unlike a classifier's, this head reads many tokens and writes the whole vocabulary: most of the time goes there.
    let exactness = Exactness::Device;
    let weight = table.add(format!("{}.weight", names.dense), &[width, config.hidden_size], Role::Weight);
    let bias = table.add(format!("{}.bias", names.dense), &[width], Role::Bias);
    let dense = table.linear_in(exactness, Linear { inputs: config.hidden_size, outputs: width }, weight, bias);
    let norm = norm(table, names.norm, width, config.layer_norm_eps);
    let bias = table.add(names.bias.to_owned(), &[config.vocab_size], Role::Bias);
    let vocabulary = Linear { inputs: width, outputs: config.vocab_size };
    let decoder = table.linear_in(exactness, vocabulary, embeddings.tables.words, bias);
    MaskedLmHead { dense, activation: names.activation, norm, decoder }
}

/// The prefix of the encoder's tensors in a checkpoint with a head.
pub(crate) fn prefix(family: Family) -> &'static str {
    match family {
        Family::Bert => bert::PREFIX,
        Family::Roberta => roberta::PREFIX,
        Family::Electra => electra::PREFIX,
    }
}

/// The activation a configuration names, as a kernel.
pub(crate) fn activation(activation: hf::Activation) -> Activation {
    match activation {
        hf::Activation::Gelu => Activation::Gelu,
        hf::Activation::GeluNew => Activation::GeluTanh,
        hf::Activation::Relu => Activation::Relu,
    }
}

/// Adds `name.weight` and `name.bias`.
fn linear(table: &mut ParamTable, name: &str, inputs: usize, outputs: usize) -> LinearParams {
    let weight = table.add(format!("{name}.weight"), &[outputs, inputs], Role::Weight);
    let bias = table.add(format!("{name}.bias"), &[outputs], Role::Bias);
    table.linear(Linear { inputs, outputs }, weight, bias)
}

fn norm(table: &mut ParamTable, name: &str, width: usize, eps: f32) -> NormParams {
    let gamma = table.add(format!("{name}.weight"), &[width], Role::NormScale);
    let beta = table.add(format!("{name}.bias"), &[width], Role::NormShift);
    NormParams { gamma, beta, eps }
}

/// The three tables, the norm, and the projection where the widths differ.
fn embeddings(table: &mut ParamTable, config: &EncoderConfig, prefix: &str) -> Embeddings {
    let width = config.embedding_size;
    let mut rows = |name: &str, rows: usize, padding_row: Option<usize>| {
        table.add(format!("{prefix}.embeddings.{name}.weight"), &[rows, width], Role::Embedding { padding_row })
    };
    let padding = Some(config.pad_token_id);
    let words = rows("word_embeddings", config.vocab_size, padding);
    let position_padding = if config.family == Family::Roberta { padding } else { None };
    let positions = rows("position_embeddings", config.max_position_embeddings, position_padding);
    let segments = rows("token_type_embeddings", config.type_vocab_size, None);
    let norm = norm(table, &format!("{prefix}.embeddings.LayerNorm"), width, config.layer_norm_eps);
    let projection = (width != config.hidden_size)
        .then(|| linear(table, &format!("{prefix}.embeddings_project"), width, config.hidden_size));
    Embeddings {
        tables: EmbeddingParams {
            words,
            positions,
            segments,
            width,
            word_padding: config.pad_token_id,
            position_padding,
        },
        norm,
        projection,
        dropout: config.hidden_dropout,
    }
}

/// The blocks, whose tensors all three families name alike.
fn blocks(table: &mut ParamTable, config: &EncoderConfig, prefix: &str) -> Vec<Block> {
    (0..config.layers).map(|index| block(table, config, index, &format!("{prefix}.encoder.layer.{index}"))).collect()
}

fn block(table: &mut ParamTable, config: &EncoderConfig, index: usize, name: &str) -> Block {
    let (hidden, eps) = (config.hidden_size, config.layer_norm_eps);
    Block {
        index,
        heads: Heads { heads: config.heads, head_dim: hidden / config.heads },
        qkv: query_key_value(table, &format!("{name}.attention.self"), hidden),
        attention_output: linear(table, &format!("{name}.attention.output.dense"), hidden, hidden),
        attention_norm: norm(table, &format!("{name}.attention.output.LayerNorm"), hidden, eps),
        up: linear(table, &format!("{name}.intermediate.dense"), hidden, config.intermediate_size),
        activation: activation(config.activation),
        down: linear(table, &format!("{name}.output.dense"), config.intermediate_size, hidden),
        output_norm: norm(table, &format!("{name}.output.LayerNorm"), hidden, eps),
        attention_dropout: config.attention_dropout,
        hidden_dropout: config.hidden_dropout,
    }
}

/// Three tensors of the checkpoint each for weight and bias, side by side in the arena: one layer to the kernels.
fn query_key_value(table: &mut ParamTable, name: &str, hidden: usize) -> LinearParams {
    let parts = ["query", "key", "value"];
    let mut together = |kind: &str, shape: &[usize], role: Role| {
        let spans = parts.map(|part| table.add(format!("{name}.{part}.{kind}"), shape, role));
        let mut all = spans[0];
        all.0.len *= 3;
        all
    };
    let weight = together("weight", &[hidden, hidden], Role::Weight);
    let bias = together("bias", &[hidden], Role::Bias);
    table.linear(Linear { inputs: hidden, outputs: 3 * hidden }, weight, bias)
}
