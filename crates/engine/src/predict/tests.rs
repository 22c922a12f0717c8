//! That how many batches are computed at once shows in nothing but time.

use std::path::Path;

use gyeol_data::Targets;
use gyeol_kernels::{Isa, Operands};

use super::*;
use crate::config::{Optimizer, TrainConfig};
use crate::device::{Cpu, Reference, Store};
use crate::heads::HeadKind;
use crate::hf::EncoderConfig;
use crate::losses::{self, Loss};
use crate::pass::DropoutStream;
use crate::random::mix;

const OUTPUTS: usize = 3;
const ROWS: u32 = 200;
const BATCH_SIZES: [usize; 5] = [1, 7, 32, 128, 1000];

fn device() -> Cpu {
    let isa = Isa::fastest();
    Cpu::new(isa, if isa.has_bf16() { Operands::Bf16 } else { Operands::F32 })
}

/// A model of the golden `name` with random weights.
fn model<D: Device>(device: D, name: &str) -> Model<D> {
    let config = EncoderConfig::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)).unwrap();
    random_model(device, config, true)
}

fn random_model<D: Device>(device: D, config: EncoderConfig, training: bool) -> Model<D> {
    let mut model = Model::new(device, config, HeadKind::Classification { outputs: OUTPUTS }, training).unwrap();
    model.randomise(5);
    model
}

/// A model as wide as products of whole numbers take.
fn wide_model<D: Device>(device: D, training: bool) -> Model<D> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/bert_cls");
    let mut config = EncoderConfig::read(&golden).unwrap();
    (config.hidden_size, config.embedding_size, config.intermediate_size) = (384, 384, 448);
    random_model(device, config, training)
}

/// Texts of 3 to 20 tokens.
fn tokens() -> Tokenised {
    let text = |row: u32| -> (Vec<u32>, Vec<u8>) {
        let word = |place: u64| (5 + mix(u64::from(row) << 8 | place) % 50) as u32;
        let ids: Vec<u32> = (0..3 + mix(u64::from(row)) % 18).map(word).collect();
        let segments = vec![0; ids.len()];
        (ids, segments)
    };
    (0..ROWS).map(text).collect()
}

/// Most of the rows out of order, one of them twice.
fn rows() -> Vec<u32> {
    (0..ROWS).map(|i| (i * 73 + 11) % ROWS).filter(|row| row % 9 != 4).chain([3]).collect()
}

fn in_pool<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn predict<D: Device>(model: &mut Model<D>, batch_size: usize, kept: &KeptRows) -> Vec<u32> {
    let outputs = model.predict(&tokens(), &rows(), batch_size, kept, |_| ControlFlow::Continue(()));
    bits(&outputs.unwrap().unwrap())
}

#[test]
fn a_row_has_the_same_bits_on_any_number_of_threads_in_any_batches_and_alone() {
    fn check<D: Device>(mut model: Model<D>, name: &str, batch_sizes: &[usize]) {
        let mut row = |row| model.infer(&tokens().batch(&[row]), &KeptRows::default()).unwrap();
        let alone: Vec<u32> = rows().into_iter().flat_map(|i| bits(&row(i))).collect();
        for threads in 1..=3 {
            for &batch_size in batch_sizes {
                let outputs = in_pool(threads, || predict(&mut model, batch_size, &KeptRows::default()));
                assert!(outputs == alone, "{name}: {threads} threads, {batch_size} rows");
            }
        }
    }
    for name in ["bert_cls", "roberta_reg", "electra_proj_reg"] {
        check(model(device(), name), name, &BATCH_SIZES);
        check(model(Cpu::new(Isa::fastest(), Operands::F32), name), name, &BATCH_SIZES);
    }
    check(model(Reference::scalar(Operands::F32), "bert_cls"), "bert_cls", &[128]);
    check(wide_model(device(), false), "wide", &[7, 128]);
}

#[test]
fn a_wide_model_predicts_the_same_bits_with_weights_packed_for_training_and_for_inference() {
    let [training, inference] =
        [true, false].map(|training| predict(&mut wide_model(device(), training), 128, &KeptRows::default()));
    assert!(training == inference);
}

#[test]
fn a_wide_model_predicts_what_the_scalar_twins_do() {
    fn infer<D: Device>(mut model: Model<D>) -> Vec<f32> {
        model.infer(&tokens().batch(&[0, 1, 2, 3, 4, 5, 6, 7]), &KeptRows::default()).unwrap()
    }
    for operands in [Operands::F32, Operands::Bf16] {
        let want = infer(wide_model(Reference::scalar(operands), false));
        for isa in Isa::ALL.into_iter().filter(|isa| isa.available() && (operands == Operands::F32 || isa.has_bf16())) {
            let got = infer(wide_model(Cpu::new(isa, operands), false));
            let largest = want.iter().fold(0f32, |most, x| most.max(x.abs()));
            let tolerance = if operands == Operands::F32 { 1e-4 } else { 2e-2 };
            let near = got.iter().zip(&want).all(|(got, want)| (got - want).abs() <= tolerance * largest);
            assert!(near, "{operands:?} on {}: {got:?}, not {want:?}", isa.name());
        }
    }
}

