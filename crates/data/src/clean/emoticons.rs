//! Emoticons, runs of jamo and emoji to special tokens, by a table of which is which.
//!
//! What a table's entries match:
//!
//! - The last character of an entry may go on: `ㅋ` is `ㅋㅋㅋㅋ` too, `:)` is `:)))`, and `ㅡㅡ` any run of at least two.
//!   Runs of an entry of one character may mix with those of others of its token: `ㅋㅎㅋㅎ`.
//! - Variation selectors and skin tones after an entry belong to it.
//! - Letters and digits of ASCII at either end of an entry must not be part of a longer word: no `OTL` in `HOTLINE`.
//! - A single jamo beside another one is an abbreviation (`ㅇㅋ`), not an emoticon.
//!
//! The longest entry that fits wins. Neighbours of the same token become one; a token is set off by spaces.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// A special token and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecialToken {
    /// As it stands in a cleaned text: capital letters, digits and `_` in brackets.
    pub token: String,
    /// What it replaces.
    pub replaces: Vec<String>,
}

impl SpecialToken {
    /// Texts whose words mean what the token is to mean: everything it replaces, runs in several lengths.
    pub fn examples(&self) -> Vec<String> {
        let lengths = |entry: &String| {
            let single = entry.chars().count() == 1;
            (1..=if single { 3 } else { 1 }).map(|times| entry.repeat(times)).collect::<Vec<_>>()
        };
        self.replaces.iter().flat_map(lengths).collect()
    }
}

/// A table ready to be looked up.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Vec<SpecialToken>", into = "Vec<SpecialToken>")]
pub(super) struct Emoticons {
    tokens: Vec<SpecialToken>,
    /// By first character: entries with the position of their token, the longest first.
    entries: HashMap<char, Vec<(String, usize)>>,
}

impl PartialEq for Emoticons {
    /// The index follows from the tokens.
    fn eq(&self, other: &Self) -> bool {
        self.tokens == other.tokens
    }
}

impl From<Vec<SpecialToken>> for Emoticons {
    fn from(tokens: Vec<SpecialToken>) -> Self {
        let mut entries: HashMap<char, Vec<(String, usize)>> = HashMap::new();
        for (index, token) in tokens.iter().enumerate() {
            for entry in &token.replaces {
                if let Some(first) = entry.chars().next() {
                    entries.entry(first).or_default().push((entry.clone(), index));
                }
            }
        }
        for alike in entries.values_mut() {
            alike.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then(a.cmp(b)));
        }
        Self { tokens, entries }
    }
}

impl From<Emoticons> for Vec<SpecialToken> {
    fn from(emoticons: Emoticons) -> Self {
        emoticons.tokens
    }
}

impl Emoticons {
    pub(super) fn tokens(&self) -> &[SpecialToken] {
        &self.tokens
    }

    /// Whether a token stands in `text`.
    pub(super) fn holds_token(&self, text: &str) -> bool {
        self.find_token(text).is_some()
    }

    /// Every token that stands in `text`, in order.
    pub(super) fn tokens_in(&self, text: &str) -> Vec<usize> {
        let mut found = Vec::new();
        let mut rest = text;
        while let Some((_, end, token)) = self.find_token(rest) {
            found.push(token);
            rest = &rest[end..];
        }
        found
    }

    /// What lies between the tokens of `text`, and before and after.
    pub(super) fn parts_outside_tokens<'t>(&self, text: &'t str) -> impl Iterator<Item = &'t str> {
        let mut rest = Some(text);
        std::iter::from_fn(move || {
            let text = rest?;
            let (start, end) = self.find_token(text).map_or((text.len(), None), |(start, end, _)| (start, Some(end)));
            rest = end.map(|end| &text[end..]);
            Some(&text[..start])
        })
    }

    /// `text` with what lies between its tokens changed by `change`.
    pub(super) fn outside_tokens(&self, text: &str, change: &dyn Fn(&str) -> String) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((start, end, _)) = self.find_token(rest) {
            out.push_str(&change(&rest[..start]));
            out.push_str(&rest[start..end]);
            rest = &rest[end..];
        }
        out + &change(rest)
    }

    /// Puts tokens in the place of emoticons.
    pub(super) fn apply<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut out = String::new();
        // Text before `copied` is in `out`; `last` is the token `out` ends with.
        let (mut at, mut copied, mut last) = (0, 0, None);
        while let Some(first) = text[at..].chars().next() {
            if let Some(token) = self.token_at(&text[at..]) {
                at += self.tokens[token].token.len();
                continue;
            }
            let Some((end, token)) = self.entry_at(text, at, first) else {
                at += first.len_utf8();
                continue;
            };
            let between = &text[copied..at];
            if last != Some(token) || !between.is_empty() {
                set_off(&mut out, last.is_some(), between);
                let spaced = !out.is_empty();
                set_off(&mut out, spaced, &self.tokens[token].token);
            }
            (at, copied, last) = (end, end, Some(token));
        }
        if last.is_none() {
            return Cow::Borrowed(text);
        }
        set_off(&mut out, true, &text[copied..]);
        Cow::Owned(out)
    }

    /// The first token in `text`: where it starts and ends, and which it is.
    fn find_token(&self, text: &str) -> Option<(usize, usize, usize)> {
        text.match_indices('[').find_map(|(start, _)| {
            let token = self.token_at(&text[start..])?;
            Some((start, start + self.tokens[token].token.len(), token))
        })
    }

    /// The token `text` begins with. Brackets close every token, so no two fit.
    fn token_at(&self, text: &str) -> Option<usize> {
        text.starts_with('[').then(|| self.tokens.iter().position(|token| text.starts_with(&token.token)))?
    }

    /// Where the entry that begins at `at` with the character `first` ends, and its token.
    fn entry_at(&self, text: &str, at: usize, first: char) -> Option<(usize, usize)> {
        let (before, rest) = text.split_at(at);
        let alike = self.entries.get(&first)?;
        let fits = |(entry, token): &(String, usize)| {
            // Asked first, so that a long run in a word is not measured again at each of its letters.
            if begins_in_a_word(before, entry) {
                return None;
            }
            let len = entry.len() + self.going_on(&rest[entry.len()..], entry, *token);
            is_whole(before, &rest[..len], &rest[len..]).then_some((at + len, *token))
        };
        alike.iter().filter(|(entry, _)| rest.starts_with(entry.as_str())).find_map(fits)
    }

    /// How many bytes of `rest` belong to the entry before it.
    fn going_on(&self, rest: &str, entry: &str, token: usize) -> usize {
        let last = entry.chars().next_back();
        let single = entry.chars().count() == 1;
        let alike = |c: char| {
            let mut bytes = [0; 4];
            let c: &str = c.encode_utf8(&mut bytes);
            let first = c.chars().next().and_then(|first| self.entries.get(&first));
            first.is_some_and(|alike| alike.iter().any(|(entry, other)| entry == c && *other == token))
        };
        rest.find(|c| !(Some(c) == last || is_modifier(c) || (single && alike(c)))).unwrap_or(rest.len())
    }
}

