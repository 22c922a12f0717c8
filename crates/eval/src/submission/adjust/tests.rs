//! What adjustments do to shares and scores, and that they are functions of a row fitted on other rows.

use proptest::prelude::*;

use super::*;

/// Made-up probabilities and classes: `rows` of `classes`, of a model that sees class 0 too often.
fn lopsided(rows: usize, classes: usize) -> (Outputs, Vec<u32>) {
    // A generator that any reader can follow: the low digits of a multiplicative sequence.
    let mut state = 20_240_521u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let truth: Vec<u32> = (0..rows).map(|_| (next() * classes as f32) as u32).collect();
    let logit = |class: usize, of: u32, noise: f32| {
        4.0 * noise + if class == of as usize { 2.0 } else { 0.0 } + if class == 0 { 1.5 } else { 0.0 }
    };
    let values =
        truth.iter().flat_map(|&of| (0..classes).map(|class| logit(class, of, next())).collect::<Vec<_>>()).collect();
    let labels = (0..classes).map(|label| label.to_string()).collect();
    (Outputs::Logits { labels, values }, truth)
}

fn counts(classes: &[u32], width: usize) -> Vec<usize> {
    (0..width).map(|class| classes.iter().filter(|&&other| other as usize == class).count()).collect()
}

fn accuracy(outputs: &Outputs, truth: &[u32]) -> f64 {
    let right = outputs.argmax().iter().zip(truth).filter(|(a, b)| a == b).count();
    right as f64 / truth.len() as f64
}

#[test]
fn corrected_classes_are_predicted_as_often_as_they_are_there() {
    for classes in [2, 4, 7] {
        let (outputs, truth) = lopsided(3000, classes);
        let fitted = Adjustment::fit(AdjustmentKind::Prior, &outputs, Truth::Classes(&truth)).unwrap();
        let corrected = fitted.apply(&outputs).unwrap();
        let (found, wanted) = (counts(&corrected.argmax(), classes), counts(&truth, classes));
        let over: usize = found.iter().zip(&wanted).map(|(a, b)| a.saturating_sub(*b)).sum();
        assert!(over <= 2, "{found:?} {wanted:?}");
        assert!(accuracy(&corrected, &truth) > accuracy(&outputs, &truth) + 0.02);
        let Adjustment::Prior(prior) = fitted else { unreachable!() };
        assert!(prior.factors[0] < 0.5 && prior.factors[1..].iter().all(|factor| *factor > 0.9), "{:?}", prior.factors);
    }
}

#[test]
fn a_class_that_no_row_has_is_not_predicted_and_right_shares_need_no_factors() {
    let (outputs, _) = lopsided(200, 3);
    let truth: Vec<u32> = (0..200).map(|row| row % 2).collect();
    let fitted = Adjustment::fit(AdjustmentKind::Prior, &outputs, Truth::Classes(&truth)).unwrap();
    assert_eq!(counts(&fitted.apply(&outputs).unwrap().argmax(), 3)[2], 0);
    let right = outputs.argmax();
    let Adjustment::Prior(prior) = Adjustment::fit(AdjustmentKind::Prior, &outputs, Truth::Classes(&right)).unwrap()
    else {
        unreachable!()
    };
    assert_eq!(prior.factors, [1.0, 1.0, 1.0]);
}

#[test]
fn a_cross_fitted_row_does_not_depend_on_its_own_truth() {
    let predictions: Vec<f32> = (0..60).map(|row| (row * 37 % 60) as f32 / 10.0).collect();
    let truth: Vec<f32> = predictions.iter().map(|x| x * x / 6.0).collect();
    let folds: Vec<u32> = (0..60).map(|row| row % 5 + 1).collect();
    let outputs = Outputs::Scores(predictions);
    for kind in [AdjustmentKind::Quantile, AdjustmentKind::Isotonic] {
        let of = |truth: &[f32]| {
            let others = |rows: &[usize]| Ok(outputs.select(rows));
            Adjustment::cross_fitted(kind, &outputs, Truth::Scores(truth), &folds, others).unwrap()
        };
        let mut changed = truth.clone();
        changed[7] = 99.0;
        assert_eq!(of(&truth).values()[7], of(&changed).values()[7]);
        assert_ne!(of(&truth), of(&changed));
        let error =
            |outputs: &Outputs| -> f32 { outputs.values().iter().zip(&truth).map(|(a, b)| (a - b).powi(2)).sum() };
        assert!(error(&of(&truth)) < 0.2 * error(&outputs), "{}", error(&of(&truth)));
    }
    let (outputs, truth) = lopsided(500, 3);
    let folds: Vec<u32> = (0..500).map(|row| row % 5).collect();
    let others = |rows: &[usize]| Ok(outputs.select(rows));
    let truth_of = Truth::Classes(&truth);
    let crossed = Adjustment::cross_fitted(AdjustmentKind::Prior, &outputs, truth_of, &folds, others).unwrap();
    assert!(accuracy(&crossed, &truth) > accuracy(&outputs, &truth));
}

