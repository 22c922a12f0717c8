//! The optimisers and layer-wise decay against PyTorch, transformers and lion-pytorch: weights after ten steps.

use super::*;
use crate::config::Optimizer;

const CASES: [(&str, Optimizer); 4] = [
    ("sgd", Optimizer::Sgd),
    ("lion", Optimizer::Lion),
    ("adafactor", Optimizer::Adafactor),
    ("layer_decay", Optimizer::AdamW),
];

/// The case, on the batches of the case whose model it trains.
fn open(name: &'static str) -> Golden {
    let dir = root().join(name);
    let expected = json(&dir.join("expected.json"));
    let start = Box::leak(expected["model"].as_str().unwrap().to_owned().into_boxed_str());
    let Golden { model, batches, .. } = Golden::open(start);
    Golden { name, dir, model, batches, expected }
}

fn settings(golden: &Golden, optimizer: Optimizer) -> TrainConfig {
    let number = |key: &str, default: f64| golden.expected["hyper"][key].as_f64().unwrap_or(default);
    let (momentum, layer_decay) = (number("momentum", 0.9), number("layer_decay", 1.0));
    TrainConfig { optimizer, momentum, layer_decay, ..golden.train_config() }
}

/// The model after ten steps.
fn trained<D: Device>(golden: &Golden, optimizer: Optimizer, device: D, tolerance: f32) -> Model<D> {
    let mut model = golden.load(device);
    model.optimise_with(optimizer).unwrap();
    let config = settings(golden, optimizer);
    for step in 0..10 {
        accumulate(&mut model, &golden.loss(), &golden.batches[step..=step]);
        let norm = model.optimise(&config, learning_rate(&config, step as u64, 10), step as u64 + 1);
        let want = golden.expected["grad_norms"][step].as_f64().unwrap();
        let off = (norm - want).abs();
        assert!(off < 10.0 * f64::from(tolerance) * want, "{}: step {step}: norm {norm}, want {want}", golden.name);
    }
    compare(golden, "weights after 10 steps", &mut model, Store::Weights, "after10.safetensors", tolerance);
    model
}

#[test]
fn every_isa_and_the_scalar_twins_agree_with_the_published_optimisers() {
    for (name, optimizer) in CASES {
        let golden = open(name);
        trained(&golden, optimizer, Reference::scalar(Operands::F32), TOLERANCE);
        for isa in isas(Operands::F32) {
            trained(&golden, optimizer, Cpu::new(isa, Operands::F32), TOLERANCE);
        }
    }
}

#[test]
fn products_in_bfloat16_read_the_weights_as_the_optimiser_left_them() {
    fn check<D: Device>(golden: &Golden, optimizer: Optimizer, devices: [D; 2]) {
        let [device, fresh] = devices;
        let mut model = trained(golden, optimizer, device, TOLERANCE_BF16);
        let mut fresh = golden.load(fresh);
        fresh.upload(Store::Weights, &model.download(Store::Weights));
        let infer = |model: &mut Model<D>| model.infer(&golden.batches[0].0, &KeptRows::default()).unwrap();
        assert_eq!(infer(&mut model), infer(&mut fresh), "{}", golden.name);
    }
    for (name, optimizer) in CASES {
        let golden = open(name);
        check(&golden, optimizer, [(); 2].map(|()| Reference::scalar(Operands::Bf16)));
        for isa in isas(Operands::Bf16) {
            check(&golden, optimizer, [(); 2].map(|()| Cpu::new(isa, Operands::Bf16)));
        }
    }
}
