//! States that a run cannot go on from, and losses that cannot be trained on.

use serde_json::Value;

use super::*;
use crate::hf::HfError;

/// A run stopped after step 5, with its state on the disk.
fn stopped() -> Run {
    let run = Run::new();
    run.go(false, &mut Script::once(Moment::Step(5), Action::Stop)).unwrap();
    run
}

fn refusal(run: &Run) -> TrainError {
    let mut script = Script::silent();
    let error = run.go(true, &mut script).unwrap_err();
    assert_eq!((script.resumed_at, script.moments.len()), (None, 0), "{error}");
    error
}

/// Rewrites `state.json`.
fn edit(run: &Run, change: impl FnOnce(&mut Value)) {
    let mut saved = run.saved().unwrap();
    change(&mut saved);
    fs::write(run.state().join("state.json"), saved.to_string()).unwrap();
}

#[test]
fn a_state_of_another_run_is_refused() {
    let mut run = stopped();
    run.fingerprint = "another run";
    let error = refusal(&run);
    assert!(matches!(&error, TrainError::State { path, .. } if *path == run.state()), "{error:?}");
    assert!(error.to_string().contains("another recipe, table or base model; start a new run"), "{error}");
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn a_state_of_another_format_is_refused() {
    let run = stopped();
    edit(&run, |saved| saved["format"] = json!(9));
    let error = refusal(&run);
    assert!(matches!(error, TrainError::State { .. }), "{error:?}");
    assert!(error.to_string().contains("its format is 9, this version reads 2"), "{error}");
}

#[test]
fn a_state_of_another_model_is_refused() {
    let run = stopped();
    edit(&run, |saved| saved["parameters"] = json!(10));
    let error = refusal(&run);
    assert!(matches!(error, TrainError::State { .. }), "{error:?}");
    assert!(error.to_string().contains("it has 10 parameters, the model"), "{error}");
}

#[test]
fn a_damaged_position_is_an_error_that_names_the_file() {
    let run = stopped();
    let path = run.state().join("state.json");
    let text = fs::read(&path).unwrap();
    for damaged in [&b""[..], b"{}", &text[..text.len() / 2]] {
        fs::write(&path, damaged).unwrap();
        let error = refusal(&run);
        assert!(matches!(error, TrainError::File(HfError::Json { .. })), "{error:?}");
        assert!(error.to_string().contains("state.json"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn a_position_beyond_the_epoch_is_refused() {
    let run = stopped();
    edit(&run, |saved| saved["state"]["window"] = json!(4));
    let error = refusal(&run);
    assert!(matches!(error, TrainError::State { .. }), "{error:?}");
    assert!(error.to_string().contains("it stands 4 steps into an epoch of 4"), "{error}");
}

#[test]
fn damaged_arenas_are_an_error_that_names_the_file() {
    let run = stopped();
    let path = run.state().join("arenas.safetensors");
    let bytes = fs::read(&path).unwrap();
    for length in [0, 20, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).unwrap();
        let error = refusal(&run);
        assert!(matches!(error, TrainError::File(HfError::File { .. } | HfError::Tensor { .. })), "{error:?}");
        assert!(error.to_string().contains("arenas.safetensors"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(refusal(&run), TrainError::File(HfError::Missing { .. })));
}

#[test]
fn a_best_checkpoint_that_is_gone_is_named() {
    let run = Run::new();
    run.go(false, &mut Script::once(Moment::Evaluated(12), Action::Stop)).unwrap();
    fs::remove_file(run.checkpoint(6)).unwrap();
    let error = run.go(true, &mut Script::silent()).unwrap_err();
    assert!(error.to_string().contains("step-00000006.safetensors: not found"), "{error}");
}

#[test]
fn a_loss_that_is_not_finite_names_the_step_and_leaves_the_saved_state() {
    let run = Run::with(|train| (train.learning_rate, train.max_grad_norm) = (1e30, 0.0));
    // The warm-up starts at 0: the weights explode in step 2, the loss of step 3 shows it.
    let mut script = Script::once(Moment::Step(1), Action::Save);
    let error = run.go(false, &mut script).unwrap_err();
    assert!(matches!(error, TrainError::Diverged(Divergence { step: 3, .. })), "{error:?}");
    assert!(error.to_string().starts_with("step 3: the loss is"), "{error}");
    assert!(error.to_string().contains("lower the learning rate"), "{error}");
    assert_eq!(error.exit_code(), 1);
    assert_eq!(run.saved().unwrap()["state"]["step"], 1);
}

#[test]
fn a_training_that_goes_off_ends_with_the_best_checkpoint_from_before() {
    let run = Run::with(|train| {
        (train.learning_rate, train.max_grad_norm, train.evaluate_every) = (1e30, 0.0, EvaluateEvery::Steps(1));
    });
    let mut script = Script::silent().scoring(|step| -(step as f64));
    let (outcome, mut model) = run.go(false, &mut script).unwrap();
    assert!(matches!(outcome.reason, StopReason::Diverged(Divergence { step: 3, .. })), "{:?}", outcome.reason);
    assert_eq!((outcome.best[0].step, script.step), (1, 2));
    assert!(bits(&mut model, Store::Weights) == bits(&mut run.model_of(1), Store::Weights));
}
