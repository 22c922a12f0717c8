//! Whether a second table is like the first: lengths (Kolmogorov–Smirnov) and words. No classifier is trained.

use std::collections::HashSet;

use rayon::prelude::*;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use super::duplicates::Shared;
use super::stats::Summary;
use super::text::words;

/// The second table against the first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestTable {
    /// The table as the user named it.
    pub file: String,
    /// Its rows.
    pub rows: usize,
    /// Its rows that are in the training table.
    pub shared: Shared,
    /// Characters of its texts.
    pub characters: Summary,
    /// Whether its texts are as long, in characters.
    pub length_shift: KolmogorovSmirnov,
    /// Whether its words are those of the training table.
    pub vocabulary: Vocabulary,
}

/// The two-sample Kolmogorov–Smirnov test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct KolmogorovSmirnov {
    /// Largest distance of the two distribution functions, in `[0, 1]`.
    pub statistic: f64,
    /// Probability of such a distance between samples of one distribution, by the limiting distribution.
    pub p_value: f64,
}

/// Words of the second table that the first does not have.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Vocabulary {
    /// Different words of the first table.
    pub train: usize,
    /// Different words of the second.
    pub test: usize,
    /// Share of the second table's words, each as often as it occurs, that are not in the first.
    pub unseen: f64,
    /// The same for as many rows of the first table against its other rows: what no shift would show.
    pub baseline: f64,
}

/// Compares two samples that both ascend and are not empty.
pub(super) fn kolmogorov_smirnov(a: &[f64], b: &[f64]) -> KolmogorovSmirnov {
    let (mut at, mut bt, mut statistic) = (0, 0, 0f64);
    while at < a.len() && bt < b.len() {
        let value = a[at].min(b[bt]);
        at += a[at..].iter().take_while(|&&x| x <= value).count();
        bt += b[bt..].iter().take_while(|&&x| x <= value).count();
        statistic = statistic.max((at as f64 / a.len() as f64 - bt as f64 / b.len() as f64).abs());
    }
    let (n, m) = (a.len() as f64, b.len() as f64);
    KolmogorovSmirnov { statistic, p_value: kolmogorov_tail(statistic * (n * m / (n + m)).sqrt()) }
}

/// `P(K > x)` of Kolmogorov's limiting distribution: `2 Σ (−1)^(k−1) exp(−2k²x²)`, and its theta transform where that
/// converges slowly.
fn kolmogorov_tail(x: f64) -> f64 {
    use std::f64::consts::PI;
    if x <= 0.0 {
        return 1.0;
    }
    if x < 1.0 {
        let term = |k: i32| (-f64::from((2 * k - 1).pow(2)) * PI * PI / (8.0 * x * x)).exp();
        let below: f64 = (2.0 * PI).sqrt() / x * (1..=8).map(term).sum::<f64>();
        return (1.0 - below).clamp(0.0, 1.0);
    }
    let term = |k: i32| f64::from(1 - 2 * ((k - 1) % 2)) * (-2.0 * f64::from(k * k) * x * x).exp();
    (2.0 * (1..=8).map(term).sum::<f64>()).clamp(0.0, 1.0)
}

/// The words of some rows as hashes, row by row.
pub(super) struct WordRows(Vec<Vec<u64>>);

impl WordRows {
    pub(super) fn of(texts: &[String], pairs: Option<&[String]>) -> Self {
        let row = |row: usize| {
            let both = [Some(&texts[row]), pairs.map(|pairs| &pairs[row])].into_iter().flatten();
            both.flat_map(|text| words(text)).map(|word| xxh3_64(word.as_bytes())).collect()
        };
        Self((0..texts.len()).into_par_iter().map(row).collect())
    }
}

/// Compares the words of two tables.
pub(super) fn vocabulary(train: &WordRows, test: &WordRows) -> Vocabulary {
    let distinct = |rows: &WordRows| rows.0.iter().flatten().copied().collect::<HashSet<u64>>();
    let known = distinct(train);
    // Every so manieth row stands for a second table: as many as it has, but no more than half.
    let every = (train.0.len() / test.0.len().max(1)).max(2);
    let (mut held, mut rest) = (Vec::new(), HashSet::new());
    for (row, words) in train.0.iter().enumerate() {
        if row % every == 0 {
            held.push(words.as_slice());
        } else {
            rest.extend(words);
        }
    }
    Vocabulary {
        train: known.len(),
        test: distinct(test).len(),
        unseen: unseen(test.0.iter().map(Vec::as_slice), &known),
        baseline: unseen(held.into_iter(), &rest),
    }
}

/// Share of the words of `rows` that are not known.
fn unseen<'a>(rows: impl Iterator<Item = &'a [u64]>, known: &HashSet<u64>) -> f64 {
    let (mut all, mut new) = (0usize, 0usize);
    for word in rows.flatten() {
        all += 1;
        new += usize::from(!known.contains(word));
    }
    new as f64 / all.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_samples_are_not_shifted_and_parted_ones_are() {
        let same = kolmogorov_smirnov(&[1.0, 2.0, 2.0, 3.0], &[1.0, 2.0, 2.0, 3.0]);
        assert_eq!((same.statistic, same.p_value), (0.0, 1.0));
        let low: Vec<f64> = (0..100).map(f64::from).collect();
        let high: Vec<f64> = (200..300).map(f64::from).collect();
        let apart = kolmogorov_smirnov(&low, &high);
        assert_eq!(apart.statistic, 1.0);
        assert!(apart.p_value < 1e-40);
    }

    #[test]
    fn the_tail_is_that_of_scipys_kstwobign() {
        // `tail` of tests/golden/profile/expected.json.
        let expected: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/golden/profile/expected.json")).unwrap();
        for point in expected["tail"].as_array().unwrap() {
            let (x, wanted) = (point[0].as_f64().unwrap(), point[1].as_f64().unwrap());
            assert!((kolmogorov_tail(x) - wanted).abs() < 1e-12, "{x}: {} is not {wanted}", kolmogorov_tail(x));
        }
    }

    #[test]
    fn the_two_series_of_the_tail_meet() {
        assert!((kolmogorov_tail(1.0 - 1e-12) - kolmogorov_tail(1.0)).abs() < 1e-10);
    }

    #[test]
    fn unseen_words_are_counted_as_often_as_they_occur() {
        let rows = |texts: &[&str]| WordRows::of(&texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>(), None);
        let found = vocabulary(&rows(&["좋은 영화", "나쁜 영화", "긴 영화", "짧은 영화"]), &rows(&["새 영화 새"]));
        assert_eq!((found.train, found.test), (5, 2));
        assert!((found.unseen - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(found.baseline, 0.5);
    }
}
