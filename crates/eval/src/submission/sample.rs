//! A competition's `sample_submission.csv`, and predictions in its place.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use super::{
    Layout, SubmissionError, Target,
    raw::{self, Cell, Record},
};
use crate::{
    EvalError, Predictions,
    encoding::{Encoding, without_mark},
    predictions::joined,
};

/// How many ids an error names.
const EXAMPLES: usize = 5;

/// A sample submission, byte for byte: whatever is not filled in stays as it is.
///
/// Understood are UTF-8 and CP949 (EUC-KR), each with or without a UTF-8 byte-order mark; commas, tabs or semicolons; any
/// line ends, the last one included; and cells quoted or not. The first record is the header.
#[derive(Debug, Clone)]
pub struct Sample {
    file: PathBuf,
    bytes: Vec<u8>,
    /// Where the text begins, behind the mark.
    start: usize,
    encoding: Encoding,
    delimiter: u8,
    columns: Vec<String>,
    rows: Vec<Record>,
}

/// How the cells of a column are quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quoting {
    Always,
    WhereNeeded,
    /// Now so, now so: as the cell that is replaced.
    AsItWas,
}

impl Sample {
    /// Reads a sample.
    ///
    /// # Errors
    /// If it cannot be read, is in another encoding, has no rows or fewer than two columns, a row of another length than the
    /// header, or a quote that is never closed.
    pub fn read(path: &Path) -> Result<Self, EvalError> {
        let bytes = fs::read(path).map_err(|source| EvalError::Read { file: path.to_owned(), source })?;
        Self::from_bytes(bytes, path)
    }

    /// The same of bytes that were read already; `file` is what errors call them.
    ///
    /// # Errors
    /// As [`Sample::read`].
    pub fn from_bytes(bytes: Vec<u8>, file: &Path) -> Result<Self, EvalError> {
        let start = bytes.len() - without_mark(&bytes).len();
        let encoding = Encoding::of(&bytes[start..], file)?;
        let delimiter = raw::delimiter(&bytes[start..]);
        let mut rows = raw::records(&bytes[start..], delimiter)
            .map_err(|line| SubmissionError::OpenQuote { file: file.to_owned(), line })?;
        let mut sample =
            Self { file: file.to_owned(), bytes, start, encoding, delimiter, columns: Vec::new(), rows: Vec::new() };
        if rows.len() < 2 {
            return Err(EvalError::NoRows { file: sample.file });
        }
        let header = rows.remove(0);
        sample.columns = header.cells.iter().map(|cell| sample.value(cell)).collect();
        if sample.columns.len() < 2 {
            let expected = "an id column and at least one to fill, between commas, tabs or semicolons";
            return Err(sample.layout_error(expected.to_owned()));
        }
        let expected = sample.columns.len();
        let ragged = rows.iter().zip(1..).find(|(record, _)| record.cells.len() != expected);
        if let Some((record, row)) = ragged {
            let (file, found) = (sample.file, record.cells.len());
            return Err(EvalError::Ragged { file, line: record.line, row, expected, found });
        }
        sample.rows = rows;
        Ok(sample)
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Number of rows, without the header.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The file, to the byte.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What its columns would be filled with, see [`Layout`].
    ///
    /// # Errors
    /// [`SubmissionError::Layout`] if these predictions do not fit its columns.
    pub fn layout(&self, predictions: &Predictions) -> Result<Layout, EvalError> {
        let fraction =
            |cell: &Cell| self.value(cell).trim().parse().is_ok_and(|number: f32| number != 0.0 && number != 1.0);
        let fractions = |columns: &[usize]| {
            self.rows.iter().any(|record| columns.iter().any(|&column| fraction(&record.cells[column])))
        };
        Layout::of(&self.columns, predictions, fractions).map_err(|expected| self.layout_error(expected))
    }

    /// The bytes of the sample with `predictions` in the place of its values. Rows are matched by id, where blanks at the ends of
    /// an id do not count; each row of the sample has a prediction, and each prediction a row.
    ///
    /// A cell that already holds the value keeps its very bytes. Others are quoted as their column is, and numbers are the
    /// shortest decimals that read back as the same `f32`.
    ///
    /// # Errors
    /// [`SubmissionError`] for columns these predictions do not fit, ids that are missing, too many or twice, a label that the
    /// sample's encoding does not have, and a prediction that is not finite.
    pub fn fill(&self, predictions: &Predictions) -> Result<Vec<u8>, EvalError> {
        let layout = self.layout(predictions)?;
        let order = self.match_ids(layout.id, predictions)?;
        let values = Values::of(predictions, &layout)?;
        let quoting: Vec<Quoting> = layout.targets.iter().map(|(column, ..)| self.quoting(*column)).collect();
        let mut filled = Vec::with_capacity(self.bytes.len() + 8 * self.rows.len() * layout.targets.len());
        let mut done = 0;
        for (record, &row) in self.rows.iter().zip(&order) {
            for ((column, _, target), &quoting) in layout.targets.iter().zip(&quoting) {
                let cell = record.cells[*column];
                let value = values.at(row, target);
                if value.is(&self.value(&cell)) {
                    continue;
                }
                let text = value.text();
                let Some(encoded) = self.encoding.encode(&text) else {
                    let (file, id) = (self.file.clone(), predictions.ids()[row].clone());
                    let encoding = self.encoding.name();
                    return Err(
                        SubmissionError::Unencodable { file, line: record.line, id, value: text, encoding }.into()
                    );
                };
                let quoted = match quoting {
                    Quoting::Always => true,
                    Quoting::WhereNeeded => false,
                    Quoting::AsItWas => cell.quoted,
                } || raw::needs_quotes(&encoded, self.delimiter);
                filled.extend_from_slice(&self.bytes[done..self.start + cell.start]);
                if quoted {
                    filled.extend(raw::quote(&encoded))
                } else {
                    filled.extend_from_slice(&encoded)
                }
                done = self.start + cell.end;
            }
        }
        filled.extend_from_slice(&self.bytes[done..]);
        Ok(filled)
    }

    /// For each row of the sample the row of its prediction.
    fn match_ids(&self, column: usize, predictions: &Predictions) -> Result<Vec<usize>, EvalError> {
        let mut known: HashMap<&str, usize> = HashMap::new();
        for (row, id) in predictions.ids().iter().enumerate() {
            if known.insert(id.trim(), row).is_some() {
                return Err(SubmissionError::DuplicatePrediction { id: id.trim().to_owned() }.into());
            }
        }
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut order = Vec::with_capacity(self.rows.len());
        let mut missing = (0, Vec::new());
        for (record, row) in self.rows.iter().zip(1..) {
            let id = self.value(&record.cells[column]).trim().to_owned();
            match known.get(id.as_str()) {
                Some(&at) => order.push(at),
                None => note(&mut missing, &id),
            }
            if let Some(&first) = seen.get(&id) {
                return Err(EvalError::DuplicateId { file: self.file.clone(), line: record.line, row, first, id });
            }
            seen.insert(id, row);
        }
        let mut extra = (0, Vec::new());
        predictions.ids().iter().filter(|id| !seen.contains_key(id.trim())).for_each(|id| note(&mut extra, id));
        if missing.0 > 0 || extra.0 > 0 {
            let (file, rows) = (self.file.clone(), self.rows.len());
            return Err(SubmissionError::Ids { file, missing, extra, rows, predictions: predictions.len() }.into());
        }
        Ok(order)
    }

    /// How the cells of a column are quoted. One whose quotes are all needed, or that has none, is quoted where needed.
    fn quoting(&self, column: usize) -> Quoting {
        let cells = || self.rows.iter().map(|record| &record.cells[column]);
        let needed = |cell: &Cell| raw::needs_quotes(&raw::value(self.raw(cell)), self.delimiter);
        if cells().all(|cell| cell.quoted == needed(cell)) {
            Quoting::WhereNeeded
        } else if cells().all(|cell| cell.quoted) {
            Quoting::Always
        } else {
            Quoting::AsItWas
        }
    }

    fn raw(&self, cell: &Cell) -> &[u8] {
        &self.bytes[self.start + cell.start..self.start + cell.end]
    }

    fn value(&self, cell: &Cell) -> String {
        self.encoding.decode(&raw::value(self.raw(cell))).into_owned()
    }

    fn layout_error(&self, expected: String) -> EvalError {
        let (file, columns) = (self.file.clone(), self.columns.clone());
        SubmissionError::Layout { file, columns, expected }.into()
    }
}

/// Counts an id, and keeps the first few.
fn note((count, examples): &mut (usize, Vec<String>), id: &str) {
    *count += 1;
    if examples.len() < EXAMPLES {
        examples.push(id.to_owned());
    }
}

/// What predictions put into cells.
struct Values<'a> {
    labels: &'a [String],
    /// The most probable class of each row.
    classes: Vec<u32>,
    /// The labels of each row as one text.
    sets: Vec<String>,
    /// Row-major `[rows, classes]` probabilities, or a score a row.
    numbers: Vec<f32>,
}

