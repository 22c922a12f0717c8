//! Runs that are interrupted, or die, and go on: to the same bits as one that was not.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::*;
use crate::trainer::MOST_STALE;

/// Every moment of an unbroken run and what it leaves.
fn unbroken() -> (Vec<Moment>, End) {
    let mut script = Script::silent();
    let end = Run::new().end(false, &mut script);
    assert_eq!(steps_of(&end.outcome.best), [6, 9]);
    (script.moments, end)
}

/// Runs until `moment`, where the process ends without a word, or to the end; asks for one save after step `save_after`.
fn die_at(run: &Run, moment: Option<Moment>, save_after: u64) {
    let mut script = Script::new(|now| match now {
        now if Some(now) == moment => resume_unwind(Box::new("killed")),
        Moment::Step(step) if step == save_after => Action::Save,
        _ => Action::Continue,
    });
    let died = catch_unwind(AssertUnwindSafe(|| run.go(false, &mut script).unwrap())).is_err();
    assert_eq!(died, moment.is_some());
}

#[test]
fn a_run_stopped_anywhere_and_resumed_ends_with_the_same_bits() {
    let (moments, want) = unbroken();
    // Twelve steps, and four evaluations of ten rows in three batches.
    assert_eq!(moments.len(), 12 + 4 * (3 + 1));
    for moment in moments {
        let run = Run::new();
        let mut first = Script::once(moment, Action::Stop);
        let (outcome, _) = run.go(false, &mut first).unwrap();
        assert_eq!((outcome.reason, outcome.steps), (StopReason::Interrupted, first.step), "{moment:?}");
        assert_eq!(first.saves, [first.step]);

        let mut second = Script::silent();
        assert!(run.end(true, &mut second) == want, "{moment:?}");
        assert_eq!(second.resumed_at, Some(first.step));
        let taken: Vec<u64> = first.losses.iter().chain(&second.losses).map(|(step, _)| *step).collect();
        assert_eq!(taken, (1..=12).collect::<Vec<_>>(), "{moment:?}: a step is taken twice or left out");
        let evaluated: Vec<u64> = first.outputs.iter().chain(&second.outputs).map(|(step, _)| *step).collect();
        assert_eq!(evaluated, [3, 6, 9, 12], "{moment:?}");
    }
}

#[test]
fn a_run_stopped_after_every_step_and_evaluation_ends_with_the_same_bits() {
    let (_, want) = unbroken();
    let run = Run::new();
    let mut legs = 0;
    let end = loop {
        let mut script =
            Script::new(|now| if matches!(now, Moment::Rows(..)) { Action::Continue } else { Action::Stop });
        let end = run.end(true, &mut script);
        if end.outcome.reason != StopReason::Interrupted {
            break end;
        }
        legs += 1;
    };
    assert_eq!(legs, 12 + 4);
    assert!(end == want);
}

#[test]
fn a_run_that_dies_goes_on_from_what_it_saved_whatever_the_lost_part_left_behind() {
    let (moments, want) = unbroken();
    // After step 6 an evaluation is due, which the save waits for; after step 7 none.
    for save_after in [6, 7] {
        let saved = moments.iter().position(|&moment| moment == Moment::Step(save_after)).unwrap();
        // Within an evaluation nothing is written: of its batches the first stands for all.
        let lost = moments[saved + 1..].iter().filter(|moment| !matches!(moment, Moment::Rows(_, 5..)));
        for death in lost.copied().map(Some).chain([None]) {
            let run = Run::new();
            die_at(&run, death, save_after);
            let state = run.saved().map(|saved| saved["state"]["step"].as_u64().unwrap());
            let mut script = Script::silent();
            assert!(run.end(true, &mut script) == want, "saved after step {save_after}, died at {death:?}");
            assert_eq!(script.resumed_at, state);
        }
    }
}

#[test]
fn a_run_that_dies_before_it_saved_begins_anew() {
    let (_, want) = unbroken();
    let run = Run::new();
    die_at(&run, Some(Moment::Evaluated(9)), 0);
    let mut script = Script::silent();
    assert!(run.end(true, &mut script) == want);
    assert_eq!(script.resumed_at, None);
}

#[test]
fn a_state_is_left_alone_without_resume() {
    let (_, want) = unbroken();
    let run = Run::new();
    run.go(false, &mut Script::once(Moment::Step(5), Action::Stop)).unwrap();
    let mut script = Script::silent();
    assert!(run.end(false, &mut script) == want);
    assert_eq!(script.resumed_at, None);
}