#[test]
fn an_adjustment_is_kept_to_the_bit() {
    let (outputs, truth) = lopsided(100, 3);
    let prior = Adjustment::fit(AdjustmentKind::Prior, &outputs, Truth::Classes(&truth)).unwrap();
    let scores = Outputs::Scores(vec![0.1, 0.7, 0.3]);
    let quantile = Adjustment::fit(AdjustmentKind::Quantile, &scores, Truth::Scores(&[1.0, 2.0, 4.1])).unwrap();
    for (adjustment, outputs) in [(prior, outputs), (quantile, scores)] {
        let kept: Adjustment = serde_json::from_str(&serde_json::to_string(&adjustment).unwrap()).unwrap();
        assert_eq!(kept, adjustment);
        assert_eq!(kept.apply(&outputs).unwrap(), adjustment.apply(&outputs).unwrap());
    }
}

#[test]
fn a_damaged_adjustment_is_refused_and_not_applied() {
    let (classes, scores) = (lopsided(4, 2).0, Outputs::Scores(vec![0.5]));
    for (outputs, json, problem) in [
        (&classes, r#"{"kind":"prior","labels":["0","1"],"factors":[]}"#, "0 factors for 2 classes"),
        (&classes, r#"{"kind":"prior","labels":["0","1"],"factors":[1.0]}"#, "1 factors for 2 classes"),
        (&classes, r#"{"kind":"prior","labels":["0","1"],"factors":[1.0,0.0]}"#, "a factor is 0"),
        (&scores, r#"{"kind":"quantile","x":[0.0,1.0],"y":[0.0]}"#, "1 values for 2 knots"),
        (&scores, r#"{"kind":"isotonic","x":[1.0,0.0],"y":[0.0,1.0]}"#, "0 comes after 1"),
    ] {
        let damaged: Adjustment = serde_json::from_str(json).unwrap();
        let error = damaged.apply(outputs).unwrap_err();
        assert_eq!((error.exit_code(), error.to_string().contains(problem)), (2, true), "{error}");
        assert_eq!(damaged.check().unwrap_err().to_string(), error.to_string());
    }
}

#[test]
fn an_adjustment_of_another_task_is_refused() {
    let scores = Outputs::Scores(vec![0.5]);
    for (kind, truth) in [
        (AdjustmentKind::Prior, Truth::Scores(&[1.0])),
        (AdjustmentKind::Quantile, Truth::Classes(&[0])),
        (AdjustmentKind::Isotonic, Truth::Scores(&[])),
    ] {
        assert!(Adjustment::fit(kind, &scores, truth).is_err(), "{kind:?}");
    }
    let one_fold = Adjustment::cross_fitted(AdjustmentKind::Quantile, &scores, Truth::Scores(&[1.0]), &[0], |rows| {
        Ok(scores.select(rows))
    });
    assert!(one_fold.unwrap_err().to_string().contains("all rows are of one"));
    let fitted = Adjustment::fit(AdjustmentKind::Quantile, &scores, Truth::Scores(&[1.0])).unwrap();
    assert!(fitted.apply(&lopsided(1, 2).0).is_err());
}

#[test]
fn equal_predictions_get_one_value() {
    let outputs = Outputs::Scores(vec![1.0, 1.0, 1.0, 2.0]);
    for kind in [AdjustmentKind::Quantile, AdjustmentKind::Isotonic] {
        let fitted = Adjustment::fit(kind, &outputs, Truth::Scores(&[3.0, 1.0, 2.0, 5.0])).unwrap();
        assert_eq!(fitted.apply(&outputs).unwrap().values(), [2.0, 2.0, 2.0, 5.0], "{kind:?}");
    }
}

proptest! {
    #[test]
    fn curves_never_fall_and_stay_within_the_truth(
        rows in prop::collection::vec((-5f32..5.0, 0f32..5.0), 1..40),
        others in prop::collection::vec(-9f32..9.0, 2..20),
    ) {
        let (predictions, truth): (Vec<f32>, Vec<f32>) = rows.into_iter().unzip();
        let (least, most) = truth.iter().fold((f32::MAX, f32::MIN), |(a, b), &y| (a.min(y), b.max(y)));
        let mut others = others;
        others.sort_by(f32::total_cmp);
        for kind in [AdjustmentKind::Quantile, AdjustmentKind::Isotonic] {
            let fitted = Adjustment::fit(kind, &Outputs::Scores(predictions.clone()), Truth::Scores(&truth)).unwrap();
            let adjusted = fitted.apply(&Outputs::Scores(others.clone())).unwrap();
            let slack = 1e-5;
            prop_assert!(adjusted.values().windows(2).all(|pair| pair[0] <= pair[1] + slack), "{:?}", adjusted);
            prop_assert!(adjusted.values().iter().all(|y| (least - slack..=most + slack).contains(y)));
        }
    }
}
