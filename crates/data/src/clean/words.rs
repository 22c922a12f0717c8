//! Words to remove: a list given, or the rarest of the training texts.
//!
//! A word is a run of letters, digits and marks, as it is written: `영화를` is another word than `영화`, and punctuation is
//! part of none.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use unicode_normalization::char::is_combining_mark;
use xxhash_rust::xxh3::xxh3_64;

/// Words that go; a space is left in their place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Words {
    words: BTreeSet<String>,
}

/// Whether `c` may be part of a word.
pub(super) fn of_a_word(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

impl Words {
    pub(super) fn new(words: impl IntoIterator<Item = String>) -> Self {
        Self { words: words.into_iter().collect() }
    }

    /// The `count` words that occur least often in `counts`. Of equally rare ones those with the lowest hash go, which
    /// depends on the word alone: neither the order of the rows nor the alphabet decides.
    pub(super) fn rarest(counts: HashMap<String, u64>, count: usize) -> Self {
        let mut ranked: Vec<(u64, u64, String)> =
            counts.into_iter().map(|(word, times)| (times, xxh3_64(word.as_bytes()), word)).collect();
        ranked.sort_unstable();
        Self::new(ranked.into_iter().take(count).map(|(_, _, word)| word))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str)
    }

    pub(super) fn remove(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for (part, is_word) in parts(text) {
            out.push_str(if is_word && self.words.contains(part) { " " } else { part });
        }
        out
    }
}

/// The words of a text.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    parts(text).filter_map(|(part, is_word)| is_word.then_some(part))
}

/// The text cut into words and what is between them.
fn parts(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let is_word = of_a_word(rest.chars().next()?);
        let end = rest.find(|c| of_a_word(c) != is_word).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        rest = after;
        Some((part, is_word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(words: &[&str]) -> Words {
        Words::new(words.iter().map(|&word| word.to_owned()))
    }

    #[test]
    fn whole_words_go_and_punctuation_is_none_of_them() {
        let words = list(&["영화", "진짜"]);
        assert_eq!(words.remove("진짜, 영화를 본 영화!"), " , 영화를 본  !");
    }

    #[test]
    fn the_rarest_are_chosen_by_count_and_then_by_the_word_alone() {
        let counts = |order: &[(&str, u64)]| order.iter().map(|&(word, times)| (word.to_owned(), times)).collect();
        let one = Words::rarest(counts(&[("가", 3), ("나", 1), ("다", 1), ("라", 2), ("마", 1)]), 2);
        let other = Words::rarest(counts(&[("마", 1), ("라", 2), ("다", 1), ("나", 1), ("가", 3)]), 2);
        assert_eq!(one, other);
        assert!(one.iter().all(|word| ["나", "다", "마"].contains(&word)) && one.iter().count() == 2);
        assert_eq!(Words::rarest(counts(&[("가", 1)]), 5), list(&["가"]));
    }
}
