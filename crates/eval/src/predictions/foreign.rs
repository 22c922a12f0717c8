//! Predictions of other tools: a table with a column of ids and one a class, in whatever order and words, checked field by
//! field. Files of our own form are taken as such.

use std::{collections::HashMap, fs, path::Path};

use super::{Outputs, Predictions, read::SUM_TOLERANCE};
use crate::{
    EvalError, Task,
    encoding::{Encoding, without_mark},
    error::FieldError,
};

/// What predictions of another tool have to be about.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// What the table calls its ids.
    pub id_column: &'a str,
    /// The classes, as the table labels them; none for regression.
    pub labels: &'a [String],
    /// Their names for people, one a label: files may have these instead.
    pub names: Option<&'a [String]>,
    /// The task.
    pub task: Task,
}

/// Predictions of another tool, and how they were understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreign {
    /// The predictions, their classes in the order and by the labels that were expected.
    pub predictions: Predictions,
    /// What the numbers were taken for.
    pub scale: Scale,
    /// Columns that were passed over.
    pub ignored: Vec<String>,
}

/// What numbers of a file were taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Probabilities: all of them are from 0 to 1, and those of each row sum to 1 unless labels do not exclude each other.
    Probabilities,
    /// Scores of classes before a softmax (or a sigmoid, where labels do not exclude each other).
    Logits,
    /// The scores of a regression.
    Scores,
}

/// What may stand before a label in a column's name, those that say the most first.
const PREFIXES: [(&str, Option<Scale>); 6] = [
    ("p_", Some(Scale::Probabilities)),
    ("prob_", Some(Scale::Probabilities)),
    ("probability_", Some(Scale::Probabilities)),
    ("logit_", Some(Scale::Logits)),
    ("score_", None),
    ("", None),
];

impl Foreign {
    /// Reads predictions of any tool from a table between commas, tabs or semicolons, in UTF-8 or CP949 (EUC-KR), with or without
    /// a byte-order mark. A file of our own form is read as [`Predictions::read`] does.
    ///
    /// Of others, the ids are in the column of that name, else in the first. Classes have a column each, all named by their
    /// labels or all by their names for people, in any order, with `p_`, `prob_`, `probability_`, `logit_`, `score_` or nothing
    /// before each. Numbers that these words do not tell apart are probabilities if all rows could be, else logits. A
    /// regression's scores are in `prediction`, else in `score`, else in the only other column that has numbers throughout.
    ///
    /// # Errors
    /// [`EvalError::Foreign`] if no columns fit, [`EvalError::TaskMismatch`] for our own form of another task, and, each with its
    /// line: fields that are no finite numbers, columns called probabilities that are none, an id twice, a row of another
    /// length.
    pub fn read(path: &Path, expected: &Expected<'_>) -> Result<Self, EvalError> {
        let bytes = fs::read(path).map_err(|source| EvalError::Read { file: path.to_owned(), source })?;
        Self::from_bytes(&bytes, path, expected)
    }

    /// The same of bytes that were read already; `file` is what errors call them.
    ///
    /// # Errors
    /// As [`Foreign::read`].
    pub fn from_bytes(bytes: &[u8], file: &Path, expected: &Expected<'_>) -> Result<Self, EvalError> {
        let bytes = without_mark(bytes);
        let text = Encoding::of(bytes, file)?.decode(bytes);
        match Predictions::read_from(text.as_bytes(), file) {
            Ok(own) => Self::of_own_form(own, file, expected),
            Err(EvalError::Header { .. }) => Table::read(&text, file)?.interpret(expected),
            // It has the header of our form, so what is wrong below it is wrong.
            Err(error) => Err(error),
        }
    }

    fn of_own_form(own: Predictions, file: &Path, expected: &Expected<'_>) -> Result<Self, EvalError> {
        let own = if expected.task == Task::MultiLabel { own.independent() } else { own };
        if own.outputs.task() != expected.task {
            return Err(EvalError::TaskMismatch { predictions: own.outputs.task(), truth: expected.task });
        }
        let scale = match &own.outputs {
            Outputs::Logits { .. } | Outputs::IndependentLogits { .. } => Scale::Logits,
            Outputs::Probabilities { .. } | Outputs::IndependentProbabilities { .. } => Scale::Probabilities,
            Outputs::Scores(_) => Scale::Scores,
        };
        let theirs = own.outputs.labels();
        let place = |spelling: &[String]| -> Option<Vec<usize>> {
            let found = spelling.iter().map(|label| theirs.iter().position(|other| other == label));
            found.collect::<Option<Vec<_>>>().filter(|found| found.len() == theirs.len())
        };
        let Some(columns) = spellings(expected).find_map(place) else {
            let problem = format!("its classes are {}", theirs.join(", "));
            return Err(foreign_error(file, problem, expected));
        };
        let outputs = own.outputs.arranged(&columns, expected.labels);
        let predictions = Predictions::new(expected.id_column, own.ids, outputs)?;
        Ok(Self { predictions, scale, ignored: Vec::new() })
    }
}

