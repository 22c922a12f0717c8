//! Sums over rows of which each counts so and so often: what `scorer.rs` makes metrics of.

use super::scorer::Average;
use crate::{Outputs, Truth};

/// The rows that are there, with how often.
fn drawn(counts: &[u32]) -> impl Iterator<Item = (usize, u32)> + '_ {
    counts.iter().copied().enumerate().filter(|(_, count)| *count > 0)
}

/// Candidates' numbers side by side: row-major `[rows, candidates]`, so that a row's are next to each other.
fn side_by_side(outputs: &[&Outputs], of: impl Fn(&Outputs) -> Vec<f64>) -> Vec<f64> {
    let columns: Vec<Vec<f64>> = outputs.iter().map(|outputs| of(outputs)).collect();
    let rows = columns.first().map_or(0, Vec::len);
    (0..rows).flat_map(|row| columns.iter().map(move |column| column[row])).collect()
}

/// Means of one number a row.
pub(super) struct Means {
    candidates: usize,
    values: Vec<f64>,
}

impl Means {
    pub(super) fn new(outputs: &[&Outputs], of: impl Fn(&Outputs) -> Vec<f64>) -> Self {
        Self { candidates: outputs.len(), values: side_by_side(outputs, of) }
    }

    pub(super) fn of(&self, counts: &[u32]) -> Vec<f64> {
        let (mut sums, mut rows) = (vec![0.0; self.candidates], 0u64);
        for (row, count) in drawn(counts) {
            rows += u64::from(count);
            let values = &self.values[row * self.candidates..][..self.candidates];
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += f64::from(count) * value);
        }
        sums.into_iter().map(|sum| sum / rows as f64).collect()
    }
}

/// Where a candidate is right and where it is not, as classes count it.
pub(super) struct Decisions {
    classes: usize,
    /// Class and whether it was hit: one that is true or predicted, and is not both, is missed. Rows laid end to end.
    decisions: Vec<(u32, bool)>,
    /// Where each row ends in `decisions`.
    ends: Vec<usize>,
}

impl Decisions {
    pub(super) fn of(outputs: &Outputs, truth: Truth<'_>) -> Self {
        let (mut decisions, mut ends) = (Vec::new(), Vec::new());
        match truth {
            Truth::Classes(classes) => {
                for (&predicted, &class) in outputs.argmax().iter().zip(classes) {
                    decisions.push((class, predicted == class));
                    if predicted != class {
                        decisions.push((predicted, false));
                    }
                    ends.push(decisions.len());
                }
            }
            Truth::Sets(sets) => {
                for (predicted, set) in outputs.label_sets().iter().zip(sets.iter()) {
                    decisions.extend(set.iter().map(|class| (*class, predicted.contains(class))));
                    decisions
                        .extend(predicted.iter().filter(|class| !set.contains(class)).map(|&class| (class, false)));
                    ends.push(decisions.len());
                }
            }
            Truth::Scores(_) => {}
        }
        Self { classes: outputs.labels().len(), decisions, ends }
    }

    /// F1 = 2·TP / (2·TP + FP + FN), 0 where nothing was true or predicted; `None` without rows.
    pub(super) fn f1(&self, counts: &[u32], average: Average) -> Option<f64> {
        // Of each class 2·TP, and 2·TP + FP + FN.
        let mut sums = vec![[0u64; 2]; self.classes];
        let mut rows = 0u64;
        for (row, count) in drawn(counts) {
            rows += u64::from(count);
            let start = if row == 0 { 0 } else { self.ends[row - 1] };
            for &(class, hit) in &self.decisions[start..self.ends[row]] {
                let [hits, all] = &mut sums[class as usize];
                *hits += if hit { 2 * u64::from(count) } else { 0 };
                *all += if hit { 2 * u64::from(count) } else { u64::from(count) };
            }
        }
        let f1 = |[hits, all]: [u64; 2]| if all == 0 { 0.0 } else { hits as f64 / all as f64 };
        if average == Average::Micro {
            sums = vec![sums.iter().fold([0, 0], |[hits, all], of| [hits + of[0], all + of[1]])];
        }
        if average == Average::MacroOfPresent {
            sums.retain(|[_, all]| *all > 0);
        }
        (rows > 0).then(|| sums.iter().map(|&of| f1(of)).sum::<f64>() / sums.len() as f64)
    }
}

