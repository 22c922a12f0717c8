//! Tables as columns of text cells: `.csv`, `.tsv`, `.jsonl`, `.parquet`.
//!
//! A cell is text or missing; what a column means (an id, a score) is decided later, in `examples` and `labels`.

mod column;
pub(crate) mod decode;
mod delimited;
mod jsonl;
mod parquet;

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::Path;

pub use column::Column;

use crate::error::{DataError, Place, Result, suggest};

/// A table in memory: named columns of equal length.
#[derive(Debug, Clone)]
pub struct Table {
    file: String,
    columns: Vec<Column>,
    rows: usize,
    /// Line each row starts on; empty for formats without lines.
    lines: Vec<u64>,
}

/// A format [`Table::from_reader`] can read from a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// Comma-separated, with a header line.
    Csv,
    /// Tab-separated, with a header line; quoted as CSV is.
    Tsv,
    /// One JSON object a line.
    Jsonl,
}

impl Table {
    /// Reads a table whose format is told by its name: `.csv`, `.tsv`, `.jsonl` (each also with `.gz`) or `.parquet`.
    ///
    /// Text is UTF-8 or UTF-16 with a byte-order mark, UTF-8 without one, or CP949 (EUC-KR), which is detected.
    /// An empty field is missing; `NA`, `null` and the like stay the text they are.
    ///
    /// # Errors
    /// The file cannot be read or decompressed, is in another encoding, is empty, names a column twice, has a row of
    /// another length than the header or an unclosed quote, or a line that is not a JSON object.
    pub fn read(path: &Path) -> Result<Self> {
        let file = path.display().to_string();
        let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
        let (name, gzipped) = match name.strip_suffix(".gz") {
            Some(inner) => (inner, true),
            None => (name.as_str(), false),
        };
        let format = match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("csv") => TextFormat::Csv,
            Some("tsv") => TextFormat::Tsv,
            Some("jsonl") => TextFormat::Jsonl,
            Some("parquet") if !gzipped => return parquet::read(path, file),
            _ => return Err(DataError::UnknownFormat { file }),
        };
        let mut bytes = fs::read(path).map_err(|source| DataError::Read { path: path.into(), source })?;
        if gzipped {
            bytes = decode::gunzip(&bytes, &file)?;
        }
        Self::from_bytes(bytes, format, file)
    }

    /// Reads a table from a stream, for example standard input. `file` names it in messages.
    ///
    /// # Errors
    /// As [`Table::read`].
    pub fn from_reader(mut reader: impl Read, format: TextFormat, file: &str) -> Result<Self> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(|source| DataError::Read { path: file.into(), source })?;
        Self::from_bytes(bytes, format, file.to_owned())
    }

    fn from_bytes(bytes: Vec<u8>, format: TextFormat, file: String) -> Result<Self> {
        let text = decode::to_utf8(bytes, &file)?;
        match format {
            TextFormat::Csv => delimited::parse(&text, b',', file),
            TextFormat::Tsv => delimited::parse(&text, b'\t', file),
            TextFormat::Jsonl => jsonl::parse(&text, file),
        }
    }

    /// Checks what holds for every format: distinct column names, and at least one row.
    fn new(file: String, columns: Vec<Column>, rows: usize, lines: Vec<u64>) -> Result<Self> {
        let mut seen = HashMap::new();
        for (position, column) in columns.iter().enumerate() {
            if let Some(first) = seen.insert(column.name(), position) {
                let column = column.name().to_owned();
                return Err(DataError::DuplicateColumn { file, column, first: first + 1, second: position + 1 });
            }
        }
        let table = Self { file, columns, rows, lines };
        if table.columns.is_empty() {
            return Err(DataError::NoHeader { file: table.file });
        }
        if rows == 0 {
            return Err(DataError::NoRows { columns: table.column_list(), file: table.file });
        }
        Ok(table)
    }

    /// The table as the user named it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Number of rows, the header not counted; never 0.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns in file order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Whether there is a column of this name.
    pub fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|c| c.name() == name)
    }

    /// The column `name`, which the recipe key or flag `key` asked for.
    ///
    /// # Errors
    /// [`DataError::MissingColumn`] lists the columns there are and the nearest name;
    /// [`DataError::UnreadableColumn`] for nested values.
    pub fn column(&self, name: &str, key: &str) -> Result<&Column> {
        let Some(column) = self.columns.iter().find(|c| c.name() == name) else {
            return Err(DataError::MissingColumn {
                key: key.to_owned(),
                column: name.to_owned(),
                file: self.file.clone(),
                columns: self.column_list(),
                suggestion: suggest(name, self.columns.iter().map(Column::name)),
            });
        };
        match column.unreadable() {
            None => Ok(column),
            Some(why) => Err(DataError::UnreadableColumn {
                key: key.to_owned(),
                column: name.to_owned(),
                file: self.file.clone(),
                why: why.to_owned(),
            }),
        }
    }

    /// Where row `row` (from 0) is, for a message.
    pub fn place(&self, row: usize) -> Place {
        Place { file: self.file.clone(), row: row + 1, line: self.lines.get(row).copied() }
    }

    pub(crate) fn lines(&self) -> &[u64] {
        &self.lines
    }

    fn column_list(&self) -> String {
        self.columns.iter().map(Column::name).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as(name: &str, bytes: &[u8]) -> Result<Table> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        Table::read(&path)
    }

    #[test]
    fn the_name_tells_the_format_whatever_its_case() {
        assert_eq!(read_as("A.CSV", b"x,y\n1,2\n").unwrap().columns().len(), 2);
        assert_eq!(read_as("a.tsv", b"x\ty\n1\t2\n").unwrap().columns().len(), 2);
        assert_eq!(read_as("a.jsonl", b"{\"x\":1}\n").unwrap().columns().len(), 1);
        let error = read_as("a.xlsx", b"").unwrap_err().to_string();
        assert!(error.contains("use .csv"), "{error}");
    }

    #[test]
    fn a_missing_file_is_the_users_to_mend() {
        let error = Table::read(Path::new("no/such/train.csv")).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().starts_with("no/such/train.csv: cannot read"), "{error}");
    }

    #[test]
    fn a_wrong_column_names_the_key_the_columns_and_the_nearest() {
        let table = Table::from_reader(&b"ID,review,label\n1,a,0\n"[..], TextFormat::Csv, "train.csv").unwrap();
        assert_eq!(
            table.column("lable", "data.label").unwrap_err().to_string(),
            "data.label: column \"lable\" not in train.csv (ID, review, label); did you mean \"label\"?"
        );
    }

    #[test]
    fn a_column_named_twice_is_refused() {
        let error = read_as("a.csv", b"id,text,id\n1,a,2\n").unwrap_err().to_string();
        assert!(error.contains("\"id\" is named twice (columns 1 and 3)"), "{error}");
    }

    #[test]
    fn tables_without_header_or_rows_are_refused() {
        assert!(matches!(read_as("a.csv", b""), Err(DataError::NoHeader { .. })));
        assert!(matches!(read_as("a.csv", b"\xef\xbb\xbf"), Err(DataError::NoHeader { .. })));
        assert!(matches!(read_as("a.csv", b"id,text\n"), Err(DataError::NoRows { .. })));
        assert!(matches!(read_as("a.jsonl", b"\n\n"), Err(DataError::NoHeader { .. })));
    }
}
