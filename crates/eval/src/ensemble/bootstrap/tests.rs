//! The bootstrap against SciPy, and against metrics of rows laid out.

use gyeol_data::Task;
use proptest::prelude::*;

use super::*;
use crate::{
    OwnedTruth,
    ensemble::golden::{aligned, check, golden, sets},
};

/// Both ends within 5 % of the interval's width, several times what chance leaves of 10,000 resamples and of SciPy's 20,000.
#[track_caller]
fn check_interval(name: &str, found: Option<Interval>, expected: [f64; 2]) {
    let (found, tolerance) = (found.expect("defined"), 0.05 * (expected[1] - expected[0]));
    check(name, found.low, expected[0], tolerance);
    check(name, found.high, expected[1], tolerance);
}

#[test]
fn intervals_of_classes_and_the_paired_probability_are_scipys() {
    let golden = golden().classes;
    let members = aligned(Task::Classification, 4, &golden.members);
    let outputs = [members.outputs(0), members.outputs(1)];
    let truth = Truth::Classes(&golden.truth);
    let found = bootstrap(&[&outputs[0], &outputs[1]], truth, Metric::Accuracy, 0, None, 10_000, 1).unwrap();
    assert_eq!(found.candidates[0].score, Metric::Accuracy.measure(&outputs[0], truth).unwrap());
    assert_eq!(found.candidates[0].versus, None);
    // Accuracies are whole rows, so an end may lie a row beside.
    let row = 1.01 / golden.truth.len() as f64;
    let interval = found.candidates[0].interval.unwrap();
    check("low", interval.low, golden.accuracy_interval[0], row);
    check("high", interval.high, golden.accuracy_interval[1], row);
    let versus = found.candidates[1].versus.unwrap();
    check("difference, low", versus.interval.low, golden.difference_interval[0], row);
    check("difference, high", versus.interval.high, golden.difference_interval[1], row);
    check("better", versus.better, golden.better, 0.02);
    // And so is what a normal distribution gives, as in McNemar's test.
    check("better", versus.better, golden.better_normal, 0.02);
}

#[test]
fn intervals_of_scores_are_scipys() {
    let golden = golden().scores;
    let outputs = Outputs::Scores(golden.members[0].clone());
    for (metric, expected) in [
        (Metric::Pearson, golden.pearson_interval),
        (Metric::Spearman, golden.spearman_interval),
        (Metric::Rmse, golden.rmse_interval),
    ] {
        let found = bootstrap(&[&outputs], Truth::Scores(&golden.truth), metric, 0, None, 10_000, 1).unwrap();
        check_interval(metric.name(), found.candidates[0].interval, expected);
    }
}

fn scores(values: &[f32]) -> Outputs {
    Outputs::Scores(values.to_vec())
}

#[test]
fn the_same_predictions_are_better_half_of_the_time() {
    let (outputs, truth) = (scores(&[1.0, 2.5, 2.0, 4.0]), [1.0, 2.0, 3.0, 4.0]);
    let found = bootstrap(&[&outputs, &outputs], Truth::Scores(&truth), Metric::Rmse, 1, None, 200, 1).unwrap();
    let versus = found.candidates[0].versus.unwrap();
    assert_eq!((versus.difference, versus.better), (0.0, 0.5));
    assert_eq!(versus.interval, Interval { low: 0.0, high: 0.0 });
}

#[test]
fn a_difference_of_rounding_alone_is_a_tie() {
    let truth = [-101.0, -102.0, -103.0, -104.0];
    let near = [1.5f32, 2.5, 3.5, 4.5];
    let of = |further: [f32; 4]| {
        let outputs = [scores(&further), scores(&near)];
        let found = bootstrap(&[&outputs[0], &outputs[1]], Truth::Scores(&truth), Metric::Rmse, 1, None, 100, 1);
        found.unwrap().candidates[0].versus.unwrap()
    };
    let rounded = of(near.map(f32::next_up));
    assert!(rounded.difference > 0.0, "{rounded:?}");
    assert_eq!(rounded.better, 0.5);
    assert_eq!(of(near.map(|score| score + 1e-3)).better, 0.0);
    assert_eq!(of(near.map(|score| score - 1e-3)).better, 1.0);
}

#[test]
fn smaller_is_better_where_the_metric_says_so() {
    let truth = [1.0, 2.0, 3.0, 4.0];
    let (near, far) = (scores(&[1.1, 2.1, 3.1, 4.1]), scores(&[2.0, 3.5, 4.5, 5.0]));
    let found = bootstrap(&[&near, &far], Truth::Scores(&truth), Metric::Rmse, 1, None, 100, 1).unwrap();
    let versus = found.candidates[0].versus.unwrap();
    assert_eq!(versus.better, 1.0);
    assert!(versus.difference < 0.0 && versus.interval.high < 0.0);
}

