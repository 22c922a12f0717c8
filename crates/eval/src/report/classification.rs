//! The report on class predictions: per class as scikit-learn's `classification_report`, and the most confident errors.

use serde::Serialize;

use super::{Confusion, SourceRow};
use crate::{MetricValues, Predictions};

/// How good class predictions are, and where they go wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassificationReport {
    /// How many rows were scored.
    pub rows: usize,
    /// Every metric over all rows.
    pub metrics: MetricValues,
    /// One a class, in the order of the predictions' columns.
    pub classes: Vec<ClassRow>,
    /// Plain mean over the classes that occur in the truth or in the predictions; its F1 is the metric `macro_f1`.
    pub macro_average: ClassAverage,
    /// Mean over the classes weighted by support.
    pub weighted_average: ClassAverage,
    /// True class by predicted class, in the order of `classes`.
    pub confusion: Confusion,
    /// Metrics per source, the largest first; empty when the table names no sources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceRow>,
    /// The rows predicted wrong with the highest probability, the surest first.
    pub confident_errors: Vec<ConfidentError>,
}

/// One class of a [`ClassificationReport`], or of a [`MultiLabelReport`](super::MultiLabelReport). A ratio without a denominator is 0 (scikit-learn's `zero_division=0`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassRow {
    /// The class, as the table labels it.
    pub label: String,
    /// Of the rows predicted as this class, the share that is.
    pub precision: f64,
    /// Of the rows of this class, the share predicted as it.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// How many rows are truly of this class.
    pub support: u64,
    /// How many rows were predicted as this class.
    pub predicted: u64,
}

/// An average over classes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassAverage {
    /// Average precision.
    pub precision: f64,
    /// Average recall.
    pub recall: f64,
    /// Average F1.
    pub f1: f64,
}

/// A row predicted wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConfidentError {
    /// Its place among the predictions, from 0, to look its text up by.
    #[serde(skip)]
    pub row: usize,
    /// Its id.
    pub id: String,
    /// The class it is, as the table labels it.
    pub truth: String,
    /// The class it was taken for.
    pub prediction: String,
    /// The probability given to that class.
    pub probability: f32,
}

impl ClassificationReport {
    /// `truth` holds class indices the caller has checked against the predictions.
    pub(super) fn new(
        predictions: &Predictions,
        truth: &[u32],
        metrics: MetricValues,
        sources: Vec<SourceRow>,
        top: usize,
    ) -> Self {
        let labels = predictions.outputs().labels();
        let predicted = predictions.outputs().argmax();
        let confusion = Confusion::count(labels.len(), truth, &predicted);
        let classes: Vec<ClassRow> =
            labels.iter().enumerate().map(|(class, label)| ClassRow::of_class(label, class, &confusion)).collect();
        Self {
            rows: truth.len(),
            metrics,
            macro_average: average(&classes, |class| f64::from(u8::from(class.support + class.predicted > 0))),
            weighted_average: average(&classes, |class| class.support as f64),
            classes,
            confusion,
            sources,
            confident_errors: confident_errors(predictions, truth, &predicted, top),
        }
    }
}

impl ClassRow {
    fn of_class(label: &str, class: usize, confusion: &Confusion) -> Self {
        Self::new(label, confusion.hits(class), confusion.support(class), confusion.predicted(class))
    }

    /// Of the rows of the class, so many hit; so many have it, and so many were given it.
    pub(super) fn new(label: &str, hits: u64, support: u64, predicted: u64) -> Self {
        Self {
            label: label.to_owned(),
            precision: ratio(hits as f64, predicted as f64),
            recall: ratio(hits as f64, support as f64),
            f1: ratio(2.0 * hits as f64, (support + predicted) as f64),
            support,
            predicted,
        }
    }
}

pub(super) fn average(classes: &[ClassRow], weight: impl Fn(&ClassRow) -> f64) -> ClassAverage {
    let total: f64 = classes.iter().map(&weight).sum();
    let mean = |value: fn(&ClassRow) -> f64| ratio(classes.iter().map(|c| weight(c) * value(c)).sum(), total);
    ClassAverage { precision: mean(|c| c.precision), recall: mean(|c| c.recall), f1: mean(|c| c.f1) }
}

pub(super) fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator == 0.0 { 0.0 } else { numerator / denominator }
}

fn confident_errors(predictions: &Predictions, truth: &[u32], predicted: &[u32], top: usize) -> Vec<ConfidentError> {
    let labels = predictions.outputs().labels();
    let probabilities = predictions.outputs().probabilities();
    let probability = |row: usize| probabilities[row * labels.len() + predicted[row] as usize];
    let mut wrong: Vec<usize> = (0..truth.len()).filter(|&row| truth[row] != predicted[row]).collect();
    // The sort is stable, so equally sure errors stay in row order.
    wrong.sort_by(|&a, &b| probability(b).total_cmp(&probability(a)));
    wrong.truncate(top);
    let error = |row: usize| ConfidentError {
        row,
        id: predictions.ids()[row].clone(),
        truth: labels[truth[row] as usize].clone(),
        prediction: labels[predicted[row] as usize].clone(),
        probability: probability(row),
    };
    wrong.into_iter().map(error).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Metric, Outputs, Report, Truth, evaluate};

    fn report(probabilities: &[f32], truth: &[u32], top: usize) -> ClassificationReport {
        let labels = ["neg", "pos", "none"].map(str::to_owned).to_vec();
        let ids = (0..truth.len()).map(|row| format!("r{row}")).collect();
        let outputs = Outputs::Probabilities { labels, values: probabilities.to_vec() };
        let predictions = Predictions::new("id", ids, outputs).unwrap();
        match evaluate(&predictions, Truth::Classes(truth), None, top).unwrap() {
            Report::Classification(report) => report,
            _ => panic!("classes make a classification report"),
        }
    }

    const PROBABILITIES: [f32; 15] =
        [0.75, 0.25, 0.0, 0.25, 0.75, 0.0, 0.0, 1.0, 0.0, 0.625, 0.375, 0.0, 0.25, 0.75, 0.0];

    #[test]
    fn the_surest_errors_come_first_and_equals_in_row_order() {
        let report = report(&PROBABILITIES, &[0, 0, 0, 1, 0], 3);
        let errors: Vec<_> = report.confident_errors.iter().map(|e| (e.id.as_str(), e.row, e.probability)).collect();
        assert_eq!(errors, [("r2", 2, 1.0), ("r1", 1, 0.75), ("r4", 4, 0.75)]);
        assert_eq!(report.confident_errors[0].truth, "neg");
        assert_eq!(report.confident_errors[0].prediction, "pos");
    }

    #[test]
    fn a_class_that_is_nowhere_has_zeros_and_stays_out_of_the_macro_average() {
        let report = report(&PROBABILITIES, &[0, 1, 1, 0, 1], 3);
        assert_eq!(
            report.classes[2],
            ClassRow { label: "none".to_owned(), precision: 0.0, recall: 0.0, f1: 0.0, support: 0, predicted: 0 }
        );
        assert_eq!(report.macro_average, ClassAverage { precision: 1.0, recall: 1.0, f1: 1.0 });
        assert!(report.confident_errors.is_empty());
    }

    #[test]
    fn the_macro_average_is_the_metric() {
        let report = report(&PROBABILITIES, &[0, 0, 2, 1, 1], 3);
        let metric = report.metrics.get(Metric::MacroF1).unwrap();
        assert!((report.macro_average.f1 - metric).abs() < 1e-15);
    }
}