#[test]
fn a_run_stopped_where_its_patience_ended_takes_no_further_step() {
    let patient = || Run::with(|train| (train.evaluate_every, train.patience) = (EvaluateEvery::Steps(1), 2));
    let want = patient().end(false, &mut Script::silent());
    assert_eq!((want.outcome.reason, want.outcome.steps), (StopReason::Patience, 8));
    let run = patient();
    run.go(false, &mut Script::once(Moment::Evaluated(8), Action::Stop)).unwrap();
    let mut script = Script::silent();
    assert!(run.end(true, &mut script) == want);
    assert_eq!(script.losses, []);
}

#[test]
fn a_save_asked_for_while_an_evaluation_is_due_follows_the_evaluation() {
    let run = Run::new();
    let mut script = Script::once(Moment::Step(3), Action::Save);
    run.go(false, &mut script).unwrap();
    assert_eq!(script.saves, [3]);
    let saved = run.saved().unwrap();
    assert_eq!((&saved["state"]["step"], &saved["state"]["evaluation_due"]), (&json!(3), &json!(false)));
    assert_eq!(saved["state"]["best"][0][0], 3);
}

#[test]
fn a_checkpoint_file_stays_as_long_as_the_saved_state_lists_it() {
    let run = Run::with(|train| (train.evaluate_every, train.keep) = (EvaluateEvery::Steps(1), 1));
    let mut most = 0;
    let mut script = Script::new(|now| {
        if let Some(saved) = run.saved() {
            for kept in saved["state"]["best"].as_array().unwrap() {
                assert!(run.checkpoint(kept[0].as_u64().unwrap()).exists(), "{now:?}: {kept} is gone");
            }
        }
        most = most.max(files(&run.checkpoints()).len());
        if now == Moment::Evaluated(2) { Action::Save } else { Action::Continue }
    })
    .scoring(rising);
    run.go(false, &mut script).unwrap();
    // More than `MOST_STALE` files to remove call for a save by themselves.
    assert_eq!(script.saves, [2, 11]);
    drop(script);
    assert_eq!(most, 1 + MOST_STALE + 1, "the one kept, and those that fell out since the last save");
    assert_eq!(files(&run.checkpoints()).len(), 1);
}

#[test]
fn a_file_that_outlived_the_save_that_dropped_it_is_removed_on_resuming() {
    let run = Run::with(|train| train.evaluate_every = EvaluateEvery::Steps(1));
    let mut script = Script::new(|now| match now {
        Moment::Evaluated(3) => {
            fs::copy(run.checkpoint(1), run.dir.path().join("first")).unwrap();
            Action::Stop
        }
        _ => Action::Continue,
    })
    .scoring(rising);
    run.go(false, &mut script).unwrap();
    assert!(!run.checkpoint(1).exists());
    // As if the process had ended between the two.
    fs::rename(run.dir.path().join("first"), run.checkpoint(1)).unwrap();
    run.go(true, &mut Script::silent().scoring(rising)).unwrap();
    assert_eq!(files(&run.checkpoints()).len(), 2);
}

#[test]
fn a_balanced_run_stopped_and_resumed_ends_with_the_same_bits() {
    let balanced = || Run { balance: true, ..Run::new() };
    let want = balanced().end(false, &mut Script::silent());
    assert!(want != Run::new().end(false, &mut Script::silent()), "balancing changes nothing");
    let run = balanced();
    run.go(false, &mut Script::once(Moment::Step(5), Action::Stop)).unwrap();
    assert!(run.end(true, &mut Script::silent()) == want);
}

#[test]
fn a_run_that_ends_early_has_the_weights_of_that_step_of_the_whole_schedule() {
    let short = Run { validate: false, stop_after: Some(6), ..Run::new() };
    let (outcome, mut ended) = short.go(false, &mut Script::silent()).unwrap();
    assert_eq!((outcome.reason, outcome.steps), (StopReason::Finished, 6));
    let whole = Run { validate: false, ..Run::new() };
    let (stopped, mut there) = whole.go(false, &mut Script::once(Moment::Step(6), Action::Stop)).unwrap();
    assert_eq!((stopped.reason, stopped.steps), (StopReason::Interrupted, 6));
    assert_eq!(bits(&mut ended, Store::Weights), bits(&mut there, Store::Weights));
    let longer = Run { validate: false, stop_after: Some(1000), ..Run::new() };
    assert_eq!(longer.go(false, &mut Script::silent()).unwrap().0.steps, 12);
}
