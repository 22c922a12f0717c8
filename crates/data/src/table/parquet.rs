//! Parquet files, row by row: every flat column of primitive values becomes text; nested columns are only named.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::ConvertedType;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::Type;

use super::{Column, Table};
use crate::error::{DataError, Result};

/// Reads a whole file.
pub(super) fn read(path: &Path, file: String) -> Result<Table> {
    let broken = |error: parquet::errors::ParquetError| DataError::Parquet {
        file: path.display().to_string(),
        detail: error.to_string(),
    };
    let source = File::open(path).map_err(|source| DataError::Read { path: path.into(), source })?;
    let reader = SerializedFileReader::new(source).map_err(broken)?;
    let schema = reader.metadata().file_metadata().schema();

    let mut columns: Vec<Column> = schema.get_fields().iter().map(|field| Column::new(field.name())).collect();
    let mut flat = Vec::new();
    for (column, field) in columns.iter_mut().zip(schema.get_fields()) {
        match nested(field) {
            Some(what) => column.set_unreadable(|| format!("it holds {what}, not a text or a number a row")),
            None => flat.push(field.clone()),
        }
    }
    let flat = Type::group_type_builder(schema.name()).with_fields(flat).build().map_err(broken)?;
    let mut rows = 0;
    // A projection onto no column yields no rows, which is what a table without a usable column is reported as.
    for row in reader.get_row_iter(Some(flat)).map_err(broken)? {
        let row = row.map_err(broken)?;
        let mut fields = row.get_column_iter();
        for column in &mut columns {
            if column.unreadable().is_none() {
                match fields.next() {
                    Some((_, field)) => push(column, field),
                    None => column.push(None),
                }
            }
        }
        rows += 1;
    }
    Table::new(file, columns, rows, Vec::new())
}

/// What a column that is not one primitive value a row holds.
fn nested(field: &Arc<Type>) -> Option<&'static str> {
    let info = field.get_basic_info();
    if !field.is_primitive() {
        Some("lists, maps or structs")
    } else if info.has_repetition() && info.repetition() == parquet::basic::Repetition::REPEATED {
        Some("lists")
    } else if info.converted_type() == ConvertedType::INTERVAL {
        Some("intervals")
    } else {
        None
    }
}

/// Appends a value as the text pandas would show.
fn push(column: &mut Column, field: &Field) {
    match field {
        Field::Null => column.push(None),
        Field::Str(text) => column.push((!text.is_empty()).then_some(text)),
        // Writers that do not annotate strings as such leave plain bytes.
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => column.push((!text.is_empty()).then_some(text)),
            Err(_) => {
                column.push(None);
                column.set_unreadable(|| "it holds bytes that are not UTF-8 text".into());
            }
        },
        Field::Bool(value) => column.push(Some(if *value { "True" } else { "False" })),
        // The missing value of a pandas float column.
        Field::Double(value) if value.is_nan() => column.push(None),
        Field::Float(value) if value.is_nan() => column.push(None),
        Field::Double(value) => column.push(Some(&format!("{value:?}"))),
        Field::Float(value) => column.push(Some(&format!("{value:?}"))),
        other => column.push(Some(&other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/table").join(name)
    }

    fn cells<'a>(table: &'a Table, name: &str) -> Vec<Option<&'a str>> {
        table.column(name, "key").unwrap().iter().collect()
    }

    #[test]
    fn a_file_written_by_pandas_reads_as_pandas_shows_it() {
        let table = Table::read(&golden("pandas.parquet")).unwrap();
        assert_eq!(cells(&table, "id"), [Some("T0"), Some("T1"), Some("T2")]);
        assert_eq!(cells(&table, "text"), [Some("정말 좋아요 ㅋㅋ"), None, Some("두 줄\n\"인용\"")]);
        assert_eq!(cells(&table, "label"), [Some("0"), Some("3"), Some("-1")]);
        assert_eq!(cells(&table, "score"), [Some("0.5"), None, Some("4.0")]);
        assert_eq!(cells(&table, "half"), [Some("0.1"), Some("2.0"), Some("1.5")]);
        assert_eq!(cells(&table, "flag"), [Some("True"), Some("False"), Some("True")]);
        assert_eq!(cells(&table, "small"), [Some("1"), None, Some("255")]);
        assert_eq!(cells(&table, "kind"), [Some("긍정"), Some("부정"), Some("긍정")]);
        assert_eq!(table.place(2).to_string(), format!("{}: row 3", golden("pandas.parquet").display()));
    }

    #[test]
    fn a_nested_column_is_refused_by_name_and_spares_the_others() {
        let table = Table::read(&golden("pandas.parquet")).unwrap();
        let error = table.column("tags", "data.text").unwrap_err().to_string();
        assert!(error.contains("\"tags\"") && error.contains("lists, maps or structs"), "{error}");
    }

    #[test]
    fn another_file_named_parquet_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.parquet");
        std::fs::write(&path, b"id,text\n1,a\n").unwrap();
        assert!(matches!(Table::read(&path), Err(DataError::Parquet { .. })));
    }
}
