//! Predictions from CSV, as `write.rs` writes them or another program does, every field checked.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use gyeol_data::labels_of;

use super::{GIVEN_FROM, Outputs, Predictions, argmax, joined};
use crate::{EvalError, error::FieldError};

/// How far from 1 the probabilities of a row may sum: room for files with few decimals.
pub(super) const SUM_TOLERANCE: f32 = 0.02;

impl Predictions {
    /// Reads a predictions file of either [`Form`](super::Form).
    ///
    /// The first column is the id, whatever it is called. Classes are taken from the `p_<label>` or `logit_<label>`
    /// columns, in their order; a file with `prediction` (or `logit`) alone holds regression scores.
    ///
    /// Independent labels have the same columns as classes that exclude each other. A file is taken to hold them if a
    /// `prediction` is empty or names several labels, or if the probabilities of some row do not sum to 1 and every row's
    /// `prediction` is the labels of at least 0.5. A file of few rows may show neither, and raw outputs never do: who knows
    /// better makes them [`independent`](Self::independent).
    ///
    /// # Errors
    /// Names the file, line, row and column of the first thing wrong: a header that is not one of these, a row of
    /// another width, a number that is not one or not finite, probabilities outside 0 to 1, an id twice, no rows; and, once
    /// all rows are read, probabilities not summing to 1 and a `prediction` that is not the most probable class, or not the
    /// labels of at least 0.5.
    pub fn read(path: &Path) -> Result<Self, EvalError> {
        let file = File::open(path).map_err(|source| EvalError::Read { file: path.to_owned(), source })?;
        Self::read_from(BufReader::new(file), path)
    }

    /// Reads the same from any reader, such as standard input; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`Predictions::read`].
    pub fn read_from(reader: impl Read, name: &Path) -> Result<Self, EvalError> {
        // `flexible` leaves ragged rows to us, who name the file.
        let mut csv = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(reader);
        let mut record = csv::StringRecord::new();
        if !csv.read_record(&mut record).map_err(|error| csv_error(name, 0, error))? {
            return Err(header_error(name, "the file is empty"));
        }
        let header = Header::parse(&record, name)?;
        let (mut ids, mut values) = (Vec::new(), Vec::new());
        let mut first_row = HashMap::new();
        let mut readings = Readings::default();
        while csv.read_record(&mut record).map_err(|error| csv_error(name, ids.len() + 1, error))? {
            let line = record.position().map_or(0, csv::Position::line);
            let row = Row { header: &header, file: name, line, number: ids.len() + 1, record: &record };
            let start = values.len();
            row.push_numbers(&mut values)?;
            if header.kind == Kind::Probabilities {
                readings.note(&row, &values[start..]);
            }
            if let Some(first) = first_row.insert(row.id().to_owned(), row.number) {
                let (file, id) = (name.to_owned(), row.id().to_owned());
                return Err(EvalError::DuplicateId { file, line, row: row.number, first, id });
            }
            ids.push(row.id().to_owned());
        }
        if ids.is_empty() {
            return Err(EvalError::NoRows { file: name.to_owned() });
        }
        let independent = readings.are_independent()?;
        let Header { columns, kind, labels } = header;
        let outputs = match kind {
            Kind::Probabilities if independent => Outputs::IndependentProbabilities { labels, values },
            Kind::Probabilities => Outputs::Probabilities { labels, values },
            Kind::Logits => Outputs::Logits { labels, values },
            Kind::Scores => Outputs::Scores(values),
        };
        let id_column = columns.into_iter().next().unwrap_or_default();
        Self::new(id_column, ids, outputs)
    }
}

/// The two ways to read rows of probabilities, and the first row that each does not fit.
#[derive(Default)]
struct Readings {
    /// Classes that exclude each other.
    exclusive: Option<EvalError>,
    /// Labels of which a row has any number.
    independent: Option<EvalError>,
    /// Whether a row names no label or several.
    several: bool,
}

impl Readings {
    fn note(&mut self, row: &Row<'_>, probabilities: &[f32]) {
        self.several |= row.names_no_class_but_labels();
        // An error is made for the first row only: those of a million rows would take their time.
        if self.exclusive.is_none() {
            self.exclusive = row.check_class(probabilities).err();
        }
        if self.independent.is_none() {
            self.independent = row.check_labels(probabilities).err();
        }
    }

