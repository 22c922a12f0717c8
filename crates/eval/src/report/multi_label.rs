//! The report on label sets: per label as scikit-learn's `classification_report`, and the rows with the surest mistakes.
//!
//! There is no matrix of one label against another, as no label is given in another's place. Each label has its own 2×2
//! table instead: right, missed, false alarm, rightly absent.

use gyeol_data::LabelSets;
use serde::Serialize;

use super::classification::{average, ratio};
use super::{ClassAverage, ClassRow, SourceRow};
use crate::metrics::LabelCounts;
use crate::predictions::joined;
use crate::{MetricValues, Predictions};

/// How good predictions of label sets are, and where they go wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MultiLabelReport {
    /// How many rows were scored.
    pub rows: usize,
    /// Every metric over all rows.
    pub metrics: MetricValues,
    /// One a label, in the order of the predictions' columns. One that no row has and none was given has zeros.
    pub classes: Vec<ClassRow>,
    /// The decisions on each label, in the order of `classes`.
    pub decisions: Vec<LabelCounts>,
    /// Over the decisions on all labels; its F1 is the metric `micro_f1`.
    pub micro_average: ClassAverage,
    /// Plain mean over the labels; its F1 is the metric `macro_f1`.
    pub macro_average: ClassAverage,
    /// Mean over the labels weighted by support.
    pub weighted_average: ClassAverage,
    /// Metrics per source, the largest first; empty when the table names no sources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceRow>,
    /// The rows with the surest wrong decisions, the surest first.
    pub confident_errors: Vec<LabelError>,
}

/// A row that was given a label it does not have, or not given one that it has: of several the surest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelError {
    /// Its place among the predictions, from 0, to look its text up by.
    #[serde(skip)]
    pub row: usize,
    /// Its id.
    pub id: String,
    /// The label that is wrong, as the table writes it.
    pub label: String,
    /// The probability of that label.
    pub probability: f32,
    /// The labels it has, joined by `|`.
    pub truth: String,
    /// The labels it was given, joined by `|`.
    pub prediction: String,
}

impl LabelError {
    /// Whether the row was given the label; otherwise it was missed.
    pub fn is_false_alarm(&self) -> bool {
        self.probability >= 0.5
    }
}

impl MultiLabelReport {
    /// `truth` has the rows and classes of the predictions; the caller has checked.
    pub(super) fn new(
        predictions: &Predictions,
        truth: &LabelSets,
        metrics: MetricValues,
        sources: Vec<SourceRow>,
        top: usize,
    ) -> Self {
        let predicted = predictions.outputs().label_sets();
        let decisions = LabelCounts::of(truth, &predicted);
        let row = |(label, of): (&String, &LabelCounts)| {
            ClassRow::new(label, of.hits, of.hits + of.missed, of.hits + of.false_alarms)
        };
        let classes: Vec<ClassRow> = predictions.outputs().labels().iter().zip(&decisions).map(row).collect();
        let sum = |count: fn(&LabelCounts) -> u64| decisions.iter().map(count).sum::<u64>() as f64;
        let (hits, missed, false_alarms) = (sum(|of| of.hits), sum(|of| of.missed), sum(|of| of.false_alarms));
        Self {
            rows: truth.len(),
            metrics,
            micro_average: ClassAverage {
                precision: ratio(hits, hits + false_alarms),
                recall: ratio(hits, hits + missed),
                f1: ratio(2.0 * hits, 2.0 * hits + missed + false_alarms),
            },
            macro_average: average(&classes, |_| 1.0),
            weighted_average: average(&classes, |class| class.support as f64),
            classes,
            decisions,
            sources,
            confident_errors: confident_errors(predictions, truth, &predicted, top),
        }
    }
}