/// Squared deviations that sum to less than this share of the squares they are taken from are what rounding leaves of numbers that
/// are all equal.
const ROUNDING: f64 = 1e-12;

/// What Pearson's correlation is made of. Numbers are taken from their means over all rows, so that sums of squares keep their digits.
pub(super) struct Moments {
    truth: Vec<f64>,
    predicted: Means,
}

impl Moments {
    pub(super) fn new(outputs: &[&Outputs], truth: Truth<'_>) -> Self {
        let centred = |values: &[f32]| -> Vec<f64> {
            let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
            values.iter().map(|&value| f64::from(value) - mean).collect()
        };
        let truth = if let Truth::Scores(scores) = truth { centred(scores) } else { Vec::new() };
        Self { truth, predicted: Means::new(outputs, |outputs| centred(outputs.values())) }
    }

    /// NaN where a side's numbers are all equal.
    pub(super) fn correlations(&self, counts: &[u32]) -> Vec<f64> {
        let candidates = self.predicted.candidates;
        // Of each candidate its sum, its squares, and its products with the truth.
        let mut sums = vec![[0f64; 3]; candidates];
        let (mut rows, mut truth_sum, mut truth_squares) = (0.0, 0.0, 0.0);
        for (row, count) in drawn(counts) {
            let (count, truth) = (f64::from(count), self.truth[row]);
            rows += count;
            truth_sum += count * truth;
            truth_squares += count * truth * truth;
            for (sums, &value) in sums.iter_mut().zip(&self.predicted.values[row * candidates..]) {
                let weighted = count * value;
                sums[0] += weighted;
                sums[1] += weighted * value;
                sums[2] += weighted * truth;
            }
        }
        let spread = |squares: f64, sum: f64| {
            let spread = squares - sum * sum / rows;
            if spread > ROUNDING * squares { spread } else { f64::NAN }
        };
        let truth_spread = spread(truth_squares, truth_sum);
        sums.into_iter()
            .map(|[sum, squares, products]| {
                let together = products - sum * truth_sum / rows;
                (together / (spread(squares, sum) * truth_spread).sqrt()).clamp(-1.0, 1.0)
            })
            .collect()
    }
}

/// Rows from the smallest number to the largest, which no draw changes, so that ranks need no sorting.
pub(super) struct Order {
    rows: Vec<u32>,
    /// Where each run of equal numbers ends in `rows`.
    ends: Vec<usize>,
}

impl Order {
    pub(super) fn of(values: &[f32]) -> Self {
        let mut rows: Vec<u32> = (0..values.len() as u32).collect();
        rows.sort_by(|&a, &b| values[a as usize].total_cmp(&values[b as usize]));
        let runs = rows.chunk_by(|&a, &b| values[a as usize] == values[b as usize]);
        let ends = runs.scan(0, |end, run| {
            *end += run.len();
            Some(*end)
        });
        Self { ends: ends.collect(), rows }
    }

    /// The rank of each row from the mean of all ranks, equal numbers sharing the mean of theirs; 0 for one that was not drawn.
    pub(super) fn ranks(&self, counts: &[u32]) -> Vec<f64> {
        let total: u64 = counts.iter().map(|&count| u64::from(count)).sum();
        let middle = (total as f64 + 1.0) / 2.0;
        let mut ranks = vec![0.0; counts.len()];
        let (mut below, mut start) = (0u64, 0);
        for &end in &self.ends {
            let run = &self.rows[start..end];
            let equal: u64 = run.iter().map(|&row| u64::from(counts[row as usize])).sum();
            let rank = below as f64 + (equal as f64 + 1.0) / 2.0 - middle;
            run.iter().filter(|&&row| counts[row as usize] > 0).for_each(|&row| ranks[row as usize] = rank);
            below += equal;
            start = end;
        }
        ranks
    }
}

/// Pearson's correlation of ranks from their means; NaN where a side's are all equal, which is when they are all 0.
pub(super) fn correlation_of_ranks(truth: &[f64], predicted: &[f64], counts: &[u32]) -> f64 {
    let (mut truth_squares, mut squares, mut products) = (0.0, 0.0, 0.0);
    for (row, count) in drawn(counts) {
        let (count, truth, predicted) = (f64::from(count), truth[row], predicted[row]);
        truth_squares += count * truth * truth;
        squares += count * predicted * predicted;
        products += count * truth * predicted;
    }
    (products / (truth_squares * squares).sqrt()).clamp(-1.0, 1.0)
}
