//! Searches run to their end without a trial being trained.

use serde_json::json;

use super::*;
use crate::{
    pruners::{Halving, Never},
    samplers::{Tpe, Uniform},
    space::{Distribution, Law, Parameter},
};

fn space() -> Space {
    let rate = Distribution::Number { law: Law::LogUniform { min: 1e-5, max: 1e-2 }, step: None };
    let batch = Distribution::Categorical { values: vec![json!(16), json!(32)], probabilities: None };
    Space::new(vec![Parameter::new("rate", rate), Parameter::new("batch", batch)]).unwrap()
}

fn settings() -> Settings {
    Settings { goal: Goal::Maximize, seed: 7, finalists: 2, seeds: vec![101, 102] }
}

fn study(pruner: Box<dyn Pruner>) -> Study {
    let given = vec![(
        Origin::Recipe,
        [("rate".to_owned(), json!(2e-5)), ("batch".to_owned(), json!(32))].into_iter().collect(),
    )];
    Study::new(space(), settings(), Some(Box::new(Tpe::new(7))), pruner, given)
}

/// The accuracy of a trial after so many of its evaluations.
fn accuracy(assignment: &Assignment, evaluation: u64) -> f64 {
    let rate = assignment["rate"].as_f64().unwrap();
    let best = 1.0 - (rate.log10() + 3.0).abs() / 4.0;
    best * (1.0 - 0.5f64.powi(evaluation as i32))
}

/// Runs a search with one worker, four evaluations a trial, writing down what happens; evaluations made in all.
fn run(study: &mut Study, limits: &Limits, journal: &mut Vec<Event>, mut most_events: usize) -> u64 {
    let mut evaluations = 0;
    let mut tell = |study: &mut Study, event: Event| {
        journal.push(event.clone());
        study.apply(&event);
    };
    loop {
        if most_events == 0 {
            return evaluations;
        }
        most_events -= 1;
        let left = study.trials().iter().find(|trial| trial.state == State::Running).map(|trial| trial.number);
        let number = match left {
            Some(trial) => trial,
            None => match study.next(limits, &[]) {
                Next::Begin { trial, origin, assignment } => {
                    tell(study, Event::Began { trial, origin, assignment, run: format!("t-{trial}") });
                    tell(study, Event::Planned { trial, evaluations: 4 });
                    trial
                }
                Next::Resume { trial } => {
                    tell(study, Event::Resumed { trial });
                    trial
                }
                Next::Rerun { trial, seed } => {
                    let score = Some(accuracy(&study.trial(trial).unwrap().assignment, 4) - f64::from(trial) * 1e-3);
                    let rerun = Rerun { trial, seed, run: String::new(), score, steps: 4, seconds: 1.0 };
                    tell(study, Event::Rerun(rerun));
                    continue;
                }
                Next::Done => return evaluations,
                Next::Wait => panic!("nothing is at work"),
            },
        };
        let trial = study.trial(number).unwrap();
        let made = trial.reports.len() as u64;
        if made == 4 {
            let score = trial.reports.iter().map(|report| report.value).fold(f64::MIN, f64::max);
            tell(study, Event::Finished { trial: number, score: Some(score), steps: 4 });
            continue;
        }
        let value = accuracy(&trial.assignment, made + 1);
        tell(study, Event::Reported { trial: number, step: made + 1, epoch: 0.0, value });
        evaluations += 1;
        match study.decide(number) {
            Decision::Continue => {}
            Decision::Pause => tell(study, Event::Paused { trial: number }),
            Decision::Stop => tell(study, Event::Stopped { trial: number }),
        }
    }
}

fn count(count: u32) -> Limits {
    Limits { count: Some(count), ..Limits::default() }
}

#[test]
fn the_recipe_is_tried_first_and_nothing_twice() {
    let mut study = study(Box::new(Never));
    run(&mut study, &count(30), &mut Vec::new(), usize::MAX);
    assert_eq!(study.trials().len(), 30);
    assert_eq!((study.trials()[0].origin, &study.trials()[0].assignment["rate"]), (Origin::Recipe, &json!(2e-5)));
    let tried: std::collections::HashSet<String> =
        study.trials().iter().map(|trial| serde_json::to_string(&trial.assignment).unwrap()).collect();
    assert_eq!(tried.len(), 30);
}

