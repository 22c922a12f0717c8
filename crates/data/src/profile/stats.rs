//! Numbers about numbers: moments, quantiles, histograms. Nothing here knows a text.

use serde::Serialize;

/// How a list of numbers is spread.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// How many numbers.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Standard deviation of the population (divided by `count`).
    pub deviation: f64,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
    /// 5th, 25th, 50th, 75th, 95th and 99th percentile, linearly interpolated between ranks (NumPy's default).
    pub quantiles: Quantiles,
}

/// The percentiles of a [`Summary`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantiles {
    /// The 5th.
    pub p5: f64,
    /// The 25th.
    pub p25: f64,
    /// The 50th, the median.
    pub p50: f64,
    /// The 75th.
    pub p75: f64,
    /// The 95th.
    pub p95: f64,
    /// The 99th.
    pub p99: f64,
}

impl Summary {
    /// Of `sorted`, which ascends; `None` of nothing.
    pub(super) fn of_sorted(sorted: &[f64]) -> Option<Self> {
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let count = sorted.len();
        let mean = mean(sorted);
        let variance = sorted.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count as f64;
        let [p5, p25, p50, p75, p95, p99] = [0.05, 0.25, 0.5, 0.75, 0.95, 0.99].map(|q| quantile(sorted, q));
        let quantiles = Quantiles { p5, p25, p50, p75, p95, p99 };
        Some(Self { count, mean, deviation: variance.sqrt(), min, max, quantiles })
    }
}

/// The mean; 0 of nothing.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The `q`-quantile of `sorted`, which ascends and is not empty.
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let rank = q * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
    below + (above - below) * rank.fract()
}

/// Counts in bins of one width.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Histogram {
    /// Where the first bin begins.
    pub start: f64,
    /// How wide each is: bin `i` holds `start + i·width ≤ value < start + (i + 1)·width`.
    pub width: f64,
    /// Values in each bin.
    pub counts: Vec<usize>,
    /// Values at or beyond the end of the last bin.
    pub above: usize,
}

impl Histogram {
    /// Of whole numbers from 0 that ascend: about `bins` bins for all but the longest 0.5 %, which count as `above`.
    /// A length `limit` that is not far beyond them is in the bins too.
    pub(super) fn of_lengths(sorted: &[f64], bins: usize, limit: Option<usize>) -> Self {
        let most = if sorted.is_empty() { 0.0 } else { quantile(sorted, 0.995).ceil() };
        let limit = limit.map(|limit| limit as f64).filter(|&limit| limit > most && limit <= 2.0 * most);
        let most = limit.unwrap_or(most);
        let width = ((most + 1.0) / bins as f64).ceil();
        let width = if width <= 5.0 { width } else { round_up(width) };
        let mut histogram = Self { start: 0.0, width, counts: Vec::new(), above: 0 };
        histogram.counts = vec![0; ((most / width).floor() as usize) + 1];
        sorted.iter().for_each(|&value| histogram.add(value));
        histogram
    }

    /// Of any numbers that ascend: at most about `bins` bins from lowest to highest, at round edges.
    ///
    /// The highest value belongs to the last bin even where it is that bin's end.
    pub(super) fn of_scores(sorted: &[f64], bins: usize) -> Self {
        let (low, high) = (sorted.first().copied().unwrap_or(0.0), sorted.last().copied().unwrap_or(0.0));
        let width = if high > low { round_up((high - low) / bins as f64) } else { 1.0 };
        let start = (low / width + SLACK).floor() * width;
        let count = (((high - start) / width - SLACK).ceil() as usize).max(1);
        Self { start, width, counts: vec![0; count], above: 0 }.of_same_bins(sorted)
    }

    /// Other scores in the same bins; each must be in one of them.
    pub(super) fn of_same_bins(&self, scores: &[f64]) -> Self {
        let mut counts = vec![0; self.counts.len()];
        scores.iter().for_each(|&score| counts[self.bin(score).min(self.counts.len() - 1)] += 1);
        Self { counts, above: 0, ..*self }
    }

