//! Metrics of rows of which each counts so and so often, without laying them out: what a row adds to a metric is found once, and a
//! resample is a weighted sum of it. The numbers are those of [`Metric::measure`] on rows laid out, to rounding.

use super::weighted::{Decisions, Means, Moments, Order, correlation_of_ranks};
use crate::{Metric, Outputs, Truth, metrics};

/// What the candidates' rows add to the metric.
pub(super) enum Scorer {
    /// The mean of a number a row: accuracy, log loss.
    Mean(Means),
    /// The root of a mean: RMSE.
    RootMean(Means),
    /// F1 of counted decisions, a candidate each.
    F1(Vec<Decisions>, Average),
    /// Pearson's correlation.
    Correlation(Moments),
    /// Spearman's: the truth, then a candidate each.
    RankCorrelation(Order, Vec<Order>),
}

/// How the F1 of classes become one.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Average {
    /// Of the decisions of all classes.
    Micro,
    /// The mean of all classes.
    Macro,
    /// The mean of the classes that are true or predicted somewhere.
    MacroOfPresent,
}

impl Scorer {
    /// The outputs and the metric are of the task of the truth, and describe its rows.
    pub(super) fn new(outputs: &[&Outputs], truth: Truth<'_>, metric: Metric) -> Self {
        let f1 = |average| Self::F1(outputs.iter().map(|outputs| Decisions::of(outputs, truth)).collect(), average);
        match (metric, truth) {
            (Metric::Rmse, _) => Self::RootMean(Means::new(outputs, |outputs| squares(outputs, truth))),
            (Metric::Pearson, _) => Self::Correlation(Moments::new(outputs, truth)),
            (Metric::Spearman, Truth::Scores(scores)) => {
                Self::RankCorrelation(Order::of(scores), outputs.iter().map(|of| Order::of(of.values())).collect())
            }
            (Metric::MicroF1, _) => f1(Average::Micro),
            (Metric::MacroF1, Truth::Sets(_)) => f1(Average::Macro),
            (Metric::MacroF1, _) => f1(Average::MacroOfPresent),
            (Metric::Accuracy, _) => Self::Mean(Means::new(outputs, |outputs| hits(outputs, truth))),
            (Metric::LogLoss | Metric::Loss | Metric::Spearman, _) => {
                Self::Mean(Means::new(outputs, |outputs| log_losses(outputs, truth)))
            }
        }
    }

    /// The metric of each candidate where row i counts `counts[i]` times; `None` where it is undefined.
    pub(super) fn scores(&self, counts: &[u32]) -> Vec<Option<f64>> {
        let finite = |value: f64| value.is_finite().then_some(value);
        match self {
            Self::Mean(means) => means.of(counts).into_iter().map(finite).collect(),
            Self::RootMean(means) => means.of(counts).into_iter().map(|mean| finite(mean.sqrt())).collect(),
            Self::F1(decisions, average) => decisions.iter().map(|of| of.f1(counts, *average)).collect(),
            Self::Correlation(moments) => moments.correlations(counts).into_iter().map(finite).collect(),
            Self::RankCorrelation(truth, candidates) => {
                let ranks = truth.ranks(counts);
                candidates
                    .iter()
                    .map(|order| finite(correlation_of_ranks(&ranks, &order.ranks(counts), counts)))
                    .collect()
            }
        }
    }
}

/// 1 for each row that is predicted right.
fn hits(outputs: &Outputs, truth: Truth<'_>) -> Vec<f64> {
    let one_if = |right: bool| if right { 1.0 } else { 0.0 };
    match truth {
        Truth::Sets(sets) => {
            outputs.label_sets().iter().zip(sets.iter()).map(|(predicted, set)| one_if(predicted == set)).collect()
        }
        Truth::Classes(classes) => {
            outputs.argmax().iter().zip(classes).map(|(predicted, class)| one_if(predicted == class)).collect()
        }
        Truth::Scores(_) => Vec::new(),
    }
}

/// The log loss of each row alone; NaN where it is undefined.
fn log_losses(outputs: &Outputs, truth: Truth<'_>) -> Vec<f64> {
    let row_loss = |(row, values): (usize, &[f32])| match (truth, outputs) {
        (Truth::Classes(classes), Outputs::Logits { .. }) => {
            metrics::log_loss_from_logits(values, values.len(), &classes[row..=row])
        }
        (Truth::Classes(classes), _) => metrics::log_loss_from_probabilities(values, values.len(), &classes[row..=row]),
        (Truth::Sets(sets), Outputs::IndependentLogits { .. }) => {
            metrics::binary_log_loss_from_logits(values, &sets.select(&[row as u32]))
        }
        (Truth::Sets(sets), _) => metrics::binary_log_loss_from_probabilities(values, &sets.select(&[row as u32])),
        (Truth::Scores(_), _) => None,
    };
    let rows = outputs.values().chunks_exact(outputs.labels().len().max(1));
    rows.enumerate().map(|row| row_loss(row).unwrap_or(f64::NAN)).collect()
}

/// The squared error of each row.
fn squares(outputs: &Outputs, truth: Truth<'_>) -> Vec<f64> {
    let Truth::Scores(scores) = truth else { return Vec::new() };
    let square = |(&predicted, &score): (&f32, &f32)| (f64::from(predicted) - f64::from(score)).powi(2);
    outputs.values().iter().zip(scores).map(square).collect()
}
