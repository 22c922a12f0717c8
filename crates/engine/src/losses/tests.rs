//! Every loss against PyTorch, value and gradient (`tests/golden/make_losses.py`), and what holds for all of them: the gradient
//! is the slope, a window is the same however it falls into batches, and classes are only names.

use std::path::Path;

use gyeol_data::Targets;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use super::{ClassTargets, Loss, ScoreBuckets, ScoreScale, loss};

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn floats(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|number| number as f32).collect()
}

/// The mean loss of all rows and its gradient.
fn mean(of: &Loss, outputs: &[f32], targets: &Targets) -> (f64, Vec<f32>) {
    let weight = 1.0 / of.total_weight(targets);
    let (total, gradient) = loss(of, outputs, targets, weight);
    (total * weight, gradient)
}

/// The loss of a case, and which inputs it is for.
fn loss_of(case: &Value, inputs: &Value) -> (Loss, &'static str) {
    let number = |key: &str| case[key].as_f64().unwrap();
    let targets = || ClassTargets {
        weights: case["weights"].is_array().then(|| numbers(&case["weights"])),
        label_smoothing: number("label_smoothing"),
    };
    match case["loss"].as_str().unwrap() {
        "cross_entropy" => (Loss::CrossEntropy(targets()), "classes"),
        "focal" => (Loss::Focal { gamma: number("gamma"), targets: targets() }, "classes"),
        "l1" => (Loss::L1, "scores"),
        "l2" => (Loss::L2, "scores"),
        "huber" => (Loss::Huber { delta: number("huber_delta") }, "scores"),
        "l1+huber" => (Loss::L1Huber { delta: number("huber_delta") }, "scores"),
        "buckets" => {
            let buckets = ScoreBuckets::try_from(numbers(&inputs["buckets"]["centres"])).unwrap();
            (Loss::Buckets { buckets, label_smoothing: number("label_smoothing") }, "buckets")
        }
        "cosine" => (Loss::L2, "cosine"),
        other => panic!("no loss {other}"),
    }
}

