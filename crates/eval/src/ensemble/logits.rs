//! Members' probabilities as logits, which temperatures divide and stacking weighs.

use gyeol_data::Task;

/// Probabilities nearer to 0 than this count as this, and labels' probabilities nearer to 1 likewise: the distance of 1 to the
/// next larger number in single precision, beyond which files do not tell how sure a member was.
pub(super) const FLOOR: f64 = f32::EPSILON as f64;

/// The logits behind row-major `[rows, width]` probabilities, floored at [`FLOOR`]: of classes that exclude each other
/// their logarithms, less the mean of the row's; of independent labels `ln(p / (1 − p))`. Scores stay as they are.
pub(super) fn logits(values: &[f32], task: Task, width: usize) -> Vec<f64> {
    match task {
        Task::Regression => values.iter().map(|&score| f64::from(score)).collect(),
        Task::MultiLabel => values.iter().map(|&probability| logit(f64::from(probability))).collect(),
        Task::Classification => {
            let mut logs: Vec<f64> = values.iter().map(|&probability| f64::from(probability).max(FLOOR).ln()).collect();
            for row in logs.chunks_exact_mut(width) {
                let mean = row.iter().sum::<f64>() / width as f64;
                row.iter_mut().for_each(|log| *log -= mean);
            }
            logs
        }
    }
}

fn logit(probability: f64) -> f64 {
    let probability = probability.clamp(FLOOR, 1.0 - FLOOR);
    (probability / (1.0 - probability)).ln()
}

/// The sigmoid of a logit.
pub(super) fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// Turns a row of logits into its softmax and returns the logarithm of the sum of the logits' exponentials. The largest logit is
/// taken off first, so that none overflows.
pub(super) fn softmax(row: &mut [f64]) -> f64 {
    let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for logit in row.iter_mut() {
        *logit = (*logit - max).exp();
        sum += *logit;
    }
    row.iter_mut().for_each(|value| *value /= sum);
    max + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_lead_back_to_the_probabilities() {
        let classes = [0.7f32, 0.2, 0.1];
        let mut row = logits(&classes, Task::Classification, 3);
        assert!(row.iter().sum::<f64>().abs() < 1e-12);
        softmax(&mut row);
        assert!(row.iter().zip(classes).all(|(found, p)| (found - f64::from(p)).abs() < 1e-7));
        let label = logits(&[0.9], Task::MultiLabel, 1)[0];
        assert!((sigmoid(label) - 0.9).abs() < 1e-7);
        assert_eq!(logits(&[2.5, -1.0], Task::Regression, 1), [2.5, -1.0]);
    }

    #[test]
    fn certain_probabilities_have_finite_logits() {
        let row = logits(&[1.0, 0.0], Task::Classification, 2);
        assert!((row[0] - row[1] + FLOOR.ln()).abs() < 1e-12);
        let labels = logits(&[1.0, 0.0], Task::MultiLabel, 2);
        assert!(labels[0] > 15.0 && (labels[0] + labels[1]).abs() < 1e-6);
    }

    #[test]
    fn the_softmax_of_huge_logits_does_not_overflow() {
        let mut row = [1000.0, 1000.0];
        assert!((softmax(&mut row) - 1000.0 - 2f64.ln()).abs() < 1e-9);
        assert_eq!(row, [0.5, 0.5]);
    }
}