    /// Whether the rows hold independent labels; the error of the reading that is meant, if they fit neither.
    fn are_independent(self) -> Result<bool, EvalError> {
        match (self.exclusive, self.independent) {
            (_, None) if self.several => Ok(true),
            (_, Some(error)) if self.several => Err(error),
            (None, _) => Ok(false),
            (Some(_), None) => Ok(true),
            (Some(error), Some(_)) => Err(error),
        }
    }
}

/// What the number columns of a file hold.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Probabilities,
    Logits,
    Scores,
}

struct Header {
    columns: Vec<String>,
    kind: Kind,
    /// One a number column; none for scores.
    labels: Vec<String>,
}

impl Header {
    fn parse(record: &csv::StringRecord, file: &Path) -> Result<Self, EvalError> {
        let columns: Vec<String> = record
            .iter()
            .enumerate()
            // Spreadsheets put a byte order mark before the first name.
            .map(|(index, name)| if index == 0 { name.trim_start_matches('\u{feff}') } else { name }.to_owned())
            .collect();
        let names: Vec<&str> = columns.iter().skip(1).map(String::as_str).collect();
        let (kind, prefix, labelled) = match names.as_slice() {
            [] => return Err(header_error(file, "there is only one column")),
            ["prediction"] | ["logit"] => (Kind::Scores, "", &names[..0]),
            ["prediction", labelled @ ..] => (Kind::Probabilities, "p_", labelled),
            labelled => (Kind::Logits, "logit_", labelled),
        };
        let mut labels: Vec<String> = Vec::with_capacity(labelled.len());
        for name in labelled {
            let Some(label) = name.strip_prefix(prefix) else {
                return Err(header_error(file, &format!("column \"{name}\" is not expected here")));
            };
            if labels.iter().any(|known| known == label) {
                return Err(header_error(file, &format!("column \"{name}\" is there twice")));
            }
            labels.push(label.to_owned());
        }
        Ok(Self { columns, kind, labels })
    }
}

/// One row on its way in, with all an error message needs.
struct Row<'a> {
    header: &'a Header,
    file: &'a Path,
    line: u64,
    number: usize,
    record: &'a csv::StringRecord,
}

impl Row<'_> {
    fn id(&self) -> &str {
        self.record.get(0).unwrap_or_default()
    }

    /// Checks the row and appends its numbers to `values`.
    fn push_numbers(&self, values: &mut Vec<f32>) -> Result<(), EvalError> {
        let (expected, found) = (self.header.columns.len(), self.record.len());
        if expected != found {
            let (file, line, row) = (self.file.to_owned(), self.line, self.number);
            return Err(EvalError::Ragged { file, line, row, expected, found });
        }
        let first_number = if self.header.kind == Kind::Probabilities { 2 } else { 1 };
        for column in first_number..expected {
            values.push(self.number_at(column)?);
        }
        Ok(())
    }

    fn number_at(&self, column: usize) -> Result<f32, EvalError> {
        let number: f32 = self.record[column].trim().parse().map_err(|_| self.field_error(column, "a number"))?;
        if !number.is_finite() {
            return Err(self.field_error(column, "a finite number"));
        }
        if self.header.kind == Kind::Probabilities && !(0.0..=1.0).contains(&number) {
            return Err(self.field_error(column, "a probability (0 to 1)"));
        }
        Ok(number)
    }

    /// Whether `prediction` is empty, or holds several labels and is not one itself.
    fn names_no_class_but_labels(&self) -> bool {
        let (labels, cell) = (&self.header.labels, &self.record[1]);
        if labels.iter().any(|label| label == cell) {
            return false;
        }
        let mut named = labels_of(cell).peekable();
        named.peek().is_none() || (cell.contains(gyeol_data::LABEL_SEPARATOR) && named.all(|name| self.is_label(name)))
    }

    fn is_label(&self, name: &str) -> bool {
        self.header.labels.iter().any(|label| label == name)
    }

    /// Checks that `prediction` is the labels of at least one half; one of exactly that may be there or not.
    fn check_labels(&self, row: &[f32]) -> Result<(), EvalError> {
        let labels = &self.header.labels;
        let named: Vec<&str> = labels_of(&self.record[1]).collect();
        if !named.iter().all(|name| self.is_label(name)) {
            return Err(self.field_error(1, &format!("labels of the file ({}) joined by |", labels.join(", "))));
        }
        let fits =
            |(label, &p): (&String, &f32)| p == GIVEN_FROM || (p > GIVEN_FROM) == named.contains(&label.as_str());
        if labels.iter().zip(row).all(fits) {
            return Ok(());
        }
        let given: Vec<u32> = (0..).zip(row).filter(|(_, p)| **p >= GIVEN_FROM).map(|(class, _)| class).collect();
        let expected = format!("the labels of at least {GIVEN_FROM}, which is \"{}\"", joined(labels, &given));
        Err(self.field_error(1, &expected))
    }

    /// Checks that the row sums to 1 and `prediction` is its most probable class.
    fn check_class(&self, row: &[f32]) -> Result<(), EvalError> {
        let sum: f32 = row.iter().sum();
        if (sum - 1.0).abs() > SUM_TOLERANCE {
            return Err(self.field_error(2, &format!("part of a row of probabilities: they sum to {sum}, not 1")));
        }
        let labels = &self.header.labels;
        let Some(class) = labels.iter().position(|label| *label == self.record[1]) else {
            return Err(self.field_error(1, &format!("one of the classes ({})", labels.join(", "))));
        };
        let likeliest = argmax(row);
        // Equal probabilities may be resolved either way.
        if row[class] < row[likeliest] {
            let expected = format!("the most probable class, which is \"{}\"", labels[likeliest]);
            return Err(self.field_error(1, &expected));
        }
        Ok(())
    }

    fn field_error(&self, column: usize, expected: &str) -> EvalError {
        EvalError::Field(Box::new(FieldError {
            file: self.file.to_owned(),
            line: self.line,
            row: self.number,
            id: self.id().to_owned(),
            column: self.header.columns[column].clone(),
            value: self.record[column].to_owned(),
            expected: expected.to_owned(),
        }))
    }
}

