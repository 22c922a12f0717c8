//! Texts to token ids, as transformers' `AutoTokenizer` gives them for BERT, RoBERTa and ELECTRA checkpoints.
//!
//! `files` reads a checkpoint's tokeniser files, `build` makes the tokeniser of them, `extend` gives it further special
//! tokens, `encode` runs and truncates, `tokenised` holds the result, `cache` keeps it on disk, `pieces` says where tokens are
//! in a text. `stream` takes a whole corpus to the cache in bounded memory, by way of `spill`; `masking` tells masked-LM
//! training about the vocabulary, and `train` makes new tokenisers.

mod build;
mod cache;
mod encode;
mod extend;
mod files;
mod masking;
mod pieces;
mod spill;
mod stream;
mod tokenised;
mod train;

use std::fs;
use std::path::Path;

use tokenizers::{PostProcessor, Tokenizer, TruncationDirection};

pub use cache::CacheOutcome;
pub use masking::MaskVocabulary;
pub use stream::{StreamProgress, Streamed};
pub use tokenised::Tokenised;
pub use train::{TokenizerConfig, TokenizerKind, Trained};

use crate::atomic::write_atomic;
use crate::error::{DataError, Result};
use crate::fingerprint::fingerprint;
use build::Built;
use files::{FILE_NAMES, Files, TOKENIZER_CONFIG, TOKENIZER_JSON};

/// A checkpoint's tokeniser.
#[derive(Debug)]
pub struct Tokeniser {
    inner: Tokenizer,
    /// The side tokens are cut from.
    truncation: TruncationDirection,
    /// Whether the model is given segment ids; otherwise they are all 0.
    segments: bool,
    fingerprint: String,
    files: Files,
}

impl Tokeniser {
    /// Opens the tokeniser of a checkpoint directory: `tokenizer.json`, or `vocab.txt`, or `vocab.json` with
    /// `merges.txt`; with `tokenizer_config.json` and the older `special_tokens_map.json` and `added_tokens.json`.
    ///
    /// What those files decide between them follows transformers 5: a `BertTokenizer` (`ElectraTokenizer`) or
    /// `RobertaTokenizer` takes the vocabulary of `tokenizer.json` and everything else of `tokenizer_config.json`; any
    /// other class takes `tokenizer.json` as it is. Padding and truncation stored in it are dropped.
    ///
    /// # Errors
    /// A file is missing, is not what its name says, or makes a tokeniser without special tokens, which no encoder
    /// can use.
    pub fn open(dir: &Path) -> Result<Self> {
        Self::new(Files::read(dir)?)
    }

    fn new(files: Files) -> Result<Self> {
        let Built { inner, truncation, segments } = build::build(&files)?;
        let wrong = |problem: String| DataError::Tokeniser { path: files.dir.clone(), problem };
        if inner.get_post_processor().is_none_or(|processor| processor.added_tokens(false) == 0) {
            return Err(wrong("the tokeniser puts no token such as [CLS] before a text; an encoder needs one".into()));
        }
        let definition = inner.to_string(false).map_err(|error| wrong(error.to_string()))?;
        let side = truncation.as_ref();
        let split = if inner.get_encode_special_tokens() { "split" } else { "whole" };
        let fingerprint = fingerprint(&[&definition, side, if segments { "segments" } else { "" }, split]);
        Ok(Self { inner, truncation, segments, fingerprint, files })
    }

    /// One more than the highest id it can give: the rows an embedding needs.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab(true).values().max().map_or(0, |&id| id as usize + 1)
    }

    /// Hash of everything that decides its ids: 32 hexadecimal digits.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Writes the tokeniser's files into `dir`, so that it opens there, and in transformers, as it did here.
    ///
    /// Files are copied as they are, with the special tokens it was given beside; `tokenizer.json` and the name of the
    /// class are added where they were implied.
    ///
    /// # Errors
    /// [`DataError::Read`] or [`DataError::Write`] names the file.
    pub fn save_files(&self, dir: &Path) -> Result<()> {
        for name in FILE_NAMES {
            let source = self.files.dir.join(name);
            let bytes = match fs::read(&source) {
                Ok(bytes) => Some(bytes),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.implied(name)?,
                Err(error) => return Err(DataError::Read { path: source, source: error }),
            };
            let Some(bytes) = bytes else { continue };
            let bytes = if self.files.extended { self.with_added_tokens(name, bytes)? } else { bytes };
            let path = dir.join(name);
            write_atomic(&path, |out| out.write_all(&bytes)).map_err(|source| DataError::Write { path, source })?;
        }
        Ok(())
    }

    /// The contents of a file that was not there but would have said this.
    fn implied(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(match name {
            TOKENIZER_JSON => {
                let definition = self.inner.to_string(true).map_err(|error| DataError::Tokeniser {
                    path: self.files.dir.clone(),
                    problem: error.to_string(),
                })?;
                Some(definition.into_bytes())
            }
            TOKENIZER_CONFIG => {
                Some(format!("{{\"tokenizer_class\": \"{}\"}}\n", self.files.class.name()).into_bytes())
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;
