//! Rows that say the same: to the letter, but for spelling, under different labels, and across two tables.
//!
//! Empty texts are no duplicates of each other; they are counted as missing.

use std::collections::HashSet;

use rayon::prelude::*;
use serde::Serialize;
use xxhash_rust::xxh3::Xxh3;

use super::text::{excerpt, normalised};
use crate::examples::Examples;
use crate::fingerprint::update;

/// Groups shown of each kind.
const EXAMPLES: usize = 8;

/// Rows of one table that say the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Duplicates {
    /// Equal to the letter.
    pub exact: Repeats,
    /// Equal but for Unicode form, blanks, letter case and punctuation; the exact ones among them.
    pub normalised: Repeats,
    /// Equal so, but with different labels.
    pub conflicts: Conflicts,
    /// Pairs: rows of which one text, not the whole pair, is also in another row; absent for single texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_sentences: Option<SharedSentences>,
}

/// Groups of rows that say the same.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Repeats {
    /// How many groups of two rows or more.
    pub groups: usize,
    /// Rows beyond the first of each group: what removing duplicates would remove.
    pub surplus: usize,
    /// The largest groups.
    pub examples: Vec<Repeated>,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Repeated {
    /// The beginning of the text of its first row.
    pub text: String,
    /// The beginning of the second text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_pair: Option<String>,
    /// The rows, counted from 1; the first few.
    pub rows: Vec<usize>,
    /// How many rows there are.
    pub count: usize,
    /// Their different labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
}

/// Groups of rows that say the same under different labels.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Conflicts {
    /// How many groups.
    pub groups: usize,
    /// All rows in them.
    pub rows: usize,
    /// Rows in them that have not their group's most frequent label: errors that no model can avoid.
    pub minority: usize,
    /// Regression: the widest range of scores in a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub widest: Option<f64>,
    /// The largest groups; for a regression those with the widest ranges.
    pub examples: Vec<Repeated>,
}

/// Rows of pairs that have one text in common with another row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SharedSentences {
    /// Rows whose first text is that of another row too.
    pub first: usize,
    /// Rows whose second text is that of another row too.
    pub second: usize,
    /// Rows whose two texts are the same.
    pub identical: usize,
}

/// Rows of a second table that are in the first.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Shared {
    /// To the letter.
    pub exact: usize,
    /// Up to spelling, the exact ones among them.
    pub normalised: usize,
    /// Some of them; rows are those of the second table, labels those of the first.
    pub examples: Vec<Repeated>,
}

/// Hashes of every row: to the letter and normalised; `None` for a row without a text.
pub(super) struct Keys {
    exact: Vec<Option<u128>>,
    normalised: Vec<Option<u128>>,
}

impl Keys {
    pub(super) fn of(examples: &Examples) -> Self {
        let pair = |row: usize| examples.pairs.as_ref().map(|pairs| pairs[row].as_str());
        let key = |row: usize| {
            let (text, pair) = (examples.texts[row].as_str(), pair(row));
            if text.trim().is_empty() && pair.is_none_or(|pair| pair.trim().is_empty()) {
                return (None, None);
            }
            let plain = (normalised(text), pair.map(normalised));
            (Some(hash(text, pair)), Some(hash(&plain.0, plain.1.as_deref())))
        };
        let (exact, normalised) = (0..examples.len()).into_par_iter().map(key).unzip();
        Self { exact, normalised }
    }
}

fn hash(text: &str, pair: Option<&str>) -> u128 {
    let mut hash = Xxh3::new();
    update(&mut hash, &[text]);
    pair.inspect(|pair| update(&mut hash, &[pair]));
    hash.digest128()
}

