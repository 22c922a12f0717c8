//! Weights of rows: the loss of a row counts as often as its weight says, whatever the loss.
//!
//! They act in absolute terms: Σ w·loss is divided by [`Loss::total_weight`], as if all rows weighed the same, and so a
//! window of light rows moves the model little. With weights of mean 1 over a table its windows come to what the table as
//! one window does. Weights of one leave the numbers of a loss over classes as they are, to the last bit.

use gyeol_data::Targets;

use super::{Loss, loss};

/// [`loss`] of rows that weigh as much as `weights` say, one a row: the sum of w·loss, and the gradient of `weight` times
/// that sum.
pub(crate) fn weighted_loss(
    of: &Loss,
    outputs: &[f32],
    targets: &Targets,
    weights: &[f32],
    weight: f64,
) -> (f64, Vec<f32>) {
    let n = outputs.len() / targets.len();
    let mut gradient = Vec::with_capacity(outputs.len());
    let mut total = 0.0;
    for ((row, outputs), &own) in outputs.chunks_exact(n).enumerate().zip(weights) {
        let own = f64::from(own);
        let (of_row, slopes) = loss(of, outputs, &targets.select(&[row as u32]), weight * own);
        total += own * of_row;
        gradient.extend(slopes);
    }
    (total, gradient)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::super::ClassTargets;
    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        outputs: Vec<f32>,
        classes: Vec<u32>,
        row_weights: Vec<f32>,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        class_weights: Option<Vec<f64>>,
        label_smoothing: f64,
        value: f64,
        gradient: Vec<f64>,
    }

    #[test]
    fn the_weighted_loss_and_its_gradient_are_those_of_pytorch() {
        let text = include_str!("../../tests/golden/row_weights.json");
        let Golden { outputs, classes, row_weights, cases } = serde_json::from_str(text).unwrap();
        let targets = Targets::Classes(classes);
        assert_eq!(cases.len(), 4);
        for Case { class_weights, label_smoothing, value, gradient } in cases {
            let of = Loss::CrossEntropy(ClassTargets { weights: class_weights, label_smoothing });
            let weight = 1.0 / of.total_weight(&targets);
            let (total, slopes) = weighted_loss(&of, &outputs, &targets, &row_weights, weight);
            assert!((total * weight - value).abs() <= 1e-6 * value.max(1.0), "{of:?}: {}, not {value}", total * weight);
            assert_eq!(slopes.len(), gradient.len());
            for (got, want) in slopes.iter().zip(&gradient) {
                assert!((f64::from(*got) - want).abs() <= 1e-6, "{of:?}: {slopes:?}, not {gradient:?}");
            }
        }
    }

    /// Classes of a generated problem, and its rows.
    const N: usize = 3;
    const ROWS: usize = 6;

    fn class_loss() -> impl Strategy<Value = Loss> {
        let weights = prop::option::of(vec(0.1f64..4.0, N));
        (weights, 0.0f64..0.5, prop::option::of(0.0f64..5.0)).prop_map(|(weights, label_smoothing, gamma)| {
            let targets = ClassTargets { weights, label_smoothing };
            match gamma {
                Some(gamma) => Loss::Focal { gamma, targets },
                None => Loss::CrossEntropy(targets),
            }
        })
    }

    proptest! {
        #[test]
        fn weights_of_one_are_no_weights_to_the_last_bit(
            of in class_loss(), outputs in vec(-9f32..9.0, ROWS * N), classes in vec(0..N as u32, ROWS)
        ) {
            let targets = Targets::Classes(classes);
            let total = of.total_weight(&targets);
            let plain = loss(&of, &outputs, &targets, 1.0 / total);
            prop_assert_eq!(weighted_loss(&of, &outputs, &targets, &[1.0; ROWS], 1.0 / total), plain);
        }

        #[test]
        fn a_row_of_weight_two_counts_as_two_rows(
            of in class_loss(), outputs in vec(-9f32..9.0, ROWS * N), classes in vec(0..N as u32, ROWS), twice in 0..ROWS
        ) {
            let targets = Targets::Classes(classes);
            let mut weights = [1.0; ROWS];
            weights[twice] = 2.0;
            let total = of.total_weight(&targets);
            let (value, gradient) = weighted_loss(&of, &outputs, &targets, &weights, 1.0 / total);
            let rows: Vec<u32> = (0..ROWS as u32).chain([twice as u32]).collect();
            let repeated = [&outputs[..], &outputs[twice * N..(twice + 1) * N]].concat();
            let targets = targets.select(&rows);
            let (expected, slopes) = loss(&of, &repeated, &targets, 1.0 / total);
            prop_assert!((value - expected).abs() <= 1e-12 * expected.abs().max(1.0));
            for (at, slope) in gradient.iter().enumerate() {
                let times = if at / N == twice { 2.0 } else { 1.0 };
                prop_assert!((slope - times * slopes[at]).abs() <= 1e-6);
            }
        }

        #[test]
        fn the_windows_of_an_epoch_come_to_what_the_table_as_one_window_does(
            of in class_loss(),
            outputs in vec(-9f32..9.0, ROWS * N),
            classes in vec(0..N as u32, ROWS),
            weights in vec(0f32..5.0, ROWS),
            window in 1..=ROWS,
        ) {
            let targets = Targets::Classes(classes);
            let all = of.total_weight(&targets);
            let (whole, whole_gradient) = weighted_loss(&of, &outputs, &targets, &weights, 1.0 / all);
            let rows: Vec<u32> = (0..ROWS as u32).collect();
            let (mut total, mut gradient) = (0.0, Vec::new());
            for (rows, outputs) in rows.chunks(window).zip(outputs.chunks(window * N)) {
                let weights: Vec<f32> = rows.iter().map(|&row| weights[row as usize]).collect();
                let targets = targets.select(rows);
                let of_window = of.total_weight(&targets);
                let (sum, slopes) = weighted_loss(&of, outputs, &targets, &weights, 1.0 / of_window);
                // Windows count by what they are divided by: without class weights, by their rows.
                total += sum;
                gradient.extend(slopes.iter().map(|slope| f64::from(*slope) * of_window / all));
            }
            prop_assert!((total - whole).abs() < 1e-12 * whole.abs().max(1.0));
            for (got, want) in gradient.iter().zip(&whole_gradient) {
                prop_assert!((got - f64::from(*want)).abs() <= 1e-5, "{gradient:?}, not {whole_gradient:?}");
            }
        }

        #[test]
        fn a_weighted_window_is_the_same_however_it_falls_into_batches(
            of in class_loss(),
            outputs in vec(-9f32..9.0, ROWS * N),
            classes in vec(0..N as u32, ROWS),
            weights in vec(0f32..5.0, ROWS),
            batch in 1..=ROWS,
        ) {
            let targets = Targets::Classes(classes);
            let weight = 0.3;
            let (whole, whole_gradient) = weighted_loss(&of, &outputs, &targets, &weights, weight);
            let rows: Vec<u32> = (0..ROWS as u32).collect();
            let (mut total, mut gradient) = (0.0, Vec::new());
            for ((rows, outputs), weights) in rows.chunks(batch).zip(outputs.chunks(batch * N)).zip(weights.chunks(batch)) {
                let (part, slopes) = weighted_loss(&of, outputs, &targets.select(rows), weights, weight);
                total += part;
                gradient.extend(slopes);
            }
            prop_assert_eq!(gradient, whole_gradient);
            prop_assert!((total - whole).abs() < 1e-12 * whole.abs().max(1.0));
        }
    }
}