/// A table of text with the lines its rows start on.
struct Table<'a> {
    file: &'a Path,
    header: Vec<String>,
    rows: Vec<(u64, csv::StringRecord)>,
}

impl<'a> Table<'a> {
    fn read(text: &str, file: &'a Path) -> Result<Self, EvalError> {
        let cells =
            |delimiter: u8| records(text, delimiter).next().and_then(Result::ok).map_or(0, |record| record.len());
        // A comma before the others, of equals.
        let delimiter = [b';', b'\t', b','].into_iter().max_by_key(|&delimiter| cells(delimiter)).unwrap_or(b',');
        let unreadable = |error: csv::Error| EvalError::Read { file: file.to_owned(), source: error.into() };
        let mut records = records(text, delimiter);
        let Some(header) = records.next().transpose().map_err(unreadable)? else {
            return Err(EvalError::NoRows { file: file.to_owned() });
        };
        let header: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
        let mut rows = Vec::new();
        for record in records {
            let record = record.map_err(unreadable)?;
            let line = record.position().map_or(0, csv::Position::line);
            if record.len() != header.len() {
                let (file, row, expected, found) = (file.to_owned(), rows.len() + 1, header.len(), record.len());
                return Err(EvalError::Ragged { file, line, row, expected, found });
            }
            rows.push((line, record));
        }
        if rows.is_empty() {
            return Err(EvalError::NoRows { file: file.to_owned() });
        }
        Ok(Self { file, header, rows })
    }

