//! CSV and TSV, quoted the way pandas reads them by default.
//!
//! A field is quoted only if its first character is a quote; a quote further in is an ordinary character. Rows shorter
//! or longer than the header are errors, and so is a quote that is never closed, which would swallow the rest of the
//! file in silence.

use csv::{ReaderBuilder, StringRecord};

use super::{Column, Table};
use crate::error::{DataError, Place, Result};

/// Parses text with a header line.
pub(super) fn parse(text: &str, delimiter: u8, file: String) -> Result<Table> {
    if let Some(line) = unclosed_quote(text.as_bytes(), delimiter) {
        return Err(DataError::UnclosedQuote { file, line });
    }
    let mut reader =
        ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut record = StringRecord::new();
    // The input is valid UTF-8 in memory and lengths are free, so a record cannot fail to be read.
    let mut read = |record: &mut StringRecord| {
        reader.read_record(record).map_err(|error| DataError::Read { path: file.clone().into(), source: error.into() })
    };
    if !read(&mut record)? {
        return Err(DataError::NoHeader { file });
    }
    let mut columns: Vec<Column> = record.iter().map(Column::new).collect();
    let mut lines = Vec::new();
    let mut counted = LineCounter { text: text.as_bytes(), offset: 0, line: 1 };
    while read(&mut record)? {
        let line = counted.advance(record.position().map_or(0, |p| p.byte() as usize));
        if record.len() != columns.len() {
            let row = lines.len() + 1;
            let swallowed = record.iter().any(|field| field.contains('\n'));
            return Err(DataError::Ragged {
                place: Place { file, row, line: Some(line) },
                expected: columns.len(),
                found: record.len(),
                hint: hint(delimiter, record.len() > columns.len(), swallowed),
            });
        }
        for (column, field) in columns.iter_mut().zip(&record) {
            column.push((!field.is_empty()).then_some(field));
        }
        lines.push(line);
    }
    let rows = lines.len();
    Table::new(file, columns, rows, lines)
}

fn hint(delimiter: u8, too_many: bool, swallowed: bool) -> String {
    let separator = if delimiter == b'\t' { "a tab" } else { "a comma" };
    if swallowed {
        "; a quoted field of this row spans lines: if its quote is meant literally, write it doubled".into()
    } else if too_many {
        format!("; put a field that holds {separator} in double quotes")
    } else {
        "; give every row all the fields, empty ones too".into()
    }
}

/// Counts lines up to the start of each record; blank lines before a record are not part of it.
struct LineCounter<'a> {
    text: &'a [u8],
    offset: usize,
    line: u64,
}

impl LineCounter<'_> {
    fn advance(&mut self, record: usize) -> u64 {
        let blank = self.text[record..].iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
        let start = record + blank;
        self.line += self.text[self.offset..start].iter().filter(|&&b| b == b'\n').count() as u64;
        self.offset = start;
        self.line
    }
}

/// The line of a quote that is still open at the end of the text.
///
/// The `csv` reader ends such a field at the end of the file without a word.
fn unclosed_quote(text: &[u8], delimiter: u8) -> Option<u64> {
    let mut line = 1;
    let mut opened = None;
    let mut field_start = true;
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte == b'\n' {
            line += 1;
        }
        if opened.is_some() {
            if byte == b'"' && bytes.next_if_eq(&b'"').is_none() {
                opened = None;
            }
        } else if field_start && byte == b'"' {
            opened = Some(line);
            field_start = false;
        } else {
            field_start = byte == delimiter || byte == b'\n' || byte == b'\r';
        }
    }
    opened
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn csv(text: &str) -> Result<Table> {
        parse(text, b',', "a.csv".into())
    }

    fn cells(table: &Table, column: usize) -> Vec<Option<&str>> {
        table.columns()[column].iter().collect()
    }

    #[test]
    fn quoted_newlines_commas_and_quotes_belong_to_the_field() {
        let table = csv("id,text\r\n1,\"한 줄\n두 줄, \"\"인용\"\"\"\r\n2,그\"냥\r\n").unwrap();
        assert_eq!(cells(&table, 1), [Some("한 줄\n두 줄, \"인용\""), Some("그\"냥")]);
        assert_eq!(table.place(1).line, Some(4));
        assert_eq!(table.place(1).to_string(), "a.csv: row 2 (line 4)");
    }

    #[test]
    fn an_empty_field_is_missing_and_words_for_nothing_stay_words() {
        let table = csv("id,text\n1,\n2,NA\n3,null\n4,\"\"\n").unwrap();
        assert_eq!(cells(&table, 1), [None, Some("NA"), Some("null"), None]);
    }

    #[test]
    fn blank_lines_are_skipped_and_lines_still_counted() {
        let table = csv("id,text\n\n1,a\n\n\n2,b\n\n").unwrap();
        assert_eq!(table.rows(), 2);
        assert_eq!((table.place(0).line, table.place(1).line), (Some(3), Some(6)));
    }

    #[test]
    fn a_ragged_row_names_its_place_and_both_counts() {
        let error = csv("id,text\n1,a\n2,b,c\n").unwrap_err().to_string();
        assert!(error.starts_with("a.csv: row 2 (line 3): 3 fields where the header has 2"), "{error}");
        let error = csv("id,text\n1\n").unwrap_err().to_string();
        assert!(error.starts_with("a.csv: row 1 (line 2): 1 fields where the header has 2"), "{error}");
    }

    #[test]
    fn a_quote_never_closed_is_an_error_not_the_rest_of_the_file() {
        let error = csv("id,text\n1,\"열고\n2,b\n3,c\n").unwrap_err();
        assert!(matches!(error, DataError::UnclosedQuote { line: 2, .. }), "{error}");
    }

    #[test]
    fn tsv_fields_may_hold_quotes_and_commas() {
        let table =
            parse("id\ttext\n1\t그는 \"최고, 정말\"이라 했다\n2\t\"따옴표\t탭\"\n", b'\t', "a.tsv".into()).unwrap();
        assert_eq!(cells(&table, 1), [Some("그는 \"최고, 정말\"이라 했다"), Some("따옴표\t탭")]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_a_csv_writer_wrote_is_read_back(rows in prop::collection::vec(("[a-z가-힣\",\n\r ]{1,8}", "[ㄱ-ㅎ\"\t,]{0,5}"), 1..8)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["a", "b"]).unwrap();
            for (a, b) in &rows {
                writer.write_record([a, b]).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let table = csv(&text).unwrap();
            prop_assert_eq!(table.rows(), rows.len());
            for (row, (a, b)) in rows.iter().enumerate() {
                prop_assert_eq!(table.columns()[0].get(row), Some(a.as_str()));
                prop_assert_eq!(table.columns()[1].get(row).unwrap_or_default(), b);
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[a\",\n\r\t가]{0,40}") {
            let _ = csv(&text);
            let _ = parse(&text, b'\t', "a.tsv".into());
        }
    }
}
