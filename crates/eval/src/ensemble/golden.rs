//! What other programs give for the same members: `tests/golden/honesty.json`, which `make_honesty.py` wrote. For tests.

use gyeol_data::{LabelSets, Task};
use serde::Deserialize;

use super::Aligned;
use crate::{Outputs, Predictions};

#[derive(Deserialize)]
pub(super) struct Golden {
    pub(super) two_classes: TwoClasses,
    pub(super) labels: Labels,
    pub(super) classes: Classes,
    pub(super) scores: Scores,
}

#[derive(Deserialize)]
pub(super) struct TwoClasses {
    pub(super) penalty: f64,
    pub(super) truth: Vec<u32>,
    pub(super) members: Vec<Vec<f32>>,
    pub(super) weights: Vec<f64>,
    pub(super) intercept: f64,
}

#[derive(Deserialize)]
pub(super) struct Labels {
    pub(super) penalty: f64,
    pub(super) truth: Vec<Vec<u32>>,
    pub(super) members: Vec<Vec<f32>>,
    /// By label, then by member.
    pub(super) weights: Vec<Vec<f64>>,
    pub(super) intercepts: Vec<f64>,
    /// Of the last member.
    pub(super) temperature: f64,
    pub(super) calibration_error: f64,
}

#[derive(Deserialize)]
pub(super) struct Classes {
    pub(super) penalty: f64,
    pub(super) truth: Vec<u32>,
    pub(super) members: Vec<Vec<f32>>,
    /// By member, then by class.
    pub(super) weights: Vec<Vec<f64>>,
    pub(super) intercepts: Vec<f64>,
    /// Of the last member.
    pub(super) temperature: f64,
    pub(super) calibration_error: f64,
    pub(super) agreement: Vec<Vec<f64>>,
    pub(super) error_correlation: Vec<Vec<f64>>,
    /// Of the first member.
    pub(super) accuracy_interval: [f64; 2],
    /// Of the second member's accuracy less the first's.
    pub(super) difference_interval: [f64; 2],
    pub(super) better: f64,
    pub(super) better_normal: f64,
}

#[derive(Deserialize)]
pub(super) struct Scores {
    pub(super) penalty: f64,
    pub(super) truth: Vec<f32>,
    pub(super) members: Vec<Vec<f32>>,
    pub(super) weights: Vec<f64>,
    pub(super) intercept: f64,
    pub(super) agreement: Vec<Vec<f64>>,
    pub(super) error_correlation: Vec<Vec<f64>>,
    /// Of the first member, as those below.
    pub(super) pearson_interval: [f64; 2],
    pub(super) spearman_interval: [f64; 2],
    pub(super) rmse_interval: [f64; 2],
}

pub(super) fn golden() -> Golden {
    serde_json::from_str(include_str!("../../tests/golden/honesty.json"))
        .expect("honesty.json is as make_honesty.py writes it")
}

impl Labels {
    pub(super) fn sets(&self) -> LabelSets {
        sets(2, &self.truth)
    }
}

/// Sets of `classes` labels.
pub(super) fn sets(classes: usize, rows: &[Vec<u32>]) -> LabelSets {
    let mut sets = LabelSets::new(classes);
    rows.iter().for_each(|row| sets.push(row.iter().copied()));
    sets
}

/// Members of these numbers for rows that are called r0, r1, ….
pub(super) fn aligned(task: Task, width: usize, members: &[Vec<f32>]) -> Aligned {
    let ids: Vec<String> = (0..members[0].len() / width).map(|row| format!("r{row}")).collect();
    let labels: Vec<String> = (0..width).map(|class| format!("c{class}")).collect();
    let outputs = |values: &Vec<f32>| match task {
        Task::Classification => Outputs::Probabilities { labels: labels.clone(), values: values.clone() },
        Task::MultiLabel => Outputs::IndependentProbabilities { labels: labels.clone(), values: values.clone() },
        Task::Regression => Outputs::Scores(values.clone()),
    };
    let predictions: Vec<Predictions> = members
        .iter()
        .map(|values| Predictions::new("id", ids.clone(), outputs(values)).expect("one id a row"))
        .collect();
    let named: Vec<(String, &Predictions)> =
        predictions.iter().zip(0..).map(|(of, at)| (format!("m{at}"), of)).collect();
    Aligned::new(&named, &ids).expect("members of one kind")
}

#[track_caller]
pub(super) fn check(name: &str, found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{name}: {found} where {expected} was expected");
}

/// Compares matrices, number by number.
#[track_caller]
pub(super) fn check_all(name: &str, found: &[Vec<f64>], expected: &[Vec<f64>], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.len(), expected.len(), "{name}");
        found.iter().zip(expected).for_each(|(&found, &expected)| check(name, found, expected, tolerance));
    }
}