    fn interpret(&self, expected: &Expected<'_>) -> Result<Foreign, EvalError> {
        let id = self.column(expected.id_column).unwrap_or(0);
        let (columns, told) = match expected.task {
            Task::Regression => (vec![self.score_column(id, expected)?], Some(Scale::Scores)),
            _ => self.class_columns(id, expected)?,
        };
        let mut values = Vec::with_capacity(self.rows.len() * columns.len());
        for row in 0..self.rows.len() {
            for &column in &columns {
                values.push(self.number(row, column, id)?);
            }
        }
        let not_probabilities = self.first_that_is_no_probability(&values, columns.len(), expected.task);
        let scale = match (told, not_probabilities) {
            (Some(Scale::Probabilities), Some((row, column, problem))) => {
                return Err(self.field_error(row, columns[column], id, problem));
            }
            (Some(scale), _) => scale,
            (None, None) => Scale::Probabilities,
            (None, Some(_)) => Scale::Logits,
        };
        let used = |column: &usize| *column == id || columns.contains(column);
        let ignored = (0..self.header.len()).filter(|column| !used(column)).map(|column| self.header[column].clone());
        let ignored = ignored.collect();
        let predictions = Predictions::new(expected.id_column, self.ids(id)?, outputs_of(scale, expected, values))?;
        Ok(Foreign { predictions, scale, ignored })
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    fn ids(&self, column: usize) -> Result<Vec<String>, EvalError> {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for ((line, record), row) in self.rows.iter().zip(1..) {
            if let Some(first) = seen.insert(&record[column], row) {
                let (file, id) = (self.file.to_owned(), record[column].to_owned());
                return Err(EvalError::DuplicateId { file, line: *line, row, first, id });
            }
        }
        Ok(self.rows.iter().map(|(_, record)| record[column].to_owned()).collect())
    }

    /// The column of each class, and what its name says that it holds.
    fn class_columns(&self, id: usize, expected: &Expected<'_>) -> Result<(Vec<usize>, Option<Scale>), EvalError> {
        let mut nearest: Option<(usize, Vec<String>)> = None;
        for (prefix, scale) in PREFIXES {
            for spelling in spellings(expected) {
                let (mut found, mut missing) = (Vec::new(), Vec::new());
                for label in spelling {
                    let name = format!("{prefix}{label}");
                    match self.column(&name).filter(|&column| column != id) {
                        Some(column) => found.push(column),
                        None => missing.push(name),
                    }
                }
                if missing.is_empty() {
                    let twice = found.iter().find(|&&column| self.header[column + 1..].contains(&self.header[column]));
                    return match twice {
                        Some(&column) => {
                            let problem = format!("column \"{}\" is there twice", self.header[column]);
                            Err(foreign_error(self.file, problem, expected))
                        }
                        None => Ok((found, scale)),
                    };
                }
                if !found.is_empty() && nearest.as_ref().is_none_or(|(least, _)| missing.len() < *least) {
                    nearest = Some((missing.len(), missing));
                }
            }
        }
        let columns = self.header.join(", ");
        let problem = match nearest {
            Some((_, missing)) => format!("its columns are {columns}; there is no {}", missing.join(", ")),
            None => format!("its columns are {columns}"),
        };
        Err(foreign_error(self.file, problem, expected))
    }

    fn score_column(&self, id: usize, expected: &Expected<'_>) -> Result<usize, EvalError> {
        let named =
            ["prediction", "score"].into_iter().find_map(|name| self.column(name).filter(|&column| column != id));
        if let Some(column) = named {
            return Ok(column);
        }
        let is_numeric =
            |column: &usize| self.rows.iter().all(|(_, record)| parse(&record[*column]).is_some_and(f32::is_finite));
        let numeric: Vec<usize> = (0..self.header.len()).filter(|&column| column != id).filter(is_numeric).collect();
        match numeric.as_slice() {
            [column] => Ok(*column),
            several => {
                let count = if several.is_empty() { "none" } else { "several" };
                let problem = format!(
                    "its columns are {}, of which {count} besides the ids hold numbers",
                    self.header.join(", ")
                );
                Err(foreign_error(self.file, problem, expected))
            }
        }
    }

    fn number(&self, row: usize, column: usize, id: usize) -> Result<f32, EvalError> {
        match parse(&self.rows[row].1[column]) {
            Some(number) if number.is_finite() => Ok(number),
            Some(_) => Err(self.field_error(row, column, id, "a finite number".to_owned())),
            None => Err(self.field_error(row, column, id, "a number".to_owned())),
        }
    }

    /// The first row and column (among those of classes) that is no probability, and what it should be.
    fn first_that_is_no_probability(&self, values: &[f32], width: usize, task: Task) -> Option<(usize, usize, String)> {
        values.chunks_exact(width).enumerate().find_map(|(row, values)| {
            let outside = values.iter().position(|value| !(0.0..=1.0).contains(value));
            if let Some(column) = outside {
                return Some((row, column, "a probability (0 to 1)".to_owned()));
            }
            let sum: f32 = values.iter().sum();
            let whole = task == Task::MultiLabel || (sum - 1.0).abs() <= SUM_TOLERANCE;
            (!whole).then(|| (row, 0, format!("part of a row of probabilities: they sum to {sum}, not 1")))
        })
    }

    fn field_error(&self, row: usize, column: usize, id: usize, expected: String) -> EvalError {
        let (line, record) = &self.rows[row];
        EvalError::Field(Box::new(FieldError {
            file: self.file.to_owned(),
            line: *line,
            row: row + 1,
            id: record[id].to_owned(),
            column: self.header[column].clone(),
            value: record[column].to_owned(),
            expected,
        }))
    }
}

fn records(text: &str, delimiter: u8) -> impl Iterator<Item = csv::Result<csv::StringRecord>> {
    let mut reader = csv::ReaderBuilder::new();
    reader.delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes()).into_records()
}

fn parse(cell: &str) -> Option<f32> {
    cell.trim().parse().ok()
}

/// The ways in which a file may spell the classes.
fn spellings<'a>(expected: &Expected<'a>) -> impl Iterator<Item = &'a [String]> + use<'a> {
    [Some(expected.labels), expected.names.filter(|names| names.len() == expected.labels.len())].into_iter().flatten()
}

fn outputs_of(scale: Scale, expected: &Expected<'_>, values: Vec<f32>) -> Outputs {
    let labels = expected.labels.to_vec();
    let outputs = match scale {
        Scale::Scores => Outputs::Scores(values),
        Scale::Logits => Outputs::Logits { labels, values },
        Scale::Probabilities => Outputs::Probabilities { labels, values },
    };
    if expected.task == Task::MultiLabel { outputs.independent() } else { outputs }
}

fn foreign_error(file: &Path, problem: String, expected: &Expected<'_>) -> EvalError {
    let wanted = match expected.task {
        Task::Regression => "one column of scores, called prediction or score, or the only one with numbers".to_owned(),
        _ => {
            let names = expected.names.map_or_else(String::new, |names| format!("; or {}", names.join(", ")));
            format!(
                "one column a class, named by its label ({}{names}), with p_, prob_, probability_, logit_, score_ or nothing \
                 before each",
                expected.labels.join(", ")
            )
        }
    };
    EvalError::Foreign { file: file.to_owned(), problem, wanted: format!("a column of ids and {wanted}") }
}

#[cfg(test)]
mod tests;
