//! The seam of a step: its name, its order, and what it does to a text.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::characters::{ControlCharacters, KeepCharacters, Repeats, Unicode, WhiteSpace};
use super::emoticons::Emoticons;
use super::entities::HtmlEntities;
use super::links::{Urls, UserNames};
use super::words::Words;

/// The steps by name, in the order they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// `&amp;` → `&`.
    HtmlEntities,
    /// Control and zero-width characters go.
    ControlCharacters,
    /// Normal form C.
    Unicode,
    /// Web and mail addresses go.
    Urls,
    /// `@name` goes.
    UserNames,
    /// Emoticons become special tokens.
    Emoticons,
    /// Long runs of one character are cut.
    Repeats,
    /// Characters that are not listed go.
    KeepCharacters,
    /// Listed words go.
    StopWords,
    /// The rarest words of the training texts go.
    RareWords,
    /// One space between words.
    WhiteSpace,
}

impl StepKind {
    /// All of them, in order.
    pub const ALL: [Self; 11] = [
        Self::HtmlEntities,
        Self::ControlCharacters,
        Self::Unicode,
        Self::Urls,
        Self::UserNames,
        Self::Emoticons,
        Self::Repeats,
        Self::KeepCharacters,
        Self::StopWords,
        Self::RareWords,
        Self::WhiteSpace,
    ];

    /// The step's key in `[clean]`.
    pub fn name(self) -> &'static str {
        match self {
            Self::HtmlEntities => "html_entities",
            Self::ControlCharacters => "control_characters",
            Self::Unicode => "unicode",
            Self::Urls => "urls",
            Self::UserNames => "user_names",
            Self::Emoticons => "emoticons",
            Self::Repeats => "repeats",
            Self::KeepCharacters => "keep_characters",
            Self::StopWords => "stop_words",
            Self::RareWords => "rare_words",
            Self::WhiteSpace => "white_space",
        }
    }
}

/// A step with what it needs; serialised under its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    HtmlEntities(HtmlEntities),
    ControlCharacters(ControlCharacters),
    Unicode(Unicode),
    Urls(Urls),
    UserNames(UserNames),
    Emoticons(Emoticons),
    Repeats(Repeats),
    KeepCharacters(KeepCharacters),
    StopWords(Words),
    RareWords(Words),
    WhiteSpace(WhiteSpace),
}

impl Step {
    pub(super) fn kind(&self) -> StepKind {
        match self {
            Self::HtmlEntities(_) => StepKind::HtmlEntities,
            Self::ControlCharacters(_) => StepKind::ControlCharacters,
            Self::Unicode(_) => StepKind::Unicode,
            Self::Urls(_) => StepKind::Urls,
            Self::UserNames(_) => StepKind::UserNames,
            Self::Emoticons(_) => StepKind::Emoticons,
            Self::Repeats(_) => StepKind::Repeats,
            Self::KeepCharacters(_) => StepKind::KeepCharacters,
            Self::StopWords(_) => StepKind::StopWords,
            Self::RareWords(_) => StepKind::RareWords,
            Self::WhiteSpace(_) => StepKind::WhiteSpace,
        }
    }

    /// What the step makes of `text`, leaving the special tokens of `emoticons` in it alone.
    pub(super) fn apply<'t>(&self, text: &'t str, emoticons: Option<&Emoticons>) -> Cow<'t, str> {
        let change: &dyn Fn(&str) -> String = match self {
            Self::HtmlEntities(step) => &|part| step.apply(part),
            Self::ControlCharacters(step) => &|part| step.apply(part),
            Self::Unicode(step) => &|part| step.apply(part),
            Self::Urls(step) => &|part| step.apply(part),
            Self::UserNames(step) => &|part| step.apply(part),
            Self::Repeats(step) => &|part| step.apply(part),
            Self::KeepCharacters(step) => &|part| step.apply(part),
            Self::StopWords(words) | Self::RareWords(words) => &|part| words.remove(part),
            // It sees the tokens itself, as it sets them off with spaces.
            Self::Emoticons(step) => return step.apply(text),
            // No token holds white space.
            Self::WhiteSpace(step) => return Cow::Owned(step.apply(text)),
        };
        match emoticons {
            Some(emoticons) => Cow::Owned(emoticons.outside_tokens(text, change)),
            None => Cow::Owned(change(text)),
        }
    }
}
