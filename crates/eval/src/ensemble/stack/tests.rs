//! Stacking against scikit-learn and SciPy, the choice of the penalty, and odd tables.

use std::collections::BTreeSet;

use gyeol_data::Task;
use proptest::prelude::*;

use super::*;
use crate::ensemble::golden::{aligned, check, check_all, golden};

#[test]
fn two_classes_are_scikit_learns_logistic_regression() {
    let golden = golden().two_classes;
    let members = aligned(Task::Classification, 2, &golden.members);
    let stack = logistic::tests::solve(&members, Truth::Classes(&golden.truth), 0.0, golden.penalty);
    for (of_member, &expected) in stack.weights.iter().zip(&golden.weights) {
        of_member.iter().for_each(|&weight| check("weight", weight, expected, 1e-5));
    }
    check("intercept", stack.intercepts[1] - stack.intercepts[0], golden.intercept, 1e-5);
}

#[test]
fn independent_labels_are_scikit_learns_logistic_regressions() {
    let golden = golden().labels;
    let members = aligned(Task::MultiLabel, 2, &golden.members);
    let stack = logistic::tests::solve(&members, Truth::Sets(&golden.sets()), 0.0, golden.penalty);
    let by_label: Vec<Vec<f64>> =
        (0..2).map(|label| stack.weights.iter().map(|weights| weights[label]).collect()).collect();
    check_all("weights", &by_label, &golden.weights, 1e-5);
    check_all("intercepts", &[stack.intercepts], &[golden.intercepts], 1e-5);
}

#[test]
fn several_classes_are_the_minimum_that_scipy_finds() {
    let golden = golden().classes;
    let members = aligned(Task::Classification, 4, &golden.members);
    let stack = logistic::tests::solve(&members, Truth::Classes(&golden.truth), 1.0 / 3.0, golden.penalty);
    check_all("weights", &stack.weights, &golden.weights, 1e-5);
    check_all("intercepts", &[stack.intercepts], &[golden.intercepts], 1e-5);
}

#[test]
fn scores_are_scikit_learns_ridge() {
    let golden = golden().scores;
    let in_doubles = |values: &Vec<f32>| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
    let scores: Vec<Vec<f64>> = golden.members.iter().map(in_doubles).collect();
    let (weights, intercept) = ridge::tests::solve(&scores, &in_doubles(&golden.truth), golden.penalty);
    check_all("weights", &[weights], &[golden.weights], 1e-9);
    check("intercept", intercept, golden.intercept, 1e-9);
}

/// Members whose logits are `strength` for the class of row i, `row % 3`, plus what `noise` says of member, row and class.
fn members(strengths: &[f64], noise: impl Fn(usize, usize, usize) -> f64, rows: usize) -> (Aligned, Vec<u32>) {
    let truth: Vec<u32> = (0..rows as u32).map(|row| row % 3).collect();
    let of_member = |(member, strength): (usize, &f64)| -> Vec<f32> {
        (0..rows)
            .flat_map(|row| {
                let logit = |class: usize| if class == row % 3 { *strength } else { 0.0 } + noise(member, row, class);
                let mut logits: Vec<f64> = (0..3).map(logit).collect();
                softmax(&mut logits);
                logits.into_iter().map(|p| p as f32)
            })
            .collect()
    };
    let values: Vec<Vec<f32>> = strengths.iter().enumerate().map(of_member).collect();
    (aligned(Task::Classification, 3, &values), truth)
}

/// Numbers from −1 to 1 that look like chance.
fn noise(member: usize, row: usize, class: usize) -> f64 {
    let bytes = [member as u64, row as u64, class as u64].map(u64::to_le_bytes).concat();
    xxh3_64_with_seed(&bytes, 1) as f64 / u64::MAX as f64 * 2.0 - 1.0
}

#[test]
fn a_member_that_says_nothing_loses_its_weight_and_the_penalty_is_weak() {
    let (members, truth) = members(&[1.0, 0.0], |member, row, class| 3.0 * noise(member, row, class), 600);
    let stack = Stack::fit(&members, Truth::Classes(&truth), Metric::Accuracy).unwrap();
    assert!(stack.penalty < 0.1, "{stack:?}");
    assert!(stack.weights[0].iter().all(|weight| *weight > 0.2), "{stack:?}");
    assert!(stack.weights[1].iter().all(|weight| weight.abs() < 0.1), "{stack:?}");
    let combined = members.outputs_from(stack.combine(&members));
    let loss = |outputs| Metric::LogLoss.measure(outputs, Truth::Classes(&truth)).unwrap().unwrap();
    assert!(loss(&combined) < loss(&members.outputs(0)));
    assert!(combined.values().chunks_exact(3).all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-5));
}

#[test]
fn members_that_are_alike_and_calibrated_count_alike() {
    let (members, truth) = members(&[1.0, 1.0, 1.0], |_, _, _| 0.0, 300);
    let stack = Stack::fit(&members, Truth::Classes(&truth), Metric::LogLoss).unwrap();
    for weights in &stack.weights {
        assert!(
            weights.iter().zip(&stack.weights[0]).all(|(weight, first)| (weight - first).abs() < 1e-6),
            "{stack:?}"
        );
    }
}

