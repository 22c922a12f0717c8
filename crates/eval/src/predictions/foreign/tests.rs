use super::*;

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn read_as(bytes: &[u8], labels: &[&str], names: Option<&[&str]>, task: Task) -> Result<Foreign, EvalError> {
    let (labels, names) = (strings(labels), names.map(strings));
    let expected = Expected { id_column: "ID", labels: &labels, names: names.as_deref(), task };
    Foreign::from_bytes(bytes, Path::new("theirs.csv"), &expected)
}

fn classes(text: &str) -> Result<Foreign, EvalError> {
    read_as(text.as_bytes(), &["0", "1"], Some(&["부정", "긍정"]), Task::Classification)
}

fn scores(text: &str) -> Result<Foreign, EvalError> {
    read_as(text.as_bytes(), &[], None, Task::Regression)
}

#[test]
fn classes_are_found_by_label_or_name_in_any_order() {
    for header in ["p_1,ID,p_0", "1,ID,0", "prob_1,ID,prob_0", "probability_긍정,ID,probability_부정", "긍정,ID,부정"]
    {
        let read = classes(&format!("{header}\n0.75,a,0.25\n0.5,b,0.5\n")).unwrap();
        assert_eq!(read.predictions.ids(), ["a", "b"], "{header}");
        let labels = strings(&["0", "1"]);
        let outputs = Outputs::Probabilities { labels, values: vec![0.25, 0.75, 0.5, 0.5] };
        assert_eq!((read.predictions.outputs(), read.scale), (&outputs, Scale::Probabilities), "{header}");
        assert!(read.ignored.is_empty());
    }
}

#[test]
fn numbers_that_are_no_probabilities_are_logits_unless_they_are_called_so() {
    for header in ["id,score_0,score_1", "id;0;1", "id\tlogit_0\tlogit_1"] {
        let delimiter = header.chars().nth(2).unwrap().to_string();
        let text = format!("{header}\na,0.5,0.5\nb,-1,2\n").replace(',', &delimiter);
        let read = classes(&text).unwrap();
        assert_eq!((read.predictions.outputs().values(), read.scale), (&[0.5, 0.5, -1.0, 2.0][..], Scale::Logits));
    }
    assert_eq!(
        classes("x,id,p_0,p_1\n1,a,0.5,0.5\n1,b,0.5,0.25\n").unwrap_err().to_string(),
        "theirs.csv line 3 (row 2, id \"1\"), column `p_0`: \"0.5\" is not part of a row of probabilities: they sum to \
         0.75, not 1"
    );
    assert!(matches!(
        read_as(b"id,x,y\na,0.5,0.75\n", &["x", "y"], None, Task::MultiLabel).unwrap().predictions.outputs(),
        Outputs::IndependentProbabilities { .. }
    ));
}

#[test]
fn other_columns_are_passed_over_and_told() {
    let read = classes("ID,fold,1,0,text\na,3,0.5,0.5,\"x,y\"\n").unwrap();
    assert_eq!(read.ignored, ["fold", "text"]);
}

#[test]
fn files_of_our_own_form_are_read_as_such() {
    let read = classes("id,prediction,p_긍정,p_부정\na,긍정,0.75,0.25\n").unwrap();
    assert_eq!(read.predictions.outputs().labels(), ["0", "1"]);
    assert_eq!(read.predictions.outputs().values(), [0.25, 0.75]);
    assert_eq!(read.predictions.id_column(), "ID");
    let error = classes("id,prediction,p_0,p_1\na,0,0.25,0.75\n").unwrap_err().to_string();
    assert!(error.contains("is not the most probable class"), "{error}");
    let error = classes("id,prediction,p_0,p_2\na,0,0.75,0.25\n").unwrap_err().to_string();
    assert!(error.starts_with("theirs.csv: its classes are 0, 2; expected a column of ids and one column"), "{error}");
    assert!(matches!(classes("id,prediction\na,0.5\n"), Err(EvalError::TaskMismatch { .. })));
}

#[test]
fn korean_files_may_be_in_cp949_behind_a_mark() {
    let (bytes, ..) = encoding_rs::EUC_KR.encode("ID,긍정,부정\n가,0.75,0.25\n");
    for bytes in [bytes.to_vec(), [b"\xef\xbb\xbf", &*bytes].concat()] {
        let read = read_as(&bytes, &["0", "1"], Some(&["부정", "긍정"]), Task::Classification).unwrap();
        assert_eq!(
            (read.predictions.ids(), read.predictions.outputs().values()),
            (&["가".to_owned()][..], &[0.25, 0.75][..])
        );
    }
    assert!(classes("\u{feff}ID,0,1\na,0.5,0.5\n").is_ok());
}

#[test]
fn a_regression_has_one_column_of_scores() {
    for text in ["ID,prediction\na,1.5\n", "text,ID,score,other\nx,a,1.5,2\n", "ID,text,y\na,x,1.5\n"] {
        let read = scores(text).unwrap();
        assert_eq!(
            (read.predictions.ids(), read.predictions.outputs()),
            (&["a".to_owned()][..], &Outputs::Scores(vec![1.5]))
        );
    }
    let error = scores("ID,x,y\na,1,2\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "theirs.csv: its columns are ID, x, y, of which several besides the ids hold numbers; expected a column of ids and \
         one column of scores, called prediction or score, or the only one with numbers"
    );
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn what_is_wrong_is_named() {
    let message = |text: &str| classes(text).unwrap_err().to_string();
    assert_eq!(
        message("ID,p_0,x\na,1,2\n"),
        "theirs.csv: its columns are ID, p_0, x; there is no p_1; expected a column of ids and one column a class, named \
         by its label (0, 1; or 부정, 긍정), with p_, prob_, probability_, logit_, score_ or nothing before each"
    );
    assert!(message("ID,0,1\na,0.5,0.5\na,0.5,0.5\n").contains("line 3: id \"a\" of row 2 is already that of row 1"));
    assert!(message("ID,0,1\na,x,0.5\n").ends_with("line 2 (row 1, id \"a\"), column `0`: \"x\" is not a number"));
    assert!(message("ID,0,1\na,0.5\n").contains("line 2 (row 1): 2 fields"));
    assert!(message("ID,0,1,0\na,1,0,1\n").contains("column \"0\" is there twice"));
    assert!(message("").contains("theirs.csv"));
}
