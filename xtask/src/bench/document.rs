//! What measured programs print: other lines, then one JSON document.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

/// A JSON object.
pub(super) type Document = Map<String, Value>;

/// The last line that is a JSON document.
pub(super) fn last(printed: &str) -> Result<Document> {
    let line = printed.lines().rev().find(|line| line.starts_with('{')).context("no JSON line was printed")?;
    serde_json::from_str(line).with_context(|| format!("the last JSON line does not parse: {line}"))
}

/// The number under `key`.
pub(super) fn number(document: &Document, key: &str) -> Result<f64> {
    match document.get(key).and_then(Value::as_f64) {
        Some(value) => Ok(value),
        None => bail!("no number \"{key}\" among {:?}", document.keys().collect::<Vec<_>>()),
    }
}

/// `path` from the root of the file system, as programs are run in other folders.
pub(super) fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("{}: not found", path.display()))
}

/// `path` as text, to be written into a recipe.
pub(super) fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path of the bench is not UTF-8")
}

/// The last part of a path: all that a raw run says of where a file was.
pub(super) fn file_name(path: &Path) -> Value {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_document_counts() {
        let printed = "{\"real_tokens_per_s\": 1}\nloading {\n{\"real_tokens_per_s\": 450.25}\ndone\n";
        assert_eq!(number(&last(printed).unwrap(), "real_tokens_per_s").unwrap(), 450.25);
        assert!(last("nothing").is_err());
    }

    #[test]
    fn a_missing_figure_is_named() {
        let document = Map::from_iter([("steps".to_owned(), 3.into())]);
        let error = number(&document, "tokens_per_second").unwrap_err();
        assert_eq!(error.to_string(), "no number \"tokens_per_second\" among [\"steps\"]");
    }
}
