//! What Korean texts show feelings with: runs of jamo, hearts, stars, emoji, and who uses which.

use std::collections::{BTreeMap, HashSet};

use rayon::prelude::*;
use serde::Serialize;
use unicode_properties::UnicodeEmoji as _;
use unicode_properties::emoji::EmojiStatus;
use unicode_segmentation::UnicodeSegmentation as _;

use super::labels::Groups;
use super::text::is_jamo;

/// Patterns kept, most frequent first.
const PATTERNS: usize = 16;
/// Rows a task takes.
const CHUNK: usize = 4096;
/// A run longer than this is one that folding repeated characters would shorten.
const LONG: usize = 3;

/// Characters an emoji has at most.
const LONGEST: usize = 10;

/// Runs that are a pattern of their own whatever their length: each with its letters and the least length.
const RUNS: [(&str, &[char], usize); 8] = [
    ("ㅋ", &['ㅋ'], 1),
    ("ㅎ", &['ㅎ'], 1),
    ("ㅠ", &['ㅠ', 'ㅜ'], 1),
    ("ㅡㅡ", &['ㅡ'], 2),
    ("ㄷㄷ", &['ㄷ'], 2),
    ("^^", &['^'], 2),
    ("♥", &['♥', '♡', '❤', '💕', '💖', '💗', '💙', '💚', '💛', '💜', '🖤'], 1),
    ("★", &['★', '☆', '⭐'], 1),
];

/// Emotive patterns of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Emotive {
    /// Rows with any.
    pub rows: usize,
    /// Occurrences of runs of more than three of a jamo.
    pub long_runs: usize,
    /// The most frequent patterns.
    pub patterns: Vec<Pattern>,
}

/// One pattern.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pattern {
    /// A run under its sign (`ㅋ` for any number of them, `ㅠ` for `ㅜ` too), or an emoji.
    pub pattern: String,
    /// Rows with it.
    pub rows: usize,
    /// Occurrences; a run is one.
    pub occurrences: usize,
    /// Rows of each group with it, as a share of the group's rows; the order of [`groups`](super::Profile::groups).
    pub shares: Vec<f64>,
}

/// What is counted of one pattern: occurrences, and rows of each group and the rest.
#[derive(Clone)]
struct Count {
    occurrences: usize,
    rows: Vec<usize>,
}

#[derive(Default)]
struct Counts {
    rows: usize,
    long_runs: usize,
    patterns: BTreeMap<String, Count>,
}

/// Counts the patterns of `rows`, each the texts of a row.
pub(super) fn emotive(texts: &[String], pairs: Option<&[String]>, groups: &Groups) -> Emotive {
    let starts: Vec<usize> = (0..texts.len()).step_by(CHUNK).collect();
    let count = |&start: &usize| {
        let mut counts = Counts::default();
        for row in start..texts.len().min(start + CHUNK) {
            let mut found: Vec<String> = Vec::new();
            for text in [Some(&texts[row]), pairs.map(|pairs| &pairs[row])].into_iter().flatten() {
                counts.long_runs += scan(text, &mut found);
            }
            counts.add(found, groups.of[row], groups.slots());
        }
        counts
    };
    let counts = starts.par_iter().map(count).reduce(Counts::default, Counts::join);
    let mut sizes = vec![0usize; groups.slots()];
    groups.of.iter().for_each(|&group| sizes[group] += 1);
    let mut patterns: Vec<Pattern> = (counts.patterns.into_iter())
        .map(|(pattern, count)| Pattern {
            pattern,
            rows: count.rows.iter().sum(),
            occurrences: count.occurrences,
            shares: (0..groups.names.len()).map(|at| count.rows[at] as f64 / sizes[at].max(1) as f64).collect(),
        })
        .collect();
    patterns.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.pattern.cmp(&b.pattern)));
    patterns.truncate(PATTERNS);
    Emotive { rows: counts.rows, long_runs: counts.long_runs, patterns }
}

impl Counts {
    fn add(&mut self, found: Vec<String>, group: usize, slots: usize) {
        self.rows += usize::from(!found.is_empty());
        let distinct: HashSet<&String> = found.iter().collect();
        for pattern in distinct {
            let empty = || Count { occurrences: 0, rows: vec![0; slots] };
            self.patterns.entry(pattern.clone()).or_insert_with(empty).rows[group] += 1;
        }
        for pattern in &found {
            self.patterns.get_mut(pattern).expect("counted above").occurrences += 1;
        }
    }

