//! The `[clean]` table of a recipe, and how it becomes a [`Cleaner`].

use std::collections::HashMap;
use std::path::PathBuf;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::characters::{ControlCharacters, KeepCharacters, Repeats, Unicode, WhiteSpace};
use super::emoticons::Emoticons;
use super::entities::HtmlEntities;
use super::links::{Urls, UserNames};
use super::step::Step;
use super::words::{Words, of_a_word, words};
use super::{Cleaner, table};
use crate::error::{DataError, Result};

/// `[clean]`: which steps run. The default, an empty table, are those that take nothing away a reader would see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CleanConfig {
    /// HTML entities become what they stand for.
    pub html_entities: bool,
    /// Control and zero-width characters go.
    pub control_characters: bool,
    /// Unicode's normal form C.
    pub unicode: bool,
    /// Web and mail addresses go.
    pub urls: bool,
    /// `@name` goes.
    pub user_names: bool,
    /// Emoticons, runs of jamo and emoji become special tokens.
    pub emoticons: EmoticonsConfig,
    /// Longest run kept of a character that is no digit (2: ㅋㅋㅋㅋㅋ → ㅋㅋ); 0: all of it.
    pub repeats: usize,
    /// Characters kept besides letters, digits and spaces; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_characters: Option<String>,
    /// Words that go.
    pub stop_words: Vec<String>,
    /// How many of the training texts' rarest words go.
    pub rare_words: usize,
    /// One space for any run of white space, none at the ends.
    pub white_space: bool,
}

impl Default for CleanConfig {
    fn default() -> Self {
        Self {
            html_entities: true,
            control_characters: true,
            unicode: true,
            urls: false,
            user_names: false,
            emoticons: EmoticonsConfig::Off,
            repeats: 0,
            keep_characters: None,
            stop_words: Vec::new(),
            rare_words: 0,
            white_space: true,
        }
    }
}

/// Whether emoticons become special tokens, and by which table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EmoticonsConfig {
    /// They stay as they are.
    #[default]
    Off,
    /// By the built-in table.
    BuiltIn,
    /// By a table of the user's own; the path is as written, the recipe resolves it.
    Table(PathBuf),
}

impl Serialize for EmoticonsConfig {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_bool(false),
            Self::BuiltIn => serializer.serialize_bool(true),
            Self::Table(path) => path.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for EmoticonsConfig {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Switch(bool),
            Table(PathBuf),
        }
        match Raw::deserialize(deserializer) {
            Ok(Raw::Switch(false)) => Ok(Self::Off),
            Ok(Raw::Switch(true)) => Ok(Self::BuiltIn),
            Ok(Raw::Table(path)) => Ok(Self::Table(path)),
            Err(_) => Err(serde::de::Error::custom("expected true, false, or the path of a table of emoticons")),
        }
    }
}

impl CleanConfig {
    /// Checks what can be checked without reading anything.
    ///
    /// # Errors
    /// [`DataError::Config`] names the key: a stop word that is no word, and so would never be found.
    pub fn validate(&self) -> Result<()> {
        match self.stop_words.iter().find(|word| word.is_empty() || !word.chars().all(of_a_word)) {
            Some(word) => Err(DataError::Config {
                key: "clean.stop_words",
                problem: format!("{word:?} is not one word; a word is letters and digits without a space between"),
            }),
            None => Ok(()),
        }
    }

    /// Whether fitting looks at texts at all.
    pub fn needs_texts(&self) -> bool {
        self.rare_words > 0
    }

    /// The cleaner for the texts of a training, pairs included; the rarest words are theirs, after all steps before.
    /// Runs on rayon's current pool; the result does not depend on it, nor on the order of the texts.
    ///
    /// # Errors
    /// Those of [`CleanConfig::validate`]; a table of emoticons cannot be read ([`DataError::Read`]) or is malformed
    /// ([`DataError::EmoticonTable`] with the line).
    pub fn fit(&self, texts: &[&str]) -> Result<Cleaner> {
        self.validate()?;
        let stop_words = self.stop_words.iter().cloned();
        let steps = [
            self.html_entities.then_some(Step::HtmlEntities(HtmlEntities {})),
            self.control_characters.then_some(Step::ControlCharacters(ControlCharacters {})),
            self.unicode.then_some(Step::Unicode(Unicode {})),
            self.urls.then_some(Step::Urls(Urls {})),
            self.user_names.then_some(Step::UserNames(UserNames {})),
            self.emoticons()?.map(Step::Emoticons),
            (self.repeats > 0).then_some(Step::Repeats(Repeats { longest: self.repeats })),
            self.keep_characters.clone().map(|kept| Step::KeepCharacters(KeepCharacters { kept })),
            (!self.stop_words.is_empty()).then(|| Step::StopWords(Words::new(stop_words))),
            self.white_space.then_some(Step::WhiteSpace(WhiteSpace {})),
        ];
        let mut cleaner = Cleaner { steps: steps.into_iter().flatten().collect() };
        if self.needs_texts() {
            let rarest = Step::RareWords(Words::rarest(counts(&cleaner, texts), self.rare_words));
            let at = cleaner.steps.partition_point(|step| step.kind() < rarest.kind());
            cleaner.steps.insert(at, rarest);
        }
        Ok(cleaner)
    }

