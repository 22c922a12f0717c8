//! Small tables for the tests of this folder.

use crate::examples::{Columns, Examples};
use crate::table::{Table, TextFormat};

/// Rows of texts and labels.
pub(super) fn reviews(rows: &[(&str, &str)]) -> Examples {
    let lines: String = rows.iter().map(|(text, label)| format!("\"{text}\",{label}\n")).collect();
    let columns = Columns { text: "text".into(), label: Some("label".into()), ..Columns::default() };
    examples(&format!("text,label\n{lines}"), &columns)
}

/// Rows of two texts and a score.
pub(super) fn pairs(rows: &[(&str, &str, &str)]) -> Examples {
    let lines: String = rows.iter().map(|(a, b, score)| format!("{a},{b},{score}\n")).collect();
    let columns =
        Columns { text: "a".into(), text_pair: Some("b".into()), label: Some("score".into()), ..Columns::default() };
    examples(&format!("a,b,score\n{lines}"), &columns)
}

fn examples(csv: &str, columns: &Columns) -> Examples {
    let table = Table::from_reader(csv.as_bytes(), TextFormat::Csv, "train.csv").unwrap();
    Examples::from_table(&table, columns).unwrap()
}
