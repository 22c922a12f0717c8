//! Lines of a stream of UTF-8, checked, and cut where they are absurdly long.

use std::io::BufRead;

use super::file::TextFile;
use crate::error::{DataError, Result};

/// The longest piece of text handed out, in bytes; a longer line or cell comes in several.
pub(super) const LONGEST: usize = 1 << 20;

/// The byte-order mark, which is no text.
const MARK: &str = "\u{feff}";

/// Lines, or pieces of long lines, without their ends.
pub(super) struct Lines<'a> {
    reader: Box<dyn BufRead + Send>,
    file: &'a TextFile,
    /// What is read of the line and not yet handed out: at most one byte more than a piece, which shows that it ends
    /// there or does not.
    buffer: Vec<u8>,
    /// How much of `buffer` the piece handed out last takes.
    taken: usize,
    /// Where the buffer begins: the byte, from 0, and the line, from 1.
    offset: usize,
    line: u64,
    /// Whether the piece handed out last ended its line.
    ended: bool,
}

impl<'a> Lines<'a> {
    pub(super) fn new(reader: Box<dyn BufRead + Send>, file: &'a TextFile) -> Self {
        Self { reader, file, buffer: Vec::new(), taken: 0, offset: 0, line: 1, ended: false }
    }

    /// The next piece; `None` at the end.
    pub(super) fn next_piece(&mut self) -> Result<Option<&str>> {
        self.advance();
        let end = loop {
            let room = LONGEST + 1 - self.buffer.len();
            if room == 0 {
                break cut(&self.buffer);
            }
            let block = self.reader.fill_buf().map_err(|error| self.file.error(error))?;
            if block.is_empty() {
                if self.buffer.is_empty() {
                    return Ok(None);
                }
                break self.buffer.len();
            }
            let block = &block[..block.len().min(room)];
            let newline = block.iter().position(|&byte| byte == b'\n');
            let length = newline.unwrap_or(block.len());
            self.buffer.extend_from_slice(&block[..length]);
            self.reader.consume(length + usize::from(newline.is_some()));
            if newline.is_some() {
                self.ended = true;
                break self.buffer.len();
            }
        };
        self.taken = end;
        match std::str::from_utf8(&self.buffer[..end]) {
            Ok(text) if self.offset == 0 => Ok(Some(text.strip_prefix(MARK).unwrap_or(text))),
            Ok(text) => Ok(Some(text)),
            Err(error) => Err(self.not_utf8(error.valid_up_to())),
        }
    }

    /// Leaves the last piece behind.
    fn advance(&mut self) {
        self.buffer.drain(..self.taken);
        self.offset += self.taken + usize::from(self.ended);
        self.line += u64::from(self.ended);
        (self.taken, self.ended) = (0, false);
    }

    fn not_utf8(&self, at: usize) -> DataError {
        // UTF-8 has no surrogates; text with escapes carelessly undone has (CESU-8, WTF-8).
        let surrogate = matches!(self.buffer[at..], [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..]);
        DataError::Encoding {
            file: self.file.name().to_owned(),
            offset: self.offset + at,
            line: self.line,
            value: self.buffer[at],
            hint: if surrogate { "; it begins half a surrogate pair".to_owned() } else { String::new() },
        }
    }
}

/// Where to cut text that is longer than a piece may be: after the last white space, else between two characters.
fn cut(bytes: &[u8]) -> usize {
    let bytes = &bytes[..=LONGEST];
    if let Some(space) = bytes[..LONGEST].iter().rposition(u8::is_ascii_whitespace)
        && space > 0
    {
        return space + 1;
    }
    // The byte after the piece must not continue a character; what is no UTF-8 at all is found when it is checked.
    (LONGEST - 3..=LONGEST).rev().find(|&at| bytes[at] & 0xc0 != 0x80).unwrap_or(LONGEST)
}

/// A text in pieces that are not too long.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        if text.len() <= LONGEST {
            return rest.take();
        }
        let (piece, after) = text.split_at(cut(text.as_bytes()));
        rest = Some(after);
        Some(piece)
    })
}
