//! What `evaluate` says about predictions: every metric, per class and per source, and the rows that are most wrong.
//! These are values that serialise; how they look in a terminal is for the binary.

mod classification;
mod confusion;
mod multi_label;
mod regression;

use std::collections::HashMap;

use serde::Serialize;

use crate::{EvalError, MetricValues, Outputs, Predictions, Truth, metrics};

pub use classification::{ClassAverage, ClassRow, ClassificationReport, ConfidentError};
pub use confusion::Confusion;
pub use multi_label::{LabelError, MultiLabelReport};
pub use regression::{RegressionReport, Residuals, ScoreError};

/// The report of a task. Serialises as the report itself with a `task` key.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "task", rename_all = "lowercase")]
pub enum Report {
    /// Of class predictions.
    Classification(ClassificationReport),
    /// Of label sets.
    #[serde(rename = "multi-label")]
    MultiLabel(MultiLabelReport),
    /// Of scores.
    Regression(RegressionReport),
}

impl Report {
    /// Every metric over all rows.
    pub fn metrics(&self) -> &MetricValues {
        match self {
            Self::Classification(report) => &report.metrics,
            Self::MultiLabel(report) => &report.metrics,
            Self::Regression(report) => &report.metrics,
        }
    }

    /// How many rows were scored.
    pub fn rows(&self) -> usize {
        match self {
            Self::Classification(report) => report.rows,
            Self::MultiLabel(report) => report.rows,
            Self::Regression(report) => report.rows,
        }
    }

    /// Metrics per source, the largest first; empty when the table names no sources.
    pub fn sources(&self) -> &[SourceRow] {
        match self {
            Self::Classification(report) => &report.sources,
            Self::MultiLabel(report) => &report.sources,
            Self::Regression(report) => &report.sources,
        }
    }
}

/// The metrics of the rows of one source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceRow {
    /// The source, as the table names it.
    pub source: String,
    /// How many rows it has.
    pub rows: usize,
    /// Every metric over those rows.
    pub metrics: MetricValues,
}

/// Reports on predictions.
///
/// `truth` and `sources` (when the table has them) are in the order of the predictions; `top` is how many of the worst
/// errors to list.
///
/// # Errors
/// When predictions, truth and sources are not of one task or do not describe the same rows.
pub fn evaluate(
    predictions: &Predictions,
    truth: Truth<'_>,
    sources: Option<&[String]>,
    top: usize,
) -> Result<Report, EvalError> {
    let outputs = predictions.outputs();
    metrics::check(outputs, truth)?;
    let sources = sources.map_or(Ok(Vec::new()), |sources| by_source(outputs, truth, sources))?;
    let metrics = MetricValues::measure(outputs, truth)?;
    Ok(match truth {
        Truth::Classes(truth) => {
            Report::Classification(ClassificationReport::new(predictions, truth, metrics, sources, top))
        }
        Truth::Sets(truth) => Report::MultiLabel(MultiLabelReport::new(predictions, truth, metrics, sources, top)),
        Truth::Scores(truth) => Report::Regression(RegressionReport::new(predictions, truth, metrics, sources, top)),
    })
}

/// One row a source, the largest first, equals by name.
fn by_source(outputs: &Outputs, truth: Truth<'_>, sources: &[String]) -> Result<Vec<SourceRow>, EvalError> {
    if sources.len() != truth.len() {
        return Err(EvalError::Length { what: "sources", expected: truth.len(), found: sources.len() });
    }
    let mut rows_of: HashMap<&str, Vec<usize>> = HashMap::new();
    for (row, source) in sources.iter().enumerate() {
        rows_of.entry(source).or_default().push(row);
    }
    let mut groups: Vec<(&str, Vec<usize>)> = rows_of.into_iter().collect();
    groups.sort_by(|(a, a_rows), (b, b_rows)| b_rows.len().cmp(&a_rows.len()).then(a.cmp(b)));
    let source_row = |(source, rows): (&str, Vec<usize>)| {
        let outputs = outputs.select(&rows);
        let metrics = match truth {
            Truth::Classes(truth) => MetricValues::measure(&outputs, Truth::Classes(&pick(truth, &rows))),
            Truth::Sets(truth) => {
                let rows: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
                MetricValues::measure(&outputs, Truth::Sets(&truth.select(&rows)))
            }
            Truth::Scores(truth) => MetricValues::measure(&outputs, Truth::Scores(&pick(truth, &rows))),
        }?;
        Ok(SourceRow { source: source.to_owned(), rows: rows.len(), metrics })
    };
    groups.into_iter().map(source_row).collect()
}

fn pick<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().map(|&row| values[row]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Metric;

    fn predictions(outputs: Outputs) -> Predictions {
        let ids = (0..outputs.rows()).map(|row| format!("r{row}")).collect();
        Predictions::new("id", ids, outputs).unwrap()
    }

    #[test]
    fn sources_are_scored_apart_the_largest_first() {
        let sources = ["web", "app", "app", "ads"].map(str::to_owned);
        let scores = predictions(Outputs::Scores(vec![1.0, 2.0, 3.0, 4.0]));
        let report = evaluate(&scores, Truth::Scores(&[1.0, 3.0, 2.0, 4.0]), Some(&sources), 0).unwrap();
        let Report::Regression(report) = report else { panic!("scores make a regression report") };
        let summary: Vec<_> =
            report.sources.iter().map(|s| (s.source.as_str(), s.rows, s.metrics.get(Metric::Rmse))).collect();
        assert_eq!(summary, [("app", 2, Some(1.0)), ("ads", 1, Some(0.0)), ("web", 1, Some(0.0))]);
    }

    #[test]
    fn sources_of_other_rows_are_refused() {
        let scores = predictions(Outputs::Scores(vec![1.0, 2.0]));
        let error = evaluate(&scores, Truth::Scores(&[1.0, 3.0]), Some(&["a".to_owned()]), 0).unwrap_err();
        assert!(matches!(error, EvalError::Length { what: "sources", expected: 2, found: 1 }));
    }

    #[test]
    fn a_report_serialises_flat_with_its_task() {
        let scores = predictions(Outputs::Scores(vec![1.0, 2.0]));
        let report = evaluate(&scores, Truth::Scores(&[1.0, 2.0]), None, 5).unwrap();
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["task"], "regression");
        assert_eq!(json["metrics"]["pearson"], 1.0);
        assert!(json.get("sources").is_none(), "no source column, no key");
    }
}
