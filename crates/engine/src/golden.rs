//! The whole model against transformers: outputs, loss, every gradient, and weights after ten AdamW steps, for tiny
//! checkpoints of each architecture made by `tests/golden/make.py`; and the fast kernels against their scalar twins. Masked
//! language models are in `masked_lm`, heads over pooled tokens in `heads`, models trained together in `joint`, the other
//! optimisers in `optimisers`, averages of weights in `averages`.

mod averages;
mod heads;
mod joint;
mod masked_lm;
mod optimisers;

use std::path::{Path, PathBuf};

use gyeol_data::{Batch, Targets};
use gyeol_kernels::{Isa, Operands};
use serde_json::Value;

use crate::config::TrainConfig;
use crate::device::{Cpu, Device, Reference, Store};
use crate::heads::HeadKind;
use crate::hf::{EncoderConfig, ProblemType, Weights};
use crate::kept::KeptRows;
use crate::losses::{self, ClassTargets, Loss};
use crate::model::Model;
use crate::optim::learning_rate;
use crate::params;
use crate::pass::DropoutStream;

/// Largest difference allowed, as a share of a tensor's largest value.
const TOLERANCE: f32 = 1e-4;
/// The same with products in bfloat16, whose operands are off by up to 2⁻⁹ each.
const TOLERANCE_BF16: f32 = 6e-2;
/// The precisions, each with the largest difference allowed between the fast kernels and their scalar twins. In bfloat16 both
/// round the same numbers, but sums in another order now and then turn a rounding, which is a step of 2⁻⁸: 0.0075 is the most
/// that was seen.
const TWINS: [(Operands, f32); 2] = [(Operands::F32, TOLERANCE), (Operands::Bf16, 2e-2)];

const CASES: [&str; 10] = [
    "bert_cls",
    "bert_gelu_new_cls",
    "bert_reg_pairs",
    "roberta_cls_pairs",
    "roberta_reg",
    "electra_cls",
    "electra_reg_pairs",
    "electra_proj_cls_pairs",
    "electra_proj_reg",
    "frozen",
];

struct Golden {
    name: &'static str,
    dir: PathBuf,
    /// Where the checkpoint is.
    model: PathBuf,
    batches: Vec<(Batch, Targets)>,
    expected: Value,
}

impl Golden {
    fn open(name: &'static str) -> Self {
        let dir = root().join(name);
        let expected = json(&dir.join("expected.json"));
        let model = root().join(expected["model"].as_str().unwrap());
        let regression = EncoderConfig::read(&model).unwrap().problem_type == Some(ProblemType::Regression);
        let batches =
            json(&dir.join("batches.json")).as_array().unwrap().iter().map(|b| batch(b, regression)).collect();
        Self { name, dir, model, batches, expected }
    }

    fn number(&self, key: &str) -> f64 {
        self.expected["hyper"][key].as_f64().unwrap()
    }

    fn train_config(&self) -> TrainConfig {
        TrainConfig {
            learning_rate: self.number("learning_rate"),
            weight_decay: self.number("weight_decay"),
            max_grad_norm: self.number("max_grad_norm"),
            warmup_steps: self.number("warmup_steps") as u64,
            ..TrainConfig::default()
        }
    }

    fn load<D: Device>(&self, device: D) -> Model<D> {
        let outputs = EncoderConfig::read(&self.model).unwrap().num_labels();
        self.load_with(device, HeadKind::Classification { outputs })
    }

    fn load_with<D: Device>(&self, device: D, head: HeadKind) -> Model<D> {
        let config = EncoderConfig::read(&self.model).unwrap();
        let mut model = Model::new(device, config, head, true).unwrap();
        let weights = Weights::open(&self.model).unwrap().unwrap();
        let report = model.load(&weights, &self.model, 0).unwrap();
        assert_eq!(report, crate::LoadReport::default(), "{}", self.name);
        model.freeze(self.expected["hyper"]["freeze_layers"].as_u64().unwrap_or(0) as usize);
        model
    }

