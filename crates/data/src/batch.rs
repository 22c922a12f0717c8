//! The one batch type of the project: tokens of several texts laid end to end, never padded.

/// Tokens of `rows.len()` texts laid end to end.
///
/// Text `i` owns the tokens `cu_seqlens[i]..cu_seqlens[i + 1]`; every token vector has `cu_seqlens[rows]` entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Vocabulary ids, one a token.
    pub ids: Vec<u32>,
    /// Segment (token type) ids as the tokeniser gave them, one a token.
    pub segments: Vec<u8>,
    /// Cumulative lengths: `rows.len() + 1` entries, first 0, strictly increasing.
    pub cu_seqlens: Vec<u32>,
    /// Which sequence of the table each text came from: the row, where a row has one.
    pub rows: Vec<u32>,
}

impl Batch {
    /// An empty batch, ready for [`Batch::push`].
    pub fn new() -> Self {
        Self { cu_seqlens: vec![0], ..Self::default() }
    }

    /// Appends one text. `ids` and `segments` must have the same, non-zero length.
    pub fn push(&mut self, row: u32, ids: &[u32], segments: &[u8]) {
        debug_assert!(!ids.is_empty() && ids.len() == segments.len());
        self.ids.extend_from_slice(ids);
        self.segments.extend_from_slice(segments);
        self.cu_seqlens.push(self.ids.len() as u32);
        self.rows.push(row);
    }

    /// The texts of these numbers (from 0), in that order.
    pub fn select(&self, texts: &[usize]) -> Self {
        let mut batch = Self::new();
        for &text in texts {
            let tokens = self.cu_seqlens[text] as usize..self.cu_seqlens[text + 1] as usize;
            batch.push(self.rows[text], &self.ids[tokens.clone()], &self.segments[tokens]);
        }
        batch
    }

    /// Number of tokens of text `text` (from 0).
    pub fn length(&self, text: usize) -> usize {
        (self.cu_seqlens[text + 1] - self.cu_seqlens[text]) as usize
    }

    /// Number of texts.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether the batch holds no text.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Number of tokens over all texts.
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }
}
