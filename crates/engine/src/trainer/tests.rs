//! What a run does. Here: one that nothing interrupts; `resume` interrupts runs, `refusals` are those that cannot go on,
//! `fixture` is what they share.

mod averaging;
mod fixture;
mod masked_lm;
mod refusals;
mod resume;

use std::fs;

use gyeol_kernels::Operands;
use serde_json::json;

use super::*;
use crate::config::EvaluateEvery;
use crate::device::Store;
use crate::kept::KeptRows;
use fixture::*;

#[test]
fn unshuffled_rows_are_trained_on_in_the_order_of_the_file_and_the_last_window_is_partial() {
    let mut run = Run::with(|train| train.shuffle = false);
    run.validate = false;
    let mut script = Script::silent();
    let (outcome, mut model) = run.go(false, &mut script).unwrap();
    let choice = Some(Choice { averaged: Vec::new(), checkpoints: 1 });
    assert_eq!(outcome, Outcome { reason: StopReason::Finished, steps: 12, best: Vec::new(), choice });
    assert!(bits(&mut model, Store::Weights) == bits(&mut run.by_hand(), Store::Weights));
}

#[test]
fn shuffled_epochs_differ_from_the_order_of_the_file() {
    let mut run = Run::new();
    run.validate = false;
    let (_, mut model) = run.go(false, &mut Script::silent()).unwrap();
    assert!(bits(&mut model, Store::Weights) != bits(&mut run.by_hand(), Store::Weights));
}

#[test]
fn without_rows_to_evaluate_the_last_weights_stay_and_nothing_is_written() {
    let mut run = Run::new();
    run.validate = false;
    let mut script = Script::silent();
    let (_, mut model) = run.go(false, &mut script).unwrap();
    let every_step: Vec<Moment> = (1..=12).map(Moment::Step).collect();
    assert_eq!(script.moments, every_step);
    assert_eq!(fs::read_dir(run.dir.path()).unwrap().count(), 0);

    // Evaluations draw nothing: with them the last step has the same weights.
    let last = Run::new();
    let (outcome, mut evaluated) = last.go(false, &mut Script::silent().scoring(rising)).unwrap();
    assert_eq!(steps_of(&outcome.best), [12, 9]);
    assert!(bits(&mut model, Store::Weights) == bits(&mut evaluated, Store::Weights));
}

#[test]
fn the_model_holds_the_best_weights_at_the_end_and_the_best_files_remain() {
    let run = Run::new();
    let mut script = Script::silent();
    let (outcome, mut model) = run.go(false, &mut script).unwrap();
    assert_eq!((outcome.reason, outcome.steps, steps_of(&outcome.best)), (StopReason::Finished, 12, vec![6, 9]));
    assert_eq!(script.improved, [3, 6]);
    let names: Vec<_> = files(&run.checkpoints()).into_keys().collect();
    assert_eq!(names, [6, 9].map(|step| run.checkpoint(step).file_name().unwrap().into()) as [PathBuf; 2]);

    let mut six = run.model_of(6);
    assert!(bits(&mut model, Store::Weights) == bits(&mut six, Store::Weights));

    // And they are those the evaluation of step 6 saw.
    let (tokens, _) = rows();
    let valid: Vec<u32> = (0..ROWS as u32).filter(|row| row % 3 == 2).collect();
    let outputs =
        six.predict(&tokens, &valid, 10, &KeptRows::default(), |_| ControlFlow::Continue(())).unwrap().unwrap();
    assert_eq!(script.outputs[1], (6, outputs));
}

#[test]
fn training_lowers_the_loss() {
    let mut run = Run::with(|train| train.epochs = 20);
    run.validate = false;
    let mut script = Script::silent();
    run.go(false, &mut script).unwrap();
    let mean = |steps: &[(u64, f64)]| steps.iter().map(|step| step.1).sum::<f64>() / steps.len() as f64;
    let (first, last) = (mean(&script.losses[..4]), mean(&script.losses[76..]));
    assert!(last < 0.7 * first, "{first} to {last}");
}

