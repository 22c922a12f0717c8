//! What candidates for weights are judged by: the metric, and where that is equal an error that tells more than which class is
//! the likeliest. Hundreds of candidates are judged, so their predictions are made block by block and never kept whole.

use rayon::prelude::*;

use crate::{
    Metric, Truth,
    metrics::{self, LabelCounts, macro_average, micro_average, negative_log},
    predictions::{GIVEN_FROM, argmax},
};

/// Numbers of a block: it stays in the first-level cache.
const BLOCK: usize = 2048;

/// The truth of the rows weights are fitted to, and the metric.
pub(super) struct Target<'a> {
    metric: Metric,
    truth: Truth<'a>,
    width: usize,
    /// Row-major `[rows, labels]`: whether the row has the label. Empty where the truth is no label sets.
    present: Vec<bool>,
}

/// How good a candidate is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quality {
    /// By the metric.
    pub(super) score: Option<f64>,
    /// The log loss, or the root mean squared error; infinite where it is undefined.
    pub(super) error: f64,
}

impl<'a> Target<'a> {
    /// `metric` applies to the task of `truth`, whose rows have `width` numbers.
    pub(super) fn new(metric: Metric, truth: Truth<'a>, width: usize) -> Self {
        let present = match truth {
            Truth::Sets(sets) => {
                let mut present = vec![false; sets.len() * width];
                for (row, set) in present.chunks_exact_mut(width).zip(sets.iter()) {
                    set.iter().for_each(|&label| row[label as usize] = true);
                }
                present
            }
            Truth::Classes(_) | Truth::Scores(_) => Vec::new(),
        };
        Self { metric, truth, width, present }
    }

    /// Scores predictions. `fill(start, out)` writes the flat numbers of `[rows, width]` from `start` on into `out`.
    pub(super) fn score(&self, fill: impl Fn(usize, &mut [f32])) -> Option<f64> {
        self.measure(self.metric, fill)
    }

    /// The error of predictions.
    pub(super) fn error(&self, fill: impl Fn(usize, &mut [f32])) -> f64 {
        let metric = if matches!(self.truth, Truth::Scores(_)) { Metric::Rmse } else { Metric::LogLoss };
        self.measure(metric, fill).unwrap_or(f64::INFINITY)
    }

    /// Score and error of predictions that are there as a whole.
    pub(super) fn quality(&self, values: &[f32]) -> Quality {
        let fill = |start: usize, out: &mut [f32]| out.copy_from_slice(&values[start..start + out.len()]);
        Quality { score: self.score(fill), error: self.error(fill) }
    }

    /// Whether `one` is better: by the metric, or as good by it and of a smaller error.
    pub(super) fn better(&self, one: Quality, other: Quality) -> bool {
        self.metric.better(one.score, other.score)
            || !self.metric.better(other.score, one.score) && one.error < other.error
    }

    /// The best of the candidates 0 to `count`, the first of equals; `fill` is told which it is to write. Errors are measured of
    /// those only that have the best score.
    pub(super) fn best(
        &self,
        count: usize,
        fill: impl Fn(usize, usize, &mut [f32]) + Sync,
    ) -> Option<(usize, Quality)> {
        let score = |candidate| self.score(|start, out| fill(candidate, start, out));
        let scores: Vec<Option<f64>> = (0..count).into_par_iter().map(score).collect();
        let best = scores.iter().fold(None, |best, &score| if self.metric.better(score, best) { score } else { best });
        let tied: Vec<usize> = (0..count).filter(|&candidate| !self.metric.better(best, scores[candidate])).collect();
        let error = |&candidate: &usize| self.error(|start, out| fill(candidate, start, out));
        let errors: Vec<f64> = tied.par_iter().map(error).collect();
        let quality = |error| Quality { score: best, error };
        let first_smallest = |best: (usize, f64), of: (usize, f64)| if of.1 < best.1 { of } else { best };
        tied.into_iter().zip(errors).reduce(first_smallest).map(|(candidate, error)| (candidate, quality(error)))
    }

    fn measure(&self, metric: Metric, fill: impl Fn(usize, &mut [f32])) -> Option<f64> {
        match self.truth {
            Truth::Classes(truth) => self.measure_classes(metric, truth, fill),
            Truth::Sets(_) => self.measure_sets(metric, fill),
            Truth::Scores(truth) => {
                let mut scores = vec![0f32; truth.len()];
                fill(0, &mut scores);
                match metric {
                    Metric::Pearson => metrics::pearson(truth, &scores),
                    Metric::Spearman => metrics::spearman(truth, &scores),
                    _ => metrics::rmse(truth, &scores),
                }
            }
        }
    }

    fn measure_classes(&self, metric: Metric, truth: &[u32], fill: impl Fn(usize, &mut [f32])) -> Option<f64> {
        if metric == Metric::LogLoss {
            let mut total = 0.0;
            self.each_row(fill, |row, values| total += negative_log(f64::from(values[truth[row] as usize])));
            return Some(total / truth.len() as f64).filter(|loss| loss.is_finite());
        }
        let mut predicted = Vec::with_capacity(truth.len());
        self.each_row(fill, |_, values| predicted.push(argmax(values) as u32));
        if metric == Metric::MacroF1 {
            metrics::macro_f1(truth, &predicted)
        } else {
            metrics::accuracy(truth, &predicted)
        }
    }

