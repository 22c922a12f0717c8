//! Rows with any number of labels, from `gyeol init` to `gyeol evaluate`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    project::{Project, Shape, text},
    support::{Ran, Sandbox},
};

/// The labels, in the order of the classes.
const LABELS: [&str; 2] = ["긍정", "부정"];

/// A table of rows that praise, complain, do both or neither, and say so in `label`.
fn table(rows: usize) -> String {
    let mut table = "ID,review,label\n".to_owned();
    for row in 0..rows {
        let (complaint, praise) = (text(row, 0), text(row + 1, 1));
        let (review, label) = match row % 4 {
            0 => ("그냥 영화 배우 결말".to_owned(), ""),
            1 => (complaint, "부정"),
            2 => (praise, "긍정"),
            _ => (format!("{complaint} {praise}"), "부정 | 긍정"),
        };
        writeln!(table, "r{row},{review},{label}").unwrap();
    }
    table
}

/// Two hundred such rows, a model that can tell both labels, and a recipe that does not name the loss yet.
fn project() -> Project {
    let project = Project::reviews();
    project.base(Shape { hidden: 32, layers: 2, positions: 40 });
    project.0.write("train.csv", &table(200));
    project
}

const BCE: [&str; 2] = ["--set", "loss.kind=bce"];

#[test]
fn label_sets_are_trained_predicted_and_evaluated() {
    let project = project();
    let sets = ["train.epochs=40", "train.learning_rate=3e-3", "train.precision=f32"].map(|set| ["--set", set]);
    let report = project.report(&[&BCE[..], sets.as_flattened()].concat());
    assert_eq!((&report["task"], &report["metric"]), (&"multi-label".into(), &"micro_f1".into()));
    let metrics: Vec<&str> = report["metrics"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(metrics, ["accuracy", "log_loss", "macro_f1", "micro_f1"]);
    let score = report["score"].as_f64().unwrap();
    assert!(score > 0.9, "words tell the labels: {report}");

    // The files of the run.
    let recipe = project.run_text(1, "recipe.toml");
    for line in ["metric = \"micro_f1\"", "task = \"classification\"", "kind = \"bce\""] {
        assert!(recipe.contains(line), "{line} not in {recipe}");
    }
    let config: Value = serde_json::from_str(&project.run_text(1, "model/config.json")).unwrap();
    assert_eq!(config["problem_type"], "multi_label_classification");
    assert_eq!(config["id2label"], json!({"0": "긍정", "1": "부정"}));
    let settings: Value = serde_json::from_str(&project.run_text(1, "model/gyeol.json")).unwrap();
    assert_eq!((&settings["task"], &settings["format"]), (&"multi-label".into(), &3.into()));
    for file in ["valid.csv", "test.csv"] {
        let (header, rows) = project.predictions(1, file);
        assert_eq!(header, "ID,prediction,p_긍정,p_부정");
        for row in &rows {
            let given = |label: usize| row[2 + label].parse::<f32>().unwrap() >= 0.5;
            let given: Vec<&str> = (0..2).filter(|&label| given(label)).map(|label| LABELS[label]).collect();
            assert_eq!(row[1], given.join("|"), "{file}: {row:?}");
        }
    }
    let (_, valid) = project.predictions(1, "valid.csv");
    assert!(valid.iter().any(|row| row[1].is_empty()) && valid.iter().any(|row| row[1] == "긍정|부정"), "{valid:?}");

    // What was scored is what was written, and a model says the same again.
    let evaluate = |words: &[&str]| project.0.gyeol(&[&["evaluate"], words, &["--json"]].concat()).json();
    let run = project.run_path(1, "valid.csv");
    let evaluated = evaluate(&[run.to_str().unwrap(), "train.csv"]);
    assert_eq!((&evaluated["task"], &evaluated["rows"]), (&"multi-label".into(), &report["valid_rows"]));
    assert_eq!(evaluated["metrics"]["micro_f1"], score);
    let told = project.0.gyeol(&["predict", "recipe-001", "train.csv", "-o", "out.csv", "--precision", "f32"]);
    assert_eq!(told.code, Some(0), "{}", told.all());
    assert!(told.stdout.contains("(none)"), "{}", told.stdout);
    let again = project.0.read("out.csv");
    for row in project.run_text(1, "valid.csv").lines() {
        assert!(again.lines().any(|line| line == row), "{row} not in {again}");
    }
    let all = evaluate(&["out.csv", "train.csv"]);
    assert_eq!((&all["task"], &all["rows"]), (&"multi-label".into(), &200.into()));
}

#[test]
fn the_closing_summary_has_a_line_for_each_label() {
    let ran = project().train(&BCE);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(ran.stderr.contains("labels: 2 (긍정, 부정), separated by |; 50 of 200 rows have none"), "{}", ran.stderr);
    assert!(ran.stdout.contains("micro average") && ran.stdout.contains("긍정"), "{}", ran.stdout);
}

const PREDICTIONS: &str = "ID,prediction,p_광고,p_욕설,p_차별\n\
    a,욕설|차별,0.125,0.75,0.625\n\
    b,,0.25,0.375,0.125\n\
    c,광고,0.9375,0.0,0.25\n\
    d,욕설,0.0,0.5,0.4375\n";

const ANSWERS: &str = "ID,review,label\n\
    a,정말 못됐다,욕설|차별\n\
    b,돈이 아깝다,욕설\n\
    c,잘 봤어요,\n\
    d,다시는 안 본다,차별|욕설\n\
    e,예측이 없는 줄,광고\n";

/// Predictions and answers where nothing beside them says what they are.
fn answers() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("predictions.csv", PREDICTIONS);
    sandbox.write("answers.csv", ANSWERS);
    sandbox
}