#[test]
fn max_steps_decides_over_the_epochs_and_the_last_step_is_evaluated() {
    for (max_steps, evaluations) in [(5, vec![3, 5]), (14, vec![3, 6, 9, 12, 14])] {
        let run = Run::with(|train| train.max_steps = max_steps);
        let mut script = Script::silent();
        let (outcome, _) = run.go(false, &mut script).unwrap();
        assert_eq!((outcome.reason, outcome.steps), (StopReason::Finished, max_steps));
        let at: Vec<u64> = script.outputs.iter().map(|(step, _)| *step).collect();
        assert_eq!(at, evaluations);
    }
}

#[test]
fn patience_ends_the_run_after_so_many_evaluations_without_improvement() {
    let run = Run::with(|train| (train.evaluate_every, train.patience) = (EvaluateEvery::Steps(1), 2));
    let (outcome, mut model) = run.go(false, &mut Script::silent()).unwrap();
    assert_eq!((outcome.reason, outcome.steps, outcome.best[0].step), (StopReason::Patience, 8, 6));
    let mut six = run.model_of(6);
    assert!(bits(&mut model, Store::Weights) == bits(&mut six, Store::Weights));
}

#[test]
fn however_a_window_falls_into_batches_it_is_the_same_step() {
    let run = |(operands, epochs), batch_size, accumulate| {
        let change = |train: &mut TrainConfig| {
            (train.epochs, train.batch_size, train.accumulate) = (epochs, batch_size, accumulate);
        };
        let mut run = Run::with(change);
        (run.operands, run.dropout, run.validate) = (operands, 0.0, false);
        run.go(false, &mut Script::silent()).unwrap().1
    };
    // In bfloat16 a difference in the last bit sooner or later turns a rounding, and grows: fewer steps.
    let (single, usual) = ((Operands::F32, 3), (Run::new().operands, 1));
    for (how, batch_size, accumulate) in
        [single, usual].into_iter().flat_map(|how| [(3, 2), (2, 3), (1, 6)].map(|(b, a)| (how, b, a)))
    {
        let mut whole = run(how, 6, 1);
        let mut parts = run(how, batch_size, accumulate);
        let (got, want) = (parts.download(Store::Weights).into_owned(), whole.download(Store::Weights).into_owned());
        // The true gradient of an attention key's bias is zero: what is there is rounding, which Adam amplifies.
        for tensor in whole.table().tensors().iter().filter(|tensor| !tensor.name.ends_with(".key.bias")) {
            for i in tensor.span.start..tensor.span.end() {
                assert!((got[i] - want[i]).abs() < 1e-5, "{} with {batch_size}: {} {}", tensor.name, got[i], want[i]);
            }
        }
    }
}

#[test]
fn rows_of_weight_one_train_to_the_bits_of_rows_without_weights_and_others_do_not() {
    let end = |row_weights: Option<Vec<f32>>| {
        let mut run = Run::new();
        run.row_weights = row_weights;
        run.end(false, &mut Script::silent())
    };
    let plain = end(None);
    assert!(end(Some(vec![1.0; ROWS as usize])) == plain);
    let mut weights = vec![1.0; ROWS as usize];
    weights[0] = 4.0;
    assert!(end(Some(weights)) != plain);
}

#[test]
fn a_row_that_weighs_nothing_teaches_nothing() {
    let weights = |row: u32| if row.is_multiple_of(5) { 0.0 } else { 1.0 };
    let mut weighted = Run::with(|train| train.shuffle = false);
    (weighted.dropout, weighted.validate) = (0.0, false);
    weighted.row_weights = Some((0..ROWS as u32).map(weights).collect());
    let (_, mut model) = weighted.go(false, &mut Script::silent()).unwrap();
    let mut by_hand = weighted.by_hand();
    let (got, want) = (model.download(Store::Weights).into_owned(), by_hand.download(Store::Weights).into_owned());
    for tensor in model.table().tensors().iter().filter(|tensor| !tensor.name.ends_with(".key.bias")) {
        for i in tensor.span.start..tensor.span.end() {
            assert!((got[i] - want[i]).abs() < 1e-5, "{}: {} {}", tensor.name, got[i], want[i]);
        }
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let [one, two] = [1, 2].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Run::new().end(false, &mut Script::silent()))
    });
    assert!(one == two);
}