#[test]
fn one_row_and_members_that_do_not_vary_leave_equal_weights() {
    let one = aligned(Task::Regression, 1, &[vec![1.0], vec![3.0]]);
    let stack = Stack::fit(&one, Truth::Scores(&[5.0]), Metric::Rmse).unwrap();
    assert_eq!((stack.weights, stack.penalty), (vec![vec![0.5]; 2], PENALTIES[0]));
    assert_eq!(stack.intercepts, [3.0]);
    let one = aligned(Task::Classification, 2, &[vec![0.4, 0.6], vec![0.7, 0.3]]);
    let stack = Stack::fit(&one, Truth::Classes(&[1]), Metric::LogLoss).unwrap();
    assert!(stack.combine(&one)[1] > 0.99, "{stack:?}");
}

#[test]
fn a_row_without_any_label_and_a_class_without_any_row_are_fitted_too() {
    let members = aligned(Task::Classification, 3, &[[0.5, 0.3, 0.2].repeat(6), [0.2, 0.6, 0.2].repeat(6)]);
    let stack = Stack::fit(&members, Truth::Classes(&[0, 1, 0, 1, 0, 1]), Metric::LogLoss).unwrap();
    stack.check(2, 3).unwrap();
    assert!(
        stack.combine(&members).chunks_exact(3).all(|row| row[2] < 1e-3 && (row[0] - 0.5).abs() < 0.1),
        "{stack:?}"
    );
    let members = aligned(Task::MultiLabel, 2, &[vec![0.5, 0.3, 0.2, 0.9]]);
    let none = crate::ensemble::golden::sets(2, &[vec![], vec![]]);
    Stack::fit(&members, Truth::Sets(&none), Metric::MicroF1).unwrap().check(1, 2).unwrap();
}

#[test]
fn numbers_that_nothing_can_be_fitted_to_name_member_and_row() {
    let members = aligned(Task::Regression, 1, &[vec![1.0, 2.0], vec![1.0, f32::NAN]]);
    let error = Stack::fit(&members, Truth::Scores(&[1.0, 2.0]), Metric::Rmse).unwrap_err();
    assert_eq!(error.to_string(), "member m1: its prediction of id \"r1\" is NaN, to which nothing can be fitted");
    assert_eq!(error.exit_code(), 2);
    let members = aligned(Task::Regression, 1, &[vec![1.0, 2.0]]);
    let error = Stack::fit(&members, Truth::Scores(&[1.0, 2.0]), Metric::Accuracy).unwrap_err();
    assert!(matches!(error, EvalError::MetricNotForTask { .. }));
}

#[test]
fn a_damaged_file_says_what_is_missing() {
    let stack = Stack { penalty: 0.1, weights: vec![vec![0.5, 0.5], vec![0.5, 0.5]], intercepts: vec![0.0, 0.0] };
    let read: Stack = serde_json::from_str(&serde_json::to_string(&stack).unwrap()).unwrap();
    assert_eq!(read, stack);
    stack.check(2, 2).unwrap();
    let problem = |stack: &Stack, members, width| stack.check(members, width).unwrap_err().to_string();
    assert_eq!(
        problem(&stack, 3, 2),
        "the stack of the ensemble is damaged: it has weights of 2 members where there are 3; make the ensemble again"
    );
    assert!(problem(&stack, 2, 3).contains("member 1 has 2 weights where there are 3 outputs"));
    let short = Stack { intercepts: vec![0.0], ..stack.clone() };
    assert!(problem(&short, 2, 2).contains("1 intercepts where there are 2"));
    let infinite = Stack { intercepts: vec![0.0, f64::INFINITY], ..stack };
    assert!(problem(&infinite, 2, 2).contains("not a finite number"));
}

proptest! {
    #[test]
    fn parts_hold_every_row_once_are_of_one_size_and_do_not_depend_on_the_order(
        ids in prop::collection::btree_set("[a-z가-힣]{1,6}", 1..60),
        rotate in 0usize..60,
    ) {
        let ids: Vec<String> = ids.into_iter().collect();
        let mut rotated = ids.clone();
        rotated.rotate_left(rotate % ids.len());
        let parts = |ids: &[String]| -> Vec<BTreeSet<String>> {
            let parts = Parts::new(ids);
            let of = |part| parts.rows[parts.held_out(part)].iter().map(|&row| ids[row].clone()).collect();
            (0..parts.count()).map(of).collect()
        };
        let found = parts(&ids);
        prop_assert_eq!(&found, &parts(&rotated));
        let sizes: Vec<usize> = found.iter().map(BTreeSet::len).collect();
        prop_assert_eq!(sizes.iter().sum::<usize>(), if ids.len() < 2 { 0 } else { ids.len() });
        if let (Some(most), Some(least)) = (sizes.iter().max(), sizes.iter().min()) {
            prop_assert!(most - least <= 1 && *least >= 1);
        }
        prop_assert_eq!(Parts::new(&ids).rows.len(), ids.len());
    }
}