fn confident_errors(
    predictions: &Predictions,
    truth: &LabelSets,
    predicted: &LabelSets,
    top: usize,
) -> Vec<LabelError> {
    let labels = predictions.outputs().labels();
    let probabilities = predictions.outputs().probabilities();
    let probability = |row: usize, class: u32| probabilities[row * labels.len() + class as usize];
    // How sure a wrong decision was: 0.5 at the least.
    let sureness = |row: usize, class: u32| {
        let p = probability(row, class);
        if predicted.row(row).contains(&class) { p } else { 1.0 - p }
    };
    let surest = |row: usize| {
        let wrong = |class: &u32| truth.row(row).contains(class) != predicted.row(row).contains(class);
        // The first of equals.
        (0..labels.len() as u32).filter(wrong).rev().max_by(|&a, &b| sureness(row, a).total_cmp(&sureness(row, b)))
    };
    let mut wrong: Vec<(usize, u32)> = (0..truth.len()).filter_map(|row| Some((row, surest(row)?))).collect();
    // The sort is stable, so equally sure errors stay in row order.
    wrong.sort_by(|&(a, of_a), &(b, of_b)| sureness(b, of_b).total_cmp(&sureness(a, of_a)));
    wrong.truncate(top);
    let error = |(row, class): (usize, u32)| LabelError {
        row,
        id: predictions.ids()[row].clone(),
        label: labels[class as usize].clone(),
        probability: probability(row, class),
        truth: joined(labels, truth.row(row)),
        prediction: joined(labels, predicted.row(row)),
    };
    wrong.into_iter().map(error).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Metric, Outputs, Report, Truth, evaluate};

    fn report(probabilities: &[f32], truth: &[&[u32]], sources: Option<&[String]>) -> MultiLabelReport {
        let labels = ["욕설", "차별", "광고"].map(str::to_owned).to_vec();
        let ids = (0..truth.len()).map(|row| format!("r{row}")).collect();
        let outputs = Outputs::IndependentProbabilities { labels, values: probabilities.to_vec() };
        let predictions = Predictions::new("id", ids, outputs).unwrap();
        let mut sets = LabelSets::new(3);
        truth.iter().for_each(|set| sets.push(set.iter().copied()));
        match evaluate(&predictions, Truth::Sets(&sets), sources, 9).unwrap() {
            Report::MultiLabel(report) => report,
            _ => panic!("label sets make a report of theirs"),
        }
    }

    const PROBABILITIES: [f32; 12] = [0.75, 0.5, 0.125, 0.25, 0.125, 0.25, 0.875, 0.125, 0.0, 0.25, 0.75, 0.0];
    const TRUTH: [&[u32]; 4] = [&[0, 1], &[1, 0], &[], &[1]];

    #[test]
    fn the_surest_mistake_of_a_row_stands_for_it() {
        let errors = report(&PROBABILITIES, &TRUTH, None).confident_errors;
        let summary: Vec<_> = errors.iter().map(|e| (e.id.as_str(), e.label.as_str(), e.is_false_alarm())).collect();
        assert_eq!(summary, [("r1", "차별", false), ("r2", "욕설", true)]);
        let error = &errors[0];
        assert_eq!((error.truth.as_str(), error.prediction.as_str(), error.probability), ("욕설|차별", "", 0.125));
    }

    #[test]
    fn a_label_that_is_nowhere_has_zeros_and_averages_are_the_metrics() {
        let report = report(&PROBABILITIES, &TRUTH, None);
        assert_eq!(
            report.classes[2],
            ClassRow { label: "광고".into(), precision: 0.0, recall: 0.0, f1: 0.0, support: 0, predicted: 0 }
        );
        assert_eq!(report.decisions[1], LabelCounts { hits: 2, missed: 1, false_alarms: 0, absent: 1 });
        for (average, metric) in
            [(report.micro_average.f1, Metric::MicroF1), (report.macro_average.f1, Metric::MacroF1)]
        {
            assert!((average - report.metrics.get(metric).unwrap()).abs() < 1e-15, "{metric}");
        }
    }

    #[test]
    fn sources_are_scored_apart() {
        let sources = ["web", "web", "app", "web"].map(str::to_owned);
        let report = report(&PROBABILITIES, &TRUTH, Some(&sources));
        let exact: Vec<_> = report.sources.iter().map(|s| (s.rows, s.metrics.get(Metric::Accuracy))).collect();
        assert_eq!(exact, [(3, Some(2.0 / 3.0)), (1, Some(0.0))]);
    }
}
