//! What masked-LM training needs to know of a vocabulary: the mask token, what is never masked, what continues a word.
//!
//! Which tokens are masked in a batch is drawn by the training, not here.

use tokenizers::{ModelWrapper, PreTokenizerWrapper};

use super::{Tokeniser, build};
use crate::error::{DataError, Result};

/// A vocabulary as masking sees it; both tables have [`Tokeniser::vocab_size`] entries, one an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskVocabulary {
    /// Id of the mask token.
    pub mask: u32,
    /// Ids that are never masked and never stand in for a masked token: special tokens, added ones (`[LAUGH]`) among
    /// them, and ids no token has.
    pub special: Vec<bool>,
    /// Ids that go on with the word of the token before, for whole-word masking; never an added token.
    ///
    /// WordPiece marks these (`##`); byte-level BPE (`Ġ`) and Unigram (`▁`) mark the others, which stand after a space.
    /// There, the first token of a text begins a word whatever this says.
    pub continues: Vec<bool>,
}

/// How a vocabulary marks where words begin.
enum WordMark {
    /// On pieces that continue a word.
    Continuing(String),
    /// On pieces that begin one.
    Beginning(char),
    /// Not at all: every token is a word.
    None,
}

impl Tokeniser {
    /// What masking needs to know of this vocabulary.
    ///
    /// # Errors
    /// [`DataError::Tokeniser`] names the directory if it has no mask token.
    pub fn masking(&self) -> Result<MaskVocabulary> {
        let mask = build::mask_token(&self.files).and_then(|content| self.inner.token_to_id(&content));
        let mask = mask.ok_or_else(|| DataError::Tokeniser {
            path: self.files.dir.clone(),
            problem: "no mask token (mask_token in tokenizer_config.json), which masked-LM training needs".into(),
        })?;
        let size = self.vocab_size();
        let mut special = vec![true; size];
        let mut continues = vec![false; size];
        let mark = self.word_mark();
        for (token, id) in self.inner.get_vocab(true) {
            special[id as usize] = false;
            continues[id as usize] = match &mark {
                WordMark::Continuing(prefix) => token.starts_with(prefix),
                WordMark::Beginning(mark) => !token.starts_with(*mark),
                WordMark::None => false,
            };
        }
        for (id, token) in self.inner.get_added_tokens_decoder() {
            special[id as usize] = token.special;
            continues[id as usize] = false;
        }
        Ok(MaskVocabulary { mask, special, continues })
    }

    fn word_mark(&self) -> WordMark {
        let continuing =
            |prefix: &str| if prefix.is_empty() { WordMark::None } else { WordMark::Continuing(prefix.to_owned()) };
        match self.inner.get_model() {
            ModelWrapper::WordPiece(model) => continuing(&model.continuing_subword_prefix),
            ModelWrapper::WordLevel(_) => WordMark::None,
            ModelWrapper::BPE(model) => match self.inner.get_pre_tokenizer().and_then(beginning) {
                Some(mark) => WordMark::Beginning(mark),
                None => continuing(model.get_continuing_subword_prefix().as_deref().unwrap_or_default()),
            },
            ModelWrapper::Unigram(_) => {
                WordMark::Beginning(self.inner.get_pre_tokenizer().and_then(beginning).unwrap_or('▁'))
            }
        }
    }
}

/// What a pre-tokeniser makes of a space, if it keeps spaces.
fn beginning(pre_tokenizer: &PreTokenizerWrapper) -> Option<char> {
    match pre_tokenizer {
        PreTokenizerWrapper::ByteLevel(_) => Some('Ġ'),
        PreTokenizerWrapper::Metaspace(metaspace) => Some(metaspace.get_replacement()),
        PreTokenizerWrapper::Sequence(steps) => steps.as_ref().iter().find_map(beginning),
        _ => None,
    }
}
