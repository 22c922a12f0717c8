//! Pairs: how much of their wording the two texts share, and how far that alone goes towards the score.

use std::collections::HashSet;

use rayon::prelude::*;
use serde::Serialize;

use super::labels::Groups;
use super::stats::{Summary, mean, pearson};
use super::text::{normalised, words};

/// The wording two texts have in common.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overlap {
    /// Words in both over words in either (Jaccard).
    pub words: Summary,
    /// The same of pairs of neighbouring characters, which particles and endings disturb less.
    pub bigrams: Summary,
    /// Pearson's correlation of the word overlap with the score; `None` without scores.
    pub words_and_score: Option<f64>,
    /// The same of the bigrams: what a model must beat.
    pub bigrams_and_score: Option<f64>,
    /// Mean bigram overlap of each group of labels.
    pub by_label: Vec<LabelOverlap>,
}

/// The overlap under one label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelOverlap {
    /// The class, or the range of scores.
    pub label: String,
    /// Mean overlap of bigrams.
    pub bigrams: f64,
}

/// The overlap of each row: of words, and of bigrams of characters; both in `[0, 1]`.
pub(super) fn measure(texts: &[String], pairs: &[String]) -> (Vec<f64>, Vec<f64>) {
    let row = |(a, b): (&String, &String)| {
        let (bigrams_a, bigrams_b) = (bigrams(a), bigrams(b));
        (jaccard(&words(a).collect(), &words(b).collect()), jaccard(&bigrams_a, &bigrams_b))
    };
    texts.par_iter().zip(pairs).map(row).unzip()
}

/// Sums up what [`measure`] found.
pub(super) fn overlap(
    words: &[f64],
    bigrams: &[f64],
    scores: Option<&[Option<f64>]>,
    groups: Option<&Groups>,
) -> Overlap {
    let summary = |values: &[f64]| {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Summary::of_sorted(&sorted).expect("a table has rows")
    };
    let correlation = |values: &[f64]| {
        let scored = values.iter().zip(scores?).filter_map(|(value, score)| Some((*value, (*score)?)));
        let (values, scores): (Vec<f64>, Vec<f64>) = scored.unzip();
        pearson(&values, &scores)
    };
    let by_label = groups.map(|groups| {
        let mut parts = vec![Vec::new(); groups.slots()];
        groups.of.iter().zip(bigrams).for_each(|(&group, &value)| parts[group].push(value));
        let labels = groups.names.iter().zip(&parts);
        labels.map(|(label, part)| LabelOverlap { label: label.clone(), bigrams: mean(part) }).collect()
    });
    Overlap {
        words: summary(words),
        bigrams: summary(bigrams),
        words_and_score: correlation(words),
        bigrams_and_score: correlation(bigrams),
        by_label: by_label.unwrap_or_default(),
    }
}

fn bigrams(text: &str) -> HashSet<[char; 2]> {
    let letters: Vec<char> = normalised(text).chars().filter(|c| !c.is_whitespace()).collect();
    letters.windows(2).map(|pair| [pair[0], pair[1]]).collect()
}

fn jaccard<T: std::hash::Hash + Eq>(a: &HashSet<T>, b: &HashSet<T>) -> f64 {
    let both = a.intersection(b).count();
    let either = a.len() + b.len() - both;
    if either == 0 { 0.0 } else { both as f64 / either as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_wording_is_the_share_of_all_wording() {
        let (words, bigrams) = measure(&["비가 온다".into(), "".into()], &["눈이 온다!".into(), "가".into()]);
        assert_eq!(words, [1.0 / 3.0, 0.0]);
        assert_eq!(bigrams, [1.0 / 5.0, 0.0]);
    }

    #[test]
    fn overlap_that_follows_the_score_correlates_with_it() {
        let scores = [Some(0.0), Some(2.5), None, Some(5.0)];
        let found = overlap(&[0.0, 0.5, 0.9, 1.0], &[0.3; 4], Some(&scores), None);
        assert!((found.words_and_score.unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(found.bigrams_and_score, None);
    }
}
