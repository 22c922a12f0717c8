//! What trainers see of a corpus: how often each word of a sample occurs, and which characters words are made of.

use std::cmp::Reverse;
use std::collections::HashMap;

use rayon::prelude::*;
use tokenizers::{
    NormalizedString, Normalizer, NormalizerWrapper, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
    PreTokenizerWrapper,
};

use crate::corpus::{Corpus, fill};
use crate::error::{DataError, Result};

/// Bytes of text in memory at once, and texts a task takes.
const WINDOW: usize = 4 << 20;
const CHUNK: usize = 256;

/// Characters beyond which a run without a space is no word, but an address or a hand on the keyboard.
const LONGEST_WORD: usize = 256;

/// Words a trainer is given at most, the commonest: they bound its time and memory, and rarer ones say little.
const MOST_WORDS: usize = 1 << 20;

/// Share of the text the alphabet makes up unless its size is given; sentencepiece's default.
const COVERAGE: f64 = 0.9995;

/// How text becomes words.
pub(super) struct Steps {
    pub(super) normalizer: NormalizerWrapper,
    pub(super) pre_tokenizer: PreTokenizerWrapper,
}

/// The words of a sample of a corpus.
#[derive(Debug)]
pub(super) struct Words {
    /// Words and how often they occur, by word.
    pub(super) counts: Vec<(String, u64)>,
    /// Texts and bytes of the sample.
    pub(super) texts: u64,
    pub(super) bytes: u64,
}

impl Words {
    /// Counts the words of at most `sample_bytes` of text, spread evenly over the corpus.
    pub(super) fn count(corpus: &Corpus, steps: &Steps, sample_bytes: u64) -> Result<Self> {
        let total = u128::from(corpus.counts()?.bytes);
        let (mut seen, mut texts, mut bytes) = (0, 0, 0);
        let mut sample = corpus.texts().filter(|text| {
            let Ok(text) = text else { return true };
            let length = text.len() as u64;
            seen += length;
            // Never more than this part of the corpus has a right to.
            let taken = u128::from(bytes + length) * total <= u128::from(sample_bytes) * u128::from(seen);
            if taken {
                texts += 1;
                bytes += length;
            }
            taken
        });
        let mut counts: HashMap<String, u64> = HashMap::new();
        let mut window = Vec::new();
        let mut before = 0;
        loop {
            fill(&mut sample, &mut window, WINDOW)?;
            if window.is_empty() {
                break;
            }
            let parts: Vec<HashMap<String, u64>> = window
                .par_chunks(CHUNK)
                .enumerate()
                .map(|(chunk, texts)| {
                    let mut counts = HashMap::new();
                    for (at, text) in texts.iter().enumerate() {
                        steps.words(text, |word| *counts.entry(word.to_owned()).or_default() += 1).map_err(
                            |error| DataError::Encode {
                                row: before + chunk * CHUNK + at + 1,
                                detail: error.to_string(),
                            },
                        )?;
                    }
                    Ok(counts)
                })
                .collect::<Result<_>>()?;
            for (word, count) in parts.into_iter().flatten() {
                *counts.entry(word).or_default() += count;
            }
            before += window.len();
        }
        drop(sample);
        if counts.is_empty() {
            return Err(DataError::Config {
                key: "tokenizer.sample_bytes",
                problem: format!("{sample_bytes} bytes of {} have no words to train on; use more", corpus.name()),
            });
        }
        let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
        if counts.len() > MOST_WORDS {
            counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            counts.truncate(MOST_WORDS);
        }
        counts.sort_unstable();
        Ok(Self { counts, texts, bytes })
    }

    /// The commonest characters of these words, `limit` of them or else as many as cover them, in code point order.
    pub(super) fn alphabet(&self, limit: Option<usize>) -> Vec<char> {
        let mut ranked: Vec<(char, u64)> = character_counts(&self.counts).into_iter().collect();
        ranked.sort_unstable_by_key(|&(c, count)| (Reverse(count), c));
        let total: u64 = ranked.iter().map(|(_, count)| count).sum();
        let mut covered = 0;
        let enough = ranked.iter().position(|(_, count)| {
            covered += count;
            covered as f64 >= COVERAGE * total as f64
        });
        ranked.truncate(limit.unwrap_or(enough.map_or(0, |last| last + 1)));
        let mut alphabet: Vec<char> = ranked.into_iter().map(|(c, _)| c).collect();
        alphabet.sort_unstable();
        alphabet
    }

    /// Leaves out words with other characters than those of `alphabet`, which is sorted.
    pub(super) fn restrict(&mut self, alphabet: &[char]) {
        self.counts.retain(|(word, _)| word.chars().all(|c| alphabet.binary_search(&c).is_ok()));
    }
}

/// How often each character occurs in words that occur so often.
pub(super) fn character_counts(words: &[(String, u64)]) -> HashMap<char, u64> {
    let mut counts = HashMap::new();
    for (word, count) in words {
        word.chars().for_each(|c| *counts.entry(c).or_default() += count);
    }
    counts
}

impl Steps {
    fn words(&self, text: &str, mut each: impl FnMut(&str)) -> tokenizers::Result<()> {
        let mut normalized = NormalizedString::from(text);
        self.normalizer.normalize(&mut normalized)?;
        let mut split = PreTokenizedString::from(normalized);
        self.pre_tokenizer.pre_tokenize(&mut split)?;
        for (word, _, _) in split.get_splits(OffsetReferential::Normalized, OffsetType::None) {
            if word.chars().nth(LONGEST_WORD).is_none() {
                each(word);
            }
        }
        Ok(())
    }
}
