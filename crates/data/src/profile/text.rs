//! What a profile reads in a text: its words, its form without what people vary, and an excerpt of it.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization as _, is_nfc_quick};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

/// Characters an excerpt may have.
const EXCERPT: usize = 160;

/// Composed (NFC), in small letters, without punctuation, control and format characters, single blanks between words.
///
/// A text of punctuation alone, such as `?!`, keeps it: two of those are the same only if they read the same.
pub(super) fn normalised(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut gap = false;
    // Composed first, as that makes ASCII punctuation of some Greek signs, and last: what is dropped may have stood between a
    // letter and its accent.
    let kept = text.nfc().flat_map(char::to_lowercase).filter(|&c| c.is_whitespace() || !is_dropped(c));
    for c in kept.nfc() {
        if c.is_whitespace() {
            gap = true;
            continue;
        }
        if gap && !plain.is_empty() {
            plain.push(' ');
        }
        gap = false;
        plain.push(c);
    }
    if plain.is_empty() { text.split_whitespace().collect::<Vec<_>>().join(" ") } else { plain }
}

fn is_dropped(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_punctuation() || c.is_ascii_control();
    }
    matches!(c.general_category_group(), GeneralCategoryGroup::Punctuation)
        || (matches!(c.general_category_group(), GeneralCategoryGroup::Other) && !is_unassigned(c))
}

/// Unassigned and private characters may be anything, so they count as something.
fn is_unassigned(c: char) -> bool {
    use unicode_properties::GeneralCategory::{PrivateUse, Unassigned};
    matches!(c.general_category(), PrivateUse | Unassigned)
}

/// Runs of letters and digits, composed and in small letters.
pub(super) fn words(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.split(|c: char| !c.is_alphanumeric() && !is_combining(c))
        .filter(|word| word.contains(char::is_alphanumeric))
        .map(|word| {
            let plain = is_nfc_quick(word.chars()) == unicode_normalization::IsNormalized::Yes
                && !word.chars().any(|c| c.is_uppercase());
            if plain { Cow::Borrowed(word) } else { Cow::Owned(word.nfc().flat_map(char::to_lowercase).collect()) }
        })
}

fn is_combining(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

/// Whether `c` is a Hangul letter that stands alone, as in `ㅋㅋ` and `ㅠㅠ`.
pub(super) fn is_jamo(c: char) -> bool {
    matches!(c, '\u{3131}'..='\u{318e}')
}

/// The beginning of a text on one line, at most 160 characters, without control and direction characters: fit to be shown.
pub fn excerpt(text: &str) -> String {
    // A cell may hold megabytes: what is far beyond an excerpt is not even looked at.
    let near: String = text.chars().take(4 * EXCERPT).map(|c| if is_steering(c) { ' ' } else { c }).collect();
    let line = near.split_whitespace().collect::<Vec<_>>().join(" ");
    let longer = text.chars().nth(4 * EXCERPT).is_some() || line.chars().nth(EXCERPT).is_some();
    let mut short: String = line.chars().take(EXCERPT).collect();
    if longer {
        short.push('…');
    }
    short
}

/// Control characters, and those that turn the direction of what follows.
pub(super) fn is_steering(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spelling_people_vary_is_no_difference() {
        for text in [
            "정말 좋아요",
            "  정말  좋아요!! ",
            "정말\u{200b} 좋아요…",
            "정말\n좋아요.",
            "\u{110c}\u{1165}\u{11bc}말 좋아요",
        ] {
            assert_eq!(normalised(text), "정말 좋아요", "{text:?}");
        }
        assert_eq!(normalised("GOOD Movie~"), "good movie");
        assert_ne!(normalised("좋아요ㅋㅋ"), normalised("좋아요ㅋ"));
    }

    #[test]
    fn punctuation_alone_is_kept() {
        assert_eq!([normalised("?"), normalised(" ?! "), normalised(" ")], ["?", "?!", ""]);
    }

    #[test]
    fn words_are_letters_and_digits_in_small_letters() {
        let found: Vec<_> = words("CGV에서 봤음. 3번!! ㅋㅋ-좋다").collect();
        assert_eq!(found, ["cgv에서", "봤음", "3번", "ㅋㅋ", "좋다"]);
        assert_eq!(words("a \u{fe0f} ‼\u{fe0f}").collect::<Vec<_>>(), ["a"]);
        assert_eq!(words("\u{110c}\u{1165}\u{11bc}말").collect::<Vec<_>>(), ["정말"]);
    }

    #[test]
    fn an_excerpt_is_one_short_line_that_steers_nothing() {
        assert_eq!(excerpt("a\u{202e}b\n\u{7}c"), "a b c");
        let long = excerpt(&"가".repeat(1_000_000));
        assert_eq!((long.chars().count(), long.ends_with('…')), (EXCERPT + 1, true));
    }

    #[test]
    fn a_sign_that_composes_to_punctuation_is_dropped_as_punctuation() {
        assert_eq!(normalised("\u{1fef}가\u{37e}"), "가");
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing_more(text in "\\PC{0,20}|[ ㄱ-ㅎ가-힣a-zA-Z!?.~\u{200b}]{0,20}") {
            let once = normalised(&text);
            prop_assert_eq!(normalised(&once), once);
        }

        #[test]
        fn an_excerpt_is_never_long(text in any::<String>()) {
            prop_assert!(excerpt(&text).chars().count() <= EXCERPT + 1);
        }
    }
}
