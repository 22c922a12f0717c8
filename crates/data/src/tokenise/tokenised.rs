//! Tokenised rows laid end to end, in memory or mapped from a cache file.

use std::path::Path;

use super::cache::{self, CacheOutcome, Mapped};
use crate::batch::Batch;
use crate::error::Result;

/// The tokens of every row of a table, in row order.
#[derive(Debug)]
pub struct Tokenised {
    store: Store,
    /// Sequences of a row: one, or two that the model is given apart.
    sequences: usize,
}

#[derive(Debug)]
enum Store {
    Memory(Owned),
    Mapped(Mapped),
}

/// Rows in memory.
#[derive(Debug)]
pub(super) struct Owned {
    offsets: Vec<u64>,
    ids: Vec<u32>,
    segments: Vec<u8>,
    truncated: Vec<u8>,
}

/// The same in either store: `offsets` has one entry more than there are rows, the first 0; `truncated` is 0 or 1 a
/// row.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) offsets: &'a [u64],
    pub(super) ids: &'a [u32],
    pub(super) segments: &'a [u8],
    pub(super) truncated: &'a [u8],
}

impl Default for Owned {
    fn default() -> Self {
        Self { offsets: vec![0], ids: Vec::new(), segments: Vec::new(), truncated: Vec::new() }
    }
}

impl Owned {
    pub(super) fn push(&mut self, ids: &[u32], segments: impl Iterator<Item = u8>, truncated: bool) {
        self.ids.extend_from_slice(ids);
        self.segments.extend(segments);
        self.offsets.push(self.ids.len() as u64);
        self.truncated.push(u8::from(truncated));
    }

    pub(super) fn view(&self) -> View<'_> {
        View { offsets: &self.offsets, ids: &self.ids, segments: &self.segments, truncated: &self.truncated }
    }

    pub(super) fn concat(parts: Vec<Self>) -> Self {
        let tokens = parts.iter().map(|part| part.ids.len()).sum();
        let rows: usize = parts.iter().map(|part| part.truncated.len()).sum();
        let mut whole = Self {
            offsets: Vec::with_capacity(rows + 1),
            ids: Vec::with_capacity(tokens),
            segments: Vec::with_capacity(tokens),
            truncated: Vec::with_capacity(rows),
        };
        whole.offsets.push(0);
        for part in parts {
            let base = whole.ids.len() as u64;
            whole.offsets.extend(part.offsets[1..].iter().map(|offset| base + offset));
            whole.ids.extend(part.ids);
            whole.segments.extend(part.segments);
            whole.truncated.extend(part.truncated);
        }
        whole
    }
}

impl From<Owned> for Tokenised {
    fn from(rows: Owned) -> Self {
        Self { store: Store::Memory(rows), sequences: 1 }
    }
}

impl From<Mapped> for Tokenised {
    fn from(rows: Mapped) -> Self {
        Self { store: Store::Mapped(rows), sequences: 1 }
    }
}

/// Rows of token ids and segment ids that were made elsewhere; none counts as truncated.
///
/// ```
/// let tokens: gyeol_data::Tokenised = [(vec![2, 17, 3], vec![0, 0, 0]), (vec![2, 3], vec![0, 0])].into_iter().collect();
/// assert_eq!((tokens.len(), tokens.tokens()), (2, 5));
/// ```
impl FromIterator<(Vec<u32>, Vec<u8>)> for Tokenised {
    /// # Panics
    /// If a row is empty, or has not as many segment ids as token ids.
    fn from_iter<I: IntoIterator<Item = (Vec<u32>, Vec<u8>)>>(rows: I) -> Self {
        let mut owned = Owned::default();
        for (row, (ids, segments)) in rows.into_iter().enumerate() {
            assert!(!ids.is_empty(), "row {row} has no tokens");
            assert_eq!(ids.len(), segments.len(), "row {row} has {} token ids", ids.len());
            owned.push(&ids, segments.into_iter(), false);
        }
        owned.into()
    }
}

impl Tokenised {
    /// The rows kept in `dir` under `fingerprint`, memory-mapped, or else those `build` makes, which are then kept.
    ///
    /// `fingerprint` must cover the texts, the tokeniser and the length, see [`Tokenised::key`]. A damaged file is
    /// replaced, and a file that cannot be written costs nothing but the next run's time; the outcome says so.
    ///
    /// # Errors
    /// Those of `build`.
    pub fn cached(dir: &Path, fingerprint: &str, build: impl FnOnce() -> Result<Self>) -> Result<(Self, CacheOutcome)> {
        cache::cached(dir, fingerprint, build)
    }

    /// The fingerprint to cache rows under: of a [`text_fingerprint`](crate::text_fingerprint), a
    /// [`Tokeniser::fingerprint`](crate::Tokeniser::fingerprint) and a length.
    pub fn key(texts: &str, tokeniser: &str, max_length: usize) -> String {
        crate::fingerprint::fingerprint(&["tokenised", texts, tokeniser, &max_length.to_string()])
    }