/// Duplicates within `examples`. `scores`, for a regression, decide what a conflict is; otherwise the labels do.
pub(super) fn within(examples: &Examples, keys: &Keys, scores: Option<&[Option<f64>]>) -> Duplicates {
    let exact = groups(&keys.exact);
    let plain = groups(&keys.normalised);
    Duplicates {
        exact: repeats(examples, &exact),
        normalised: repeats(examples, &plain),
        conflicts: conflicts(examples, &plain, scores),
        shared_sentences: examples.pairs.as_ref().map(|pairs| SharedSentences {
            first: in_company(&examples.texts),
            second: in_company(pairs),
            identical: examples.texts.iter().zip(pairs).filter(|(a, b)| a == b && !a.trim().is_empty()).count(),
        }),
    }
}

/// Rows of `second` that are in `first`.
pub(super) fn between(first: (&Examples, &Keys), second: (&Examples, &Keys)) -> Shared {
    let known: HashSet<u128> = first.1.exact.iter().flatten().copied().collect();
    let exact = second.1.exact.iter().flatten().filter(|key| known.contains(key)).count();
    let known: HashSet<u128> = first.1.normalised.iter().flatten().copied().collect();
    let shared: Vec<usize> = (second.1.normalised.iter().enumerate())
        .filter(|(_, key)| key.is_some_and(|key| known.contains(&key)))
        .map(|(row, _)| row)
        .collect();
    let examples = shared.iter().take(EXAMPLES).map(|&row| {
        let twins = (first.1.normalised.iter().enumerate()).filter(|(_, key)| **key == second.1.normalised[row]);
        let labels = labels(first.0, twins.map(|(twin, _)| twin));
        Repeated { labels, ..repeated(second.0, &[row as u32]) }
    });
    Shared { exact, normalised: shared.len(), examples: examples.collect() }
}

/// The rows of equal keys, groups of two or more, largest first and then in file order.
fn groups(keys: &[Option<u128>]) -> Vec<Vec<u32>> {
    let mut order: Vec<(u128, u32)> =
        keys.iter().enumerate().filter_map(|(row, key)| Some(((*key)?, row as u32))).collect();
    order.par_sort_unstable();
    let alike = order.chunk_by(|a, b| a.0 == b.0).filter(|rows| rows.len() > 1);
    let mut groups: Vec<Vec<u32>> = alike.map(|rows| rows.iter().map(|&(_, row)| row).collect()).collect();
    groups.sort_by_key(|rows| (std::cmp::Reverse(rows.len()), rows[0]));
    groups
}

fn repeats(examples: &Examples, groups: &[Vec<u32>]) -> Repeats {
    Repeats {
        groups: groups.len(),
        surplus: groups.iter().map(|rows| rows.len() - 1).sum(),
        examples: groups.iter().take(EXAMPLES).map(|rows| repeated(examples, rows)).collect(),
    }
}

fn conflicts(examples: &Examples, groups: &[Vec<u32>], scores: Option<&[Option<f64>]>) -> Conflicts {
    let Some(cells) = &examples.labels else { return Conflicts::default() };
    let mut found: Vec<(f64, usize, &Vec<u32>)> = Vec::new();
    for rows in groups {
        let (width, minority) = match scores {
            Some(scores) => (range(rows.iter().filter_map(|&row| scores[row as usize])), 0),
            None => {
                let mut labels: Vec<&str> = rows.iter().map(|&row| cells[row as usize].trim()).collect();
                labels.retain(|label| !label.is_empty());
                labels.sort_unstable();
                let most = labels.chunk_by(|a, b| a == b).map(<[&str]>::len).max().unwrap_or(0);
                ((labels.len() - most) as f64, labels.len() - most)
            }
        };
        if width > 0.0 {
            found.push((width, minority, rows));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.2.len().cmp(&a.2.len())).then(a.2[0].cmp(&b.2[0])));
    Conflicts {
        groups: found.len(),
        rows: found.iter().map(|(_, _, rows)| rows.len()).sum(),
        minority: found.iter().map(|(_, minority, _)| minority).sum(),
        widest: scores.and_then(|_| found.first().map(|(width, _, _)| *width)),
        examples: found.iter().take(EXAMPLES).map(|(_, _, rows)| repeated(examples, rows)).collect(),
    }
}

