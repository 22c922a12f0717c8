use proptest::prelude::*;

use super::*;
use crate::Outputs;

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn sample(bytes: &[u8]) -> Result<Sample, EvalError> {
    Sample::from_bytes(bytes.to_vec(), Path::new("sample.csv"))
}

/// Predictions of these classes for these ids.
fn labelled(ids: &[&str], labels: &[&str], classes: &[usize]) -> Predictions {
    let one_hot =
        |class: &usize| (0..labels.len()).map(|label| if label == *class { 1.0 } else { 0.0 }).collect::<Vec<f32>>();
    let outputs =
        Outputs::Probabilities { labels: strings(labels), values: classes.iter().flat_map(one_hot).collect() };
    Predictions::new("ID", strings(ids), outputs).unwrap()
}

fn scores(ids: &[&str], values: &[f32]) -> Predictions {
    Predictions::new("ID", strings(ids), Outputs::Scores(values.to_vec())).unwrap()
}

/// The submission, as text.
fn filled(text: &str, predictions: &Predictions) -> String {
    String::from_utf8(sample(text.as_bytes()).unwrap().fill(predictions).unwrap()).unwrap()
}

fn error(text: &str, predictions: &Predictions) -> String {
    let error = sample(text.as_bytes()).and_then(|sample| sample.fill(predictions)).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    error.to_string()
}

#[test]
fn rows_keep_the_order_of_the_sample_and_find_their_predictions_by_id() {
    let predictions = labelled(&["c", "a", "b"], &["x", "y"], &[0, 1, 0]);
    assert_eq!(filled("ID,label\na,0\nb,0\nc,0\n", &predictions), "ID,label\na,y\nb,x\nc,x\n");
    assert_eq!(filled("ID,label\r\n b ,0\r\na,0\r\nc,0", &predictions), "ID,label\r\n b ,x\r\na,y\r\nc,x");
}

#[test]
fn numbers_are_the_shortest_and_those_already_there_stay() {
    let predictions = scores(&["1", "2", "3"], &[0.1, 0.5, 1e-7]);
    assert_eq!(filled("id;score\n1;0\n2;0.50\n3;0\n", &predictions), "id;score\n1;0.1\n2;0.50\n3;1e-7\n");
}

#[test]
fn each_class_has_its_column_in_the_order_of_the_sample() {
    let outputs = Outputs::Probabilities { labels: strings(&["x", "y"]), values: vec![0.25, 0.75, 1.0, 0.0] };
    let predictions = Predictions::new("ID", strings(&["a", "b"]), outputs).unwrap();
    assert_eq!(filled("ID\tp_y\tp_x\na\t0\t0\nb\t0\t0\n", &predictions), "ID\tp_y\tp_x\na\t0.75\t0.25\nb\t0\t1.0\n");
    let sets = predictions.independent();
    assert_eq!(filled("ID,y,x\na,0,0\nb,0,0\n", &sets), "ID,y,x\na,1,0\nb,0,1\n");
    assert_eq!(filled("ID,y,x\na,0.5,0.5\nb,0.5,0.5\n", &sets), "ID,y,x\na,0.75,0.25\nb,0.0,1.0\n");
    assert_eq!(filled("ID,labels\na,\nb,\n", &sets), "ID,labels\na,y\nb,x\n");
}

#[test]
fn cells_are_quoted_as_their_column_is() {
    let predictions = labelled(&["a", "b"], &["x", "y,z"], &[0, 1]);
    assert_eq!(
        filled("\"ID\",\"label\"\n\"a\",\"0\"\n\"b\",\"0\"\n", &predictions),
        "\"ID\",\"label\"\n\"a\",\"x\"\n\"b\",\"y,z\"\n"
    );
    assert_eq!(filled("ID,label\na,0\nb,0\n", &predictions), "ID,label\na,x\nb,\"y,z\"\n");
    assert_eq!(filled("ID,label\na,\"1,2\"\nb,0\n", &predictions), "ID,label\na,x\nb,\"y,z\"\n");
    assert_eq!(filled("ID,label\na,\"0\"\nb,0\n", &predictions), "ID,label\na,\"x\"\nb,\"y,z\"\n");
}

