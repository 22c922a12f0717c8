//! The heads over pooled tokens, which are the same for every architecture and have no class in `transformers`: their tensors
//! are named after the modules of sentence-transformers they are written as.

use gyeol_kernels::Activation;

use super::linear;
use crate::config::{HeadActivation, Pooling};
use crate::heads::{BiEncoderHead, MlpHead, MlpShape, Pooled};
use crate::hf::{EncoderConfig, dense_module};
use crate::params::{ParamTable, Part};

pub(super) fn mlp(table: &mut ParamTable, config: &EncoderConfig, shape: &MlpShape) -> MlpHead {
    let mut inputs = config.hidden_size;
    let mut layer = |table: &mut ParamTable, index: usize, outputs: usize| {
        linear(table, &format!("{}.linear", dense_module(index)), std::mem::replace(&mut inputs, outputs), outputs)
    };
    let hidden = shape.widths.iter().enumerate().map(|(index, &width)| layer(table, index, width)).collect();
    table.begin(Part::Output);
    let out = layer(table, shape.widths.len(), shape.outputs);
    let pooled = Pooled { pooling: shape.pooling, width: config.hidden_size };
    MlpHead { pooled, hidden, activation: activation(shape.activation), out, dropout: shape.dropout }
}

pub(super) fn bi_encoder(config: &EncoderConfig, pooling: Pooling) -> BiEncoderHead {
    BiEncoderHead { pooled: Pooled { pooling, width: config.hidden_size } }
}

fn activation(activation: HeadActivation) -> Activation {
    match activation {
        HeadActivation::Tanh => Activation::Tanh,
        HeadActivation::Gelu => Activation::Gelu,
        HeadActivation::Relu => Activation::Relu,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::heads::HeadKind;
    use crate::models::build;

    #[test]
    fn the_layers_of_a_head_go_from_the_encoders_width_by_the_stated_ones_to_the_outputs() {
        for (hidden, widths) in [(768, vec![384]), (768, vec![512, 256]), (1024, vec![512, 256]), (768, vec![])] {
            let config = serde_json::json!({
                "model_type": "roberta", "hidden_size": hidden, "num_hidden_layers": 1, "num_attention_heads": 4,
                "intermediate_size": 8, "vocab_size": 8, "max_position_embeddings": 8, "type_vocab_size": 1,
            });
            let raw = config.as_object().cloned().unwrap();
            let config = EncoderConfig::from_json(raw, Path::new("config.json")).unwrap();
            let shape = MlpShape {
                pooling: Pooling::Mean,
                widths: widths.clone(),
                activation: HeadActivation::Tanh,
                dropout: 0.2,
                outputs: 1,
            };
            let network = build(&config, &HeadKind::Mlp(shape));
            let head = network.table.tensors().iter().filter(|tensor| tensor.part != Part::Encoder);
            let found: Vec<(&str, &[usize])> = head.map(|tensor| (&*tensor.name, &*tensor.shape)).collect();
            let ends: Vec<usize> = [vec![hidden], widths, vec![1]].concat();
            let expected = ends.windows(2).enumerate().flat_map(|(index, pair)| {
                let name = format!("{}_Dense.linear", index + 2);
                [(format!("{name}.weight"), vec![pair[1], pair[0]]), (format!("{name}.bias"), vec![pair[1]])]
            });
            let expected: Vec<(String, Vec<usize>)> = expected.collect();
            let expected: Vec<(&str, &[usize])> = expected.iter().map(|(name, shape)| (&**name, &**shape)).collect();
            assert_eq!(found, expected);
        }
    }
}
