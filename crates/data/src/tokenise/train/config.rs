//! The `[tokenizer]` table of a pre-training recipe: which kind, how large, trained on how much.

use serde::{Deserialize, Serialize};

use crate::error::{DataError, Result};

/// How a vocabulary is made and used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenizerKind {
    /// BERT's: pieces within a word are marked `##`; a word with an unknown character is `[UNK]` as a whole.
    #[default]
    WordPiece,
    /// RoBERTa's, over bytes: no text is unknown, and case is kept.
    Bpe,
    /// SentencePiece's language model: the likeliest of all ways to cut a word; unknown characters are `[UNK]` alone.
    Unigram,
}

/// `[tokenizer]`: how to train a tokeniser on a corpus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenizerConfig {
    /// The kind of vocabulary.
    pub kind: TokenizerKind,
    /// Tokens of the vocabulary, special ones included: 10 to 1,000,000.
    pub vocab_size: usize,
    /// How often two pieces must meet to become one, at least 1; absent: 2. Unigram has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_frequency: Option<u64>,
    /// Whether to lower case. Byte-level BPE cannot.
    pub lowercase: bool,
    /// How many characters the vocabulary knows, the commonest; absent: as many as make up 99.95 % of the text
    /// (sentencepiece's `character_coverage`). Byte-level BPE has its 256 bytes instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_alphabet: Option<usize>,
    /// How many bytes of text to train on at most, spread over the corpus: 1 to 1 GiB.
    pub sample_bytes: u64,
}

impl Default for TokenizerConfig {
    fn default() -> Self {
        Self {
            kind: TokenizerKind::default(),
            vocab_size: 32_000,
            min_frequency: None,
            lowercase: false,
            limit_alphabet: None,
            sample_bytes: 256 << 20,
        }
    }
}

/// The trainers count in 32 bits, so no count may exceed the bytes of the sample by much.
const MOST_SAMPLED: u64 = 1 << 30;

impl TokenizerConfig {
    /// Checks what can be checked without the corpus.
    ///
    /// # Errors
    /// [`DataError::Config`] names the key: a number out of its range, or a key that its kind does not have.
    pub fn validate(&self) -> Result<()> {
        let wrong = |key, problem: String| Err(DataError::Config { key, problem });
        if !(10..=1_000_000).contains(&self.vocab_size) {
            let problem = format!("{} is no size of a vocabulary; use 10 to 1000000", self.vocab_size);
            return wrong("tokenizer.vocab_size", problem);
        }
        if self.min_frequency == Some(0) {
            return wrong("tokenizer.min_frequency", "0 pairs are nothing to merge; use at least 1".into());
        }
        if self.limit_alphabet == Some(0) {
            return wrong("tokenizer.limit_alphabet", "no characters make no vocabulary; use at least 1".into());
        }
        if !(1..=MOST_SAMPLED).contains(&self.sample_bytes) {
            let problem = format!("{} is out of range; use 1 to {MOST_SAMPLED} (1 GiB)", self.sample_bytes);
            return wrong("tokenizer.sample_bytes", problem);
        }
        match self.kind {
            TokenizerKind::Unigram if self.min_frequency.is_some() => {
                wrong("tokenizer.min_frequency", "unigram merges no pairs; remove it".into())
            }
            TokenizerKind::Bpe if self.limit_alphabet.is_some() => {
                wrong("tokenizer.limit_alphabet", "byte-level BPE knows every byte; remove it".into())
            }
            TokenizerKind::Bpe if self.lowercase => {
                wrong("tokenizer.lowercase", "byte-level BPE keeps case; remove it or use another kind".into())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> std::result::Result<TokenizerConfig, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn absent_keys_have_defaults_and_unknown_ones_are_refused() {
        let config = parse(r#"{"kind": "unigram", "vocab_size": 8000}"#).unwrap();
        assert_eq!((config.kind, config.vocab_size, config.sample_bytes), (TokenizerKind::Unigram, 8000, 256 << 20));
        assert_eq!(parse(&serde_json::to_string(&config).unwrap()).unwrap(), config);
        assert!(parse(r#"{"vocabulary": 8000}"#).unwrap_err().to_string().contains("vocabulary"));
        assert!(parse(r#"{"kind": "words"}"#).unwrap_err().to_string().contains("wordpiece"));
        TokenizerConfig::default().validate().unwrap();
    }

    #[test]
    fn impossible_values_name_their_key() {
        for (json, key) in [
            (r#"{"vocab_size": 0}"#, "tokenizer.vocab_size"),
            (r#"{"min_frequency": 0}"#, "tokenizer.min_frequency"),
            (r#"{"limit_alphabet": 0}"#, "tokenizer.limit_alphabet"),
            (r#"{"sample_bytes": 0}"#, "tokenizer.sample_bytes"),
            (r#"{"sample_bytes": 4000000000}"#, "tokenizer.sample_bytes"),
            (r#"{"kind": "unigram", "min_frequency": 2}"#, "tokenizer.min_frequency"),
            (r#"{"kind": "bpe", "limit_alphabet": 100}"#, "tokenizer.limit_alphabet"),
            (r#"{"kind": "bpe", "lowercase": true}"#, "tokenizer.lowercase"),
        ] {
            let error = parse(json).unwrap().validate().unwrap_err();
            assert!(error.to_string().starts_with(key), "{error}");
            assert_eq!(error.exit_code(), 2);
        }
    }
}