    fn join(mut self, other: Self) -> Self {
        if self.patterns.is_empty() {
            return Self { rows: self.rows + other.rows, long_runs: self.long_runs + other.long_runs, ..other };
        }
        self.rows += other.rows;
        self.long_runs += other.long_runs;
        for (pattern, count) in other.patterns {
            let empty = || Count { occurrences: 0, rows: vec![0; count.rows.len()] };
            let mine = self.patterns.entry(pattern).or_insert_with(empty);
            mine.occurrences += count.occurrences;
            mine.rows.iter_mut().zip(&count.rows).for_each(|(mine, other)| *mine += other);
        }
        self
    }
}

/// Appends the patterns of `text` in order, and counts its long runs of a jamo.
fn scan(text: &str, found: &mut Vec<String>) -> usize {
    // Most texts are syllables and punctuation, which no pattern begins with.
    if !text.chars().any(|c| kind(c).is_some() || may_be_emoji(c)) {
        return 0;
    }
    let mut long = 0;
    let (mut last, mut length) = (None, 0);
    let mut end = |kind: Option<usize>, length: usize| {
        let Some((sign, letters, least)) = kind.map(|kind| RUNS[kind]) else { return };
        if length >= least {
            found.push(sign.to_owned());
            long += usize::from(length > LONG && is_jamo(letters[0]));
        }
    };
    let mut emoji = Vec::new();
    for cluster in text.graphemes(true) {
        let first = cluster.chars().next().unwrap_or_default();
        let now = kind(first);
        if now != last {
            end(last, length);
            (last, length) = (now, 0);
        }
        length += cluster.chars().count();
        if now.is_none() && is_emoji(cluster) {
            emoji.push(cluster.to_owned());
        }
    }
    end(last, length);
    found.extend(emoji);
    long
}

fn kind(c: char) -> Option<usize> {
    RUNS.iter().position(|(_, letters, _)| letters.contains(&c))
}

/// Whether a grapheme cluster is drawn as a picture: by default, or as a variation selector asks.
fn is_emoji(cluster: &str) -> bool {
    let mut chars = cluster.chars();
    let Some(first) = chars.next().filter(|&c| may_be_emoji(c)) else { return false };
    let pictured = matches!(
        first.emoji_status(),
        EmojiStatus::EmojiPresentation
            | EmojiStatus::EmojiPresentationAndModifierBase
            | EmojiStatus::EmojiPresentationAndModifierAndEmojiComponent
            | EmojiStatus::EmojiPresentationAndEmojiComponent
    );
    // The longest of Unicode's sequences have ten; a longer one is somebody's joke.
    (pictured || chars.next() == Some('\u{fe0f}')) && cluster.chars().nth(LONGEST).is_none()
}

/// Digits, `#` and `*` are emoji by Unicode's table; here they are what they look like.
fn may_be_emoji(c: char) -> bool {
    c >= '\u{203c}' && !('\u{3131}'..='\u{d7ff}').contains(&c) && c.is_emoji_char()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(text: &str) -> (Vec<String>, usize) {
        let mut found = Vec::new();
        let long = scan(text, &mut found);
        (found, long)
    }

    #[test]
    fn a_run_is_one_pattern_whatever_its_length() {
        assert_eq!(scanned("ㅋㅋㅋㅋㅋ 재밌다ㅋ ㅠㅜㅠ"), (vec!["ㅋ".into(), "ㅋ".into(), "ㅠ".into()], 1));
        assert_eq!(scanned("돈 아깝다 ㅡㅡ ^^; ㄷㄷ").0, ["ㅡㅡ", "^^", "ㄷㄷ"]);
        assert_eq!(scanned("ㅡ ^ ㄷ 3 # * 가").0, [""; 0]);
    }

    #[test]
    fn hearts_stars_and_emoji_are_told_apart() {
        assert_eq!(scanned("최고♥♡ ★★★★☆").0, ["♥", "★"]);
        assert_eq!(scanned("❤\u{fe0f}").0, ["♥"]);
        assert_eq!(scanned("좋아요👍🏽 👨‍👩‍👧 😊😊").0, ["👍🏽", "👨‍👩‍👧", "😊", "😊"]);
        assert_eq!(scanned("© ™ ↔ ☎").0, [""; 0]);
    }

    #[test]
    fn shares_are_of_the_rows_of_each_group() {
        let texts = ["ㅋㅋ ㅋ", "ㅋ", "없음", "ㅠㅠ"].map(str::to_owned);
        let groups = Groups { names: vec!["a".into(), "b".into()], of: vec![0, 1, 0, 2] };
        let emotive = emotive(&texts, None, &groups);
        assert_eq!((emotive.rows, emotive.long_runs), (3, 0));
        let [laugh, cry] = &emotive.patterns[..] else { panic!("{emotive:?}") };
        assert_eq!((laugh.pattern.as_str(), laugh.rows, laugh.occurrences), ("ㅋ", 2, 3));
        assert_eq!((&laugh.shares[..], &cry.shares[..]), (&[0.5, 1.0][..], &[0.0, 0.0][..]));
    }
}