#[test]
fn a_file_tells_that_its_labels_are_independent() {
    let ran = answers().gyeol(&["evaluate", "predictions.csv", "answers.csv", "--text", "review"]);
    insta::assert_snapshot!("evaluate_label_sets", ran.all());
}

#[test]
fn a_table_tells_what_neither_probabilities_nor_logits_do() {
    let sandbox = answers();
    sandbox.write("few.csv", "ID,prediction,p_욕설,p_차별\na,욕설,0.75,0.25\n");
    sandbox.write("logits.csv", "ID,logit_욕설,logit_차별\na,1.0,-1.0\n");
    for file in ["few.csv", "logits.csv"] {
        let report = sandbox.gyeol(&["evaluate", file, "answers.csv", "--json"]).json();
        assert_eq!(report["task"], "multi-label", "{file}");
        assert_eq!(report["decisions"][1], json!({"hits": 0, "missed": 1, "false_alarms": 0, "absent": 0}), "{file}");
    }
}

#[test]
fn a_label_the_predictions_do_not_have_is_named() {
    let sandbox = answers();
    sandbox.write("answers.csv", &ANSWERS.replace("욕설\nc", "욕설|비방\nc"));
    let ran = sandbox.gyeol(&["evaluate", "predictions.csv", "answers.csv"]);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("id \"b\": label \"비방\" is not a class of the predictions"), "{}", ran.stderr);
}

/// Training that is refused with a message of these parts, before there is a run.
fn refused(project: &Project, sets: &[&str], parts: &[&str]) {
    let words: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let ran: Ran = project.train(&words);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    for part in parts {
        assert!(ran.stderr.contains(part), "{part} not in {}", ran.all());
    }
    assert!(!project.run_path(1, "").exists());
}

#[test]
fn what_does_not_fit_label_sets_is_refused_by_its_key() {
    let project = project();
    refused(&project, &["data.task=multi-label"], &["data.task", "task = \"classification\" with loss.kind = \"bce\""]);
    refused(&project, &["metric=micro_f1", "data.task=classification"], &["metric", "micro_f1 is not a metric of"]);
    refused(&project, &["loss.kind=bce", "metric=rmse"], &["rmse is not a metric of multi-label classification"]);
    refused(&project, &["loss.kind=bce", "data.task=regression"], &["loss.kind", "bce is not a loss of regression"]);
}

#[test]
fn a_label_outside_the_training_table_is_named_with_its_row() {
    let project = project();
    project.0.write("dev.csv", "ID,review,label\nd1,최고 영화,긍정\nd2,그냥 영화,긍정|부젇\n");
    let place = "dev.csv: row 2 (line 3), id d2: label \"긍정|부젇\" in column \"label\" holds \"부젇\"";
    refused(&project, &["loss.kind=bce", "data.valid=dev.csv"], &[place, "긍정, 부정"]);
}

#[test]
fn a_table_without_any_label_is_refused() {
    let project = project();
    project.0.write("train.csv", "ID,review,label\na,영화,\nb,배우,|\n");
    refused(&project, &["loss.kind=bce"], &["column \"label\" holds no label in any row"]);
}

#[test]
fn combinations_trained_as_classes_are_warned_of() {
    let project = project();
    project.0.write("train.csv", &table(80).replace(",\n", ",없음\n"));
    let ran = project.train(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(ran.stderr.contains("loss.kind = \"bce\" takes them apart"), "{}", ran.stderr);
}

#[test]
fn init_recognises_labels_that_are_combined() {
    let sandbox = Sandbox::new();
    sandbox.write("train.csv", &table(40));
    let found = sandbox.gyeol(&["init", "train.csv", "--json"]).json();
    assert_eq!(found["task"], "multi-label");
    assert_eq!(found["labels"], json!({"classes": [["긍정", 20], ["부정", 20]]}));
    let recipe = sandbox.read("recipe.toml");
    for line in ["metric = \"micro_f1\"", "task = \"classification\"", "kind = \"bce\""] {
        assert!(recipe.contains(line), "{line} not in {recipe}");
    }
}

#[test]
fn folds_whose_rows_look_like_one_class_each_are_joined_as_label_sets() {
    let project = project();
    // Hardly trained, both labels have a probability near one half: pairs of them sum to 1.
    let sets = ["folds.k=4", "train.learning_rate=1e-9", "train.epochs=1"].map(|set| ["--set", set]);
    let report = project.report(&[&BCE[..], sets.as_flattened()].concat());
    assert_eq!((&report["task"], &report["valid_rows"]), (&"multi-label".into(), &200.into()));
    assert_eq!(project.run_text(1, "valid.csv").lines().count(), 201);
}

#[test]
fn label_sets_are_not_sampled_by_class() {
    let problem = "sample: rows with any number of labels";
    refused(&project(), &["loss.kind=bce", "sample.balance=true"], &[problem]);
}