fn header_error(file: &Path, problem: &str) -> EvalError {
    EvalError::Header { file: file.to_owned(), problem: problem.to_owned() }
}

/// `row` is the row being read, 0 for the header.
fn csv_error(file: &Path, row: usize, error: csv::Error) -> EvalError {
    let file = file.to_owned();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => EvalError::Read { file, source },
        csv::ErrorKind::Utf8 { pos, .. } => {
            EvalError::NotUtf8 { file, line: pos.map_or(1, |position| position.line()), row }
        }
        other => EvalError::Read { file, source: io::Error::other(format!("{other:?}")) },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Form;
    use super::*;

    fn read(text: &str) -> Result<Predictions, EvalError> {
        Predictions::read_from(text.as_bytes(), Path::new("valid.csv"))
    }

    fn check_error(text: &str, expected: &str) {
        let error = read(text).unwrap_err();
        assert!(error.is_user_error());
        assert_eq!(error.to_string(), expected);
    }

    const SHAPES: &str = "expected an id column, then `prediction` and one `p_<label>` a class (regression: \
                          `prediction` alone), or an id column and raw outputs (`logit_<label>` a class, or `logit`)";

    #[test]
    fn reads_probabilities_whatever_the_id_column_is_called() {
        let predictions = read("\u{feff}문서,prediction,p_0,p_1\nx,1,0.25,0.75\ny,0,0.5,0.5\n").unwrap();
        assert_eq!(predictions.id_column(), "문서");
        assert_eq!(predictions.ids(), ["x", "y"]);
        assert_eq!(predictions.outputs().labels(), ["0", "1"]);
        assert_eq!(predictions.outputs().probabilities(), [0.25, 0.75, 0.5, 0.5]);
    }

    #[test]
    fn reads_scores_and_raw_outputs() {
        assert_eq!(read("id,prediction\na,4.5\n").unwrap().outputs(), &Outputs::Scores(vec![4.5]));
        assert_eq!(read("id,logit\na,-4.5\n").unwrap().outputs(), &Outputs::Scores(vec![-4.5]));
        let logits = read("id,logit_no,logit_yes\na,-1,3e2\n").unwrap();
        let labels = vec!["no".to_owned(), "yes".to_owned()];
        assert_eq!(logits.outputs(), &Outputs::Logits { labels, values: vec![-1.0, 300.0] });
    }

    #[test]
    fn a_header_of_another_kind_is_refused() {
        check_error("", &format!("valid.csv: the file is empty; {SHAPES}"));
        check_error("id\n1\n", &format!("valid.csv: there is only one column; {SHAPES}"));
        check_error("id,label\n1,2\n", &format!("valid.csv: column \"label\" is not expected here; {SHAPES}"));
        let twice = format!("valid.csv: column \"p_a\" is there twice; {SHAPES}");
        check_error("id,prediction,p_a,p_a\n", &twice);
        check_error("id,prediction\n", "valid.csv: no predictions, only a header");
    }

    #[test]
    fn a_bad_field_is_named_with_file_line_row_id_and_column() {
        check_error(
            "id,prediction,p_0,p_1\n\"a\nb\",0,1,0\nc,1,none,1\n",
            "valid.csv line 4 (row 2, id \"c\"), column `p_0`: \"none\" is not a number",
        );
        check_error(
            "id,prediction\na,NaN\n",
            "valid.csv line 2 (row 1, id \"a\"), column `prediction`: \"NaN\" is not a finite number",
        );
        check_error(
            "id,prediction,p_0,p_1\na,0,1.5,-0.5\n",
            "valid.csv line 2 (row 1, id \"a\"), column `p_0`: \"1.5\" is not a probability (0 to 1)",
        );
        check_error(
            "id,prediction,p_0,p_1\na,0,0.375,0.25\n",
            "valid.csv line 2 (row 1, id \"a\"), column `p_0`: \"0.375\" is not part of a row of probabilities: \
             they sum to 0.625, not 1",
        );
        check_error(
            "id,prediction,p_0,p_1\na,2,0.5,0.5\n",
            "valid.csv line 2 (row 1, id \"a\"), column `prediction`: \"2\" is not one of the classes (0, 1)",
        );
        check_error(
            "id,prediction,p_0,p_1\na,0,0.25,0.75\n",
            "valid.csv line 2 (row 1, id \"a\"), column `prediction`: \"0\" is not the most probable class, \
             which is \"1\"",
        );
    }

    #[test]
    fn independent_labels_are_known_by_their_predictions_or_sums() {
        let labels = vec!["0".to_owned(), "1".to_owned()];
        for (rows, values) in [
            ("a,0,0.75,0.25\nb,,0.25,0.125\n", vec![0.75, 0.25, 0.25, 0.125]),
            ("a,0,0.75,0.25\nb,1|0,0.5,0.5\n", vec![0.75, 0.25, 0.5, 0.5]),
            ("a,0,0.75,0.25\nb,1,0.25,0.5\n", vec![0.75, 0.25, 0.25, 0.5]),
        ] {
            let read = read(&format!("id,prediction,p_0,p_1\n{rows}")).unwrap();
            assert_eq!(read.outputs(), &Outputs::IndependentProbabilities { labels: labels.clone(), values }, "{rows}");
        }
        // Nothing here says that the classes do not exclude each other.
        let one = read("id,prediction,p_0,p_1\na,0,0.75,0.25\n").unwrap();
        assert!(matches!(one.outputs(), Outputs::Probabilities { .. }));
        assert!(matches!(one.independent().outputs(), Outputs::IndependentProbabilities { .. }));
    }

    #[test]
    fn independent_labels_must_be_those_of_at_least_one_half() {
        check_error(
            "id,prediction,p_0,p_1\na,,0.25,0.25\nb,0,0.75,0.625\n",
            "valid.csv line 3 (row 2, id \"b\"), column `prediction`: \"0\" is not the labels of at least 0.5, which is \
             \"0|1\"",
        );
        check_error(
            "id,prediction,p_0,p_1\na,0|1,0.75,0.75\nb,2,0.75,0.25\n",
            "valid.csv line 3 (row 2, id \"b\"), column `prediction`: \"2\" is not labels of the file (0, 1) joined by |",
        );
    }

    #[test]
    fn a_class_that_holds_the_separator_is_one_class() {
        let read = read("id,prediction,p_a,p_b,p_a|b\nx,a|b,0.25,0.25,0.5\n").unwrap();
        assert!(matches!(read.outputs(), Outputs::Probabilities { .. }));
    }

    #[test]
    fn ragged_rows_and_repeated_ids_are_refused() {
        check_error(
            "id,prediction\na,1\nb,1,2\n",
            "valid.csv line 3 (row 2): 3 fields where the header has 2; is a comma or a quote missing?",
        );
        check_error(
            "id,prediction\na,1\nb,1\na,2\n",
            "valid.csv line 4: id \"a\" of row 3 is already that of row 1; ids must be unique",
        );
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused() {
        let error = Predictions::read_from(&b"id,prediction\na,1\n\xff,2\n"[..], Path::new("valid.csv")).unwrap_err();
        assert!(error.is_user_error());
        assert_eq!(error.to_string(), "valid.csv line 3 (row 2): not UTF-8; save the file as UTF-8");
    }

    #[test]
    fn a_missing_file_or_a_directory_is_the_users_mistake() {
        let directory = tempfile::tempdir().unwrap();
        for path in [directory.path().join("valid.csv"), directory.path().to_owned()] {
            assert_eq!(Predictions::read(&path).unwrap_err().exit_code(), 2);
        }
    }

    /// Ids that differ, with the characters CSV finds hard.
    fn ids(rows: usize) -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec("[a가\", \n\r;]{0,5}", rows)
            .prop_map(|ids| ids.into_iter().enumerate().map(|(row, id)| format!("{row}{id}")).collect())
    }

    fn finite() -> impl Strategy<Value = f32> {
        prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL | prop::num::f32::ZERO
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn raw_outputs_survive_the_file_to_the_bit(
            (ids, values) in (1usize..6).prop_flat_map(|rows| (ids(rows), prop::collection::vec(finite(), rows * 3))),
        ) {
            let labels = vec!["0".to_owned(), "긍,정".to_owned(), "a \"b\"".to_owned()];
            let written = Predictions::new("ID", ids, Outputs::Logits { labels, values }).unwrap();
            let mut bytes = Vec::new();
            written.write_to(&mut bytes, Form::Logits, "memory").unwrap();
            let read = Predictions::read_from(bytes.as_slice(), Path::new("memory")).unwrap();
            prop_assert_eq!(&read, &written);
            let bits = |p: &Predictions| p.outputs().values().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&read), bits(&written));
        }

        #[test]
        fn probabilities_survive_the_file_to_the_bit(
            values in (1usize..6).prop_flat_map(|rows| prop::collection::vec(-30f32..30.0, rows * 2)),
        ) {
            let ids = (0..values.len() / 2).map(|row| row.to_string()).collect();
            let labels = vec!["1".to_owned(), "2".to_owned()];
            let written = Predictions::new("ID", ids, Outputs::Logits { labels, values }).unwrap();
            let mut bytes = Vec::new();
            written.write_to(&mut bytes, Form::Predictions, "memory").unwrap();
            let read = Predictions::read_from(bytes.as_slice(), Path::new("memory")).unwrap();
            prop_assert_eq!(read.outputs().probabilities(), written.outputs().probabilities());
        }

        #[test]
        fn independent_labels_survive_the_file_to_the_bit(
            mut values in (1usize..6).prop_flat_map(|rows| prop::collection::vec(-30f32..30.0, rows * 3)),
        ) {
            // A row that says what the file holds.
            values.extend([1.0, 1.0, -1.0]);
            let ids = (0..values.len() / 3).map(|row| row.to_string()).collect();
            let labels = vec!["욕".to_owned(), "b,".to_owned(), "3".to_owned()];
            let written = Predictions::new("ID", ids, Outputs::IndependentLogits { labels, values }).unwrap();
            let mut bytes = Vec::new();
            written.write_to(&mut bytes, Form::Predictions, "memory").unwrap();
            let read = Predictions::read_from(bytes.as_slice(), Path::new("memory")).unwrap();
            prop_assert_eq!(read.outputs().task(), crate::Task::MultiLabel);
            prop_assert_eq!(read.outputs().probabilities(), written.outputs().probabilities());
            prop_assert_eq!(read.outputs().label_sets(), written.outputs().label_sets());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            // Whatever the answer, it must be an answer.
            let with_header = [b"id,prediction,p_0,p_1\n".as_slice(), &bytes].concat();
            prop_assert!(Predictions::read_from(bytes.as_slice(), Path::new("x")).is_err() || !bytes.is_empty());
            if let Ok(predictions) = Predictions::read_from(with_header.as_slice(), Path::new("x")) {
                prop_assert!(!predictions.is_empty());
            }
        }
    }
}
