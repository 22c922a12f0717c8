//! How well probabilities keep their word: among rows of 80 % confidence, four of five should be right.

use super::logits::FLOOR;
use crate::{EvalError, Outputs, Truth, metrics::check};

/// Bins of equal width that confidences are sorted into.
const BINS: usize = 15;

/// The expected calibration error: rows are sorted by confidence into 15 bins of equal width, and the differences between the mean
/// confidence and the share of right rows in a bin are averaged, weighted by its rows (Guo et al. 2017, equation 3). From 0
/// to 1, lower is better.
///
/// The confidence in a row is the probability of the predicted class. Of independent labels every row and label counts, its
/// confidence being the label's probability, and right where the row has the label. `None` for scores, without rows, and where a
/// probability is not a number.
///
/// # Errors
/// If the outputs and the truth are not of one task, or do not describe the same rows.
pub fn calibration_error(outputs: &Outputs, truth: Truth<'_>) -> Result<Option<f64>, EvalError> {
    check(outputs, truth)?;
    let probabilities = outputs.probabilities();
    let width = outputs.labels().len().max(1);
    let rows = probabilities.chunks_exact(width);
    let decisions: Vec<(f64, bool)> = match truth {
        Truth::Scores(_) => return Ok(None),
        Truth::Classes(classes) => {
            let predicted = outputs.argmax();
            rows.zip(predicted.iter().zip(classes))
                .map(|(row, (&predicted, &class))| (f64::from(row[predicted as usize]), predicted == class))
                .collect()
        }
        Truth::Sets(sets) => rows
            .zip(sets.iter())
            .flat_map(|(row, set)| row.iter().zip(0u32..).map(move |(&p, label)| (f64::from(p), set.contains(&label))))
            .collect(),
    };
    if decisions.is_empty() || decisions.iter().any(|(confidence, _)| confidence.is_nan()) {
        return Ok(None);
    }
    // A bin holds its upper end, as in the paper: a confidence of exactly 0.8 is in the bin up to 0.8, whatever its last bit says.
    let bin = |confidence: f64| ((confidence - FLOOR) * BINS as f64).ceil().clamp(1.0, BINS as f64) as usize - 1;
    let mut gaps = [0f64; BINS];
    for &(confidence, right) in &decisions {
        gaps[bin(confidence)] += if right { 1.0 - confidence } else { -confidence };
    }
    Ok(Some(gaps.iter().map(|gap| gap.abs()).sum::<f64>() / decisions.len() as f64))
}

#[cfg(test)]
mod tests {
    use gyeol_data::Task;

    use super::*;
    use crate::ensemble::golden::{aligned, check as close, golden};

    #[test]
    fn it_is_numpys() {
        let classes = golden().classes;
        let members = aligned(Task::Classification, 4, &classes.members);
        let found = calibration_error(&members.outputs(2), Truth::Classes(&classes.truth)).unwrap().unwrap();
        close("classes", found, classes.calibration_error, 1e-6);
        let labels = golden().labels;
        let members = aligned(Task::MultiLabel, 2, &labels.members);
        let found = calibration_error(&members.outputs(2), Truth::Sets(&labels.sets())).unwrap().unwrap();
        close("labels", found, labels.calibration_error, 1e-6);
    }

    fn probabilities(values: &[f32]) -> Outputs {
        Outputs::Probabilities { labels: vec!["a".to_owned(), "b".to_owned()], values: values.to_vec() }
    }

    #[test]
    fn four_of_five_right_at_80_percent_is_no_error() {
        let outputs = probabilities(&[0.8, 0.2].repeat(5));
        let error = calibration_error(&outputs, Truth::Classes(&[0, 0, 1, 0, 0])).unwrap().unwrap();
        assert!(error < 1e-7, "{error}");
        let error = calibration_error(&outputs, Truth::Classes(&[1; 5])).unwrap().unwrap();
        assert!((error - 0.8).abs() < 1e-7, "{error}");
    }

    #[test]
    fn scores_no_rows_and_nan_have_none() {
        assert_eq!(calibration_error(&Outputs::Scores(vec![1.0]), Truth::Scores(&[1.0])).unwrap(), None);
        assert_eq!(calibration_error(&probabilities(&[]), Truth::Classes(&[])).unwrap(), None);
        assert_eq!(calibration_error(&probabilities(&[f32::NAN, f32::NAN]), Truth::Classes(&[0])).unwrap(), None);
    }
}