#[test]
fn a_korean_sample_stays_in_its_encoding_mark_and_all() {
    let encode = |text: &str| Encoding::Cp949.encode(text).unwrap().into_owned();
    let predictions = labelled(&["문서,1", "문서,2"], &["긍정", "부정"], &[1, 0]);
    for mark in [&b""[..], b"\xef\xbb\xbf"] {
        let bytes = [mark, &encode("\"아이디\",\"감정\"\r\n\"문서,2\",\"부정\"\r\n\"문서,1\",\"부정\"\r\n")].concat();
        let expected =
            [mark, &encode("\"아이디\",\"감정\"\r\n\"문서,2\",\"긍정\"\r\n\"문서,1\",\"부정\"\r\n")].concat();
        assert_eq!(sample(&bytes).unwrap().fill(&predictions).unwrap(), expected);
        let emotions = labelled(&["문서,1", "문서,2"], &["긍정", "😊"], &[1, 0]);
        assert_eq!(
            sample(&bytes).unwrap().fill(&emotions).unwrap_err().to_string(),
            "sample.csv line 3 (id \"문서,1\"): \"😊\" cannot be written in CP949, which the sample is in; save the sample as \
             UTF-8 if that is allowed"
        );
    }
}

#[test]
fn ids_that_are_missing_too_many_or_twice_are_refused_with_examples() {
    let text = "ID,label\na,0\nb,0\nc,0\n";
    assert_eq!(
        error(text, &labelled(&["a", "x"], &["0", "1"], &[0, 0])),
        "sample.csv: 2 of its 3 ids have no prediction (\"b\", \"c\"), and 1 of the 2 predictions are for ids that it does not \
         have (\"x\"); is it the sample for the table that was predicted?"
    );
    assert_eq!(
        error(&format!("{text}b,0\n"), &labelled(&["a", "b", "c"], &["0", "1"], &[0, 0, 0])),
        "sample.csv line 5: id \"b\" of row 4 is already that of row 2; ids must be unique"
    );
    assert_eq!(
        error(text, &labelled(&["a", " b", "b ", "c"], &["0", "1"], &[0, 0, 0, 0])),
        "two predictions have the id \"b\" (blanks at its ends do not count); ids must be unique"
    );
    let many: Vec<String> = (0..9).map(|id| format!("{id}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(error(text, &scores(&many, &[0.0; 9])).contains("\"3\", \"4\", …)"));
}

#[test]
fn a_sample_of_another_kind_is_refused_with_what_was_found() {
    let predictions = labelled(&["a", "b"], &["0", "1"], &[0, 1]);
    assert_eq!(
        error("ID,x,y,z\na,0,0,0\nb,0,0,0\n", &predictions),
        "sample.csv: its columns are ID, x, y, z; expected an id column and one column for the label, or one a class, named \
         by its label (0, 1), with the same words before or after each"
    );
    assert!(error("ID\na\nb\n", &predictions).contains("expected an id column and at least one to fill"));
    assert!(error("ID,label\na,0\nb\n", &predictions).starts_with("sample.csv line 3 (row 2): 1 fields"));
    assert!(error("ID,label\na,\"0\nb,0\n", &predictions).starts_with("sample.csv line 2: a quoted cell never ends"));
    assert!(error("ID,label\n", &predictions).contains("only a header"));
    assert!(error("", &predictions).starts_with("sample.csv: "));
    assert!(error("ID,score\na,0\n", &scores(&["a"], &[f32::NAN])).contains("a prediction is NaN"));
    assert!(sample(b"ID,x\n\xff\xff,0\n").unwrap_err().to_string().contains("line 2: neither UTF-8"));
}

/// How a sample is written.
#[derive(Debug, Clone)]
struct Conventions {
    mark: bool,
    encoding: Encoding,
    delimiter: char,
    line_end: &'static str,
    last_line_end: bool,
    quoted_header: bool,
    quoted_ids: bool,
    quoted_targets: bool,
}

