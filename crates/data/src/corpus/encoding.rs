//! Encodings of a stream: told from its start, changed to UTF-8 as it is read. Nothing is replaced.

use std::io::{self, BufRead, Read};

use encoding_rs::{Decoder, DecoderResult, EUC_KR, Encoding, UTF_8};

use crate::error::DataError;
use crate::table::decode::guess;

/// UTF-8 bytes made at once.
const OUT: usize = 64 << 10;

/// The encoding of a file that starts with `head` (all of it, if `whole`): that of its byte-order mark, CP949 if it is
/// valid and looks like it, else UTF-8, whose errors are found on reading.
pub(super) fn detect(head: &[u8], whole: bool) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(head) {
        return encoding;
    }
    match std::str::from_utf8(head) {
        Ok(_) => return UTF_8,
        // The last character may go on after the head.
        Err(error) if error.error_len().is_none() && !whole => return UTF_8,
        Err(_) => {}
    }
    if guess(head, whole) == EUC_KR && decodes(EUC_KR.new_decoder_without_bom_handling(), head, whole) {
        EUC_KR
    } else {
        UTF_8
    }
}

fn decodes(mut decoder: Decoder, bytes: &[u8], whole: bool) -> bool {
    let mut out = vec![0; OUT];
    let mut rest = bytes;
    loop {
        let (result, read, _) = decoder.decode_to_utf8_without_replacement(rest, &mut out, whole);
        match result {
            DecoderResult::InputEmpty => return true,
            DecoderResult::OutputFull => rest = &rest[read..],
            DecoderResult::Malformed(..) => return false,
        }
    }
}

/// A reader of UTF-8 over a reader of another encoding.
///
/// A malformed sequence is an error that carries a [`DataError::Encoding`].
pub(super) struct Transcoder<R> {
    reader: R,
    decoder: Decoder,
    file: String,
    hint: String,
    /// UTF-8 not yet taken is `out[start..end]`.
    out: Vec<u8>,
    start: usize,
    end: usize,
    finished: bool,
    /// Bytes read of the file, and lines ended in them.
    offset: usize,
    lines: u64,
    /// The last byte read, with which a malformed sequence may begin.
    last: u8,
}

impl<R: BufRead> Transcoder<R> {
    pub(super) fn new(reader: R, encoding: &'static Encoding, file: &str) -> Self {
        Self {
            reader,
            decoder: encoding.new_decoder_with_bom_removal(),
            file: file.to_owned(),
            hint: if encoding == EUC_KR { String::new() } else { format!("; its mark says {}", encoding.name()) },
            out: vec![0; OUT],
            start: 0,
            end: 0,
            finished: false,
            offset: 0,
            lines: 0,
            last: 0,
        }
    }

    /// Decodes until there is something to take, or the input ends.
    fn decode(&mut self) -> io::Result<()> {
        while self.start == self.end && !self.finished {
            let input = self.reader.fill_buf()?;
            let at_end = input.is_empty();
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(input, &mut self.out, at_end);
            self.lines += self.out[..written].iter().filter(|&&byte| byte == b'\n').count() as u64;
            if let DecoderResult::Malformed(length, after) = result {
                let back = usize::from(length) + usize::from(after);
                let value = read.checked_sub(back).map_or(self.last, |at| input[at]);
                return Err(io::Error::other(DataError::Encoding {
                    file: self.file.clone(),
                    offset: (self.offset + read).saturating_sub(back),
                    line: self.lines + 1,
                    value,
                    hint: self.hint.clone(),
                }));
            }
            if let Some(&last) = input[..read].last() {
                self.last = last;
            }
            self.reader.consume(read);
            self.offset += read;
            (self.start, self.end) = (0, written);
            self.finished = at_end && result == DecoderResult::InputEmpty;
        }
        Ok(())
    }
}

impl<R: BufRead> BufRead for Transcoder<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.decode()?;
        Ok(&self.out[self.start..self.end])
    }

    fn consume(&mut self, amount: usize) {
        self.start = (self.start + amount).min(self.end);
    }
}

impl<R: BufRead> Read for Transcoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}
