//! That the plan of a pass is what the pass fills, and the memory of training what the device makes room for.

use std::path::Path;

use gyeol_kernels::{Isa, Operands};

use super::*;
use crate::config::{HeadActivation, Pooling};
use crate::device::{Cpu, Store};
use crate::heads::{HeadKind, MlpShape};
use crate::hf::EncoderConfig;
use crate::kept::KeptRows;
use crate::model::Masked;
use crate::pass::DropoutStream;

const LAYERS: usize = 3;

/// What no pass leaves anywhere.
const UNTOUCHED: u32 = 0x1a2b_c3d4;

/// Widths that fill whole cache lines, an odd number of them rounded too, and 16 heads: nothing is lost between rows.
fn config(family: &str, embedding: usize, layers: usize) -> EncoderConfig {
    let config = serde_json::json!({
        "model_type": family, "hidden_size": 96, "embedding_size": embedding, "num_hidden_layers": layers,
        "num_attention_heads": 16, "intermediate_size": 160, "vocab_size": 64, "max_position_embeddings": 64,
        "type_vocab_size": 1,
    });
    EncoderConfig::from_json(config.as_object().cloned().unwrap(), Path::new("config.json")).unwrap()
}

/// The operands that the processor has products of, each with a device.
fn devices() -> impl Iterator<Item = (Operands, Cpu)> {
    let isa = Isa::fastest();
    let operands = [Some(Operands::F32), isa.has_bf16().then_some(Operands::Bf16)];
    operands.into_iter().flatten().map(move |operands| (operands, Cpu::new(isa, operands)))
}

fn model(device: Cpu, config: &EncoderConfig, head: HeadKind) -> Model<Cpu> {
    let mut model = Model::new(device, config.clone(), head, true).unwrap();
    model.randomise(7);
    model
}

/// Sixteen texts of 4 or 12 tokens.
fn batch() -> Batch {
    let mut batch = Batch::new();
    for row in 0..16 {
        let ids: Vec<u32> = (0..4 + 8 * (row % 2)).map(|token| 5 + (11 * row + 13 * token) % 50).collect();
        batch.push(row, &ids, &vec![0; ids.len()]);
    }
    batch
}

/// Numbers of the `bytes` planned that `pass` leaves as they were; it fails if the pass goes beyond the plan.
fn untouched(model: &mut Model<Cpu>, bytes: u64, pass: impl FnOnce(&mut Model<Cpu>)) -> usize {
    let planned = bytes as usize / size_of::<f32>();
    model.device.reserve_activations(planned).unwrap();
    model.device.activations().fill(f32::from_bits(UNTOUCHED));
    pass(model);
    let (plan, beyond) = model.device.activations().split_at(planned);
    let is_untouched = |number: &&f32| number.to_bits() == UNTOUCHED;
    assert!(beyond.iter().all(|number| is_untouched(&number)), "a pass keeps to its plan");
    plan.iter().filter(is_untouched).count()
}

#[test]
fn a_pass_fills_its_plan() {
    let mlp = |pooling| {
        HeadKind::Mlp(MlpShape {
            pooling,
            widths: vec![48],
            activation: HeadActivation::Tanh,
            dropout: 0.1,
            outputs: 2,
        })
    };
    let heads = [HeadKind::Classification { outputs: 2 }, mlp(Pooling::Cls), mlp(Pooling::Mean)];
    for (family, embedding) in [("bert", 96), ("electra", 32)] {
        for layers in [1, LAYERS] {
            let config = config(family, embedding, layers);
            for head in &heads {
                for (operands, device) in devices() {
                    let mut model = model(device, &config, head.clone());
                    for frozen in 0..=layers {
                        model.freeze(frozen);
                        for training in [true, false] {
                            let bytes = model.activation_bytes(Extent::of(&batch()), training);
                            let left = untouched(&mut model, bytes, |model| {
                                if training {
                                    let kept = KeptRows::default();
                                    model.forward(&batch(), &kept, DropoutStream::new(1, 0)).unwrap();
                                    model.backward(&[0.1; 32]);
                                } else {
                                    model.infer(&batch(), &KeptRows::default()).unwrap();
                                }
                            });
                            assert_eq!(
                                left, 0,
                                "{family}, {head:?}, {operands:?}, {frozen} of {layers} frozen, training: {training}, \
                                 {bytes} bytes"
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_pass_of_a_masked_language_model_fills_its_plan() {
    let positions: Vec<u32> = (0..16).map(|row| 8 * row + 1).collect();
    let masked = Masked { labels: vec![9; positions.len()], positions };
    for (family, embedding) in [("bert", 96), ("electra", 32)] {
        for layers in [1, LAYERS] {
            for (operands, device) in devices() {
                let mut model = model(device, &config(family, embedding, layers), HeadKind::MaskedLm);
                for training in [true, false] {
                    let bytes = model.masked_activation_bytes(batch().tokens(), 16, training);
                    let left = untouched(&mut model, bytes, |model| {
                        if training {
                            model.train_masked(&batch(), &masked, 0.1, DropoutStream::new(1, 0)).unwrap();
                        } else {
                            model.masked_losses(&batch(), &masked).unwrap();
                        }
                    });
                    assert_eq!(left, 0, "{family}, {layers} layers, {operands:?}, training: {training}, {bytes} bytes");
                }
            }
        }
    }
}

#[test]
fn the_memory_of_training_is_what_the_device_has_room_for() {
    for optimizer in [Optimizer::AdamW, Optimizer::Sgd, Optimizer::Lion, Optimizer::Adafactor] {
        for (operands, device) in devices() {
            let mut model = model(device, &config("electra", 32, LAYERS), HeadKind::Classification { outputs: 1 });
            model.optimise_with(optimizer).unwrap();
            let memory = model.memory(optimizer);
            let bytes = |model: &mut Model<Cpu>, store| 4 * model.download(store).len() as u64;
            let moments = [Store::FirstMoments, Store::SecondMoments, Store::FactoredMoments];
            let moments = moments.map(|store| bytes(&mut model, store)).iter().sum::<u64>();
            assert_eq!(memory.moments, moments, "{optimizer:?}");
            assert_eq!(memory.gradients, bytes(&mut model, Store::Gradients));
            let weights = bytes(&mut model, Store::Weights);
            assert_eq!(memory.weights, weights + model.device.packed_words() as u64 * 4, "{operands:?}");
            assert_eq!(memory.weights > weights, operands == Operands::Bf16);
            model.freeze(LAYERS);
            let frozen = model.memory(optimizer);
            assert!(frozen.weights == memory.weights && frozen.gradients < memory.gradients / 4, "{optimizer:?}");
            assert!(frozen.moments < memory.moments / 2, "{optimizer:?}");
        }
    }
}