fn conventions() -> impl Strategy<Value = Conventions> {
    let encodings = prop::sample::select(vec![Encoding::Utf8, Encoding::Cp949]);
    let delimiters = prop::sample::select(vec![',', '\t', ';']);
    let line_ends = prop::sample::select(vec!["\n", "\r\n"]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (encodings, delimiters, line_ends, flags).prop_map(|(encoding, delimiter, line_end, flags)| {
        let (mark, last_line_end, quoted_header, quoted_ids, quoted_targets) = flags;
        Conventions { mark, encoding, delimiter, line_end, last_line_end, quoted_header, quoted_ids, quoted_targets }
    })
}

impl Conventions {
    /// The sample of these ids and cells.
    fn write(&self, rows: &[(String, String)]) -> Vec<u8> {
        let cell = |text: &str, quoted: bool| match quoted || text.contains([self.delimiter, '"', '\n', '\r']) {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text.to_owned(),
        };
        let line = |id: &str, target: &str, ids: bool, targets: bool| {
            format!("{}{}{}", cell(id, ids), self.delimiter, cell(target, targets))
        };
        let header = line("아이디", "예측", self.quoted_header, self.quoted_header);
        let rows = rows.iter().map(|(id, target)| line(id, target, self.quoted_ids, self.quoted_targets));
        let mut text = std::iter::once(header).chain(rows).collect::<Vec<_>>().join(self.line_end);
        if self.last_line_end {
            text.push_str(self.line_end);
        }
        let mark = if self.mark { crate::encoding::MARK } else { b"" };
        [mark, &self.encoding.encode(&text).unwrap()].concat()
    }
}

/// Labels with all that CSV finds hard.
const LABELS: [&str; 5] = ["긍정", "부정, 강함", "a\"b\"", "두\n줄", " 0;\t"];

/// Ids that differ, and a class for each and another.
fn rows() -> impl Strategy<Value = Vec<(String, usize, usize)>> {
    let row = ("[a가\", \n;\t]{0,4}", 0..LABELS.len(), 0..LABELS.len());
    prop::collection::vec(row, 1..6).prop_map(|rows| {
        rows.into_iter().enumerate().map(|(row, (id, one, other))| (format!("{row}{id}가"), one, other)).collect()
    })
}

/// Predictions of the classes, in another order than the sample's.
fn shuffled(rows: &[(String, usize)]) -> Predictions {
    let ids: Vec<&str> = rows.iter().rev().map(|(id, _)| id.as_str()).collect();
    labelled(&ids, &LABELS, &rows.iter().rev().map(|(_, class)| *class).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn predictions_that_are_its_own_cells_give_the_very_bytes(conventions in conventions(), rows in rows()) {
        let own: Vec<_> = rows.iter().map(|(id, class, _)| (id.clone(), *class)).collect();
        let cells: Vec<_> = own.iter().map(|(id, class)| (id.clone(), LABELS[*class].to_owned())).collect();
        let bytes = conventions.write(&cells);
        let sample = sample(&bytes).unwrap();
        prop_assert_eq!(sample.bytes(), &bytes);
        prop_assert_eq!(sample.fill(&shuffled(&own)).unwrap(), bytes);
    }

    #[test]
    fn other_predictions_give_the_file_its_author_would_write(conventions in conventions(), rows in rows()) {
        let cells = |class: fn(&(String, usize, usize)) -> usize| -> Vec<(String, String)> {
            rows.iter().map(|row| (row.0.clone(), LABELS[class(row)].to_owned())).collect()
        };
        let sample = sample(&conventions.write(&cells(|row| row.1))).unwrap();
        let wanted: Vec<_> = rows.iter().map(|(id, _, class)| (id.clone(), *class)).collect();
        let filled = sample.fill(&shuffled(&wanted)).unwrap();
        // Where each cell of the sample needed its quotes, nothing says that others have them too.
        let hidden = conventions.quoted_targets && rows.iter().all(|row| raw::needs_quotes(LABELS[row.1].as_bytes(), sample.delimiter));
        let conventions = Conventions { quoted_targets: conventions.quoted_targets && !hidden, ..conventions };
        prop_assert_eq!(filled, conventions.write(&cells(|row| row.2)));
    }

    #[test]
    fn scores_round_trip_too(conventions in conventions(), values in prop::collection::vec(-1e6f32..1e6, 1..6)) {
        let rows: Vec<_> = values.iter().enumerate().map(|(row, value)| (row.to_string(), format!("{value:?}"))).collect();
        let ids: Vec<&str> = rows.iter().map(|(id, _)| id.as_str()).collect();
        let bytes = conventions.write(&rows);
        prop_assert_eq!(sample(&bytes).unwrap().fill(&scores(&ids, &values)).unwrap(), bytes);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        if let Ok(sample) = sample(&bytes) {
            prop_assert!(sample.rows() > 0 && sample.fill(&scores(&["a"], &[0.0])).is_ok() || sample.columns().len() > 1);
        }
    }
}