#[test]
fn frozen_layers_are_computed_once_for_a_row_that_is_kept_and_change_no_bit() {
    for (name, frozen) in [("bert_cls", 1), ("electra_proj_reg", 2)] {
        let want = in_pool(1, || predict(&mut model(device(), name), 128, &KeptRows::default()));
        let mut model = model(device(), name);
        model.freeze(frozen);
        for bytes in [0, 2000, 1 << 30] {
            let kept = KeptRows::new(bytes);
            for _ in 0..2 {
                let outputs = in_pool(3, || predict(&mut model, 128, &kept));
                assert!(outputs == want, "{name}: {frozen} frozen, {bytes} bytes");
            }
            let held = rows().into_iter().filter(|&row| kept.get(row).is_some()).count();
            let (some, all) = (held > 0, held == rows().len());
            assert_eq!((some, all), (bytes > 0, bytes > 2000), "{name}: {held} rows in {bytes} bytes");
        }
    }
}

#[test]
fn training_goes_on_to_the_same_bits_whether_or_not_something_is_predicted_in_between() {
    let stores = [Store::Weights, Store::FirstMoments, Store::SecondMoments];
    let (tokens, targets) = (tokens(), Targets::Classes((0..ROWS).map(|row| row % OUTPUTS as u32).collect()));
    let train = |optimizer: Optimizer, threads: Option<usize>| {
        let config = TrainConfig { optimizer, ..TrainConfig::default() };
        let mut model = model(device(), "bert_cls");
        model.optimise_with(optimizer).unwrap();
        let mut predicted = Vec::new();
        for step in 0..6u32 {
            let rows: Vec<u32> = (4 * step..4 * step + 4).collect();
            let batch = tokens.batch(&rows);
            let (outputs, _) = model.forward(&batch, &KeptRows::default(), DropoutStream::new(1, step.into())).unwrap();
            let loss = Loss::CrossEntropy(losses::ClassTargets { weights: None, label_smoothing: 0.0 });
            let (_, gradient) = losses::loss(&loss, &outputs, &targets.select(&rows), 0.25);
            model.backward(&gradient);
            model.optimise(&config, 0.01, u64::from(step) + 1);
            // Updates of this step still wait: one thread makes up for them on the way, several before they share the weights.
            if let (Some(threads), true) = (threads, step % 2 == 1) {
                predicted.push(in_pool(threads, || predict(&mut model, 64, &KeptRows::default())));
            }
        }
        (predicted, stores.map(|store| bits(&model.download(store))))
    };
    for optimizer in [Optimizer::AdamW, Optimizer::Sgd, Optimizer::Lion, Optimizer::Adafactor] {
        let (_, never) = train(optimizer, None);
        let (alone, one) = train(optimizer, Some(1));
        let (together, several) = train(optimizer, Some(3));
        assert!(alone == together && one == never && several == never, "{optimizer:?}");
    }
}

#[test]
fn progress_counts_every_row_and_may_break_off() {
    let (tokens, rows) = (tokens(), rows());
    for threads in 1..=3 {
        let mut model = model(device(), "bert_cls");
        let mut run = |last: usize| {
            let mut told = Vec::new();
            let progress = |done| {
                told.push(done);
                if done >= last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let outputs = model.predict(&tokens, &rows, 8, &KeptRows::default(), progress).unwrap();
            (outputs.is_some(), told)
        };
        let ((through, told), (past, some)) = in_pool(threads, || (run(usize::MAX), run(40)));
        assert!(through && told.is_sorted_by(|a, b| a < b) && told.last() == Some(&rows.len()), "{told:?}");
        assert!(!past && some.last().is_some_and(|&last| last >= 40), "{some:?}");
        assert!(some[..some.len() - 1].iter().all(|&done| done < 40), "{some:?}");
    }
}

#[test]
fn the_memory_of_a_prediction_is_that_of_its_largest_batch_on_each_thread() {
    let (tokens, rows, model) = (tokens(), rows(), model(device(), "bert_cls"));
    let bytes = |threads, tokens: &Tokenised, rows: &[u32]| in_pool(threads, || model.predict_bytes(tokens, rows, 128));
    assert_eq!(bytes(3, &tokens, &[]), PredictBytes::default());
    assert_eq!([bytes(1, &tokens, &rows), bytes(3, &tokens, &rows[..5])].map(|bytes| bytes.beside), [0, 0]);
    let alone = |texts: usize, length: usize| {
        model.activation_bytes(Extent { tokens: texts * length, sequences: texts }, false)
    };
    // Of few long texts, many short ones and a rest, the second batch has as many tokens as fit and as many texts.
    let lengths = [(4, 300), (128, 6), (9, 3)];
    let texts = lengths.iter().flat_map(|&(texts, length)| vec![(vec![7; length], vec![0; length]); texts]);
    let tokens: Tokenised = texts.collect();
    let rows: Vec<u32> = (0..tokens.len() as u32).collect();
    assert!(alone(128, 6) > alone(2, 300).max(alone(9, 3)));
    for threads in [1, 2] {
        let PredictBytes { own, beside } = bytes(threads, &tokens, &rows);
        assert!(own > alone(2, 300).max(alone(9, 3)) && own <= alone(128, 6), "{threads} threads: {own}");
        assert_eq!(beside, (threads - 1) as u64 * own);
    }
}

#[test]
fn nothing_is_predicted_of_no_rows() {
    let outputs = model(device(), "bert_cls")
        .predict(&tokens(), &[], 8, &KeptRows::default(), |_| ControlFlow::Break(()))
        .unwrap();
    assert_eq!(outputs, Some(Vec::new()));
}
