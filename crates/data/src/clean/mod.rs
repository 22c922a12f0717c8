//! `[clean]`: what is done to a text before it is tokenised.
//!
//! A recipe's [`CleanConfig`] becomes a [`Cleaner`] by fitting it on training texts; the cleaner travels with the model and
//! does the same to every text. Its steps, one file each, run in this order:
//!
//! 1. `html_entities`: `&amp;` → `&`; first, as an entity may stand for anything below
//! 2. `control_characters`: control and zero-width characters go
//! 3. `unicode`: normal form C
//! 4. `urls`: web and mail addresses go
//! 5. `user_names`: `@name` goes
//! 6. `emoticons`: `ㅋㅋ`, `:)`, `😂`… become special tokens such as `[LAUGH]`
//! 7. `repeats`: a character repeated goes on no longer than asked
//! 8. `keep_characters`: characters that are neither letter, digit, space nor listed go
//! 9. `stop_words`: listed words go
//! 10. `rare_words`: the rarest words of the training texts go; the one step that is fitted
//! 11. `white_space`: one space between words; last, as other steps leave spaces where something was
//!
//! What one step removes may bring together what another looks for, so all of them run until none changes anything:
//! cleaning a clean text changes nothing.
//!
//! A special token that a text already holds, in letters, stays and is that token: no step looks inside, and the tokeniser
//! makes one id of it. Texts cleaned before thus stay as they are; who types `[LAUGH]` is taken at their word, and
//! [`Trace::had_token`] tells.
//!
//! Not here: which texts train (the caller's business), and the tokeniser that is given the tokens.

mod characters;
mod config;
mod emoji;
mod emoticons;
mod entities;
mod links;
mod step;
mod table;
mod trace;
mod words;

use std::borrow::Cow;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use config::{CleanConfig, EmoticonsConfig};
pub use emoticons::SpecialToken;
pub use step::StepKind;
pub use trace::Trace;

use crate::fingerprint::fingerprint;
use step::Step;

/// Cleaning steps with everything fitting found. Serialised, it is what a model needs to treat texts as its training
/// texts were treated, whatever later versions have for defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cleaner {
    steps: Vec<Step>,
}

impl Cleaner {
    /// The text as the model is to see it; borrowed where nothing changes.
    pub fn apply<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.apply_traced(text).0
    }

    /// The same, and what happened.
    pub fn apply_traced<'t>(&self, text: &'t str) -> (Cow<'t, str>, Trace) {
        let mut trace = Trace::default();
        let mut current = Cow::Borrowed(text);
        let emoticons = self.emoticons();
        if let Some(emoticons) = emoticons {
            trace.had_token = emoticons.holds_token(text);
        }
        loop {
            let mut changed = false;
            for step in &self.steps {
                // What a step gives back borrowed may be shorter, or another step's work: only contents tell.
                let next = match step.apply(&current, emoticons) {
                    next if *next == *current => continue,
                    next => next.into_owned(),
                };
                current = Cow::Owned(next);
                trace.add(step.kind());
                changed = true;
            }
            if !changed {
                break;
            }
        }
        trace.emptied = current.is_empty() && !text.is_empty();
        (current, trace)
    }

    /// Cleans every text in place, on rayon's current pool; one trace a text.
    pub fn clean(&self, texts: &mut [String]) -> Vec<Trace> {
        let clean = |text: &mut String| {
            let (cleaned, trace) = self.apply_traced(text);
            if let Cow::Owned(cleaned) = cleaned {
                *text = cleaned;
            }
            trace
        };
        texts.par_iter_mut().map(clean).collect()
    }

    /// The steps in the order they run.
    pub fn steps(&self) -> impl Iterator<Item = StepKind> {
        self.steps.iter().map(Step::kind)
    }

    /// The special tokens a cleaned text may hold, in the order a tokeniser is to be given them; none without the step
    /// `emoticons`.
    pub fn special_tokens(&self) -> &[SpecialToken] {
        self.emoticons().map_or(&[], |emoticons| emoticons.tokens())
    }

    /// Where in `text` special tokens stand, and which: positions in [`special_tokens`](Self::special_tokens).
    pub fn tokens_in(&self, text: &str) -> Vec<usize> {
        self.emoticons().map_or_else(Vec::new, |emoticons| emoticons.tokens_in(text))
    }

    /// The words the step `rare_words` found, sorted.
    pub fn rare_words(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().flat_map(|step| match step {
            Step::RareWords(words) => words.iter().collect(),
            _ => Vec::new(),
        })
    }

    /// Hash of all that decides what becomes of a text: 32 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let definition = serde_json::to_string(self).expect("steps are strings, numbers and lists");
        fingerprint(&["cleaner", &definition])
    }

    fn emoticons(&self) -> Option<&emoticons::Emoticons> {
        self.steps.iter().find_map(|step| match step {
            Step::Emoticons(emoticons) => Some(emoticons),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;
