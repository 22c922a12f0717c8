//! The words that tell a label from the rest: log-odds ratios with an informative Dirichlet prior.
//!
//! Burt L. Monroe, Michael P. Colaresi and Kevin M. Quinn, “Fightin' Words: Lexical Feature Selection and Evaluation
//! for Identifying the Content of Political Conflict”, Political Analysis 16(4), 2008, equations 15, 18 and 22.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use rayon::prelude::*;
use serde::Serialize;

use super::labels::Groups;
use super::text::{excerpt, is_jamo, words};

/// The prior's size in words, shared out by the words' frequency in the whole table.
const PRIOR: f64 = 1000.0;
/// A word in fewer rows tells of its rows, not of a label.
const LEAST_ROWS: usize = 5;
/// Words of each label, at most.
const TOLD: usize = 15;
/// Rows a task takes.
const CHUNK: usize = 4096;

/// The most telling words of one label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Telling {
    /// The class, or the range of scores.
    pub label: String,
    /// Words more frequent here than in the rest, the surest first.
    pub words: Vec<Word>,
    /// Words less frequent here than in the rest, the surest first.
    pub against: Vec<Word>,
}

/// A word in one label against all others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Word {
    /// The word, in small letters.
    pub word: String,
    /// Occurrences under the label.
    pub here: usize,
    /// Occurrences in the rest.
    pub elsewhere: usize,
    /// Log-odds ratio; above 0 it belongs to the label.
    pub log_odds: f64,
    /// The ratio in its standard deviations.
    pub z: f64,
}

/// How often each word occurs in each group and the rest, and in how many rows.
struct Counts<'a>(HashMap<Cow<'a, str>, Count>);

struct Count {
    rows: usize,
    occurrences: Vec<u32>,
}

/// The words that tell each group from all other rows; pairs count as one text. Runs of single jamo (`ㅋㅋ`) are no
/// words: they are in `emotive`.
pub(super) fn telling(texts: &[String], pairs: Option<&[String]>, groups: &Groups) -> Vec<Telling> {
    let Counts(counts) = count(texts, pairs, groups);
    let slots = groups.slots();
    let totals: Vec<f64> =
        (0..slots).map(|group| counts.values().map(|count| f64::from(count.occurrences[group])).sum()).collect();
    let total: f64 = totals.iter().sum();
    let tell = |(group, label): (usize, &String)| {
        let (mut words, mut against) = (Vec::new(), Vec::new());
        for (word, count) in counts.iter().filter(|(_, count)| count.rows >= LEAST_ROWS) {
            let here = f64::from(count.occurrences[group]);
            let all: f64 = count.occurrences.iter().map(|&n| f64::from(n)).sum();
            let (log_odds, z) = log_odds([here, all - here], [totals[group], total - totals[group]]);
            let side = if z > 0.0 { &mut words } else { &mut against };
            let word = excerpt(word);
            side.push(Word { word, here: here as usize, elsewhere: (all - here) as usize, log_odds, z });
        }
        [&mut words, &mut against].into_iter().for_each(surest);
        Telling { label: label.clone(), words, against }
    };
    groups.names.par_iter().enumerate().map(tell).collect()
}

/// Keeps the words whose z is furthest from 0, the furthest first.
fn surest(words: &mut Vec<Word>) {
    words.sort_by(|a, b| b.z.abs().total_cmp(&a.z.abs()).then_with(|| a.word.cmp(&b.word)));
    words.truncate(TOLD);
    words.retain(|word| word.z != 0.0);
}

/// The log-odds ratio of a word and its z-score, from its occurrences in two groups and their total words.
fn log_odds(word: [f64; 2], totals: [f64; 2]) -> (f64, f64) {
    let all = totals[0] + totals[1];
    let prior = PRIOR * (word[0] + word[1]) / all;
    let log_odds = |at: usize| ((word[at] + prior) / (totals[at] + PRIOR - word[at] - prior)).ln();
    let ratio = log_odds(0) - log_odds(1);
    let variance = 1.0 / (word[0] + prior) + 1.0 / (word[1] + prior);
    (ratio, ratio / variance.sqrt())
}

fn count<'a>(texts: &'a [String], pairs: Option<&'a [String]>, groups: &Groups) -> Counts<'a> {
    let starts: Vec<usize> = (0..texts.len()).step_by(CHUNK).collect();
    let part = |&start: &usize| {
        let mut counts = Counts(HashMap::new());
        let mut seen = HashSet::new();
        for row in start..texts.len().min(start + CHUNK) {
            seen.clear();
            let both = [Some(&texts[row]), pairs.map(|pairs| &pairs[row])].into_iter().flatten();
            for word in both.flat_map(|text| words(text)).filter(|word| !word.chars().all(is_jamo)) {
                let first = seen.insert(word.clone());
                let empty = || Count { rows: 0, occurrences: vec![0; groups.slots()] };
                let count = counts.0.entry(word).or_insert_with(empty);
                count.rows += usize::from(first);
                count.occurrences[groups.of[row]] += 1;
            }
        }
        counts
    };
    starts.par_iter().map(part).reduce(|| Counts(HashMap::new()), Counts::join)
}

impl Counts<'_> {
    fn join(self, other: Self) -> Self {
        let (mut large, small) = if self.0.len() < other.0.len() { (other, self) } else { (self, other) };
        for (word, count) in small.0 {
            match large.0.get_mut(&word) {
                Some(mine) => {
                    mine.rows += count.rows;
                    mine.occurrences.iter_mut().zip(&count.occurrences).for_each(|(mine, n)| *mine += n);
                }
                None => {
                    large.0.insert(word, count);
                }
            }
        }
        large
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_one_label_tells_it_and_a_word_of_all_tells_nothing() {
        let texts: Vec<String> = (0..20).map(|row| format!("영화 {} ㅋㅋ", ["최고", "별로"][row % 2])).collect();
        let groups = Groups { names: vec!["좋음".into(), "싫음".into()], of: (0..20).map(|row| row % 2).collect() };
        let telling = telling(&texts, None, &groups);
        let words = |of: &[Word]| of.iter().map(|word| word.word.clone()).collect::<Vec<_>>().join(" ");
        assert_eq!((words(&telling[0].words), words(&telling[0].against)), ("최고".into(), "별로".into()));
        assert_eq!((words(&telling[1].words), words(&telling[1].against)), ("별로".into(), "최고".into()));
        assert_eq!((telling[0].words[0].here, telling[0].words[0].elsewhere), (10, 0));
    }

    #[test]
    fn rare_words_are_not_told() {
        let texts: Vec<String> = (0..8).map(|row| format!("영화{row} 좋다")).collect();
        let groups = Groups { names: vec!["a".into(), "b".into()], of: (0..8).map(|row| row % 2).collect() };
        assert!(telling(&texts, None, &groups).iter().all(|told| told.words.is_empty()));
    }
}
