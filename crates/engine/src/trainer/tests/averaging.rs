//! Means of weights: of several checkpoints once the training is over, and of all steps as it goes.

use super::*;
use crate::config::{Select, SwaConfig};

/// The weights of checkpoints of `run`, one after the other.
fn weights_of(run: &Run, steps: &[u64]) -> Vec<Vec<f32>> {
    steps.iter().map(|&step| run.model_of(step).download(Store::Weights).into_owned()).collect()
}

fn assert_mean(model: &mut crate::Model<crate::device::Cpu>, of: &[Vec<f32>]) {
    for (i, got) in model.download(Store::Weights).iter().enumerate() {
        let want = of.iter().map(|weights| f64::from(weights[i])).sum::<f64>() / of.len() as f64;
        assert!((f64::from(*got) - want).abs() < 1e-6, "{i}: {got} {want}");
    }
}

fn run(keep: usize, checkpoints: usize, select: Select) -> Run {
    let mut run = Run::with(|train| train.keep = keep);
    run.swa = SwaConfig { checkpoints, select };
    run
}

#[test]
fn every_mean_of_the_best_is_scored_and_that_asked_for_is_taken_if_it_is_better() {
    for (checkpoints, score, taken) in [(2, 1.0, 2), (3, 1.0, 3), (2, -1.0, 1), (1, 1.0, 1)] {
        let run = run(3, checkpoints, Select::Best);
        let mut script = Script::silent().averages_scoring(if score > 0.0 { |_| 1.0 } else { |_| -1.0 });
        let (outcome, mut model) = run.go(false, &mut script).unwrap();
        assert_eq!(steps_of(&outcome.best), [6, 9, 3]);
        let averaged = [2, 3].map(|checkpoints| Averaged { checkpoints, score });
        assert_eq!(outcome.choice, Some(Choice { averaged: averaged.to_vec(), checkpoints: taken }));
        let all = weights_of(&run, &[6, 9, 3]);
        assert_mean(&mut model, &all[..taken]);
        // What was scored are the outputs of the means.
        for (count, outputs) in &script.averages {
            let mut mean = run.model_of(6);
            let values: Vec<f32> =
                (0..all[0].len()).map(|i| all[..*count].iter().map(|w| w[i]).sum::<f32>() / *count as f32).collect();
            mean.upload(Store::Weights, &values);
            let (tokens, _) = rows();
            let valid: Vec<u32> = (0..ROWS as u32).filter(|row| row % 3 == 2).collect();
            let kept = &KeptRows::default();
            let want = mean.predict(&tokens, &valid, 4, kept, |_| ControlFlow::Continue(())).unwrap().unwrap();
            assert_eq!(outputs.len(), want.len());
            assert!(outputs.iter().zip(&want).all(|(got, want)| (got - want).abs() < 2e-2), "{count}");
        }
    }
}

#[test]
fn the_latest_are_kept_beside_the_best_and_their_mean_taken() {
    let run = run(2, 2, Select::Last);
    let (outcome, mut model) = run.go(false, &mut Script::silent().averages_scoring(|_| 1.0)).unwrap();
    assert_eq!(steps_of(&outcome.best), [6]);
    assert_mean(&mut model, &weights_of(&run, &[12, 9]));
    let names: Vec<_> = files(&run.checkpoints()).into_keys().collect();
    assert_eq!(names, [6, 9, 12].map(|step| run.checkpoint(step).file_name().unwrap().into()) as [PathBuf; 3]);
}

#[test]
fn as_many_checkpoints_are_kept_as_are_averaged() {
    let run = run(1, 3, Select::Best);
    let (outcome, _) = run.go(false, &mut Script::silent()).unwrap();
    assert_eq!(steps_of(&outcome.best), [6, 9, 3]);
}

#[test]
fn a_run_broken_off_while_it_averages_goes_on_to_the_same_bits() {
    let run = || run(3, 2, Select::Best);
    let want = run().end(false, &mut Script::silent().averages_scoring(|_| 1.0));
    let broken = run();
    let mut script = Script::once(Moment::Evaluated(9), Action::Save).averages_scoring(|_| 1.0);
    script.breaks_averaging = true;
    let (outcome, _) = broken.go(false, &mut script).unwrap();
    assert_eq!((outcome.reason, outcome.steps, outcome.choice), (StopReason::Interrupted, 12, None));
    let mut second = Script::silent().averages_scoring(|_| 1.0);
    assert!(broken.end(true, &mut second) == want);
    assert_eq!(second.resumed_at, Some(9));
}

/// As torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn(decay): the first update copies.
#[test]
fn the_moving_average_is_that_of_all_steps_and_is_what_is_evaluated_and_kept() {
    let plain = Run::with(|train| (train.evaluate_every, train.keep) = (EvaluateEvery::Steps(1), 12));
    plain.go(false, &mut Script::silent().scoring(rising)).unwrap();
    let every: Vec<Vec<f32>> = weights_of(&plain, &(1..=12).collect::<Vec<_>>());
    let mut want = every[0].clone();
    for weights in &every[1..] {
        want.iter_mut().zip(weights).for_each(|(mean, weight)| *mean += (1.0 - 0.8) * (weight - *mean));
    }
    let averaged = Run::with(|train| train.ema = 0.8);
    let (outcome, mut model) = averaged.go(false, &mut Script::silent().scoring(rising)).unwrap();
    assert_eq!(outcome.best[0].step, 12);
    for (i, got) in model.download(Store::Weights).iter().enumerate() {
        assert!((got - want[i]).abs() < 1e-6, "{i}: {got} {}", want[i]);
    }
    // Without evaluations the average is what is left as well.
    let mut silent = Run::with(|train| train.ema = 0.8);
    silent.validate = false;
    let (_, mut last) = silent.go(false, &mut Script::silent()).unwrap();
    assert!(bits(&mut last, Store::Weights) == bits(&mut model, Store::Weights));
}

#[test]
fn a_run_with_a_moving_average_that_is_stopped_anywhere_ends_with_the_same_bits() {
    let run = || Run::with(|train| train.ema = 0.8);
    let mut script = Script::silent();
    let want = run().end(false, &mut script);
    for moment in script.moments {
        let stopped = run();
        stopped.go(false, &mut Script::once(moment, Action::Stop)).unwrap();
        assert!(stopped.end(true, &mut Script::silent()) == want, "{moment:?}");
    }
}