#[test]
fn a_search_that_was_cut_anywhere_goes_on_to_the_same_trials() {
    let mut whole = Vec::new();
    run(&mut study(Box::new(Halving::new(1, 2.0).unwrap())), &count(12), &mut whole, usize::MAX);
    for cut in [1, 2, 3, 10, 17, 40] {
        let mut first = study(Box::new(Halving::new(1, 2.0).unwrap()));
        let mut journal = Vec::new();
        run(&mut first, &count(12), &mut journal, cut);
        // The last line may not have reached the disk, or be all there is of a step; it is what makes the state, not what was meant.
        let mut again = study(Box::new(Halving::new(1, 2.0).unwrap()));
        journal.iter().for_each(|event| again.apply(event));
        run(&mut again, &count(12), &mut journal, usize::MAX);
        let trials = |events: &[Event]| {
            events
                .iter()
                .filter(|event| matches!(event, Event::Began { .. } | Event::Finished { .. }))
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(trials(&journal), trials(&whole), "cut after {cut}");
    }
}

#[test]
fn halving_pauses_and_finishes_the_best_for_less() {
    let mut plain = study(Box::new(Never));
    let mut pruned = study(Box::new(Halving::new(1, 2.0).unwrap()));
    let all = run(&mut plain, &count(16), &mut Vec::new(), usize::MAX);
    let some = run(&mut pruned, &count(16), &mut Vec::new(), usize::MAX);
    assert!(some < all * 3 / 4, "{some} of {all} evaluations");
    assert!(pruned.trials().iter().any(|trial| trial.state == State::Paused));
    assert!(!pruned.ranking().is_empty());
}

#[test]
fn fresh_seeds_decide_among_the_finalists() {
    let mut study = study(Box::new(Never));
    run(&mut study, &count(8), &mut Vec::new(), usize::MAX);
    let finalists: Vec<u32> = study.finalists().iter().map(|trial| trial.number).collect();
    assert_eq!(study.reruns().len(), 4);
    let choice = study.choice().unwrap();
    assert!(finalists.contains(&choice.trial.number));
    assert_eq!(choice.scores.len(), 2);
    assert!(choice.mean() < choice.trial.score);
}

#[test]
fn a_small_space_ends_when_everything_was_tried() {
    let values = vec![json!("a"), json!("b"), json!("c")];
    let parameter = Parameter::new("rate", Distribution::Categorical { values, probabilities: None });
    for sampler in [None, Some(Box::new(Uniform) as Box<dyn Sampler>)] {
        let space = Space::new(vec![parameter.clone()]).unwrap();
        let mut study =
            Study::new(space, Settings { seeds: Vec::new(), ..settings() }, sampler, Box::new(Never), Vec::new());
        for trial in 1..=3 {
            let Next::Begin { origin, assignment, .. } = study.next(&Limits::default(), &[]) else {
                panic!("trial {trial}")
            };
            study.apply(&Event::Began { trial, origin, assignment, run: String::new() });
            study.apply(&Event::Finished { trial, score: Some(0.5), steps: 1 });
        }
        assert_eq!(study.next(&Limits::default(), &[]), Next::Done);
    }
}

#[test]
fn a_target_ends_the_search_and_a_failure_does_not() {
    let mut study = study(Box::new(Never));
    let limits = Limits { target: Some(0.6), ..Limits::default() };
    let begin = |study: &mut Study, trial| match study.next(&limits, &[]) {
        Next::Begin { origin, assignment, .. } => {
            study.apply(&Event::Began { trial, origin, assignment, run: String::new() });
        }
        other => panic!("{other:?}"),
    };
    begin(&mut study, 1);
    study.apply(&Event::Failed { trial: 1, error: "out of memory".into() });
    begin(&mut study, 2);
    study.apply(&Event::Finished { trial: 2, score: Some(0.61), steps: 1 });
    assert_eq!(study.next(&limits, &[]), Next::Rerun { trial: 2, seed: 101 });
    assert_eq!(study.next(&limits, &[(2, 101)]), Next::Rerun { trial: 2, seed: 102 });
}

#[test]
fn events_survive_being_written_and_read() {
    let events = [
        Event::Reported { trial: 1, step: 5, epoch: 0.5, value: f64::NAN },
        Event::Finished { trial: 1, score: None, steps: 9 },
        Event::Rerun(Rerun { trial: 1, seed: 3, run: "r".into(), score: Some(0.5), steps: 2, seconds: 1.5 }),
    ];
    for event in events {
        let text = serde_json::to_string(&event).unwrap();
        let read: Event = serde_json::from_str(&text).unwrap();
        assert_eq!(format!("{read:?}"), format!("{event:?}"), "{text}");
    }
}
