//! The methods of ensembles against scikit-learn and numpy; `golden/make_ensemble_methods.py` wrote the expected values.

use gyeol_data::LabelSets;
use gyeol_eval::{
    Metric, Outputs, Predictions, Truth,
    ensemble::{Aligned, Fitted, Method, Rule},
};
use serde::Deserialize;

/// Predictions are kept in single precision.
const TOLERANCE: f32 = 1e-6;

#[derive(Deserialize)]
struct Golden {
    classes: Vec<Case<u32, u32>>,
    labels: Vec<Case<Vec<u32>, Vec<u32>>>,
    regression: Vec<Scores>,
}

#[derive(Deserialize)]
struct Weights {
    metric: Metric,
    weighted: Vec<f64>,
    sharpened: Vec<f64>,
    greedy: Vec<f64>,
    /// The best score of the first three members over a grid of weights, 0.02 apart.
    grid: f64,
}

#[derive(Deserialize)]
struct Case<T, P> {
    truth: Vec<T>,
    members: Vec<Vec<f32>>,
    width: usize,
    soft: Vec<f32>,
    /// The mean with weights in proportion to 1, 2, 3, ….
    ramp: Vec<f32>,
    geometric: Vec<f32>,
    hard: Vec<P>,
    shares: Vec<f32>,
    ties: usize,
    #[serde(flatten)]
    weights: Weights,
}

#[derive(Deserialize)]
struct Scores {
    truth: Vec<f32>,
    members: Vec<Vec<f32>>,
    /// Rows that nothing was fitted to.
    new: Vec<Vec<f32>>,
    soft: Vec<f32>,
    rank: Vec<f32>,
    bucket_count: usize,
    buckets: Vec<f32>,
    ties: usize,
    #[serde(flatten)]
    weights: Weights,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/ensemble_methods.json")).expect("the golden file is valid")
}

fn aligned(members: &[Vec<f32>], outputs: impl Fn(Vec<f32>) -> Outputs) -> Aligned {
    let predictions: Vec<(String, Predictions)> = members
        .iter()
        .enumerate()
        .map(|(member, values)| {
            let outputs = outputs(values.clone());
            let ids = (0..outputs.rows()).map(|row| format!("{row:03}")).collect();
            (format!("m{member}"), Predictions::new("id", ids, outputs).unwrap())
        })
        .collect();
    let named: Vec<_> = predictions.iter().map(|(name, predictions)| (name.clone(), predictions)).collect();
    Aligned::new(&named, predictions[0].1.ids()).unwrap()
}

fn labels(width: usize) -> Vec<String> {
    (0..width).map(|label| label.to_string()).collect()
}

#[track_caller]
fn check(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= TOLERANCE, "number {row}: {found} and not {expected}");
    }
}

#[track_caller]
fn check_weights(fitted: &Fitted, expected: &[f64]) {
    let found = fitted.weights().expect("it has weights");
    let near = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-9);
    assert!(near && found.len() == expected.len(), "{found:?} and not {expected:?}");
}

/// What is the same for all tasks: weights from scores, greedy selection, and the search on the simplex.
#[track_caller]
fn check_fitted_weights(members: &Aligned, truth: Truth<'_>, expected: &Weights) {
    let fit = |method, members: &Aligned| Fitted::new(method, members, truth, expected.metric).unwrap();
    check_weights(&fit(Method::Weighted, members), &expected.weighted);
    check_weights(&fit(Method::Sharpened { temperature: 0.02 }, members), &expected.sharpened);
    check_weights(&fit(Method::Greedy { steps: 15 }, members), &expected.greedy);
    let three = members.keep(&[0, 1, 2]);
    let found = expected.metric.measure(&fit(Method::Simplex, &three).combine(&three).unwrap(), truth).unwrap();
    let worse = expected.metric.better(Some(expected.grid), found);
    let found = found.expect("the metric is defined");
    assert!(!worse || (found - expected.grid).abs() < 1e-9, "{found} where a grid has {}", expected.grid);
}

#[test]
fn classes_are_combined_as_by_scikit_learn_and_numpy() {
    for case in golden().classes {
        let outputs = |values| Outputs::Probabilities { labels: labels(case.width), values };
        let (members, truth) = (aligned(&case.members, outputs), Truth::Classes(&case.truth));
        let fit = |method| Fitted::new(method, &members, truth, case.weights.metric).unwrap();
        let combine = |method| fit(method).combine(&members).unwrap();
        check(combine(Method::Soft).values(), &case.soft);
        check(combine(Method::Geometric).values(), &case.geometric);
        let hard = combine(Method::Hard);
        check(hard.values(), &case.shares);
        assert_eq!(hard.argmax(), case.hard);
        assert_eq!(fit(Method::Hard).ties(&members).unwrap(), Some(case.ties));
        check_ramp(fit(Method::Soft), &members, &case.ramp);
        check_fitted_weights(&members, truth, &case.weights);
    }
}

#[test]
fn label_sets_are_combined_as_by_numpy() {
    for case in golden().labels {
        let mut sets = LabelSets::new(case.width);
        case.truth.iter().for_each(|set| sets.push(set.iter().copied()));
        let outputs = |values| Outputs::IndependentProbabilities { labels: labels(case.width), values };
        let (members, truth) = (aligned(&case.members, outputs), Truth::Sets(&sets));
        let fit = |method| Fitted::new(method, &members, truth, case.weights.metric).unwrap();
        let combine = |method| fit(method).combine(&members).unwrap();
        check(combine(Method::Soft).values(), &case.soft);
        check(combine(Method::Geometric).values(), &case.geometric);
        let hard = combine(Method::Hard);
        check(hard.values(), &case.shares);
        let expected: Vec<&[u32]> = case.hard.iter().map(Vec::as_slice).collect();
        assert_eq!(hard.label_sets().iter().collect::<Vec<_>>(), expected);
        assert_eq!(fit(Method::Hard).ties(&members).unwrap(), Some(case.ties));
        check_ramp(fit(Method::Soft), &members, &case.ramp);
        check_fitted_weights(&members, truth, &case.weights);
    }
}

#[test]
fn scores_are_combined_as_by_numpy_and_scipy() {
    for case in golden().regression {
        let members = aligned(&case.members, Outputs::Scores);
        let (new, truth) = (aligned(&case.new, Outputs::Scores), Truth::Scores(&case.truth));
        let fit = |method| Fitted::new(method, &members, truth, case.weights.metric).unwrap();
        let combine = |method| fit(method).combine(&new).unwrap();
        check(combine(Method::Soft).values(), &case.soft);
        check(combine(Method::Rank).values(), &case.rank);
        let buckets = Method::Buckets { buckets: case.bucket_count };
        check(combine(buckets).values(), &case.buckets);
        assert_eq!(fit(buckets).ties(&new).unwrap(), Some(case.ties));
        check_fitted_weights(&members, truth, &case.weights);
    }
}

/// Weights of a file, not those that were fitted.
#[track_caller]
fn check_ramp(fitted: Fitted, members: &Aligned, expected: &[f32]) {
    let count = members.members().len();
    let weights = (1..=count).map(|weight| weight as f64 / (count * (count + 1) / 2) as f64).collect();
    check(Fitted { rule: Rule::Mean { weights }, ..fitted }.combine(members).unwrap().values(), expected);
}
