//! What every pruner must keep to, tried on simulated searches: random curves with values that are not a number, trials of
//! different lengths, failures, several workers.

use proptest::prelude::*;

use super::{Curve, Decision, Halving, Hyperband, Median, Never, Pruner, State};

fn pruners() -> Vec<Box<dyn Pruner>> {
    vec![
        Box::new(Never),
        Box::new(Median { startup: 2, warmup: 1 }),
        Box::new(Hyperband::from_min_iter(1, 2.0, true).unwrap()),
        Box::new(Hyperband::from_max_iter(9, 2, 3.0, false).unwrap()),
        Box::new(Halving::new(1, 3.0).unwrap()),
        Box::new(Halving::new(2, 1.5).unwrap()),
    ]
}

/// What a trial would report if it ran to its end.
#[derive(Debug, Clone)]
struct Script {
    values: Vec<f64>,
    /// Fails after so many evaluations.
    fails: Option<usize>,
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![8 => (0..30u32).prop_map(|value| f64::from(value) / 10.0), 1 => Just(f64::NAN)]
}

fn script() -> impl Strategy<Value = Script> {
    let fails = prop_oneof![5 => Just(None), 1 => (0..6usize).prop_map(Some)];
    (prop::collection::vec(value(), 1..13), fails).prop_map(|(values, fails)| Script { values, fails })
}

fn scripts() -> impl Strategy<Value = Vec<Script>> {
    prop::collection::vec(script(), 1..14)
}

/// Runs a search as a study would, and returns what became of the trials.
fn search(pruner: &dyn Pruner, scripts: &[Script], workers: usize) -> Vec<Curve> {
    let mut history: Vec<Curve> = Vec::new();
    // Each round reports at least once, so this many are more than enough.
    for _ in 0..=scripts.iter().map(|script| script.values.len() + 1).sum() {
        while history.iter().filter(|curve| curve.state == State::Running).count() < workers {
            let more = history.len() < scripts.len();
            let promoted = if more { pruner.promote(&history) } else { pruner.finish(&history) };
            if let Some(trial) = promoted {
                let curve = history.iter_mut().find(|curve| curve.trial == trial).expect("a trial of this search");
                assert_eq!(curve.state, State::Paused, "{pruner:?} promotes trial {trial}, which is not paused");
                curve.state = State::Running;
            } else if more {
                let (trial, planned) = (history.len() as u32 + 1, scripts[history.len()].values.len() as u64);
                history.push(Curve { trial, values: vec![], planned: Some(planned), state: State::Running });
            } else {
                break;
            }
        }
        let busy: Vec<u32> = history.iter().filter(|curve| curve.state == State::Running).map(|c| c.trial).collect();
        if busy.is_empty() {
            return history;
        }
        for trial in busy {
            let (index, script) = (trial as usize - 1, &scripts[trial as usize - 1]);
            let done = history[index].values.len();
            if script.fails == Some(done) {
                history[index].state = State::Failed;
                continue;
            }
            history[index].values.push(script.values[done]);
            if done + 1 == script.values.len() {
                history[index].state = State::Finished;
                continue;
            }
            let decision = pruner.decide(trial, &history);
            assert_eq!(decision, pruner.decide(trial, &history.clone()), "{pruner:?} decides twice differently");
            history[index].state = match decision {
                Decision::Continue => State::Running,
                Decision::Stop => State::Stopped,
                Decision::Pause => State::Paused,
            };
        }
    }
    panic!("{pruner:?} pauses and promotes without end: {history:?}");
}

fn harshness(decision: Decision) -> u8 {
    match decision {
        Decision::Continue => 0,
        Decision::Pause => 1,
        Decision::Stop => 2,
    }
}

/// A trial in the middle of a search: the newest value of the first running one has just come in.
fn moment() -> impl Strategy<Value = Vec<Curve>> {
    let state = prop_oneof![
        Just(State::Running),
        Just(State::Paused),
        Just(State::Finished),
        Just(State::Stopped),
        Just(State::Failed)
    ];
    let curve = (prop::collection::vec(value(), 0..12), state);
    (prop::collection::vec(value(), 1..12), prop::collection::vec(curve, 0..12)).prop_map(|(first, others)| {
        let curves = std::iter::once((first, State::Running)).chain(others).zip(1..);
        curves.map(|((values, state), trial)| Curve { trial, values, planned: Some(12), state }).collect()
    })
}

proptest! {
    #[test]
    fn searches_end_promoting_only_what_is_paused(scripts in scripts(), workers in 1..4usize) {
        for pruner in pruners() {
            let history = search(&*pruner, &scripts, workers);
            prop_assert_eq!(history.len(), scripts.len());
        }
    }

    #[test]
    fn the_same_search_takes_the_same_course(scripts in scripts(), workers in 1..4usize) {
        for pruner in pruners() {
            let bits = |history: Vec<Curve>| history.into_iter().map(|curve| (curve.values.len(), curve.state)).collect::<Vec<_>>();
            let (once, again) = (search(&*pruner, &scripts, workers), search(&*pruner, &scripts, workers));
            prop_assert_eq!(bits(once), bits(again));
        }
    }

    #[test]
    fn some_trial_runs_to_its_end(mut scripts in scripts(), workers in 1..4usize) {
        for script in &mut scripts {
            script.fails = None;
            script.values.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = 9.0);
        }
        for pruner in pruners() {
            let history = search(&*pruner, &scripts, workers);
            prop_assert!(history.iter().any(|curve| curve.state == State::Finished), "{:?}: {:?}", pruner, history);
        }
    }

    #[test]
    fn a_worse_value_is_never_judged_more_kindly(mut history in moment(), worse in value()) {
        for pruner in pruners() {
            let before = *history[0].values.last().unwrap();
            let decision = pruner.decide(1, &history);
            *history[0].values.last_mut().unwrap() = if worse > before { worse } else { f64::NAN };
            prop_assert!(harshness(pruner.decide(1, &history)) >= harshness(decision), "{:?}", pruner);
            *history[0].values.last_mut().unwrap() = before;
        }
    }

    #[test]
    fn a_trial_that_failed_without_a_value_makes_no_other_look_bad(mut history in moment()) {
        for pruner in pruners() {
            let decision = pruner.decide(1, &history);
            let trial = history.len() as u32 + 1;
            history.push(Curve { trial, values: vec![], planned: Some(12), state: State::Failed });
            prop_assert!(harshness(pruner.decide(1, &history)) <= harshness(decision), "{:?}", pruner);
            history.pop();
        }
    }

    #[test]
    fn only_halving_pauses_and_it_never_stops(scripts in scripts(), workers in 1..4usize) {
        for pruner in pruners() {
            let halving = format!("{pruner:?}").starts_with("Halving");
            let unwanted = if halving { State::Stopped } else { State::Paused };
            prop_assert!(search(&*pruner, &scripts, workers).iter().all(|curve| curve.state != unwanted));
        }
    }

    #[test]
    fn what_was_interrupted_before_its_first_value_is_taken_up_again(scripts in scripts()) {
        for pruner in pruners() {
            let mut history = search(&*pruner, &scripts, 2);
            let trial = history.len() as u32 + 1;
            history.push(Curve { trial, values: vec![], planned: Some(5), state: State::Paused });
            prop_assert_eq!(pruner.promote(&history), Some(trial));
            prop_assert_eq!(pruner.finish(&history), Some(trial));
        }
    }
}
