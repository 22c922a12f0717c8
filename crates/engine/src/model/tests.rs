//! Frozen layers: what is kept, what still trains, and that nothing about a pass depends on what was kept.

use std::path::Path;

use gyeol_kernels::{Isa, Operands};

use super::*;
use crate::config::TrainConfig;
use crate::device::Cpu;
use crate::kept::KeptRows;
use crate::losses;

const LAYERS: usize = 4;
const STORES: [Store; 3] = [Store::Weights, Store::FirstMoments, Store::SecondMoments];

/// A model of four layers of the golden `name`, with random weights and dropout, its lowest `frozen` layers frozen.
fn model(name: &str, frozen: usize) -> Model<Cpu> {
    model_with(name, frozen, 0.2)
}

fn model_with(name: &str, frozen: usize, dropout: f32) -> Model<Cpu> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut config = EncoderConfig::read(&root.join(name)).unwrap();
    config.set_dropout(dropout);
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
    pass_keeping(model, pass, &KeptRows::default()).0
}

/// The same with what is kept, and the tokens that were.
fn pass_keeping(model: &mut Model<Cpu>, pass: u32, kept: &KeptRows) -> (Vec<f32>, usize) {
    let (outputs, reused) = model.forward(&batch(pass), kept, DropoutStream::new(1, u64::from(pass))).unwrap();
    let targets = gyeol_data::Targets::Scores(vec![1.0, 0.0, 3.0, 2.0]);
    let (_, gradient) = losses::loss(&losses::Loss::L2, &outputs, &targets, 0.25);
    model.backward(&gradient);
    (outputs, reused)
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
fn without_dropout_what_trains_has_the_gradients_it_has_when_everything_does_and_what_is_frozen_none() {
    for name in ["bert_reg_pairs", "electra_proj_reg"] {
        let mut whole = model_with(name, 0, 0.0);
        let outputs = [0, 1].map(|number| bits(&pass(&mut whole, number)));
        let want = whole.download(Store::Gradients).into_owned();
        for frozen in 1..=LAYERS {
            let mut model = model_with(name, frozen, 0.0);
            let got = [0, 1].map(|number| bits(&pass(&mut model, number)));
            let start = model.trained_from();
            let gradients = model.download(Store::Gradients).into_owned();
            assert!(gradients[..start].iter().all(|&value| value == 0.0), "{name}, {frozen} frozen");
            assert_eq!(got, outputs, "{name}, {frozen} frozen");
            assert_eq!(bits(&gradients[start..]), bits(&want[start..]), "{name}, {frozen} frozen");
        }
    }
}

#[test]
fn frozen_layers_do_not_drop_out() {
    for name in ["bert_reg_pairs", "electra_proj_reg"] {
        for frozen in [1, LAYERS - 1, LAYERS] {
            let mut model = model(name, frozen);
            let lower = |model: &mut Model<Cpu>| model.lower(&batch(0), &KeptRows::default()).unwrap().values;
            assert_eq!(bits(&lower(&mut model)), bits(&lower(&mut model)), "{name}, {frozen} frozen");
            assert_ne!(pass(&mut model, 0), pass(&mut model, 4), "what trains does: {name}, {frozen} frozen");
        }
    }
}

#[test]
fn what_is_kept_and_what_is_computed_anew_have_the_same_bits() {
    for name in ["bert_reg_pairs", "electra_proj_reg"] {
        for frozen in [1, LAYERS] {
            let run = |bytes: u64| {
                let (mut model, kept) = (model(name, frozen), KeptRows::new(bytes));
                let passes = [0, 0, 0].map(|number| pass_keeping(&mut model, number, &kept));
                let inferred = model.infer(&batch(0), &kept).unwrap();
                (
                    passes.map(|(outputs, reused)| (bits(&outputs), reused)),
                    bits(&inferred),
                    bits(&model.download(Store::Gradients)),
                )
            };
            let tokens = batch(0).tokens();
            let (never, all, some) = (run(0), run(1 << 20), run(if frozen == LAYERS { 200 } else { 1000 }));
            assert_eq!(never.0.each_ref().map(|pass| pass.1), [0, 0, 0]);
            assert_eq!(all.0.each_ref().map(|pass| pass.1), [0, tokens, tokens], "{name}, {frozen} frozen");
            let part = some.0[1].1;
            assert!(part > 0 && part < tokens, "{name}, {frozen} frozen: {part} of {tokens}");
            for other in [&all, &some] {
                assert_eq!(other.0.each_ref().map(|pass| &pass.0), never.0.each_ref().map(|pass| &pass.0));
                assert!(other.1 == never.1 && other.2 == never.2, "{name}, {frozen} frozen");
            }
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
                model.infer(&batch(step), &KeptRows::default()).unwrap();
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
fn a_training_pass_has_no_room_for_the_activations_of_frozen_layers() {
    let room = |frozen| {
        let (model, batch) = (model("bert_reg_pairs", 0), batch(0));
        let mut planner = Planner::new(&model.device);
        let first = Rows::First { tokens: batch.tokens(), sequences: batch.len() };
        model.plan(&mut planner, frozen..LAYERS, first, true);
        planner.len()
    };
    let rooms = [0, 1, 2, 3, 4].map(room);
    assert!(rooms.is_sorted_by(|more, less| more > less), "{rooms:?}");
}
