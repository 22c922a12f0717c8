//! Each source apart: its size, its labels, and how much of the labels the source alone explains.

use std::collections::BTreeMap;

use serde::Serialize;

use super::labels::Groups;
use super::stats::{Histogram, Summary, mean};
use super::text::excerpt;

/// Sources told, the largest first.
const TOLD: usize = 24;
/// Bins of a source's scores, about.
const BINS: usize = 20;

/// The rows of every source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sources {
    /// Number of sources.
    pub count: usize,
    /// Share of the variance of the scores that lies between sources (η²); classification: `None`.
    pub explained: Option<f64>,
    /// The largest sources.
    pub rows: Vec<Source>,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Source {
    /// Its name; empty for rows without one.
    pub source: String,
    /// Its rows.
    pub rows: usize,
    /// Their share of the table.
    pub share: f64,
    /// Regression: where its scores lie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scores: Option<Summary>,
    /// Regression: its scores in bins that all sources share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Histogram>,
    /// Classification: share of each class in it, in the order of [`groups`](super::Profile::groups).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<f64>,
    /// Pairs: mean word overlap of the two texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<f64>,
}

/// What is known of each row beside its source.
pub(super) struct Known<'a> {
    pub(super) groups: Option<&'a Groups>,
    pub(super) scores: Option<&'a [Option<f64>]>,
    pub(super) overlap: Option<&'a [f64]>,
}

/// Tells the sources of all rows apart.
pub(super) fn sources(names: &[String], known: &Known<'_>) -> Sources {
    let mut rows_of: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    names.iter().enumerate().for_each(|(row, name)| rows_of.entry(name.trim()).or_default().push(row));
    let mut order: Vec<(&str, Vec<usize>)> = rows_of.into_iter().collect();
    order.sort_by_key(|(_, rows)| std::cmp::Reverse(rows.len()));
    let all = known.scores.map(|scores| sorted(scores.iter().flatten().copied()));
    let bins = all.as_ref().map(|all| Histogram::of_scores(all, BINS));
    let explained = known.scores.and_then(|scores| explained(scores, &order));
    let told = order.iter().take(TOLD).map(|(name, rows)| {
        let scores = known.scores.map(|scores| sorted(rows.iter().filter_map(|&row| scores[row])));
        let shares = known.groups.filter(|_| known.scores.is_none()).map(|groups| shares(groups, rows));
        Source {
            source: excerpt(name),
            rows: rows.len(),
            share: rows.len() as f64 / names.len() as f64,
            histogram: scores.as_ref().zip(bins.as_ref()).map(|(scores, bins)| bins.of_same_bins(scores)),
            scores: scores.as_deref().and_then(Summary::of_sorted),
            shares: shares.unwrap_or_default(),
            overlap: known.overlap.map(|overlap| mean(&rows.iter().map(|&row| overlap[row]).collect::<Vec<_>>())),
        }
    });
    Sources { count: order.len(), explained, rows: told.collect() }
}

fn sorted(scores: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = scores.collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn shares(groups: &Groups, rows: &[usize]) -> Vec<f64> {
    let mut counts = vec![0usize; groups.slots()];
    rows.iter().for_each(|&row| counts[groups.of[row]] += 1);
    counts[..groups.names.len()].iter().map(|&count| count as f64 / rows.len() as f64).collect()
}

/// Variance between sources over all variance; `None` where scores do not vary.
fn explained(scores: &[Option<f64>], sources: &[(&str, Vec<usize>)]) -> Option<f64> {
    let all: Vec<f64> = scores.iter().flatten().copied().collect();
    let centre = mean(&all);
    let total: f64 = all.iter().map(|score| (score - centre).powi(2)).sum();
    let between = sources.iter().map(|(_, rows)| {
        let own: Vec<f64> = rows.iter().filter_map(|&row| scores[row]).collect();
        own.len() as f64 * (mean(&own) - centre).powi(2)
    });
    (total > 0.0).then(|| between.sum::<f64>() / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_decides_the_score_explains_all_of_it() {
        let names = ["뉴스", "뉴스", "리뷰", "리뷰", ""].map(str::to_owned);
        let scores = [Some(1.0), Some(1.0), Some(4.0), Some(4.0), None];
        let found = sources(&names, &Known { groups: None, scores: Some(&scores), overlap: None });
        assert_eq!((found.count, found.explained), (3, Some(1.0)));
        assert_eq!((found.rows[0].source.as_str(), found.rows[0].rows, found.rows[0].share), ("뉴스", 2, 0.4));
        assert_eq!(found.rows[2].scores, None);
        let same = sources(&names, &Known { groups: None, scores: Some(&[Some(2.0); 5]), overlap: None });
        assert_eq!(same.explained, None);
    }

    #[test]
    fn classes_are_told_as_shares() {
        let names = ["a", "a", "b", "a"].map(str::to_owned);
        let groups = Groups { names: vec!["0".into(), "1".into()], of: vec![0, 1, 1, 1] };
        let found =
            sources(&names, &Known { groups: Some(&groups), scores: None, overlap: Some(&[0.5, 0.0, 1.0, 0.1]) });
        assert_eq!(found.rows[1].shares, [0.0, 1.0]);
        assert!((found.rows[0].overlap.unwrap() - 0.2).abs() < 1e-12);
    }
}
