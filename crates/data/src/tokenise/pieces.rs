//! A text's tokens by where they are in it: how many, and which parts of the text the vocabulary does not have.

use std::ops::Range;

use tokenizers::{Model as _, ModelWrapper, PostProcessor as _};

use super::Tokeniser;

/// The tokens of one text, special tokens aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pieces {
    /// How many.
    pub(crate) tokens: usize,
    /// The bytes of the text each unknown token stands for.
    pub(crate) unknown: Vec<Range<usize>>,
}

impl Tokeniser {
    /// Tokenises `text` whole.
    pub(crate) fn pieces(&self, text: &str) -> tokenizers::Result<Pieces> {
        let encoding = self.inner.encode(text, false)?;
        let unknown = self.unknown_id();
        let tokens = encoding.get_ids().iter().zip(encoding.get_offsets());
        let ranges = tokens.filter(|(id, _)| Some(**id) == unknown).map(|(_, &(start, end))| start..end);
        // Offsets of a normalised text may fall inside a character.
        let whole = |range: &Range<usize>| text.floor_char_boundary(range.start)..text.ceil_char_boundary(range.end);
        Ok(Pieces { tokens: encoding.len(), unknown: ranges.map(|range| whole(&range)).collect() })
    }

    /// Special tokens it adds to a row of one text, or of two.
    pub(crate) fn special_tokens(&self, pair: bool) -> usize {
        self.inner.get_post_processor().map_or(0, |processor| processor.added_tokens(pair))
    }

    /// Whether there are texts it does not know.
    pub(crate) fn has_unknown(&self) -> bool {
        self.unknown_id().is_some()
    }

    /// The id of the token for what is not in the vocabulary: as configured, else as the model has it.
    pub(super) fn unknown_id(&self) -> Option<u32> {
        let configured = self.files.config.get("unk_token");
        let configured = configured.and_then(|token| token.as_str().or_else(|| token.get("content")?.as_str()));
        if let Some(token) = configured {
            return self.inner.token_to_id(token);
        }
        let model = self.inner.get_model();
        match model {
            ModelWrapper::WordPiece(pieces) => model.token_to_id(&pieces.unk_token),
            ModelWrapper::WordLevel(words) => model.token_to_id(&words.unk_token),
            ModelWrapper::BPE(pairs) => pairs.get_unk_token().as_ref().and_then(|token| model.token_to_id(token)),
            ModelWrapper::Unigram(_) => model.token_to_id("<unk>").or_else(|| model.token_to_id("[UNK]")),
        }
    }
}