    fn measure_sets(&self, metric: Metric, fill: impl Fn(usize, &mut [f32])) -> Option<f64> {
        let rows = self.present.len() / self.width;
        let (mut exact, mut total) = (0usize, 0.0);
        let mut counts = vec![LabelCounts::default(); self.width];
        self.each_row(fill, |row, values| {
            let present = &self.present[row * self.width..(row + 1) * self.width];
            if metric == Metric::LogLoss {
                let of_true = |(&value, &present): (&f32, &bool)| {
                    let probability = f64::from(value);
                    negative_log(if present { probability } else { 1.0 - probability })
                };
                total += values.iter().zip(present).map(of_true).sum::<f64>();
                return;
            }
            let mut right = true;
            for ((&value, &present), of) in values.iter().zip(present).zip(&mut counts) {
                let given = value >= GIVEN_FROM;
                right &= given == present;
                of.hits += u64::from(given && present);
                of.missed += u64::from(!given && present);
                of.false_alarms += u64::from(given && !present);
            }
            exact += usize::from(right);
        });
        let value = match metric {
            Metric::LogLoss => total / self.present.len() as f64,
            Metric::Accuracy => exact as f64 / rows as f64,
            Metric::MacroF1 => macro_average(&counts),
            _ => micro_average(&counts),
        };
        Some(value).filter(|value| value.is_finite())
    }

    /// Has the rows' numbers written, and calls `visit` with each row and its numbers.
    fn each_row(&self, fill: impl Fn(usize, &mut [f32]), mut visit: impl FnMut(usize, &[f32])) {
        let rows = self.truth.len();
        let step = (BLOCK / self.width).clamp(1, rows.max(1));
        let mut block = vec![0f32; step * self.width];
        for start in (0..rows).step_by(step) {
            let block = &mut block[..step.min(rows - start) * self.width];
            fill(start * self.width, block);
            (start..).zip(block.chunks_exact(self.width)).for_each(|(row, values)| visit(row, values));
        }
    }
}

#[cfg(test)]
mod tests {
    use gyeol_data::LabelSets;
    use proptest::prelude::*;

    use super::*;
    use crate::Outputs;

    fn labels(count: usize) -> Vec<String> {
        (0..count).map(|label| label.to_string()).collect()
    }

    proptest! {
        #[test]
        fn it_measures_what_the_metrics_measure(
            width in 1usize..4,
            cells in prop::collection::vec((0f32..=1.0, 0u32..3, any::<bool>()), 3..60),
        ) {
            let rows = cells.len() / width;
            let values: Vec<f32> = cells.iter().take(rows * width).map(|cell| cell.0).collect();
            let classes: Vec<u32> = cells.iter().take(rows).map(|cell| cell.1 % width as u32).collect();
            let scores: Vec<f32> = cells.iter().rev().take(rows).map(|cell| cell.0).collect();
            let mut sets = LabelSets::new(width);
            for row in cells.chunks_exact(width) {
                sets.push((0u32..).zip(row).filter(|(_, cell)| cell.2).map(|(label, _)| label));
            }
            let probabilities = Outputs::Probabilities { labels: labels(width), values: values.clone() };
            for (truth, outputs, width) in [
                (Truth::Classes(&classes), probabilities.clone(), width),
                (Truth::Sets(&sets), probabilities.independent(), width),
                (Truth::Scores(&scores), Outputs::Scores(values[..rows].to_vec()), 1),
            ] {
                for metric in Metric::for_task(truth.task()) {
                    let expected = metric.measure(&outputs, truth).unwrap();
                    let found = Target::new(metric, truth, width).quality(outputs.values()).score;
                    prop_assert_eq!(found.is_some(), expected.is_some());
                    prop_assert!((found.unwrap_or(0.0) - expected.unwrap_or(0.0)).abs() < 1e-9, "{}", metric);
                }
            }
        }
    }

    #[test]
    fn of_equal_scores_the_smaller_error_is_better_and_the_undefined_never() {
        let target = Target::new(Metric::Accuracy, Truth::Classes(&[0]), 2);
        let quality = |score, error| Quality { score, error };
        assert!(target.better(quality(Some(0.8), 0.9), quality(Some(0.7), 0.1)));
        assert!(target.better(quality(Some(0.8), 0.1), quality(Some(0.8), 0.9)));
        assert!(!target.better(quality(Some(0.8), 0.1), quality(Some(0.8), 0.1)));
        assert!(!target.better(quality(None, 0.1), quality(Some(0.1), 0.9)));
    }

    #[test]
    fn the_best_candidate_is_the_first_of_equals() {
        let target = Target::new(Metric::Accuracy, Truth::Classes(&[0]), 2);
        let candidates = [[0.4f32, 0.6], [0.6, 0.4], [0.9, 0.1], [0.9, 0.1]];
        let found = target.best(candidates.len(), |candidate, start, out| {
            out.copy_from_slice(&candidates[candidate][start..start + out.len()]);
        });
        assert_eq!(found.map(|(candidate, quality)| (candidate, quality.score)), Some((2, Some(1.0))));
    }
}
