//! Averages of weights against torch.optim.swa_utils: the mean of several checkpoints, and the moving average of all steps
//! (`tests/golden/make_averages.py`).

use super::*;

#[test]
fn means_of_checkpoints_and_moving_averages_are_those_of_pytorch() {
    let dir = root().join("averages");
    let expected = json(&dir.join("expected.json"));
    let Golden { model, batches, .. } = Golden::open("bert_cls");
    let golden = Golden { name: "averages", dir, model, batches, expected };
    let config = golden.train_config();
    let of: Vec<u64> = serde_json::from_value(golden.expected["hyper"]["mean_of"].clone()).unwrap();
    let checkpoints = tempfile::tempdir().unwrap();
    let path = |step: u64| checkpoints.path().join(format!("{step}.safetensors"));

    let mut model = golden.load(Cpu::new(Isa::fastest(), Operands::F32));
    model.keep_average().unwrap();
    for step in 1..=10u64 {
        accumulate(&mut model, &golden.loss(), &golden.batches[step as usize - 1..step as usize]);
        model.optimise(&config, learning_rate(&config, step - 1, 10), step);
        model.average(if step == 1 { 0.0 } else { golden.number("decay") });
        model.save(&path(step)).unwrap();
    }
    compare(&golden, "moving average", &mut model, Store::Average, "moving.safetensors", TOLERANCE);

    model.load(&Weights::open_file(&path(of[0])).unwrap(), &path(of[0]), 0).unwrap();
    for (index, &step) in of.iter().enumerate().skip(1) {
        crate::trainer::add_to_mean(std::slice::from_mut(&mut model), &path(step), index + 1).unwrap();
    }
    compare(&golden, "mean", &mut model, Store::Weights, "mean.safetensors", TOLERANCE);
}
