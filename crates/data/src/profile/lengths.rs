//! How long texts are, in characters and in words. Tokens are in `tokens`.

use rayon::prelude::*;
use serde::Serialize;

use super::labels::Groups;
use super::stats::{Histogram, Summary};

/// Bins of a histogram of lengths, about.
const BINS: usize = 40;

/// The lengths of one column of texts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TextLengths {
    /// In characters (Unicode scalar values).
    pub characters: Lengths,
    /// In words: what blanks part.
    pub words: Lengths,
    /// Median characters of each group of labels.
    pub by_label: Vec<LabelLength>,
}

/// How lengths are spread.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lengths {
    /// Moments and quantiles.
    pub summary: Summary,
    /// All but the longest in about 40 bins.
    pub histogram: Histogram,
}

/// The length of the texts of one group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelLength {
    /// The class, or the range of scores.
    pub label: String,
    /// Characters; `None` where the group has no rows.
    pub summary: Option<Summary>,
}

impl Lengths {
    /// Of lengths in any order, at least one; the histogram reaches `limit` if that is near.
    pub(super) fn of(mut lengths: Vec<f64>, limit: Option<usize>) -> Self {
        lengths.par_sort_unstable_by(f64::total_cmp);
        let summary = Summary::of_sorted(&lengths).expect("a table has rows");
        Self { summary, histogram: Histogram::of_lengths(&lengths, BINS, limit) }
    }
}

/// Characters and words of each text.
pub(super) fn measure(texts: &[String]) -> (Vec<f64>, Vec<f64>) {
    texts.par_iter().map(|text| (text.chars().count() as f64, text.split_whitespace().count() as f64)).unzip()
}

/// The lengths of a column, all and by group.
pub(super) fn lengths(characters: &[f64], words: &[f64], groups: Option<&Groups>) -> TextLengths {
    TextLengths {
        characters: Lengths::of(characters.to_vec(), None),
        words: Lengths::of(words.to_vec(), None),
        by_label: groups.map(|groups| by_label(characters, groups)).unwrap_or_default(),
    }
}

fn by_label(characters: &[f64], groups: &Groups) -> Vec<LabelLength> {
    let mut parts = vec![Vec::new(); groups.slots()];
    groups.of.iter().zip(characters).for_each(|(&group, &length)| parts[group].push(length));
    let lengths = groups.names.iter().zip(&mut parts).map(|(label, part)| {
        part.sort_by(f64::total_cmp);
        LabelLength { label: label.clone(), summary: Summary::of_sorted(part) }
    });
    lengths.collect()
}