    /// The bin of a value not below `start`; it may be beyond the last.
    pub(super) fn bin(&self, value: f64) -> usize {
        ((value - self.start) / self.width + SLACK).floor().max(0.0) as usize
    }

    /// Where bin `at` begins.
    pub fn edge(&self, at: usize) -> f64 {
        // Sums of tenths are not tenths; what is meant is the nearest short decimal.
        let edge = self.start + at as f64 * self.width;
        (edge * 1e9).round() / 1e9
    }

    fn add(&mut self, value: f64) {
        match self.counts.get_mut(((value - self.start) / self.width) as usize) {
            Some(count) => *count += 1,
            None => self.above += 1,
        }
    }
}

/// A value this share of a bin below an edge is on it: 0.3 / 0.1 is a little less than 3.
const SLACK: f64 = 1e-9;

/// The least of 1, 2, 2.5, 5 times a power of ten that is not below `width`.
fn round_up(width: f64) -> f64 {
    let power = 10f64.powf(width.log10().floor());
    // 2.5 is no width of bins of whole numbers.
    let steps = if (1.0..10.0).contains(&power) { &[1.0, 2.0, 5.0][..] } else { &[1.0, 2.0, 2.5, 5.0] };
    steps.iter().map(|step| step * power).find(|&step| step >= width * (1.0 - SLACK)).unwrap_or(10.0 * power)
}

/// Pearson's correlation; `None` where one side does not vary.
pub(super) fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut product, mut square_a, mut square_b) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        product += x * y;
        square_a += x * x;
        square_b += y * y;
    }
    let scale = (square_a * square_b).sqrt();
    (scale > 0.0).then(|| product / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_no_numbers_there_is_no_summary() {
        assert_eq!(Summary::of_sorted(&[]), None);
        assert_eq!(Summary::of_sorted(&[3.0]).unwrap().quantiles.p95, 3.0);
    }

    #[test]
    fn bins_of_scores_have_round_edges_and_the_highest_value_is_in_the_last() {
        let scores: Vec<f64> = (0..=50).map(|tenth| f64::from(tenth) / 10.0).collect();
        let histogram = Histogram::of_scores(&scores, 6);
        assert_eq!((histogram.start, histogram.width), (0.0, 1.0));
        assert_eq!((histogram.counts, histogram.above), (vec![10, 10, 10, 10, 11], 0));
        let fine = Histogram::of_scores(&scores, 25);
        assert_eq!((fine.width, fine.edge(3)), (0.2, 0.6));
        assert_eq!(fine.counts, [[2; 24].as_slice(), &[3]].concat());
    }

    #[test]
    fn one_score_is_one_bin() {
        assert_eq!(Histogram::of_scores(&[2.5, 2.5], 10).counts, [2]);
    }

    #[test]
    fn the_longest_few_do_not_stretch_a_histogram_of_lengths() {
        let mut lengths: Vec<f64> = (0..1000).map(|n| f64::from(n % 20)).collect();
        lengths.push(5000.0);
        lengths.sort_by(f64::total_cmp);
        let histogram = Histogram::of_lengths(&lengths, 40, None);
        assert_eq!(histogram, Histogram { start: 0.0, width: 1.0, counts: vec![50; 20], above: 1 });
        assert_eq!(Histogram::of_lengths(&[], 40, None).counts, [0]);
    }

    #[test]
    fn a_limit_near_the_longest_is_on_the_plot_and_one_far_off_is_not() {
        let lengths: Vec<f64> = (0..20).map(f64::from).collect();
        let end = |limit| Histogram::of_lengths(&lengths, 40, Some(limit)).counts.len();
        assert_eq!((end(10), end(30), end(500)), (20, 31, 20));
    }

    #[test]
    fn a_constant_has_no_correlation() {
        assert_eq!(pearson(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(pearson(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]), Some(1.0));
    }
}
