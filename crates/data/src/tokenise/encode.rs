//! Running a tokeniser over rows, in parallel, cut to a length as transformers' `truncation=True` cuts.
//!
//! The `tokenizers` crate keeps every piece it cuts off (and for pairs every combination of pieces), which is ruinous
//! for a text of a megabyte. So a row is tokenised whole, cut here, and only then given its special tokens. The texts of
//! a corpus are cut into several rows instead.

use rayon::prelude::*;
use tokenizers::{Encoding, PostProcessor, Token, TruncationDirection};

use super::Tokeniser;
use super::tokenised::{Owned, Tokenised};
use crate::error::{DataError, Result};

/// Rows a task takes: enough to amortise it, few enough to share out.
const CHUNK: usize = 64;

impl Tokeniser {
    /// Tokenises `texts`, each with its entry of `pairs`, to at most `max_length` tokens including the special ones.
    ///
    /// Of a pair the longer text is cut first. Runs on rayon's current pool; the result does not depend on it.
    ///
    /// # Errors
    /// [`DataError::MaxLength`] if no room is left for text; [`DataError::Encode`] names the row.
    ///
    /// # Panics
    /// If `pairs` is given with another length than `texts`.
    pub fn encode_rows<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        pairs: Option<&[T]>,
        max_length: usize,
    ) -> Result<Tokenised> {
        assert!(pairs.is_none_or(|pairs| pairs.len() == texts.len()), "one second text a row");
        let room = self.room(max_length, pairs.is_some())?;
        let chunks: Vec<Owned> = texts
            .par_chunks(CHUNK)
            .enumerate()
            .map(|(chunk, texts)| {
                let mut out = Owned::default();
                for (at, text) in texts.iter().enumerate() {
                    let row = chunk * CHUNK + at;
                    let pair = pairs.map(|pairs| pairs[row].as_ref());
                    let (encoding, truncated) = self
                        .encode_row(text.as_ref(), pair, room)
                        .map_err(|error| DataError::Encode { row: row + 1, detail: error.to_string() })?;
                    self.push(&mut out, &encoding, truncated);
                }
                Ok(out)
            })
            .collect::<Result<_>>()?;
        Ok(Tokenised::from(Owned::concat(chunks)))
    }

    /// Tokenises each text and its entry of `others` apart, each to at most `max_length` tokens: first and second texts in
    /// turn, which [`Tokenised::in_twos`] makes rows of.
    ///
    /// # Errors
    /// As [`Tokeniser::encode_rows`].
    ///
    /// # Panics
    /// If there are not as many `others` as `texts`.
    pub fn encode_apart(&self, texts: &[String], others: &[String], max_length: usize) -> Result<Tokenised> {
        assert_eq!(texts.len(), others.len(), "two texts a row");
        let each: Vec<&str> = texts.iter().zip(others).flat_map(|(text, other)| [text.as_str(), other]).collect();
        self.encode_rows(&each, None, max_length).map_err(|error| match error {
            DataError::Encode { row, detail } => DataError::Encode { row: row.div_ceil(2), detail },
            other => other,
        })
    }

    /// Tokenises one text into as many rows as it takes, none if it has no tokens: nothing is cut off.
    ///
    /// The rows are of nearly equal length, as a rest of a few tokens would have no context. All but the last are
    /// marked as cut.
    pub(super) fn encode_whole(&self, text: &str, room: usize, out: &mut Owned) -> tokenizers::Result<()> {
        let encoding = self.inner.encode_fast(text, false)?;
        let ids = encoding.get_ids();
        let rows = ids.len().div_ceil(room);
        for row in 0..rows {
            let piece = &ids[row * ids.len() / rows..(row + 1) * ids.len() / rows];
            self.push(out, &self.inner.post_process(bare(piece), None, true)?, row + 1 < rows);
        }
        Ok(())
    }

    /// Tokens of text that fit beside the special ones.
    pub(super) fn room(&self, max_length: usize, pair: bool) -> Result<usize> {
        let special = self.inner.get_post_processor().map_or(0, |processor| processor.added_tokens(pair));
        if max_length <= special {
            return Err(DataError::MaxLength { max_length, special, least: special + 1 });
        }
        Ok(max_length - special)
    }

    fn push(&self, out: &mut Owned, encoding: &Encoding, truncated: bool) {
        let segments = encoding.get_type_ids().iter().map(|&id| if self.segments { id as u8 } else { 0 });
        out.push(encoding.get_ids(), segments, truncated);
    }

    /// One row with its special tokens, and whether it was cut.
    fn encode_row(&self, text: &str, pair: Option<&str>, room: usize) -> tokenizers::Result<(Encoding, bool)> {
        let first = self.inner.encode_fast(text, false)?;
        let second = pair.map(|pair| self.inner.encode_fast(pair, false)).transpose()?;
        let (keep_first, keep_second) =
            kept(first.len(), second.as_ref().map_or(0, Encoding::len), room, pair.is_some());
        let truncated = keep_first < first.len() || second.as_ref().is_some_and(|second| keep_second < second.len());
        let first = self.cut(first, keep_first);
        let second = second.map(|second| self.cut(second, keep_second));
        Ok((self.inner.post_process(first, second, true)?, truncated))
    }

    fn cut(&self, encoding: Encoding, keep: usize) -> Encoding {
        if keep >= encoding.len() {
            return encoding;
        }
        bare(match self.truncation {
            TruncationDirection::Right => &encoding.get_ids()[..keep],
            TruncationDirection::Left => &encoding.get_ids()[encoding.len() - keep..],
        })
    }
}

/// Tokens of which ids are all that is read, so that they need neither text nor offsets.
fn bare(ids: &[u32]) -> Encoding {
    Encoding::from_tokens(ids.iter().map(|&id| Token::new(id, String::new(), (0, 0))).collect(), 0)
}

/// How many tokens of each text fit `room`: `longest_first` as in the `tokenizers` crate's `truncate_encodings`.
///
/// The shorter text keeps what it has while the longer fills the rest; if both are over half, they share, and the
/// longer gets the odd token (the second, if they are equally long).
fn kept(first: usize, second: usize, room: usize, pair: bool) -> (usize, usize) {
    if first + second <= room {
        return (first, second);
    }
    if !pair {
        return (room, 0);
    }
    let shorter = first.min(second);
    let (short, long) = if 2 * shorter <= room { (shorter, room - shorter) } else { (room / 2, room / 2 + room % 2) };
    if first > second { (long, short) } else { (short, long) }
}

#[cfg(test)]
mod tests {
    use super::kept;

    #[test]
    fn the_longer_text_gives_way_first() {
        assert_eq!(kept(3, 4, 10, true), (3, 4));
        assert_eq!(kept(3, 40, 10, true), (3, 7));
        assert_eq!(kept(40, 3, 10, true), (7, 3));
        assert_eq!(kept(40, 50, 11, true), (5, 6));
        assert_eq!(kept(50, 40, 11, true), (6, 5));
        assert_eq!(kept(40, 40, 11, true), (5, 6));
        assert_eq!(kept(0, 40, 10, true), (0, 10));
        assert_eq!(kept(5, 40, 10, true), (5, 5));
        assert_eq!(kept(40, 0, 10, false), (10, 0));
    }
}
