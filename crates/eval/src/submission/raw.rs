//! Where the cells of delimited text are, byte for byte: what a reader of values throws away, such as quotes and line ends, is
//! what a submission has to keep. What a cell's value is agrees with the `csv` crate.
//!
//! All bytes that mean something here are ASCII and stand for themselves in UTF-8 and in CP949, so text need not be decoded.

use std::borrow::Cow;

/// A cell: its bytes from `start` to `end`, quotes included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether its first byte is a quote.
    pub(super) quoted: bool,
}

/// A record: its cells, and the line it starts on, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) line: u64,
    pub(super) cells: Vec<Cell>,
}

/// What the delimiter may be.
const DELIMITERS: [u8; 3] = [b',', b'\t', b';'];

/// The delimiter by which the first record of `bytes` has the most cells; a comma before others.
pub(super) fn delimiter(bytes: &[u8]) -> u8 {
    let cells = |delimiter: u8| {
        Scanner { bytes, delimiter, at: 0, line: 1 }.record().ok().flatten().map_or(0, |record| record.cells.len())
    };
    DELIMITERS.into_iter().rev().max_by_key(|&delimiter| cells(delimiter)).unwrap_or(b',')
}

/// The records of `bytes`, which begin without a mark. Empty lines are none.
///
/// # Errors
/// The line on which a quote is opened that is never closed.
pub(super) fn records(bytes: &[u8], delimiter: u8) -> Result<Vec<Record>, u64> {
    let mut scanner = Scanner { bytes, delimiter, at: 0, line: 1 };
    std::iter::from_fn(|| scanner.record().transpose()).collect()
}

struct Scanner<'a> {
    bytes: &'a [u8],
    delimiter: u8,
    at: usize,
    line: u64,
}

impl Scanner<'_> {
    /// The next record; `None` at the end.
    fn record(&mut self) -> Result<Option<Record>, u64> {
        while self.peek().is_some_and(is_line_end) {
            self.step();
        }
        if self.peek().is_none() {
            return Ok(None);
        }
        let mut record = Record { line: self.line, cells: Vec::new() };
        loop {
            record.cells.push(self.cell()?);
            if self.peek() != Some(self.delimiter) {
                return Ok(Some(record));
            }
            self.step();
        }
    }

    fn cell(&mut self) -> Result<Cell, u64> {
        let (start, line) = (self.at, self.line);
        let quoted = self.peek() == Some(b'"');
        if quoted {
            self.step();
            loop {
                match self.peek() {
                    None => return Err(line),
                    Some(b'"') if self.bytes.get(self.at + 1) == Some(&b'"') => self.step(),
                    Some(b'"') => break,
                    Some(_) => {}
                }
                self.step();
            }
            self.step();
        }
        while self.peek().is_some_and(|byte| byte != self.delimiter && !is_line_end(byte)) {
            self.step();
        }
        Ok(Cell { start, end: self.at, quoted })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn step(&mut self) {
        let byte = self.bytes[self.at];
        self.at += 1;
        // A carriage return before a newline is part of the same line end.
        if byte == b'\n' || byte == b'\r' && self.peek() != Some(b'\n') {
            self.line += 1;
        }
    }
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// The value of a cell's bytes: without its quotes, doubled ones single.
pub(super) fn value(cell: &[u8]) -> Cow<'_, [u8]> {
    let Some(inner) = cell.strip_prefix(b"\"") else { return Cow::Borrowed(cell) };
    let mut value = Vec::with_capacity(inner.len());
    let mut at = 0;
    while at < inner.len() {
        if inner[at] == b'"' {
            if inner.get(at + 1) != Some(&b'"') {
                // What stands behind the closing quote is kept as it is.
                value.extend_from_slice(&inner[at + 1..]);
                break;
            }
            at += 1;
        }
        value.push(inner[at]);
        at += 1;
    }
    Cow::Owned(value)
}

/// The cell of a value, between quotes.
pub(super) fn quote(value: &[u8]) -> Vec<u8> {
    let mut cell = vec![b'"'];
    for &byte in value {
        if byte == b'"' {
            cell.push(byte);
        }
        cell.push(byte);
    }
    cell.push(b'"');
    cell
}

/// Whether a value has to be quoted, by the rule of most programs that write CSV.
pub(super) fn needs_quotes(value: &[u8], delimiter: u8) -> bool {
    value.iter().any(|&byte| byte == delimiter || byte == b'"' || is_line_end(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The values of all records.
    fn values(bytes: &[u8], delimiter: u8) -> Result<Vec<Vec<Vec<u8>>>, u64> {
        let of = |cell: &Cell| value(&bytes[cell.start..cell.end]).into_owned();
        Ok(records(bytes, delimiter)?.iter().map(|record| record.cells.iter().map(of).collect()).collect())
    }

    #[test]
    fn records_know_the_lines_they_start_on() {
        let records = records(b"a,b\r\n\r\n\"x\ny\",1\n2,3", b',').unwrap();
        assert_eq!(records.iter().map(|record| record.line).collect::<Vec<_>>(), [1, 3, 5]);
    }

    #[test]
    fn a_quote_that_is_never_closed_is_told_with_its_line() {
        assert_eq!(records(b"a,b\n1,\"2\n3,4\n", b','), Err(2));
    }

    #[test]
    fn the_delimiter_is_the_one_that_makes_the_most_of_the_header() {
        for (header, expected) in [("id,label", b','), ("id\tlabel,x\ty", b'\t'), ("\"a,b\";c", b';'), ("id", b',')] {
            assert_eq!(delimiter(header.as_bytes()), expected, "{header}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn values_are_those_of_the_csv_crate(text in "[a\"\",;\t\r\n\\PC]{0,40}", delimiter in prop::sample::select(&DELIMITERS)) {
            // The other reader takes the end of the text for the end of an open quote.
            if let Ok(found) = values(text.as_bytes(), delimiter) {
                let mut reader = csv::ReaderBuilder::new();
                let mut reader = reader.delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes());
                let expected: Vec<Vec<Vec<u8>>> =
                    reader.byte_records().map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect()).collect();
                prop_assert_eq!(found, expected);
            }
        }

        #[test]
        fn a_quoted_value_is_read_as_itself(text in "[a\"\",;\t\r\n\\PC]{0,20}") {
            let cell = quote(text.as_bytes());
            prop_assert_eq!(value(&cell), text.as_bytes());
            prop_assert_eq!(records(&cell, b',').unwrap()[0].cells.len(), 1);
        }
    }
}
