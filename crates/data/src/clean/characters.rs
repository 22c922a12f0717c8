//! Steps that look at one character and its neighbours.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Normal form C, in which one Hangul syllable or accented letter is one character.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Unicode {}

impl Unicode {
    pub(super) fn apply(&self, text: &str) -> String {
        text.nfc().collect()
    }
}

/// Control characters, and those of no width that a reader cannot see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ControlCharacters {}

impl ControlCharacters {
    pub(super) fn apply(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text.chars().filter(|&c| !is_invisible(c)).peekable();
        while let Some(c) = rest.next() {
            let mut joins = || {
                out.chars().next_back().is_some_and(may_be_joined) && rest.peek().copied().is_some_and(may_be_joined)
            };
            if !is_joiner(c) || joins() {
                out.push(c);
            }
        }
        out
    }
}

/// Whether `c` is a control character other than white space, or a format character without effect on the letters.
fn is_invisible(c: char) -> bool {
    let format = matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // Hangul fillers: blanks that count as letters.
            | '\u{3164}' | '\u{ffa0}'
    );
    format || (c.is_control() && !c.is_whitespace())
}

/// Joiner and non-joiner are part of an emoji's and of some scripts' spelling.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Whether a joiner beside `c` can mean anything: not beside Hangul, ASCII or white space.
fn may_be_joined(c: char) -> bool {
    let hangul = matches!(c, '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}' | '\u{ac00}'..='\u{d7ff}');
    !(hangul || c.is_ascii() || c.is_whitespace() || is_joiner(c))
}

/// A character repeated more than `longest` times in a row is cut to that many; digits and white space are not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Repeats {
    pub(super) longest: usize,
}

impl Repeats {
    pub(super) fn apply(&self, text: &str) -> String {
        let mut run = (None, 0);
        let keeps = |c: &char| {
            run = if run.0 == Some(*c) { (run.0, run.1 + 1) } else { (Some(*c), 1) };
            run.1 <= self.longest || c.is_numeric() || c.is_whitespace()
        };
        text.chars().filter(keeps).collect()
    }
}

/// Letters, digits, white space and the characters `kept` stay; a mark stays with the character it is on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct KeepCharacters {
    pub(super) kept: String,
}

impl KeepCharacters {
    pub(super) fn apply(&self, text: &str) -> String {
        let mut before = false;
        let keeps = |&c: &char| {
            let mark_on_kept = before && is_combining_mark(c);
            before = mark_on_kept || c.is_alphanumeric() || self.kept.contains(c);
            before || c.is_whitespace()
        };
        text.chars().filter(keeps).collect()
    }
}

/// One space for any run of white space, none at the ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct WhiteSpace {}

impl WhiteSpace {
    pub(super) fn apply(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for word in text.split_whitespace() {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(word);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_form_c_agrees_with_the_examples_of_the_unicode_standard() {
        // NormalizationTest.txt, part 1 and the Hangul syllables: source and its form C.
        for (source, expected) in [
            ("\u{1e0a}", "\u{1e0a}"),
            ("\u{44}\u{307}", "\u{1e0a}"),
            ("\u{1e0c}\u{307}", "\u{1e0c}\u{307}"),
            ("\u{212b}", "\u{c5}"),
            ("\u{1112}\u{1161}\u{11ab}", "한"),
            ("\u{958}", "\u{915}\u{93c}"),
        ] {
            assert_eq!(Unicode {}.apply(source), expected);
        }
    }

    #[test]
    fn invisible_characters_go_and_white_space_stays() {
        let step = ControlCharacters {};
        assert_eq!(step.apply("영\u{200b}화\u{feff} \u{0}좋\u{ad}다\t\n\u{3164}"), "영화 좋다\t\n");
        assert_eq!(step.apply("\u{200d}가\u{200d}나\u{200c}"), "가나");
    }

    #[test]
    fn joiners_stay_where_they_spell_something() {
        let step = ControlCharacters {};
        for text in ["👨\u{200d}👩\u{200d}👧", "می\u{200c}خواهم"] {
            assert_eq!(step.apply(text), text);
        }
    }

    #[test]
    fn runs_are_cut_but_numbers_are_not() {
        let step = Repeats { longest: 2 };
        assert_eq!(step.apply("ㅋㅋㅋㅋㅋ 와아아아!!!! 1000000"), "ㅋㅋ 와아아!! 1000000");
        assert_eq!(Repeats { longest: 1 }.apply("aab  b"), "ab  b");
    }

    #[test]
    fn marks_stay_on_letters_and_go_with_what_they_were_on() {
        let step = KeepCharacters { kept: ",.?!".into() };
        assert_eq!(step.apply("'기생충'은 ★5점★!"), "기생충은 5점!");
        assert_eq!(step.apply("e\u{301} ❤\u{fe0f} नि"), "e\u{301}  नि");
    }

    #[test]
    fn white_space_of_every_kind_becomes_one_space() {
        assert_eq!(WhiteSpace {}.apply("\u{3000}가 \t\r\n\u{a0}나  "), "가 나");
        assert_eq!(WhiteSpace {}.apply(" \n"), "");
    }
}
