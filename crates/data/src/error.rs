//! What can go wrong before the model sees a token. Every message names the place and what to do about it.
//!
//! Not here: warnings, which are values returned beside a result (`CacheOutcome`, the counts of `Examples`).

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Where in a table an error is: the file, the row counted from 1 without the header, and the line it starts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The table, as the user named it.
    pub file: String,
    /// Row number, from 1, the header not counted.
    pub row: usize,
    /// Line the row starts on, from 1; absent where the format has no lines (Parquet).
    pub line: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}: row {} (line {line})", self.file, self.row),
            None => write!(f, "{}: row {}", self.file, self.row),
        }
    }
}

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file could not be read.
    #[error("{}: cannot read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("{}: cannot write: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file name does not tell a table format this crate reads.
    #[error("{file}: not a table by its name; use .csv, .tsv, .jsonl (each also with .gz) or .parquet")]
    UnknownFormat {
        /// The file.
        file: String,
    },
    /// A file named as raw text is not raw text by its name.
    #[error("{file}: not raw text by its name; use .txt or .txt.gz, or read it as a table by naming its columns")]
    NotText {
        /// The file.
        file: String,
    },
    /// There is no text to train on.
    #[error("{name}: no texts{}; a corpus needs at least one", blank_lines(*empty))]
    EmptyCorpus {
        /// The sources, joined.
        name: String,
        /// Lines and cells with nothing in them.
        empty: u64,
    },
    /// A corpus had other texts on a later pass.
    #[error("{name}: changed while it was read; run again when nothing writes to it")]
    CorpusChanged {
        /// The sources, joined.
        name: String,
    },
    /// The file name does not tell a table format this crate writes.
    #[error("{file}: tables are written as .csv or .tsv; give it such a name")]
    UnwritableFormat {
        /// The file.
        file: String,
    },
    /// A `.gz` file does not decompress.
    #[error("{file}: damaged gzip file ({detail}); download or compress it again")]
    Gzip {
        /// The file.
        file: String,
        /// The decompressor's reason.
        detail: String,
    },
    /// The bytes are in no encoding this crate reads.
    #[error(
        "{file}: byte {offset} (0x{value:02x}) on line {line} is neither UTF-8 nor CP949 (EUC-KR){hint}; \
         save the file as UTF-8"
    )]
    Encoding {
        /// The file.
        file: String,
        /// Offset of the first byte that is not UTF-8, from 0.
        offset: usize,
        /// Line of that byte, from 1.
        line: u64,
        /// The byte.
        value: u8,
        /// What the file looks like, ready to be shown, or empty.
        hint: String,
    },
    /// The table has no header line.
    #[error("{file}: empty table: no header line; the first line must name the columns")]
    NoHeader {
        /// The file.
        file: String,
    },
    /// The table has a header and nothing below it.
    #[error("{file}: empty table: no rows below the header ({columns})")]
    NoRows {
        /// The file.
        file: String,
        /// The column names, joined.
        columns: String,
    },
    /// Two columns share a name.
    #[error("{file}: column {column:?} is named twice (columns {first} and {second}); rename one")]
    DuplicateColumn {
        /// The file.
        file: String,
        /// The shared name.
        column: String,
        /// Position of the first, from 1.
        first: usize,
        /// Position of the second, from 1.
        second: usize,
    },
    /// A row with another number of fields than the header.
    #[error("{place}: {found} fields where the header has {expected}{hint}")]
    Ragged {
        /// The row.
        place: Place,
        /// Fields of the header.
        expected: usize,
        /// Fields of the row.
        found: usize,
        /// A further hint, ready to be shown, or empty.
        hint: String,
    },
    /// A quoted field is never closed.
    #[error(
        "{file}: the quote opened on line {line} is never closed; close it, or write a literal quote at the start of a \
         field as \"\"\"…\""
    )]
    UnclosedQuote {
        /// The file.
        file: String,
        /// Line of the opening quote, from 1.
        line: u64,
    },
    /// A line of a JSONL table is not a JSON object.
    #[error("{file}: line {line} is not a JSON object: {detail}")]
    Json {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// The parser's reason.
        detail: String,
    },
    /// A Parquet file cannot be read.
    #[error("{file}: cannot read as Parquet: {detail}")]
    Parquet {
        /// The file.
        file: String,
        /// The reader's reason.
        detail: String,
    },
    /// A named column is not in the table.
    #[error("{key}: column {column:?} not in {file} ({columns}){suggestion}")]
    MissingColumn {
        /// The recipe key or flag that named it.
        key: String,
        /// The name asked for.
        column: String,
        /// The file.
        file: String,
        /// The columns there are, joined.
        columns: String,
        /// `; did you mean "…"?` or empty.
        suggestion: String,
    },
    /// A named column holds values that have no text form.
    #[error("{key}: column {column:?} of {file} cannot be used: {why}")]
    UnreadableColumn {
        /// The recipe key or flag that named it.
        key: String,
        /// The column.
        column: String,
        /// The file.
        file: String,
        /// What it holds instead.
        why: String,
    },
    /// A cell that must hold a value is empty.
    #[error("{place}: no value in column {column:?} ({key}); fill it in or remove the row")]
    MissingValue {
        /// The row.
        place: Place,
        /// The recipe key or flag that named the column.
        key: String,
        /// The column.
        column: String,
    },
    /// Two rows share an id.
    #[error("{place}: id {id:?} (column {column:?}) is already that of row {first}; ids must be unique")]
    DuplicateId {
        /// The second row.
        place: Place,
        /// The id.
        id: String,
        /// The id column.
        column: String,
        /// Row number of the first, from 1.
        first: usize,
    },
    /// Tables that are joined share an id.
    #[error(
        "{place}: id {id:?} (column {column:?}) is also that of {first}; tables that are joined need ids of their own"
    )]
    SharedId {
        /// The row of the second table; boxed, as the other, to keep every error small.
        place: Box<Place>,
        /// The id.
        id: String,
        /// The id column.
        column: String,
        /// The row of the first table.
        first: Box<Place>,
    },
    /// A label that cannot be used.
    #[error("{place}, id {id}: label {value:?} in column {column:?} {why}")]
    BadLabel {
        /// The row; boxed to keep every error small.
        place: Box<Place>,
        /// The row's id.
        id: String,
        /// The label column.
        column: String,
        /// The label as the table has it.
        value: String,
        /// What is wrong with it and what to do.
        why: String,
    },
    /// A table without labels where they are needed.
    #[error("{file}: labels are needed, but no label column is named; set data.label")]
    NoLabels {
        /// The file.
        file: String,
    },
    /// The labels of the training table do not make a task.
    #[error("{file}: column {column:?} holds the one label {label:?}; a classifier needs at least two")]
    OneClass {
        /// The file.
        file: String,
        /// The label column.
        column: String,
        /// The only label.
        label: String,
    },
    /// Rows may have any number of labels, and none has one.
    #[error("{file}: column {column:?} holds no label in any row; a classifier needs at least one")]
    NoClass {
        /// The file.
        file: String,
        /// The label column.
        column: String,
    },
    /// A value of the recipe that cannot be used with this data.
    #[error("{key}: {problem}")]
    Config {
        /// The recipe key.
        key: &'static str,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The rows cannot be parted as asked.
    #[error("{problem}")]
    Split {
        /// What is wrong and what to do.
        problem: String,
    },
    /// A tokeniser directory or one of its files cannot be used.
    #[error("{}: {problem}", path.display())]
    Tokeniser {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A line of a table of emoticons cannot be used.
    #[error("{}: line {line}: {problem}", path.display())]
    EmoticonTable {
        /// The table.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong and what to do.
        problem: String,
    },
    /// `max_length` leaves no room for text.
    #[error("model.max_length: {max_length} leaves no room beside {special} special tokens; use at least {least}")]
    MaxLength {
        /// The length asked for.
        max_length: usize,
        /// Special tokens a row needs.
        special: usize,
        /// The smallest length that works.
        least: usize,
    },
    /// A text the tokeniser refused.
    #[error("row {row}: cannot be tokenised: {detail}")]
    Encode {
        /// Row number, from 1.
        row: usize,
        /// The tokeniser's reason.
        detail: String,
    },
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, DataError>;

impl DataError {
    /// Whether the input is to blame (wrong recipe, data or model files), not the machine (I/O, a full disk).
    pub fn is_user_error(&self) -> bool {
        match self {
            Self::Write { .. } => false,
            Self::Read { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::PermissionDenied
                    | io::ErrorKind::IsADirectory
                    | io::ErrorKind::NotADirectory
            ),
            _ => true,
        }
    }

    /// The process exit code this error asks for: 2 for wrong input, 1 for work that failed.
    pub fn exit_code(&self) -> u8 {
        if self.is_user_error() { 2 } else { 1 }
    }
}

fn blank_lines(empty: u64) -> String {
    if empty == 0 { String::new() } else { format!(" ({empty} blank lines)") }
}

/// `; did you mean "…"?` with the nearest of `known`, or nothing where none is near.
pub(crate) fn suggest<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .map(|name| (strsim::damerau_levenshtein(&wanted.to_lowercase(), &name.to_lowercase()), name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, name)| *distance <= wanted.chars().count().max(name.chars().count()).div_ceil(3))
        .map(|(_, name)| format!("; did you mean {name:?}?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        let columns = ["ID", "review", "label"];
        assert_eq!(suggest("lable", columns.into_iter()), "; did you mean \"label\"?");
        assert_eq!(suggest("id", columns.into_iter()), "; did you mean \"ID\"?");
        assert_eq!(suggest("sentence_2", columns.into_iter()), "");
    }

    #[test]
    fn input_errors_and_failed_work_have_their_own_exit_codes() {
        let missing = DataError::Read { path: "a.csv".into(), source: io::ErrorKind::NotFound.into() };
        assert_eq!(missing.exit_code(), 2);
        let full = DataError::Write { path: "cache".into(), source: io::ErrorKind::StorageFull.into() };
        assert_eq!(full.exit_code(), 1);
        assert_eq!(DataError::NoHeader { file: "a.csv".into() }.exit_code(), 2);
    }
}
