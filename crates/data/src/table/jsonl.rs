//! JSON lines: one object a line; the columns are all the keys that occur, in order of first sight.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Column, Table};
use crate::error::{DataError, Result};

/// Parses one object a line; blank lines are skipped.
///
/// Numbers and booleans become the text pandas would show (`3`, `3.0`, `True`); `null` and an absent key are missing.
pub(super) fn parse(text: &str, file: String) -> Result<Table> {
    let mut columns: Vec<Column> = Vec::new();
    let mut positions: HashMap<String, usize> = HashMap::new();
    let mut lines = Vec::new();
    for (index, source) in text.lines().enumerate() {
        if source.trim().is_empty() {
            continue;
        }
        let line = index as u64 + 1;
        let object: Map<String, Value> = serde_json::from_str(source).map_err(|error| {
            let detail = error.to_string();
            DataError::Json { file: file.clone(), line, detail: detail.replace(" at line 1", " at this line's") }
        })?;
        let row = lines.len();
        for (key, value) in &object {
            let position = *positions.entry(key.clone()).or_insert_with(|| {
                columns.push(Column::new(key.as_str()));
                columns.len() - 1
            });
            let column = &mut columns[position];
            fill(column, row);
            match value {
                Value::Null => column.push(None),
                Value::String(text) => column.push((!text.is_empty()).then_some(text)),
                Value::Bool(true) => column.push(Some("True")),
                Value::Bool(false) => column.push(Some("False")),
                Value::Number(number) => column.push(Some(&number.to_string())),
                Value::Array(_) | Value::Object(_) => {
                    column.push(None);
                    column.set_unreadable(|| format!("line {line} holds a list or an object, not a text or a number"));
                }
            }
        }
        lines.push(line);
    }
    let rows = lines.len();
    columns.iter_mut().for_each(|column| fill(column, rows));
    Table::new(file, columns, rows, lines)
}

/// Missing cells up to `rows`, for keys that earlier objects did not have.
fn fill(column: &mut Column, rows: usize) {
    while column.len() < rows {
        column.push(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells<'a>(table: &'a Table, name: &str) -> Vec<Option<&'a str>> {
        table.column(name, "key").unwrap().iter().collect()
    }

    #[test]
    fn values_of_every_kind_become_text_or_missing() {
        let text = concat!(
            r#"{"id": 1, "text": "a\nb", "score": 3.0, "ok": true}"#,
            "\n\n",
            r#"{"id": "x", "text": null, "score": 2.25, "extra": ""}"#,
            "\n"
        );
        let table = parse(text, "a.jsonl".into()).unwrap();
        assert_eq!(cells(&table, "id"), [Some("1"), Some("x")]);
        assert_eq!(cells(&table, "text"), [Some("a\nb"), None]);
        assert_eq!(cells(&table, "score"), [Some("3.0"), Some("2.25")]);
        assert_eq!(cells(&table, "ok"), [Some("True"), None]);
        assert_eq!(cells(&table, "extra"), [None, None]);
        assert_eq!(table.place(1).line, Some(3));
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = parse("{\"a\": 1}\n{\"a\": }\n", "a.jsonl".into()).unwrap_err().to_string();
        assert!(error.starts_with("a.jsonl: line 2 is not a JSON object"), "{error}");
        assert!(parse("[1, 2]\n", "a.jsonl".into()).is_err());
    }

    #[test]
    fn nested_values_matter_only_when_their_column_is_asked_for() {
        let table = parse("{\"text\": \"a\", \"tags\": [1]}\n", "a.jsonl".into()).unwrap();
        assert_eq!(cells(&table, "text"), [Some("a")]);
        let error = table.column("tags", "data.text").unwrap_err().to_string();
        assert!(error.contains("line 1 holds a list"), "{error}");
    }
}
