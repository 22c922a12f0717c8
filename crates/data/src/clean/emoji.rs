//! Emoji sorted into special tokens by their names in Unicode's CLDR, so that no list of pictures is kept by hand.
//!
//! The crate `emojis` has every emoji with its group and name. Food, flags and the like stay as they are.

use emojis::Group;

pub(super) const LAUGH: &str = "[LAUGH]";
pub(super) const CRY: &str = "[CRY]";
pub(super) const SMILE: &str = "[SMILE]";
pub(super) const HEART: &str = "[HEART]";
pub(super) const STAR: &str = "[STAR]";
pub(super) const DISPLEASED: &str = "[DISPLEASED]";
pub(super) const AWKWARD: &str = "[AWKWARD]";
pub(super) const ANGRY: &str = "[ANGRY]";
pub(super) const SURPRISE: &str = "[SURPRISE]";
pub(super) const THUMBS_UP: &str = "[THUMBS_UP]";
pub(super) const THUMBS_DOWN: &str = "[THUMBS_DOWN]";

/// Of smileys and emotions, the first word that is part of the name decides.
const EMOTIONS: [(&str, &str); 54] = [
    ("broken heart", CRY),
    ("heart", HEART),
    ("kiss", HEART),
    ("love letter", HEART),
    ("tears of joy", LAUGH),
    ("laughing", LAUGH),
    ("grinning face with sweat", AWKWARD),
    ("grinning", LAUGH),
    ("beaming", LAUGH),
    ("star-struck", SURPRISE),
    ("sad but relieved", CRY),
    ("anxious", CRY),
    ("downcast", CRY),
    ("holding back tears", CRY),
    ("smiling face with tear", CRY),
    ("smiling face with horns", ANGRY),
    ("crying", CRY),
    ("disappointed", CRY),
    ("pensive", CRY),
    ("worried", CRY),
    ("anguished", CRY),
    ("pleading", CRY),
    ("weary", CRY),
    ("tired face", CRY),
    ("persevering", CRY),
    ("with open mouth", SURPRISE),
    ("frowning", CRY),
    ("angry", ANGRY),
    ("pouting", ANGRY),
    ("enraged", ANGRY),
    ("symbols on mouth", ANGRY),
    ("steam from nose", ANGRY),
    ("anger symbol", ANGRY),
    ("unamused", DISPLEASED),
    ("expressionless", DISPLEASED),
    ("neutral face", DISPLEASED),
    ("rolling eyes", DISPLEASED),
    ("raised eyebrow", DISPLEASED),
    ("confounded", DISPLEASED),
    ("confused", DISPLEASED),
    ("nauseated", DISPLEASED),
    ("vomiting", DISPLEASED),
    ("grimacing", AWKWARD),
    ("flushed", SURPRISE),
    ("astonished", SURPRISE),
    ("hushed", SURPRISE),
    ("screaming", SURPRISE),
    ("exploding head", SURPRISE),
    ("smiling", SMILE),
    ("winking", SMILE),
    ("with tongue", SMILE),
    ("savoring", SMILE),
    ("relieved", SMILE),
    ("partying", SMILE),
];

/// Of people and bodies, and of places: the whole name.
const OTHERS: [(&str, &str); 8] = [
    ("thumbs up", THUMBS_UP),
    ("ok hand", THUMBS_UP),
    ("clapping hands", THUMBS_UP),
    ("thumbs down", THUMBS_DOWN),
    ("middle finger", ANGRY),
    ("heart hands", HEART),
    ("star", STAR),
    ("glowing star", STAR),
];

/// Every emoji with a token, and the token: as it is written in full, and without the selectors of its look.
pub(super) fn emotive() -> impl Iterator<Item = (String, &'static str)> {
    emojis::iter().filter_map(|emoji| Some((emoji, token(emoji)?))).flat_map(|(emoji, token)| {
        let plain: String = emoji.as_str().chars().filter(|&c| c != '\u{fe0f}').collect();
        let written = (plain != emoji.as_str()).then(|| emoji.as_str().to_owned());
        std::iter::once(plain).chain(written).map(move |written| (written, token))
    })
}

fn token(emoji: &emojis::Emoji) -> Option<&'static str> {
    let name = emoji.name().to_lowercase();
    let found = if emoji.group() == Group::SmileysAndEmotion {
        // Cats smile and cry too; monkeys that see no evil do not.
        EMOTIONS.iter().find(|(part, _)| name.contains(part))
    } else {
        OTHERS.iter().find(|(whole, _)| name == *whole)
    };
    found.map(|&(_, token)| token)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn well_known_emoji_have_the_token_a_reader_expects() {
        let tokens: HashMap<String, &str> = emotive().collect();
        for (emoji, token) in [
            ("😂", LAUGH),
            ("🤣", LAUGH),
            ("😄", LAUGH),
            ("😭", CRY),
            ("😢", CRY),
            ("💔", CRY),
            ("😊", SMILE),
            ("😉", SMILE),
            ("❤", HEART),
            ("❤\u{fe0f}", HEART),
            ("💕", HEART),
            ("😍", HEART),
            ("⭐", STAR),
            ("😒", DISPLEASED),
            ("😅", AWKWARD),
            ("😡", ANGRY),
            ("🤬", ANGRY),
            ("😱", SURPRISE),
            ("👍", THUMBS_UP),
            ("👎", THUMBS_DOWN),
        ] {
            assert_eq!(tokens.get(emoji), Some(&token), "{emoji}");
        }
        for emoji in ["🍕", "🇰🇷", "🐶", "⚽", "🙈"] {
            assert_eq!(tokens.get(emoji), None, "{emoji}");
        }
    }

    #[test]
    fn every_name_decides_something() {
        let names: Vec<(String, Group)> =
            emojis::iter().map(|emoji| (emoji.name().to_lowercase(), emoji.group())).collect();
        let decides = |index: usize| {
            names.iter().any(|(name, group)| {
                *group == Group::SmileysAndEmotion
                    && EMOTIONS.iter().position(|(part, _)| name.contains(part)) == Some(index)
            })
        };
        let idle: Vec<&str> =
            (0..EMOTIONS.len()).filter(|&index| !decides(index)).map(|index| EMOTIONS[index].0).collect();
        assert_eq!(idle, [""; 0]);
        for (whole, _) in OTHERS {
            assert!(names.iter().any(|(name, group)| name == whole && *group != Group::SmileysAndEmotion), "{whole:?}");
        }
    }
}
