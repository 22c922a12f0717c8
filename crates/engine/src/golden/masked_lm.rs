//! Masked language models against transformers: logits of the hidden tokens, loss, every gradient, and weights after training.

use super::*;
use crate::model::Masked;

const MASKED_CASES: [&str; 4] = ["masked_bert", "masked_roberta", "masked_electra", "masked_padding"];

struct MaskedGolden {
    golden: Golden,
    batches: Vec<(Batch, Masked)>,
}

impl MaskedGolden {
    fn open(name: &'static str) -> Self {
        let mut golden = Golden::open(name);
        golden.batches.clear();
        let json: Value = serde_json::from_slice(&std::fs::read(golden.dir.join("batches.json")).unwrap()).unwrap();
        let masked = |json: &Value| Masked { positions: numbers(&json["positions"]), labels: numbers(&json["labels"]) };
        let batches = json.as_array().unwrap().iter().map(|json| (rows(json), masked(json))).collect();
        Self { golden, batches }
    }

    fn load<D: Device>(&self, device: D) -> Model<D> {
        self.golden.load_with(device, HeadKind::MaskedLm)
    }
}

/// Adds the gradients of `batches`, every hidden token weighing the same; returns their mean loss.
fn accumulate<D: Device>(model: &mut Model<D>, batches: &[(Batch, Masked)]) -> f64 {
    let hidden: usize = batches.iter().map(|(_, masked)| masked.labels.len()).sum();
    let weight = 1.0 / hidden as f64;
    let losses = batches.iter().flat_map(|(batch, masked)| {
        model.train_masked(batch, masked, weight as f32, DropoutStream::new(0, 0)).unwrap()
    });
    losses.map(f64::from).sum::<f64>() * weight
}

fn check<D: Device>(case: &MaskedGolden, device: D, tolerance: f32) {
    let MaskedGolden { golden, batches } = case;
    let mut model = case.load(device);
    let logits = model.masked_logits(&batches[0].0, &batches[0].1).unwrap();
    assert_close(&format!("{}: logits", golden.name), &logits, &floats(&golden.expected["logits"]), tolerance);
    let loss = accumulate(&mut model, &batches[..1]);
    let want = golden.expected["loss"].as_f64().unwrap();
    assert!((loss - want).abs() < f64::from(tolerance) * want.abs(), "{}: loss {loss}, want {want}", golden.name);
    compare(golden, "gradient", &mut model, Store::Gradients, "gradients.safetensors", tolerance);

    let config = golden.train_config();
    for step in 0..10 {
        if step > 0 {
            accumulate(&mut model, &batches[step..=step]);
        }
        let norm = model.optimise(&config, learning_rate(&config, step as u64, 10), step as u64 + 1);
        let want = golden.expected["grad_norms"][step].as_f64().unwrap();
        let error = (norm - want).abs();
        assert!(error < 10.0 * f64::from(tolerance) * want, "{}: step {step}: {norm}, want {want}", golden.name);
    }
    compare(golden, "weights after 10 steps", &mut model, Store::Weights, "after10.safetensors", tolerance);
}

#[test]
fn every_isa_agrees_with_transformers_on_masked_language_models() {
    for case in MASKED_CASES.map(MaskedGolden::open) {
        for isa in isas(Operands::F32) {
            check(&case, Cpu::new(isa, Operands::F32), TOLERANCE);
        }
        check(&case, Reference::scalar(Operands::F32), TOLERANCE);
    }
}

#[test]
fn bfloat16_products_stay_near_transformers_on_masked_language_models() {
    for case in MASKED_CASES.map(MaskedGolden::open) {
        check(&case, Reference::scalar(Operands::Bf16), TOLERANCE_BF16);
        for isa in isas(Operands::Bf16) {
            check(&case, Cpu::new(isa, Operands::Bf16), TOLERANCE_BF16);
        }
    }
}

#[test]
fn accumulated_batches_average_over_hidden_tokens_and_one_without_any_adds_nothing() {
    let case = MaskedGolden::open("masked_accumulate");
    let golden = &case.golden;
    let mut model = case.load(Cpu::new(Isa::fastest(), Operands::F32));
    let config = golden.train_config();
    let window = golden.number("accumulate") as usize;
    let steps = case.batches.len().div_ceil(window) as u64;
    for (step, batches) in (0..).zip(case.batches.chunks(window)) {
        let loss = accumulate(&mut model, batches);
        let want = golden.expected["losses"][step as usize].as_f64().unwrap();
        assert!((loss - want).abs() < 1e-4 * want, "step {step}: loss {loss}, want {want}");
        model.optimise(&config, learning_rate(&config, step, steps), step + 1);
    }
    compare(golden, "weights after the epoch", &mut model, Store::Weights, "after3.safetensors", TOLERANCE);
}

#[test]
fn losses_without_dropout_are_those_of_training() {
    let case = MaskedGolden::open("masked_electra");
    let mut model = case.load(Cpu::new(Isa::fastest(), Operands::F32));
    let (batch, masked) = &case.batches[0];
    let inferred = model.masked_losses(batch, masked).unwrap();
    let trained = model.train_masked(batch, masked, 1.0, DropoutStream::new(0, 0)).unwrap();
    assert_eq!(inferred, trained);
}

#[test]
fn fast_and_scalar_kernels_agree_on_masked_language_models_with_dropout() {
    fn run<D: Device>(case: &MaskedGolden, device: D) -> (Vec<f32>, Vec<(String, Vec<f32>)>) {
        let mut config = EncoderConfig::read(&case.golden.model).unwrap();
        config.set_dropout(0.2);
        let mut model = Model::new(device, config, HeadKind::MaskedLm, true).unwrap();
        model.randomise(3);
        let (batch, masked) = &case.batches[0];
        let losses = model.train_masked(batch, masked, 0.1, DropoutStream::new(1, 2)).unwrap();
        (losses, gradients(&mut model))
    }
    let case = MaskedGolden::open("masked_bert");
    for (operands, tolerance) in TWINS {
        let (want, want_gradients) = run(&case, Reference::scalar(operands));
        for isa in isas(operands) {
            let (got, got_gradients) = run(&case, Cpu::new(isa, operands));
            let name = format!("{operands:?} on {}", isa.name());
            assert_close(&format!("{name}: losses"), &got, &want, tolerance);
            assert_gradients_close(&name, &got_gradients, &want_gradients, tolerance);
        }
    }
}