#[test]
fn a_seed_decides_and_another_decides_otherwise() {
    let truth: Vec<f32> = (0..40u8).map(f32::from).collect();
    let outputs = scores(&truth.iter().map(|value| value + (value * 1.7).sin()).collect::<Vec<_>>());
    let of = |seed| bootstrap(&[&outputs], Truth::Scores(&truth), Metric::Rmse, 0, None, 100, seed).unwrap();
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn rows_of_a_group_are_drawn_together() {
    // Two groups of 50 rows, one always right, one always wrong: a resample has both, or one of them twice.
    let truth = [0u32; 100];
    let groups: Vec<u32> = (0..100).map(|row| if row % 2 == 0 { 9 } else { 4 }).collect();
    let values = groups.iter().flat_map(|&group| if group == 9 { [0.9, 0.1] } else { [0.1, 0.9] }).collect();
    let outputs = Outputs::Probabilities { labels: vec!["a".to_owned(), "b".to_owned()], values };
    let of = |groups| bootstrap(&[&outputs], Truth::Classes(&truth), Metric::Accuracy, 0, groups, 500, 1).unwrap();
    assert_eq!(of(Some(&groups[..])).candidates[0].interval, Some(Interval { low: 0.0, high: 1.0 }));
    let by_row = of(None).candidates[0].interval.unwrap();
    assert!(by_row.low > 0.35 && by_row.high < 0.65, "{by_row:?}");
    let short = bootstrap(&[&outputs], Truth::Classes(&truth), Metric::Accuracy, 0, Some(&groups[1..]), 1, 1);
    assert!(matches!(short, Err(EvalError::Length { expected: 100, found: 99, .. })));
}

#[test]
fn undefined_scores_have_no_interval_and_undefined_resamples_are_left_out() {
    let truth = [1.0, 2.0, 3.0];
    let (constant, line, broken) = (scores(&[2.0; 3]), scores(&[1.0, 2.0, 3.0]), scores(&[1.0, f32::NAN, 2.0]));
    let found =
        bootstrap(&[&line, &constant, &broken], Truth::Scores(&truth), Metric::Pearson, 0, None, 500, 1).unwrap();
    // A row drawn three times has no correlation; any other draw lies on the line.
    let interval = found.candidates[0].interval.unwrap();
    assert!((interval.low - 1.0).abs() < 1e-12 && (interval.high - 1.0).abs() < 1e-12, "{interval:?}");
    for candidate in &found.candidates[1..] {
        assert_eq!(*candidate, Candidate { score: None, interval: None, versus: None });
    }
}

#[test]
fn without_rows_there_is_nothing_to_say() {
    let found = bootstrap(&[&scores(&[])], Truth::Scores(&[]), Metric::Rmse, 0, None, 10, 1).unwrap();
    assert_eq!(found.candidates, [Candidate { score: None, interval: None, versus: None }]);
}

#[test]
fn a_metric_of_another_task_is_refused() {
    let error = bootstrap(&[&scores(&[1.0])], Truth::Scores(&[1.0]), Metric::Accuracy, 0, None, 10, 1).unwrap_err();
    assert!(matches!(error, EvalError::MetricNotForTask { .. }));
}

/// Two candidates' outputs of each kind for a task, the truth, and how often each row counts.
fn drawn() -> impl Strategy<Value = (Vec<Outputs>, OwnedTruth, Vec<u32>)> {
    (0usize..5, 1usize..12).prop_flat_map(|(kind, rows)| {
        let width = if kind == 4 { 1 } else { 3 };
        let number = prop::sample::select(vec![0.1f32, 0.25, 0.5, 0.75, 0.9]);
        let values = prop::collection::vec(prop::collection::vec(number, rows * width), 2);
        let classes = prop::collection::vec(0u32..3, rows);
        let counts = prop::collection::vec(0u32..4, rows);
        (values, classes, counts).prop_map(move |(values, classes, counts)| {
            let labels: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
            let outputs = |values| match kind {
                0 => Outputs::Probabilities { labels: labels.clone(), values },
                1 => Outputs::Logits { labels: labels.clone(), values },
                2 => Outputs::IndependentProbabilities { labels: labels.clone(), values },
                3 => Outputs::IndependentLogits { labels: labels.clone(), values },
                _ => Outputs::Scores(values),
            };
            let truth = match kind {
                0 | 1 => OwnedTruth::Classes(classes),
                2 | 3 => {
                    OwnedTruth::Sets(sets(3, &classes.iter().map(|&class| (0..class).collect()).collect::<Vec<_>>()))
                }
                _ => OwnedTruth::Scores(classes.iter().map(|&class| class as f32).collect()),
            };
            (values.into_iter().map(outputs).collect(), truth, counts)
        })
    })
}

proptest! {
    #[test]
    fn counted_rows_score_as_rows_laid_out((outputs, truth, counts) in drawn()) {
        let rows: Vec<usize> = (0..counts.len()).flat_map(|row| vec![row; counts[row] as usize]).collect();
        prop_assume!(!rows.is_empty());
        let laid_out = truth.borrow().select(&rows);
        let candidates: Vec<&Outputs> = outputs.iter().collect();
        for metric in Metric::for_task(outputs[0].task()) {
            let found = Scorer::new(&candidates, truth.borrow(), metric).scores(&counts);
            for (outputs, found) in outputs.iter().zip(found) {
                let expected = metric.measure(&outputs.select(&rows), laid_out.borrow()).unwrap();
                prop_assert_eq!(found.is_some(), expected.is_some(), "{}: {:?} {:?}", metric, found, expected);
                if let Some((found, expected)) = found.zip(expected) {
                    prop_assert!((found - expected).abs() < 1e-9, "{}: {} {}", metric, found, expected);
                }
            }
        }
    }
}
