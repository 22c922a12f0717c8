//! What the evaluations of a run say about its course: whether it learnt its training rows by heart, and whether the guard
//! passed over a better score.

use gyeol_eval::Metric;
use serde::{Deserialize, Serialize};

use crate::runs::{Event, EventKind};

/// How far above its lowest the validation loss has to end to be told, as a share: below that it is noise.
const RISE: f64 = 0.05;

/// A validation loss that rose while the training loss fell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overfitting {
    /// The loss on the validation rows: `log_loss`, or `rmse`.
    pub metric: String,
    /// The step where it was lowest.
    pub lowest_step: u64,
    /// What it was there.
    pub lowest: f64,
    /// What it was at the last evaluation.
    pub last: f64,
    /// Mean training loss before the evaluation of `lowest_step`, since the evaluation before that.
    pub train_loss_then: f64,
    /// The same of the last evaluation.
    pub train_loss_last: f64,
}

/// An evaluation, and the mean training loss since the one before: NaN, which nothing falls to or from, if no step had one.
struct Point {
    step: u64,
    value: f64,
    train_loss: f64,
}

impl Overfitting {
    /// What the events of a run show, if it overfitted.
    pub(crate) fn of(events: &[Event]) -> Option<Self> {
        let metric =
            [Metric::LogLoss, Metric::Rmse].into_iter().find(|metric| !points(events, metric.name()).is_empty())?;
        let points = points(events, metric.name());
        let lowest = points.iter().min_by(|a, b| a.value.total_cmp(&b.value))?;
        let last = points.last()?;
        let rose = last.value > lowest.value * (1.0 + RISE) && last.train_loss < lowest.train_loss;
        rose.then(|| Self {
            metric: metric.to_string(),
            lowest_step: lowest.step,
            lowest: lowest.value,
            last: last.value,
            train_loss_then: lowest.train_loss,
            train_loss_last: last.train_loss,
        })
    }
}

impl std::fmt::Display for Overfitting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { metric, lowest_step, lowest, last, train_loss_then, train_loss_last } = self;
        write!(
            f,
            "overfitting: {metric} on the validation rows was lowest at step {lowest_step}, {lowest:.4}, and is "
        )?;
        write!(
            f,
            "{last:.4} at the end, while the training loss fell from {train_loss_then:.4} to {train_loss_last:.4}"
        )
    }
}

/// Every evaluation with a finite value of the metric.
fn points(events: &[Event], metric: &str) -> Vec<Point> {
    let (mut points, mut sum, mut count) = (Vec::new(), 0.0, 0u64);
    for event in events {
        match &event.kind {
            EventKind::Step { loss: Some(loss), .. } => (sum, count) = (sum + loss, count + 1),
            EventKind::Evaluation { step, metrics, .. } => {
                let value = metrics.get(metric).copied().filter(|value| value.is_finite());
                points.extend(value.map(|value| Point { step: *step, value, train_loss: sum / count as f64 }));
                (sum, count) = (0.0, 0);
            }
            _ => {}
        }
    }
    points
}

/// The best-scoring evaluation of a run by `metric`: its step and score.
pub(crate) fn best_of_all(events: &[Event], metric: Metric) -> Option<(u64, f64)> {
    let better = |a: f64, b: f64| if metric.higher_is_better() { a > b } else { a < b };
    points(events, metric.name())
        .into_iter()
        .map(|point| (point.step, point.value))
        .reduce(|best, point| if better(point.1, best.1) { point } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evaluations after a step each, with the losses of both; a step may have none, here NaN.
    fn events(course: &[(f64, f64)]) -> Vec<Event> {
        let event = |kind| Event { time: 0.0, kind };
        let part = |(index, &(loss, log_loss)): (usize, &(f64, f64))| {
            let step = 10 * (index as u64 + 1);
            let loss = loss.is_finite().then_some(loss);
            let trained = EventKind::Step { step, epoch: 1.0, loss, learning_rate: 1e-5, grad_norm: 1.0, tokens: 5 };
            let metrics = [("accuracy".to_owned(), log_loss), ("log_loss".to_owned(), log_loss)].into();
            [event(trained), event(EventKind::Evaluation { step, epoch: 1.0, metrics })]
        };
        course.iter().enumerate().flat_map(part).collect()
    }

    #[test]
    fn a_loss_that_rises_while_the_other_falls_is_told() {
        let found = Overfitting::of(&events(&[(1.2, 1.0), (0.9, 0.8), (0.5, 0.9), (0.2, 1.4)])).unwrap();
        assert_eq!((found.lowest_step, found.lowest, found.last), (20, 0.8, 1.4));
        let words = "overfitting: log_loss on the validation rows was lowest at step 20, 0.8000, and is 1.4000 at the end, \
                     while the training loss fell from 0.9000 to 0.2000";
        assert_eq!(found.to_string(), words);
    }

    #[test]
    fn a_run_that_still_learns_or_goes_off_does_not_overfit() {
        assert_eq!(Overfitting::of(&events(&[(1.2, 1.0), (0.9, 0.8), (0.5, 0.81)])), None);
        assert_eq!(Overfitting::of(&events(&[(1.2, 1.0), (5.0, 8.0)])), None);
        assert_eq!(Overfitting::of(&events(&[])), None);
        assert_eq!(Overfitting::of(&events(&[(1.2, 1.0), (f64::NAN, 8.0)])), None, "no loss to have fallen");
    }

    #[test]
    fn the_best_of_all_evaluations_is_by_the_metric() {
        let events = events(&[(1.2, 1.0), (0.9, 0.8), (0.5, 0.9)]);
        assert_eq!(best_of_all(&events, Metric::LogLoss), Some((20, 0.8)));
        assert_eq!(best_of_all(&events, Metric::Accuracy), Some((10, 1.0)));
    }
}
