//! Adjustments and shares against scikit-learn, SciPy and NumPy; `tests/golden/make_submission.py` wrote the expected values.

use serde::Deserialize;

use super::{Adjustment, AdjustmentKind, ClassShares};
use crate::{Outputs, Truth};

#[derive(Deserialize)]
struct Golden {
    isotonic: Vec<Curve>,
    quantile: Vec<Curve>,
    prior: Vec<Prior>,
    shares: Vec<Shares>,
}

#[derive(Deserialize)]
struct Curve {
    x: Vec<f32>,
    y: Vec<f32>,
    at: Vec<f32>,
    expected: Vec<f64>,
}

#[derive(Deserialize)]
struct Prior {
    classes: usize,
    p: Vec<f32>,
    truth: Vec<u32>,
    expected: Vec<u32>,
}

#[derive(Deserialize)]
struct Shares {
    training: Vec<u64>,
    predicted: Vec<u64>,
    chi_square: f64,
    p_value: f64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../tests/golden/submission.json")).unwrap()
}

fn labels(count: usize) -> Vec<String> {
    (0..count).map(|label| label.to_string()).collect()
}

fn check_curves(kind: AdjustmentKind, cases: &[Curve]) {
    for case in cases {
        let fitted = Adjustment::fit(kind, &Outputs::Scores(case.x.clone()), Truth::Scores(&case.y)).unwrap();
        let adjusted = fitted.apply(&Outputs::Scores(case.at.clone())).unwrap();
        assert_eq!((adjusted.values().len(), case.at.len()), (case.expected.len(), case.expected.len()));
        for ((x, found), expected) in case.at.iter().zip(adjusted.values()).zip(&case.expected) {
            // Results are single numbers of single precision.
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{kind:?} at {x}: {found} {expected}");
        }
    }
}

#[test]
fn isotonic_regression_is_that_of_scikit_learn() {
    check_curves(AdjustmentKind::Isotonic, &golden().isotonic);
}

#[test]
fn quantile_mapping_is_that_of_numpy() {
    check_curves(AdjustmentKind::Quantile, &golden().quantile);
}

#[test]
fn corrected_classes_are_the_best_assignment_to_the_true_counts() {
    for case in golden().prior {
        let outputs = Outputs::Probabilities { labels: labels(case.classes), values: case.p };
        let fitted = Adjustment::fit(AdjustmentKind::Prior, &outputs, Truth::Classes(&case.truth)).unwrap();
        assert_eq!(fitted.apply(&outputs).unwrap().argmax(), case.expected);
    }
}

#[test]
fn shares_are_compared_as_scipy_does() {
    for case in golden().shares {
        let one_hot = |class: usize| (0..case.predicted.len()).map(move |other| if other == class { 1.0 } else { 0.0 });
        let rows =
            case.predicted.iter().enumerate().flat_map(|(class, &rows)| std::iter::repeat_n(class, rows as usize));
        let outputs =
            Outputs::Probabilities { labels: labels(case.predicted.len()), values: rows.flat_map(one_hot).collect() };
        let shares = ClassShares::of(&outputs, &case.training).unwrap();
        assert!((shares.chi_square / case.chi_square - 1.0).abs() < 1e-12, "{} {}", shares.chi_square, case.chi_square);
        assert!((shares.p_value / case.p_value - 1.0).abs() < 1e-9, "{} {}", shares.p_value, case.p_value);
    }
}