/// What goes into a cell.
enum Value<'a> {
    Text(&'a str),
    Number(f32),
}

impl<'a> Values<'a> {
    fn of(predictions: &'a Predictions, layout: &Layout) -> Result<Self, EvalError> {
        let outputs = predictions.outputs();
        let labels = outputs.labels();
        let numbers = if labels.is_empty() { outputs.values().to_vec() } else { outputs.probabilities() };
        if let Some(at) = numbers.iter().position(|number| !number.is_finite()) {
            let id = predictions.ids()[at / labels.len().max(1)].clone();
            return Err(SubmissionError::NotFinite { id, value: numbers[at] }.into());
        }
        let of_sets = layout.targets.iter().any(|(.., target)| *target == Target::Labels);
        let sets =
            if of_sets { outputs.label_sets().iter().map(|set| joined(labels, set)).collect() } else { Vec::new() };
        Ok(Self { labels, classes: outputs.argmax(), sets, numbers })
    }

    fn at(&self, row: usize, target: &Target) -> Value<'_> {
        let number = |class: &usize| self.numbers[row * self.labels.len() + class];
        match target {
            Target::Label => Value::Text(&self.labels[self.classes[row] as usize]),
            Target::Labels => Value::Text(&self.sets[row]),
            Target::Score => Value::Number(self.numbers[row]),
            Target::Probability(class) => Value::Number(number(class)),
            Target::Given(class) => Value::Text(if number(class) >= 0.5 { "1" } else { "0" }),
        }
    }
}

impl Value<'_> {
    /// Whether `cell` says the same.
    fn is(&self, cell: &str) -> bool {
        match self {
            Self::Text(text) => cell == *text,
            Self::Number(number) => cell.trim().parse() == Ok(*number),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Text(text) => (*text).to_owned(),
            // `Debug` of a float is its shortest exact decimal; unlike `Display`, it spells 1e-30 so.
            Self::Number(number) => format!("{number:?}"),
        }
    }
}

#[cfg(test)]
mod tests;