    pub(super) fn view(&self) -> View<'_> {
        match &self.store {
            Store::Memory(owned) => owned.view(),
            Store::Mapped(mapped) => mapped.view(),
        }
    }

    /// Each two rows as one of two sequences, for a model that is given two texts apart.
    ///
    /// # Panics
    /// If there is an odd number of them, or they are of two sequences already.
    #[must_use]
    pub fn in_twos(self) -> Self {
        assert!(self.sequences == 1 && self.len().is_multiple_of(2), "two of them make a row");
        Self { sequences: 2, ..self }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.view().truncated.len() / self.sequences
    }

    /// Sequences of a row.
    pub fn sequences(&self) -> usize {
        self.sequences
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of tokens over all rows.
    pub fn tokens(&self) -> usize {
        self.view().ids.len()
    }

    /// Rows that were cut to the length; of a corpus, rows whose text goes on in the next.
    pub fn truncated(&self) -> usize {
        self.view().truncated.chunks(self.sequences).filter(|row| row.iter().any(|&cut| cut != 0)).count()
    }

    /// Tokens of row `row`, special tokens included.
    ///
    /// # Panics
    /// If there is no such row; so do [`row`](Self::row) and [`batch`](Self::batch).
    pub fn length(&self, row: usize) -> usize {
        let offsets = self.view().offsets;
        (offsets[(row + 1) * self.sequences] - offsets[row * self.sequences]) as usize
    }

    /// The ids and segment ids of row `row`, of two sequences end to end.
    pub fn row(&self, row: usize) -> (&[u32], &[u8]) {
        let view = self.view();
        let range = view.offsets[row * self.sequences] as usize..view.offsets[(row + 1) * self.sequences] as usize;
        (&view.ids[range.clone()], &view.segments[range])
    }

    /// A batch of the given rows, in the given order; the sequences of a row follow each other.
    pub fn batch(&self, rows: &[u32]) -> Batch {
        let (mut batch, view) = (Batch::new(), self.view());
        for &row in rows {
            let first = row as usize * self.sequences;
            for sequence in first..first + self.sequences {
                let range = view.offsets[sequence] as usize..view.offsets[sequence + 1] as usize;
                batch.push(sequence as u32, &view.ids[range.clone()], &view.segments[range]);
            }
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[(&[u32], &[u8])]) -> Tokenised {
        rows.iter().map(|(ids, segments)| (ids.to_vec(), segments.to_vec())).collect()
    }

    #[test]
    fn rows_made_elsewhere_come_back_as_they_were_given() {
        let tokens = rows(&[(&[2, 7, 3], &[0, 0, 1]), (&[2, 3], &[0, 0])]);
        assert_eq!((tokens.len(), tokens.tokens(), tokens.truncated()), (2, 5, 0));
        assert_eq!((tokens.length(0), tokens.length(1)), (3, 2));
        assert_eq!(tokens.row(0), (&[2, 7, 3][..], &[0, 0, 1][..]));
        let batch = tokens.batch(&[1, 0]);
        assert_eq!((batch.ids, batch.cu_seqlens, batch.rows), (vec![2, 3, 2, 7, 3], vec![0, 2, 5], vec![1, 0]));
        assert!(rows(&[]).is_empty());
    }

    #[test]
    fn rows_in_twos_have_the_tokens_of_both_and_two_texts_in_a_batch() {
        let tokens =
            rows(&[(&[2, 7, 3], &[0; 3]), (&[2, 3], &[0; 2]), (&[2, 8, 3], &[0; 3]), (&[2, 9, 9, 3], &[0; 4])]);
        let tokens = tokens.in_twos();
        assert_eq!((tokens.len(), tokens.tokens(), tokens.truncated()), (2, 12, 0));
        assert_eq!((tokens.length(0), tokens.length(1)), (5, 7));
        assert_eq!(tokens.row(0).0, [2, 7, 3, 2, 3]);
        let batch = tokens.batch(&[1, 0]);
        assert_eq!((batch.len(), &batch.cu_seqlens[..]), (4, &[0, 3, 7, 10, 12][..]));
        assert_eq!((&batch.rows[..], batch.ids.len()), (&[2, 3, 0, 1][..], 12));
    }

    #[test]
    #[should_panic(expected = "row 1 has 2 token ids")]
    fn a_row_without_a_segment_for_every_token_is_refused() {
        rows(&[(&[2, 3], &[0, 0]), (&[2, 3], &[0])]);
    }

    #[test]
    #[should_panic(expected = "row 0 has no tokens")]
    fn a_row_without_tokens_is_refused() {
        rows(&[(&[], &[])]);
    }
}
