//! Binary cross-entropy of the sigmoid over independent labels, PyTorch's `BCEWithLogitsLoss`.

use gyeol_data::LabelSets;

/// The mean over the labels of −log of the probability given to what is true, a label present or absent. It is
/// log(1 + exp(−output)) of a present label and log(1 + exp(output)) of an absent one, computed with the exponent never
/// above 0: max(x, 0) + log(1 + exp(−|x|)) is log(1 + exp(x)) for x of any size.
pub(super) fn loss(outputs: &[f32], sets: &LabelSets, weight: f64) -> (f64, Vec<f32>) {
    let n = sets.classes();
    let mut gradient = Vec::with_capacity(outputs.len());
    let mut total = 0.0;
    for (row, set) in outputs.chunks_exact(n).zip(sets.iter()) {
        for (&output, label) in row.iter().zip(0u32..) {
            let target = if set.contains(&label) { 1.0 } else { 0.0 };
            let output = f64::from(output);
            let wrong = if target == 1.0 { -output } else { output };
            total += (wrong.max(0.0) + (-wrong.abs()).exp().ln_1p()) / n as f64;
            // An exponential that overflows gives a sigmoid of 0, as it should.
            gradient.push((weight * (1.0 / (1.0 + (-output).exp()) - target) / n as f64) as f32);
        }
    }
    (total, gradient)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    fn sets(classes: usize, rows: &[Vec<u32>]) -> LabelSets {
        let mut sets = LabelSets::new(classes);
        rows.iter().for_each(|row| sets.push(row.iter().copied()));
        sets
    }

    #[derive(Deserialize)]
    struct Case {
        name: String,
        classes: usize,
        outputs: Vec<f32>,
        sets: Vec<Vec<u32>>,
        loss: f64,
        gradient: Vec<f32>,
    }

    #[test]
    fn matches_pytorch() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../tests/golden/bce.json")).unwrap();
        for case in cases {
            let rows = case.sets.len() as f64;
            let (total, gradient) = loss(&case.outputs, &sets(case.classes, &case.sets), 1.0 / rows);
            assert!((total / rows - case.loss).abs() <= 1e-6 * case.loss.max(1.0), "{}: {total}", case.name);
            assert_eq!(gradient.len(), case.gradient.len(), "{}", case.name);
            let near = gradient.iter().zip(&case.gradient).all(|(found, expected)| (found - expected).abs() <= 1e-7);
            assert!(near, "{}: {gradient:?} where {:?} was expected", case.name, case.gradient);
        }
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() {
        let (sets, outputs) = (sets(3, &[vec![0, 2], vec![]]), [0.3f32, -0.2, 1.1, 0.0, 2.0, -1.5]);
        let (_, gradient) = loss(&outputs, &sets, 1.0);
        for i in 0..outputs.len() {
            let at = |step: f32| {
                let mut moved = outputs;
                moved[i] += step;
                loss(&moved, &sets, 1.0).0
            };
            let slope = (at(1e-2) - at(-1e-2)) / 2e-2;
            assert!((slope - f64::from(gradient[i])).abs() < 1e-4, "{i}: {slope} against {}", gradient[i]);
        }
    }
}