    fn emoticons(&self) -> Result<Option<Emoticons>> {
        Ok(match &self.emoticons {
            EmoticonsConfig::Off => None,
            EmoticonsConfig::BuiltIn => Some(table::built_in().into()),
            EmoticonsConfig::Table(path) => Some(table::read(path)?.into()),
        })
    }
}

/// How often each word occurs in the texts `cleaner` makes of `texts`; special tokens are no words.
fn counts(cleaner: &Cleaner, texts: &[&str]) -> HashMap<String, u64> {
    let count = |mut counts: HashMap<String, u64>, text: &&str| {
        let cleaned = cleaner.apply(text);
        let mut add = |part: &str| {
            for word in words(part) {
                match counts.get_mut(word) {
                    Some(times) => *times += 1,
                    None => drop(counts.insert(word.to_owned(), 1)),
                }
            }
        };
        match cleaner.emoticons() {
            Some(emoticons) => emoticons.parts_outside_tokens(&cleaned).for_each(&mut add),
            None => add(&cleaned),
        }
        counts
    };
    let merge = |mut one: HashMap<String, u64>, other: HashMap<String, u64>| {
        other.into_iter().for_each(|(word, times)| *one.entry(word).or_default() += times);
        one
    };
    texts.par_iter().fold(HashMap::new, count).reduce(HashMap::new, merge)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> std::result::Result<CleanConfig, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn an_empty_table_runs_the_harmless_steps_alone() {
        let config = parse("{}").unwrap();
        let names: Vec<&str> = config.fit(&[]).unwrap().steps().map(|step| step.name()).collect();
        assert_eq!(names, ["html_entities", "control_characters", "unicode", "white_space"]);
        assert!(config.fit(&[]).unwrap().special_tokens().is_empty());
    }

    #[test]
    fn emoticons_are_a_switch_or_a_path_and_come_back_as_written() {
        for (json, expected) in [
            (r#"{"emoticons":true}"#, EmoticonsConfig::BuiltIn),
            (r#"{"emoticons":false}"#, EmoticonsConfig::Off),
            (r#"{"emoticons":"mine.txt"}"#, EmoticonsConfig::Table("mine.txt".into())),
        ] {
            let config = parse(json).unwrap();
            assert_eq!(config.emoticons, expected);
            assert_eq!(parse(&serde_json::to_string(&config).unwrap()).unwrap(), config);
        }
        assert!(parse(r#"{"emoticons":3}"#).unwrap_err().to_string().contains("the path of a table"));
        assert!(parse(r#"{"emotions":true}"#).is_err());
    }

    #[test]
    fn a_stop_word_that_is_no_word_is_refused() {
        for word in ["", "두 단어", "!!"] {
            let config = CleanConfig { stop_words: vec![word.into()], ..CleanConfig::default() };
            assert!(config.fit(&[]).unwrap_err().to_string().starts_with("clean.stop_words: "));
        }
    }

    #[test]
    fn rare_words_are_counted_after_the_steps_before_and_tokens_are_no_words() {
        let config = CleanConfig {
            emoticons: EmoticonsConfig::BuiltIn,
            stop_words: vec!["정말".into()],
            rare_words: 2,
            ..CleanConfig::default()
        };
        let cleaner = config.fit(&["영화 영화 배우ㅋㅋ 정말", "영화 배우 한번", "영화 두번"]).unwrap();
        assert_eq!(cleaner.rare_words().collect::<Vec<_>>(), ["두번", "한번"]);
        assert_eq!(cleaner.apply("한번 본 영화ㅋ"), "본 영화 [LAUGH]");
    }
}