fn range(values: impl Iterator<Item = f64>) -> f64 {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if high > low { high - low } else { 0.0 }
}

fn repeated(examples: &Examples, rows: &[u32]) -> Repeated {
    let first = rows[0] as usize;
    Repeated {
        text: excerpt(&examples.texts[first]),
        text_pair: examples.pairs.as_ref().map(|pairs| excerpt(&pairs[first])),
        rows: rows.iter().take(EXAMPLES).map(|&row| row as usize + 1).collect(),
        count: rows.len(),
        labels: labels(examples, rows.iter().map(|&row| row as usize)),
    }
}

/// The different labels of `rows`, in order.
fn labels(examples: &Examples, rows: impl Iterator<Item = usize>) -> Vec<String> {
    let Some(cells) = &examples.labels else { return Vec::new() };
    let distinct: std::collections::BTreeSet<&str> = rows.map(|row| cells[row].as_str()).collect();
    distinct.into_iter().take(EXAMPLES).map(excerpt).collect()
}

/// Rows of `texts` that are not alone with theirs.
fn in_company(texts: &[String]) -> usize {
    let key = |text: &String| (!text.trim().is_empty()).then(|| hash(text, None));
    groups(&texts.par_iter().map(key).collect::<Vec<_>>()).iter().map(Vec::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::fixture::{pairs, reviews};

    fn found(rows: &[(&str, &str)]) -> Duplicates {
        let examples = reviews(rows);
        within(&examples, &Keys::of(&examples), None)
    }

    #[test]
    fn exact_duplicates_are_among_those_up_to_spelling() {
        let rows = [("좋다", "1"), ("좋다!", "1"), ("좋다", "1"), ("나쁘다", "0"), ("", "0"), ("", "0")];
        let duplicates = found(&rows);
        assert_eq!((duplicates.exact.groups, duplicates.exact.surplus), (1, 1));
        assert_eq!((duplicates.normalised.groups, duplicates.normalised.surplus), (1, 2));
        assert_eq!(duplicates.normalised.examples[0].rows, [1, 2, 3]);
        assert_eq!(duplicates.conflicts, Conflicts::default());
    }

    #[test]
    fn one_text_under_two_labels_is_a_conflict() {
        let conflicts = found(&[("좋다", "1"), ("좋다.", "0"), ("좋다", "1"), ("별로", "0"), ("별로", "0")]).conflicts;
        assert_eq!((conflicts.groups, conflicts.rows, conflicts.minority), (1, 3, 1));
        assert_eq!(conflicts.examples[0].labels, ["0", "1"]);
    }

    #[test]
    fn scores_conflict_by_their_range() {
        let examples = pairs(&[("가", "나", "1.0"), ("가", "나", "3.5"), ("가", "다", "2"), ("라", "라", "5")]);
        let scores = [1.0, 3.5, 2.0, 5.0].map(Some);
        let duplicates = within(&examples, &Keys::of(&examples), Some(&scores));
        assert_eq!((duplicates.conflicts.groups, duplicates.conflicts.widest), (1, Some(2.5)));
        let shared = duplicates.shared_sentences.unwrap();
        assert_eq!((shared.first, shared.second, shared.identical), (3, 2, 1));
    }

    #[test]
    fn rows_of_a_test_table_are_found_in_the_training_table_with_their_labels() {
        let train = reviews(&[("좋다", "1"), ("좋다?", "0"), ("별로", "0")]);
        let test = reviews(&[("좋다", ""), ("별로!!", ""), ("처음 본다", "")]);
        let shared = between((&train, &Keys::of(&train)), (&test, &Keys::of(&test)));
        assert_eq!((shared.exact, shared.normalised), (1, 2));
        assert_eq!((shared.examples[0].rows.as_slice(), shared.examples[0].labels.len()), (&[1][..], 2));
    }
}
