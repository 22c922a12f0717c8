//! The report on scores: how the residuals lie, and the rows that are furthest off.

use serde::Serialize;

use super::SourceRow;
use crate::{MetricValues, Predictions, compare::Summary};

/// How good scores are, and where they go wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RegressionReport {
    /// How many rows were scored.
    pub rows: usize,
    /// Every metric over all rows.
    pub metrics: MetricValues,
    /// How prediction − truth is distributed; absent without rows.
    pub residuals: Option<Residuals>,
    /// Metrics per source, the largest first; empty when the table names no sources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceRow>,
    /// The rows furthest off, the worst first.
    pub worst: Vec<ScoreError>,
}

/// A summary of residuals (prediction − truth), in units of the score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Residuals {
    /// Mean residual: above 0 when scores are too high on the whole.
    pub bias: f64,
    /// Standard deviation of the residuals (n − 1); absent for a single row.
    pub standard_deviation: Option<f64>,
    /// Mean absolute residual.
    pub mean_absolute: f64,
    /// Median absolute residual.
    pub median_absolute: f64,
    /// Largest absolute residual.
    pub largest_absolute: f64,
}

/// A row and how far off it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreError {
    /// Its place among the predictions, from 0, to look its text up by.
    #[serde(skip)]
    pub row: usize,
    /// Its id.
    pub id: String,
    /// The score it has.
    pub truth: f32,
    /// The score it was given.
    pub prediction: f32,
    /// Prediction − truth.
    pub residual: f64,
}

impl RegressionReport {
    /// `truth` is as long as the predictions; the caller has checked.
    pub(super) fn new(
        predictions: &Predictions,
        truth: &[f32],
        metrics: MetricValues,
        sources: Vec<SourceRow>,
        top: usize,
    ) -> Self {
        let scores = predictions.outputs().values();
        let residuals: Vec<f64> = scores.iter().zip(truth).map(|(&s, &t)| s as f64 - t as f64).collect();
        // Stable, so rows equally far off stay in row order.
        let mut order: Vec<usize> = (0..residuals.len()).collect();
        order.sort_by(|&a, &b| residuals[b].abs().total_cmp(&residuals[a].abs()));
        let error = |&row: &usize| ScoreError {
            row,
            id: predictions.ids()[row].clone(),
            truth: truth[row],
            prediction: scores[row],
            residual: residuals[row],
        };
        Self {
            rows: truth.len(),
            metrics,
            residuals: Residuals::of(&residuals),
            sources,
            worst: order.iter().filter(|&&row| residuals[row] != 0.0).take(top).map(error).collect(),
        }
    }
}

impl Residuals {
    fn of(residuals: &[f64]) -> Option<Self> {
        let Summary { mean: bias, standard_deviation, .. } = Summary::of(residuals)?;
        let mut sizes: Vec<f64> = residuals.iter().map(|residual| residual.abs()).collect();
        sizes.sort_by(f64::total_cmp);
        let middle = sizes.len() / 2;
        let median = if sizes.len() % 2 == 1 { sizes[middle] } else { (sizes[middle - 1] + sizes[middle]) / 2.0 };
        Some(Self {
            bias,
            standard_deviation,
            mean_absolute: sizes.iter().sum::<f64>() / sizes.len() as f64,
            median_absolute: median,
            largest_absolute: sizes[sizes.len() - 1],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Outputs, Report, Truth, evaluate};

    fn report(scores: &[f32], truth: &[f32], top: usize) -> RegressionReport {
        let ids = (0..truth.len()).map(|row| format!("r{row}")).collect();
        let predictions = Predictions::new("id", ids, Outputs::Scores(scores.to_vec())).unwrap();
        match evaluate(&predictions, Truth::Scores(truth), None, top).unwrap() {
            Report::Regression(report) => report,
            _ => panic!("scores make a regression report"),
        }
    }

    #[test]
    fn residuals_are_prediction_less_truth() {
        let residuals = report(&[1.0, 4.0, 2.0, 3.0], &[2.0, 1.0, 2.0, 3.0], 0).residuals.unwrap();
        assert_eq!(residuals.bias, 0.5);
        assert_eq!(residuals.mean_absolute, 1.0);
        assert_eq!(residuals.median_absolute, 0.5);
        assert_eq!(residuals.largest_absolute, 3.0);
        assert_eq!(residuals.standard_deviation, Some(3f64.sqrt()));
    }

    #[test]
    fn the_worst_rows_come_first_and_exact_ones_are_not_errors() {
        let worst = report(&[1.0, 4.0, 2.0, 3.0], &[2.0, 1.0, 2.0, 2.0], 9).worst;
        let summary: Vec<_> = worst.iter().map(|e| (e.id.as_str(), e.residual)).collect();
        assert_eq!(summary, [("r1", 3.0), ("r0", -1.0), ("r3", 1.0)]);
    }
}