    fn loss(&self) -> Loss {
        match self.batches[0].1 {
            Targets::Classes(_) => Loss::CrossEntropy(ClassTargets::default()),
            Targets::Sets(_) => Loss::Bce,
            Targets::Scores(_) => Loss::L2,
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as u32).collect()
}

/// The numbers of a matrix.
fn floats(value: &Value) -> Vec<f32> {
    let rows = value.as_array().unwrap().iter();
    rows.flat_map(|row| row.as_array().unwrap()).map(|x| x.as_f64().unwrap() as f32).collect()
}

fn rows(json: &Value) -> Batch {
    let mut batch = Batch::new();
    for (row, ids) in json["input_ids"].as_array().unwrap().iter().enumerate() {
        let segments: Vec<u8> = numbers(&json["token_type_ids"][row]).iter().map(|&s| s as u8).collect();
        batch.push(row as u32, &numbers(ids), &segments);
    }
    batch
}

fn batch(json: &Value, regression: bool) -> (Batch, Targets) {
    let batch = rows(json);
    let labels = json["labels"].as_array().unwrap();
    let targets = if regression {
        Targets::Scores(labels.iter().map(|label| label.as_f64().unwrap() as f32).collect())
    } else {
        Targets::Classes(numbers(&json["labels"]))
    };
    (batch, targets)
}

/// The instruction sets of this processor that have products of `operands`.
fn isas(operands: Operands) -> impl Iterator<Item = Isa> {
    Isa::ALL.into_iter().filter(move |isa| isa.available() && (operands == Operands::F32 || isa.has_bf16()))
}

/// Adds the gradients of `batches`, every row weighing the same; the mean loss and the outputs of the first.
fn accumulate<D: Device>(model: &mut Model<D>, of: &Loss, batches: &[(Batch, Targets)]) -> (f64, Vec<f32>) {
    let rows: usize = batches.iter().map(|(batch, _)| batch.len()).sum();
    let (mut total, mut first) = (0.0, Vec::new());
    for (batch, targets) in batches {
        let (outputs, _) = model.forward(batch, &KeptRows::default(), DropoutStream::new(0, 0)).unwrap();
        let (loss, gradient) = losses::loss(of, &outputs, targets, 1.0 / rows as f64);
        model.backward(&gradient);
        total += loss / rows as f64;
        if first.is_empty() {
            first = outputs;
        }
    }
    (total, first)
}

fn assert_close(what: &str, got: &[f32], want: &[f32], tolerance: f32) {
    assert_eq!(got.len(), want.len(), "{what}");
    let largest = want.iter().fold(0f32, |m, x| m.max(x.abs()));
    // In the order of `total_cmp` NaN is the largest of all; `f32::max` would pass over it.
    let worst = got.iter().zip(want).map(|(g, w)| (g - w).abs()).max_by(f32::total_cmp).unwrap_or(0.0);
    let close = worst.is_finite() && worst <= tolerance * largest.max(1e-6);
    assert!(close, "{what}: off by {worst}, largest value {largest}");
}

#[test]
fn numbers_that_are_off_nan_or_missing_are_not_close() {
    let close = |got: &[f32], want: &[f32]| std::panic::catch_unwind(|| assert_close("", got, want, 1e-3)).is_ok();
    assert!(close(&[1.0, 2.001], &[1.0, 2.0]) && close(&[], &[]));
    for got in [&[1.0, 2.01][..], &[f32::NAN, 2.0], &[1.0, f32::INFINITY], &[1.0]] {
        assert!(!close(got, &[1.0, 2.0]) && !close(&[1.0, 2.0], got), "{got:?}");
    }
}

/// The true gradient of an attention key's bias is zero: what is there is rounding, which Adam amplifies.
fn is_key_bias(tensor: &params::Tensor) -> bool {
    tensor.name.ends_with(".key.bias")
}

/// Every tensor's gradient, with its name.
fn gradients<D: Device>(model: &mut Model<D>) -> Vec<(String, Vec<f32>)> {
    let all = model.download(Store::Gradients).into_owned();
    let tensors = model.table().tensors().iter().filter(|tensor| !is_key_bias(tensor));
    tensors.map(|tensor| (tensor.name.clone(), all[tensor.span.start..tensor.span.end()].to_vec())).collect()
}

/// Compares what [`gradients`] gave of a model on two devices.
fn assert_gradients_close(what: &str, got: &[(String, Vec<f32>)], want: &[(String, Vec<f32>)], tolerance: f32) {
    assert_eq!(got.len(), want.len(), "{what}");
    for ((name, got), (_, want)) in got.iter().zip(want) {
        assert_close(&format!("{what}: gradient of {name}"), got, want, tolerance);
    }
}

fn compare<D: Device>(golden: &Golden, what: &str, model: &mut Model<D>, store: Store, file: &str, tolerance: f32) {
    let want = Weights::open_file(&golden.dir.join(file)).unwrap();
    let got = model.download(store).into_owned();
    for tensor in model.table().tensors().iter().filter(|tensor| !is_key_bias(tensor)) {
        let mut values = vec![0.0; tensor.span.len];
        want.read_f32(&tensor.name, &tensor.shape, &mut values).unwrap();
        let label = format!("{}: {what} of {}", golden.name, tensor.name);
        assert_close(&label, &got[tensor.span.start..tensor.span.end()], &values, tolerance);
    }
}

fn check<D: Device>(golden: &Golden, device: D, tolerance: f32) {
    let mut model = golden.load(device);
    let of = golden.loss();
    let (loss, outputs) = accumulate(&mut model, &of, &golden.batches[..1]);
    assert_close(&format!("{}: outputs", golden.name), &outputs, &floats(&golden.expected["logits"]), tolerance);
    let want = golden.expected["loss"].as_f64().unwrap();
    assert!((loss - want).abs() < f64::from(tolerance) * want.abs(), "{}: loss {loss}, want {want}", golden.name);
    compare(golden, "gradient", &mut model, Store::Gradients, "gradients.safetensors", tolerance);

    let config = golden.train_config();
    for step in 0..10 {
        if step > 0 {
            accumulate(&mut model, &of, &golden.batches[step..=step]);
        }
        let norm = model.optimise(&config, learning_rate(&config, step as u64, 10), step as u64 + 1);
        let want = golden.expected["grad_norms"][step].as_f64().unwrap();
        assert!(
            (norm - want).abs() < 10.0 * f64::from(tolerance) * want,
            "{}: step {step}: norm {norm}, want {want}",
            golden.name
        );
    }
    compare(golden, "weights after 10 steps", &mut model, Store::Weights, "after10.safetensors", tolerance);
}

#[test]
fn every_isa_agrees_with_transformers_on_every_architecture() {
    for golden in CASES.map(Golden::open) {
        for isa in isas(Operands::F32) {
            check(&golden, Cpu::new(isa, Operands::F32), TOLERANCE);
        }
    }
}

#[test]
fn the_scalar_twins_agree_with_transformers_on_every_architecture() {
    for golden in CASES.map(Golden::open) {
        check(&golden, Reference::scalar(Operands::F32), TOLERANCE);
    }
}

#[test]
fn bfloat16_products_stay_near_transformers_on_every_architecture() {
    for golden in CASES.map(Golden::open) {
        check(&golden, Reference::scalar(Operands::Bf16), TOLERANCE_BF16);
        for isa in isas(Operands::Bf16) {
            check(&golden, Cpu::new(isa, Operands::Bf16), TOLERANCE_BF16);
        }
    }
}

#[test]
fn accumulated_batches_of_unequal_size_average_over_rows_and_the_last_window_is_partial() {
    let golden = Golden::open("accumulate");
    let mut model = golden.load(Cpu::new(Isa::fastest(), Operands::F32));
    let config = golden.train_config();
    let window = golden.number("accumulate") as usize;
    let steps = golden.batches.len().div_ceil(window) as u64;
    for (step, batches) in (0..).zip(golden.batches.chunks(window)) {
        let (loss, _) = accumulate(&mut model, &golden.loss(), batches);
        let want = golden.expected["losses"][step as usize].as_f64().unwrap();
        assert!((loss - want).abs() < 1e-4 * want, "step {step}: loss {loss}, want {want}");
        model.optimise(&config, learning_rate(&config, step, steps), step + 1);
    }
    compare(&golden, "weights after the epoch", &mut model, Store::Weights, "after3.safetensors", TOLERANCE);
}

#[test]
fn fast_and_scalar_kernels_agree_on_the_whole_model_with_dropout() {
    let golden = Golden::open("electra_proj_cls_pairs");
    fn run<D: Device>(golden: &Golden, wide: bool, device: D) -> (Vec<f32>, Vec<(String, Vec<f32>)>) {
        let mut config = EncoderConfig::read(&golden.model).unwrap();
        config.set_dropout(0.2);
        if wide {
            // As wide as products of halves and of whole numbers take.
            (config.hidden_size, config.intermediate_size) = (384, 448);
        }
        let mut model = Model::new(device, config, HeadKind::Classification { outputs: 4 }, true).unwrap();
        model.randomise(3);
        let (batch, targets) = &golden.batches[0];
        let (outputs, _) = model.forward(batch, &KeptRows::default(), DropoutStream::new(1, 2)).unwrap();
        let (_, gradient) = losses::loss(&golden.loss(), &outputs, targets, 0.25);
        model.backward(&gradient);
        (outputs, gradients(&mut model))
    }
    for ((operands, tolerance), wide) in TWINS.into_iter().flat_map(|twins| [(twins, false), (twins, true)]) {
        let (want, want_gradients) = run(&golden, wide, Reference::scalar(operands));
        for isa in isas(operands) {
            let (got, got_gradients) = run(&golden, wide, Cpu::new(isa, operands));
            let name = format!("{operands:?} on {}, wide: {wide}", isa.name());
            assert_close(&format!("{name}: outputs"), &got, &want, tolerance);
            assert_gradients_close(&name, &got_gradients, &want_gradients, tolerance);
        }
    }
}

#[test]
fn a_row_has_the_same_bits_alone_and_in_a_batch() {
    for name in ["bert_cls", "roberta_reg", "electra_proj_reg"] {
        let golden = Golden::open(name);
        let mut model = golden.load(Cpu::new(Isa::fastest(), Operands::F32));
        let (batch, _) = &golden.batches[0];
        let together = model.infer(batch, &KeptRows::default()).unwrap();
        let alone: Vec<f32> = batch
            .cu_seqlens
            .windows(2)
            .flat_map(|pair| {
                let span = pair[0] as usize..pair[1] as usize;
                let mut single = Batch::new();
                single.push(0, &batch.ids[span.clone()], &batch.segments[span]);
                model.infer(&single, &KeptRows::default()).unwrap()
            })
            .collect();
        assert_eq!(together, alone, "{name}");
        let (training, _) = model.forward(batch, &KeptRows::default(), DropoutStream::new(0, 0)).unwrap();
        assert_eq!(together, training, "{name}: inference and training without dropout");
    }
}

#[test]
fn a_padding_token_that_a_text_holds_is_not_trained() {
    for name in ["bert_cls", "roberta_reg", "electra_proj_reg"] {
        let golden = Golden::open(name);
        let mut model = golden.load(Cpu::new(Isa::fastest(), Operands::F32));
        let padding = model.config().pad_token_id;
        let (batch, targets) = &golden.batches[0];
        let mut batch = batch.clone();
        batch.ids[1] = padding as u32;
        accumulate(&mut model, &golden.loss(), &[(batch, targets.clone())]);
        let gradients = model.download(Store::Gradients).into_owned();
        for tensor in model.table().tensors() {
            if let params::Role::Embedding { padding_row: Some(row) } = tensor.role {
                let mut rows = gradients[tensor.span.start..tensor.span.end()].chunks(tensor.shape[1]);
                assert!(rows.clone().flatten().any(|&g| g != 0.0), "{name}: {}", tensor.name);
                assert!(rows.nth(row).unwrap().iter().all(|&g| g == 0.0), "{name}: {}", tensor.name);
            }
        }
    }
}
