//! Frozen layers: what is kept, what still trains, and that nothing else about a pass depends on it.

use std::path::Path;

use gyeol_kernels::{Isa, Operands};

use super::*;
use crate::config::{LossKind, Optimizer, TrainConfig};
use crate::device::Cpu;
use crate::losses;

const LAYERS: usize = 4;
const STORES: [Store; 3] = [Store::Weights, Store::FirstMoments, Store::SecondMoments];

/// A model of four layers of the golden `name`, with random weights and dropout, its lowest `frozen` layers frozen.
fn model(name: &str, frozen: usize) -> Model<Cpu> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut config = EncoderConfig::read(&root.join(name)).unwrap();
    config.set_dropout(0.2);
    config.layers = LAYERS;
    let isa = Isa::fastest();
    let operands = if isa.has_bf16() { Operands::Bf16 } else { Operands::F32 };
    let mut model = Model::new(Cpu::new(isa, operands), config, HeadKind::Classification { outputs: 1 }, true).unwrap();
    model.randomise(3);
    model.freeze(frozen);
    model
}

/// Four texts of 3 to 9 tokens, which differ from `pass` to `pass`.
fn batch(pass: u32) -> Batch {
    let mut batch = Batch::new();
    for row in 0..4 {
        let ids: Vec<u32> = (0..3 + 2 * row).map(|token| 5 + (7 * pass + 11 * row + 13 * token) % 50).collect();
        batch.push(row, &ids, &vec![0; ids.len()]);
    }
    batch
}

/// The outputs of a training pass, whose gradients are added.
fn pass(model: &mut Model<Cpu>, pass: u32) -> Vec<f32> {
    let outputs = model.forward(&batch(pass), DropoutStream::new(1, u64::from(pass))).unwrap();
    let targets = gyeol_data::Targets::Scores(vec![1.0, 0.0, 3.0, 2.0]);
    let (_, gradient) = losses::loss(LossKind::L2, &outputs, &targets, 0.25);
    model.backward(&gradient);
    outputs
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn the_frozen_parameters_are_the_embeddings_and_the_lowest_layers() {
    for name in ["bert_reg_pairs", "roberta_reg", "electra_proj_reg"] {
        for frozen in 0..=LAYERS {
            let model = model(name, frozen);
            let start = model.trained_from();
            for tensor in model.table().tensors() {
                let below = |layer| tensor.name.contains(&format!(".encoder.layer.{layer}."));
                let expected = frozen > 0 && (tensor.name.contains(".embeddings") || (0..frozen).any(below));
                assert_eq!(tensor.span.start < start, expected, "{}, {frozen} frozen", tensor.name);
            }
        }
    }
}

#[test]
fn what_trains_has_the_gradients_it_has_when_everything_does_and_what_is_frozen_none() {
    for name in ["bert_reg_pairs", "electra_proj_reg"] {
        let mut whole = model(name, 0);
        let outputs = [0, 1].map(|number| bits(&pass(&mut whole, number)));
        let want = bits(&whole.download(Store::Gradients));
        for frozen in 1..=LAYERS {
            let mut model = model(name, frozen);
            assert_eq!([0, 1].map(|number| bits(&pass(&mut model, number))), outputs, "{name}, {frozen} frozen");
            let start = model.trained_from();
            let gradients = bits(&model.download(Store::Gradients));
            assert!(gradients[..start].iter().all(|&bits| bits == 0), "{name}, {frozen} frozen");
            assert_eq!(gradients[start..], want[start..], "{name}, {frozen} frozen");
        }
    }
}

#[test]
fn frozen_weights_and_moments_keep_their_bits_under_weight_decay() {
    let config = TrainConfig { weight_decay: 0.5, ..TrainConfig::default() };
    for name in ["roberta_reg", "electra_proj_reg"] {
        for frozen in 1..=LAYERS {
            let mut model = model(name, frozen);
            let before = STORES.map(|store| bits(&model.download(store)));
            for step in 0..3 {
                pass(&mut model, 2 * step);
                pass(&mut model, 2 * step + 1);
                model.optimise(&config, 0.1, u64::from(step) + 1);
                model.infer(&batch(step)).unwrap();
            }
            let start = model.trained_from();
            for (store, before) in STORES.into_iter().zip(before) {
                let after = bits(&model.download(store));
                assert_eq!(after[..start], before[..start], "{name}, {frozen} frozen: {store:?}");
                assert_ne!(after[start..], before[start..], "{name}, {frozen} frozen: {store:?}");
            }
        }
    }
}

#[test]
fn the_memory_of_training_is_what_the_device_has_room_for() {
    for optimizer in [Optimizer::AdamW, Optimizer::Sgd, Optimizer::Lion, Optimizer::Adafactor] {
        let mut model = model("electra_proj_reg", 0);
        model.optimise_with(optimizer).unwrap();
        let memory = model.memory(optimizer);
        let bytes = |model: &mut Model<Cpu>, store| 4 * model.download(store).len() as u64;
        let moments = [Store::FirstMoments, Store::SecondMoments, Store::FactoredMoments];
        assert_eq!(memory.moments, moments.map(|store| bytes(&mut model, store)).iter().sum::<u64>(), "{optimizer:?}");
        assert_eq!(memory.gradients, bytes(&mut model, Store::Gradients));
        assert!(memory.weights >= memory.gradients);
        assert!(model.activation_bytes(&batch(0), true) > model.activation_bytes(&batch(0), false));
        model.freeze(LAYERS);
        let frozen = model.memory(optimizer);
        assert!(frozen.weights == memory.weights && frozen.gradients < memory.gradients / 4, "{optimizer:?}");
        assert!(frozen.moments < memory.moments / 2, "{optimizer:?}");
    }
}

#[test]
fn activations_of_frozen_layers_take_no_more_room_than_in_inference() {
    let room = |frozen| {
        let (mut planner, batch) = (Planner::default(), batch(0));
        let first = Rows::First { tokens: batch.tokens(), sequences: batch.len() };
        model("bert_reg_pairs", frozen).plan(&mut planner, &batch, first, true);
        planner.len()
    };
    // Two places serve any number of frozen layers, and the last layer has its own in any case.
    assert_eq!(room(1), room(0));
    assert_eq!(room(2), room(0));
    assert!(room(3) < room(2));
    assert_eq!(room(4), room(3));
}