#[test]
fn every_loss_and_its_gradient_are_those_of_pytorch() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/losses.json");
    let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 31);
    for case in cases {
        let (of, inputs) = loss_of(case, &golden);
        let input = if inputs == "cosine" { case } else { &golden[inputs] };
        let outputs = floats(&input["outputs"]);
        let targets = match inputs {
            "classes" => Targets::Classes(floats(&input["targets"]).into_iter().map(|class| class as u32).collect()),
            _ => Targets::Scores(floats(&input["targets"])),
        };
        let targets = match case["score_range"].as_array() {
            Some(range) => ScoreScale::new([range[0].as_f64().unwrap(), range[1].as_f64().unwrap()]).scaled(&targets),
            None => targets,
        };
        let (value, gradient) = mean(&of, &outputs, &targets);
        let expected = case["value"].as_f64().unwrap();
        assert!((value - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{of:?}: {value}, not {expected}");
        let expected = numbers(&case["gradient"]);
        assert_eq!(gradient.len(), expected.len());
        for (got, want) in gradient.iter().zip(&expected) {
            assert!(
                (f64::from(*got) - want).abs() <= 1e-6 * want.abs().max(0.1),
                "{of:?}: {gradient:?}, not {expected:?}"
            );
        }
        if let Loss::Buckets { buckets, .. } = &of {
            let scores = buckets.scores(&outputs);
            let expected = floats(&case["expectations"]);
            assert_eq!(scores.len(), expected.len());
            assert!(scores.iter().zip(&expected).all(|(got, want)| (got - want).abs() < 1e-6), "{scores:?}");
        }
    }
}

/// Classes, or score buckets, of a generated problem.
const N: usize = 3;

fn targets(weights: Option<Vec<f64>>, label_smoothing: f64) -> ClassTargets {
    ClassTargets { weights, label_smoothing }
}

/// Losses over three classes.
fn class_loss() -> impl Strategy<Value = Loss> {
    let targets = (prop::option::of(vec(0.1f64..4.0, N)), prop_oneof![Just(0.0), 0.01f64..0.5])
        .prop_map(|(weights, smoothing)| targets(weights, smoothing));
    (prop::option::of(0.0f64..5.0), targets).prop_map(|(gamma, targets)| match gamma {
        Some(gamma) => Loss::Focal { gamma, targets },
        None => Loss::CrossEntropy(targets),
    })
}

/// Losses of scores, with how many outputs a row they want.
fn score_loss() -> impl Strategy<Value = (Loss, usize)> {
    let buckets = ScoreBuckets::evenly([0.0, 5.0], N).unwrap();
    prop_oneof![
        Just((Loss::L1, 1)),
        Just((Loss::L2, 1)),
        (0.1f64..3.0).prop_map(|delta| (Loss::Huber { delta }, 1)),
        (0.1f64..3.0).prop_map(|delta| (Loss::L1Huber { delta }, 1)),
        (0.0f64..0.5).prop_map(move |label_smoothing| (Loss::Buckets { buckets: buckets.clone(), label_smoothing }, N)),
    ]
}

const ROWS: usize = 6;

/// Any loss with outputs and targets of six rows.
fn problem() -> impl Strategy<Value = (Loss, Vec<f32>, Targets)> {
    let outputs = |n: usize| vec(-4f32..4.0, ROWS * n);
    let classes = (class_loss(), outputs(N), vec(0..N as u32, ROWS))
        .prop_map(|(of, outputs, classes)| (of, outputs, Targets::Classes(classes)));
    let scores = (score_loss(), outputs(N), vec(0f32..=5.0, ROWS)).prop_map(|((of, n), mut outputs, scores)| {
        outputs.truncate(ROWS * n);
        (of, outputs, Targets::Scores(scores))
    });
    prop_oneof![classes, scores]
}

/// Whether a loss bends between an output a little lower and a little higher.
fn bends(of: &Loss, error: f64) -> bool {
    let near = |size: f64| (error.abs() - size).abs() < 0.02;
    matches!(of, Loss::L1 | Loss::L1Huber { .. }) && near(0.0)
        || matches!(of, Loss::Huber { delta } | Loss::L1Huber { delta } if near(*delta))
}

proptest! {
    #[test]
    fn the_gradient_is_the_slope_of_the_loss((of, outputs, targets) in problem()) {
        let (_, gradient) = mean(&of, &outputs, &targets);
        for i in 0..outputs.len() {
            if let Targets::Scores(scores) = &targets
                && outputs.len() == scores.len()
                && bends(&of, f64::from(outputs[i] - scores[i]))
            {
                continue;
            }
            let at = |step: f32| {
                let mut moved = outputs.clone();
                moved[i] += step;
                (f64::from(moved[i]), mean(&of, &moved, &targets).0)
            };
            let ((high, above), (low, below)) = (at(4e-3), at(-4e-3));
            let slope = (above - below) / (high - low);
            prop_assert!((slope - f64::from(gradient[i])).abs() < 2e-4, "{:?}: {} for {}", of, slope, gradient[i]);
        }
    }

    #[test]
    fn a_window_is_the_same_however_it_falls_into_batches((of, outputs, targets) in problem(), batch in 1..=ROWS) {
        let weight = 1.0 / of.total_weight(&targets);
        let (whole, whole_gradient) = loss(&of, &outputs, &targets, weight);
        let rows: Vec<u32> = (0..ROWS as u32).collect();
        let (mut total, mut gradient) = (0.0, Vec::new());
        for (rows, outputs) in rows.chunks(batch).zip(outputs.chunks(batch * outputs.len() / ROWS)) {
            let (part, of_part) = loss(&of, outputs, &targets.select(rows), weight);
            total += part;
            gradient.extend(of_part);
        }
        prop_assert_eq!(gradient, whole_gradient);
        prop_assert!((total - whole).abs() < 1e-12 * whole.abs().max(1.0));
    }

    #[test]
    fn classes_are_only_names(of in class_loss(), outputs in vec(-30f32..30.0, ROWS * N), classes in vec(0..N as u32, ROWS), turn in 1..N) {
        let turned = |class: usize| (class + turn) % N;
        let turn_weights = |targets: &ClassTargets| ClassTargets {
            weights: targets.weights.as_ref().map(|weights| {
                let mut moved = vec![0.0; N];
                weights.iter().enumerate().for_each(|(class, weight)| moved[turned(class)] = *weight);
                moved
            }),
            ..targets.clone()
        };
        let turned_loss = match &of {
            Loss::CrossEntropy(targets) => Loss::CrossEntropy(turn_weights(targets)),
            Loss::Focal { gamma, targets } => Loss::Focal { gamma: *gamma, targets: turn_weights(targets) },
            _ => unreachable!("a loss over classes"),
        };
        let mut moved = vec![0.0; ROWS * N];
        for (i, &output) in outputs.iter().enumerate() {
            moved[i / N * N + turned(i % N)] = output;
        }
        let moved_classes = classes.iter().map(|&class| turned(class as usize) as u32).collect();
        let (value, gradient) = mean(&of, &outputs, &Targets::Classes(classes));
        let (moved_value, moved_gradient) = mean(&turned_loss, &moved, &Targets::Classes(moved_classes));
        prop_assert!((value - moved_value).abs() <= 1e-9 * value.abs().max(1.0), "{} and {}", value, moved_value);
        for (i, &slope) in gradient.iter().enumerate() {
            prop_assert!((slope - moved_gradient[i / N * N + turned(i % N)]).abs() <= 1e-6);
        }
    }

    #[test]
    fn focal_loss_without_gamma_is_cross_entropy_over_rows(
        outputs in vec(-90f32..90.0, ROWS * N),
        classes in vec(0..N as u32, ROWS),
        weights in vec(0.1f64..4.0, N),
        smoothing in 0.0f64..0.5,
    ) {
        let of = targets(Some(weights), smoothing);
        let classes = Targets::Classes(classes);
        let focal = Loss::Focal { gamma: 0.0, targets: of.clone() };
        prop_assert_eq!(focal.total_weight(&classes), ROWS as f64);
        let entropy = loss(&Loss::CrossEntropy(of), &outputs, &classes, 1.0 / ROWS as f64);
        let focal = loss(&focal, &outputs, &classes, 1.0 / ROWS as f64);
        prop_assert!((focal.0 - entropy.0).abs() <= 1e-12 * entropy.0.abs());
        prop_assert_eq!(focal.1, entropy.1);
    }

    #[test]
    fn focal_gradients_are_finite_for_outputs_of_any_size(
        outputs in vec(prop_oneof![-1e30f32..1e30, -200f32..200.0, Just(0.0)], ROWS * N),
        classes in vec(0..N as u32, ROWS),
        gamma in 0.0f64..5.0,
        smoothing in 0.0f64..0.5,
    ) {
        let of = Loss::Focal { gamma, targets: targets(None, smoothing) };
        let (value, gradient) = mean(&of, &outputs, &Targets::Classes(classes));
        prop_assert!(value.is_finite() && gradient.iter().all(|slope| slope.is_finite()), "{} {:?}", value, gradient);
    }
}

#[test]
fn weighted_cross_entropy_is_divided_by_its_weights_and_focal_by_its_rows() {
    let classes = Targets::Classes(vec![0, 2, 2]);
    let of = targets(Some(vec![0.5, 1.0, 1.5]), 0.1);
    assert_eq!(Loss::CrossEntropy(of.clone()).total_weight(&classes), 3.5);
    assert_eq!(Loss::CrossEntropy(ClassTargets::default()).total_weight(&classes), 3.0);
    assert_eq!(Loss::Focal { gamma: 2.0, targets: of }.total_weight(&classes), 3.0);
    assert_eq!(Loss::L1.total_weight(&Targets::Scores(vec![1.0, 2.0])), 2.0);
}
