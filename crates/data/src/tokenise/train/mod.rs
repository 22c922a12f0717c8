//! Training a tokeniser on a corpus, and its Hugging Face directory.
//!
//! `config` is the recipe's table, `words` counts a sample of the corpus, `models` runs the trainers of the `tokenizers`
//! crate on it, `directory` writes the files. The result is opened as any other checkpoint's tokeniser.

mod config;
mod directory;
mod models;
mod words;

use std::path::Path;

use tokenizers::normalizers::{BertNormalizer, Lowercase, NFC, Replace, Sequence, Strip, replace::ReplacePattern};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};

pub use config::{TokenizerConfig, TokenizerKind};

use super::Tokeniser;
use crate::corpus::Corpus;
use crate::error::{DataError, Result};
use directory::Vocabulary;
use words::{Steps, Words};

/// Special tokens of BERT, in order of id.
const BERT_SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// Special tokens of RoBERTa, in order of id; its models rely on padding being 1.
const ROBERTA_SPECIAL: [&str; 5] = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"];

/// What WordPiece puts before a piece within a word.
const CONTINUING: &str = "##";

/// A tokeniser that was trained, and what came of it.
#[derive(Debug)]
pub struct Trained {
    /// The tokeniser, opened from the directory it was written to.
    pub tokeniser: Tokeniser,
    /// Tokens of its vocabulary: fewer than asked for if the text has no more pieces (worth a warning).
    pub vocab_size: usize,
    /// Characters it knows (bytes, for byte-level BPE).
    pub alphabet: usize,
    /// Texts of the sample it was trained on.
    pub texts: u64,
    /// Bytes of those texts.
    pub bytes: u64,
}

impl Tokeniser {
    /// Trains a tokeniser on a corpus and writes it into `dir` as transformers does: `tokenizer.json`,
    /// `tokenizer_config.json`, and `vocab.txt` (WordPiece) or `vocab.json` and `merges.txt` (BPE).
    ///
    /// WordPiece becomes a `BertTokenizer`, byte-level BPE a `RobertaTokenizer`, Unigram a `PreTrainedTokenizerFast`
    /// with BERT's special tokens. The text is composed (Unicode NFC) for training, accents and jamo are kept. Of the
    /// three only Unigram can compose the text it is given later; for the others that is for cleaning to do. The same
    /// corpus and settings give the same files, on any number of threads.
    ///
    /// # Errors
    /// Those of [`TokenizerConfig::validate`] and [`Corpus::texts`]; an empty corpus; [`DataError::Config`] if the
    /// vocabulary cannot hold the special tokens and characters, with the least that can, or if no word is left;
    /// [`DataError::Write`] names the file.
    pub fn train(corpus: &Corpus, config: &TokenizerConfig, dir: &Path) -> Result<Trained> {
        config.validate()?;
        let failed = |error: tokenizers::Error| DataError::Tokeniser {
            path: dir.into(),
            problem: format!("cannot be trained: {error}"),
        };
        let mut words = Words::count(corpus, &steps(config).map_err(failed)?, config.sample_bytes)?;
        let special = special(config.kind);
        // A special token written out in the text is never cut into pieces, so it must not become one.
        words.counts.retain(|(word, _)| !special.iter().any(|token| word.contains(token)));
        let (texts, bytes) = (words.texts, words.bytes);
        let (alphabet, first) = first_tokens(config, &mut words);
        if config.vocab_size <= first.len() {
            let (size, least) = (config.vocab_size, first.len() + 1);
            let characters = first.len() - special.len();
            let problem = format!(
                "{size} tokens cannot hold {} special tokens and {characters} for single characters; use at least \
                 {least}{}",
                special.len(),
                if config.kind == TokenizerKind::Bpe { "" } else { ", or a smaller tokenizer.limit_alphabet" }
            );
            return Err(DataError::Config { key: "tokenizer.vocab_size", problem });
        }
        if words.counts.is_empty() {
            let problem = format!("no word of {} is made of these {alphabet} characters; use more", corpus.name());
            return Err(DataError::Config { key: "tokenizer.limit_alphabet", problem });
        }
        let vocabulary = match config.kind {
            TokenizerKind::Unigram => Vocabulary::Unigram(
                models::unigram(&words.counts, &special, special[1], config.vocab_size).map_err(failed)?,
            ),
            kind => {
                let prefix = if kind == TokenizerKind::Bpe { "" } else { CONTINUING };
                let min_frequency = config.min_frequency.unwrap_or(2);
                let merged = models::merge(&words.counts, &first, prefix, config.vocab_size, min_frequency);
                let merged = merged.map_err(failed)?;
                match kind {
                    TokenizerKind::Bpe => Vocabulary::Bpe(merged),
                    _ => Vocabulary::WordPiece(merged.vocabulary),
                }
            }
        };
        directory::write(dir, config, &vocabulary)?;
        let tokeniser = Self::open(dir)?;
        // What the class implies is written out, for programs that read nothing but tokenizer.json.
        tokeniser.save_files(dir)?;
        Ok(Trained { vocab_size: tokeniser.vocab_size(), tokeniser, alphabet, texts, bytes })
    }
}

fn special(kind: TokenizerKind) -> [&'static str; 5] {
    match kind {
        TokenizerKind::Bpe => ROBERTA_SPECIAL,
        TokenizerKind::WordPiece | TokenizerKind::Unigram => BERT_SPECIAL,
    }
}

/// How each kind makes words of text; for Unigram, what its `tokenizer.json` says.
fn steps(config: &TokenizerConfig) -> tokenizers::Result<Steps> {
    let mut normalizer = vec![NFC.into()];
    let pre_tokenizer = match config.kind {
        TokenizerKind::WordPiece => {
            normalizer.push(BertNormalizer::new(true, true, Some(false), config.lowercase).into());
            BertPreTokenizer.into()
        }
        TokenizerKind::Bpe => ByteLevel::new(true, true, true).into(),
        TokenizerKind::Unigram => {
            if config.lowercase {
                normalizer.push(Lowercase.into());
            }
            normalizer.push(Replace::new(ReplacePattern::Regex(r"\s+".into()), " ")?.into());
            normalizer.push(Strip::new(true, true).into());
            Metaspace::new('▁', PrependScheme::Always, true).into()
        }
    };
    Ok(Steps { normalizer: Sequence::new(normalizer).into(), pre_tokenizer })
}

/// How many characters the vocabulary knows, and the tokens it must have; words with others are left out.
fn first_tokens(config: &TokenizerConfig, words: &mut Words) -> (usize, Vec<String>) {
    let mut first: Vec<String> = special(config.kind).map(str::to_owned).into();
    let alphabet = if config.kind == TokenizerKind::Bpe {
        let mut bytes: Vec<char> = ByteLevel::alphabet().into_iter().collect();
        bytes.sort_unstable();
        bytes
    } else {
        let alphabet = words.alphabet(config.limit_alphabet);
        words.restrict(&alphabet);
        alphabet
    };
    first.extend(alphabet.iter().map(char::to_string));
    if config.kind == TokenizerKind::WordPiece {
        let mut inside = vec![false; alphabet.len()];
        for c in words.counts.iter().flat_map(|(word, _)| word.chars().skip(1)) {
            inside[alphabet.partition_point(|&other| other < c)] = true;
        }
        let inside = alphabet.iter().zip(inside).filter(|(_, inside)| *inside);
        first.extend(inside.map(|(c, _)| format!("{CONTINUING}{c}")));
    }
    (alphabet.len(), first)
}

#[cfg(test)]
mod tests;
