//! One pass over a corpus: texts without control characters, blank ones left out and counted.

use std::borrow::Cow;
use std::slice;

use super::lines::{Lines, pieces};
use super::{CorpusCounts, Source};
use crate::error::Result;

/// Texts of a [`Corpus`](super::Corpus) in order; see [`Corpus::texts`](super::Corpus::texts).
pub struct Texts<'a> {
    sources: slice::Iter<'a, Source>,
    current: Current<'a>,
    counts: CorpusCounts,
}

enum Current<'a> {
    /// Between two sources, and at the end.
    None,
    Lines(Lines<'a>),
    Cells(Box<dyn Iterator<Item = &'a str> + Send + 'a>),
}

impl<'a> Texts<'a> {
    pub(super) fn new(sources: &'a [Source]) -> Self {
        Self { sources: sources.iter(), current: Current::None, counts: CorpusCounts::default() }
    }

    /// What has been read so far.
    pub fn counts(&self) -> CorpusCounts {
        self.counts
    }

    fn next_text(&mut self) -> Result<Option<String>> {
        loop {
            let piece = match &mut self.current {
                Current::None => match self.sources.next() {
                    None => return Ok(None),
                    Some(source) => {
                        self.current = start(source)?;
                        continue;
                    }
                },
                Current::Lines(lines) => lines.next_piece()?,
                Current::Cells(cells) => cells.next(),
            };
            let Some(piece) = piece else {
                self.current = Current::None;
                continue;
            };
            let text = printable(piece);
            let text = text.trim();
            if text.is_empty() {
                self.counts.empty += 1;
                continue;
            }
            self.counts.texts += 1;
            self.counts.bytes += text.len() as u64;
            return Ok(Some(text.to_owned()));
        }
    }
}

impl Iterator for Texts<'_> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_text();
        if next.is_err() {
            (self.sources, self.current) = ([].iter(), Current::None);
        }
        next.transpose()
    }
}

/// Replaces `window` by the next of `texts`: some, until they are `bytes` bytes or more, none at the end.
pub(crate) fn fill(
    texts: &mut impl Iterator<Item = Result<String>>,
    window: &mut Vec<String>,
    bytes: usize,
) -> Result<()> {
    window.clear();
    let mut filled = 0;
    while filled < bytes
        && let Some(text) = texts.next().transpose()?
    {
        // A text costs more than its bytes; many of one character must not outgrow the window either.
        filled += text.len() + size_of::<String>();
        window.push(text);
    }
    Ok(())
}

fn start(source: &Source) -> Result<Current<'_>> {
    Ok(match source {
        Source::File(file) => Current::Lines(file.lines()?),
        Source::Columns(_, columns) => {
            let rows = columns.first().map_or(0, |column| column.len());
            let cells = (0..rows).flat_map(move |row| columns.iter().map(move |column| column.get(row)));
            Current::Cells(Box::new(cells.flat_map(|cell| pieces(cell.unwrap_or_default()))))
        }
        Source::Texts(_, texts) => Current::Cells(Box::new(texts.iter().flat_map(|text| pieces(text)))),
    })
}

/// `text` with white-space controls as spaces and without the others.
fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let kept = text.chars().filter(|c| !c.is_control() || c.is_whitespace());
    Cow::Owned(kept.map(|c| if c.is_control() { ' ' } else { c }).collect())
}