/// Appends `part`, with a space before it where `spaced` and there is none.
fn set_off(out: &mut String, spaced: bool, part: &str) {
    let has_space = out.ends_with(char::is_whitespace) || part.starts_with(char::is_whitespace);
    if spaced && !has_space && !part.is_empty() {
        out.push(' ');
    }
    out.push_str(part);
}

/// Whether the entry is the end or middle of a longer word.
fn begins_in_a_word(before: &str, entry: &str) -> bool {
    entry.starts_with(|c: char| c.is_ascii_alphanumeric()) && before.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// Whether `found`, which begins a word if it is of letters, stands for itself between `before` and `after`.
fn is_whole(before: &str, found: &str, after: &str) -> bool {
    let jamo = |c: char| matches!(c, '\u{3131}'..='\u{318e}');
    let goes_on =
        found.ends_with(|c: char| c.is_ascii_alphanumeric()) && after.starts_with(|c: char| c.is_ascii_alphanumeric());
    let single = found.chars().count() == 1 && found.starts_with(jamo);
    !goes_on && !(single && (before.ends_with(jamo) || after.starts_with(jamo)))
}

/// Variation selectors and skin tones, which change how an emoji looks.
fn is_modifier(c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}')
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    fn apply(text: &str) -> String {
        Emoticons::from(table::built_in()).apply(text).into_owned()
    }

    #[test]
    fn runs_of_any_length_and_mixture_become_one_token() {
        assert_eq!(apply("재밌다ㅋㅋㅋㅋ굿"), "재밌다 [LAUGH] 굿");
        assert_eq!(apply("ㅋㅎㅋㅎ ㅠㅜㅠ"), "[LAUGH] [CRY]");
        assert_eq!(apply("노잼ㅡㅡ;;"), "노잼 [DISPLEASED]");
        assert_eq!(apply("좋아요:))) ^^"), "좋아요 [SMILE] [SMILE]");
        assert_eq!(apply("♥♡❤️"), "[HEART]");
    }

    #[test]
    fn neighbours_of_different_tokens_stay_apart() {
        assert_eq!(apply("ㅋㅋㅠㅠ★★"), "[LAUGH] [CRY] [STAR]");
        assert_eq!(apply("😂👍🏽👍🏿"), "[LAUGH] [THUMBS_UP]");
    }

    #[test]
    fn what_only_looks_like_an_emoticon_stays() {
        for text in ["ㅇㅋ", "ㅂㅅ", "ㄹㅇ", "HOTLINE", "그는ㅡ", ";", "^", "A: D", "1:3", "http://a.b", "ㅋㄷ"]
        {
            assert_eq!(apply(text), text);
        }
    }

    #[test]
    fn a_token_written_out_is_left_as_it_is() {
        for text in ["[LAUGH]", "웃겨[LAUGH][CRY]요", "[laugh]", "[LAUGH"] {
            assert_eq!(apply(text), text);
        }
        assert_eq!(apply("[LAUGH]ㅋㅋ"), "[LAUGH] [LAUGH]");
    }

    #[test]
    fn tokens_are_found_in_order() {
        let emoticons = Emoticons::from(table::built_in());
        let names: Vec<&str> = emoticons
            .tokens_in("a[CRY] [[LAUGH]] [NONE] [CRY]")
            .into_iter()
            .map(|token| emoticons.tokens()[token].token.as_str())
            .collect();
        assert_eq!(names, ["[CRY]", "[LAUGH]", "[CRY]"]);
        let upper = emoticons.outside_tokens("a[CRY]b", &|part| part.to_uppercase());
        assert_eq!(upper, "A[CRY]B");
    }
}
