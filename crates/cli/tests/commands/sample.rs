//! `[sample]`: fewer training rows of a class, and classes drawn equally often.

use serde_json::{Value, json};

use crate::project::{Project, review};

/// Sixty reviews, of which fifteen of the class `neg` are left out.
fn uneven() -> Project {
    let project = Project::reviews();
    let mut dropped = 0;
    let rows = (0..60).map(review).filter(|row| {
        let drop = row.ends_with(",neg\n") && dropped < 15;
        dropped += usize::from(drop);
        !drop
    });
    let rows: String = rows.collect();
    project.0.write("train.csv", &format!("ID,review,label\n{rows}"));
    project
}

fn counts(report: &Value) -> Vec<(String, u64, u64)> {
    let count = |of: &Value| {
        (of["of"].as_str().unwrap().to_owned(), of["before"].as_u64().unwrap(), of["after"].as_u64().unwrap())
    };
    report["sampled"].as_array().unwrap().iter().map(count).collect()
}

#[test]
fn undersampling_takes_training_rows_of_a_class_and_no_others() {
    let project = uneven();
    project.report(&[]);
    let ran = project.train(&["--set", "sample.undersample={\"pos\" = 0.5}", "--json"]);
    let report = ran.json();
    let plain: Value = serde_json::from_str(&project.run_text(1, "report.json")).unwrap();
    assert!(plain.get("sampled").is_none());
    let counts = counts(&report);
    let [(neg, neg_before, neg_after), (pos, before, after)] = &counts[..] else { panic!("{counts:?}") };
    assert_eq!((neg.as_str(), pos.as_str(), neg_before), ("neg", "pos", neg_after));
    assert_eq!(*after, (*before as f64 / 2.0).round() as u64);
    assert_eq!(report["train_rows"], neg_after + after);
    assert!(
        ran.stderr.contains(&format!("sample: neg: {neg_after} rows; pos: {after} of {before} rows")),
        "{}",
        ran.stderr
    );
    let ids = |run| project.predictions(run, "valid.csv").1.into_iter().map(|row| row[0].clone()).collect::<Vec<_>>();
    assert_eq!(ids(1), ids(2), "the rows that validate are the same");
}

#[test]
fn balanced_epochs_keep_their_steps_and_change_what_is_learnt() {
    let project = uneven();
    let plain = project.report(&[]);
    let balanced = project.report(&["--set", "sample.balance=true"]);
    assert_eq!((&plain["steps"], &plain["train_rows"]), (&balanced["steps"], &balanced["train_rows"]));
    let rows = balanced["train_rows"].as_f64().unwrap();
    assert_eq!(balanced["sampled"][0]["per_epoch"], json!(rows / 2.0));
    assert!(project.weights(1) != project.weights(2));
    project.report(&["--set", "sample.balance=true"]);
    assert!(project.weights(2) == project.weights(3));
}

#[test]
fn scores_are_sampled_by_range_and_balanced_by_bucket() {
    let project = Project::pairs();
    let report = project.report(&["--set", "sample.undersample={\"0.0..2.5\" = 0.5}", "--set", "sample.balance=true"]);
    let counts = counts(&report);
    assert_eq!(counts[0].0, "0.0..2.5");
    assert!(counts[0].2 < counts[0].1, "{counts:?}");
    assert!(counts[1].0.starts_with("scores "), "{counts:?}");
}

#[test]
fn only_training_rows_of_a_fold_are_sampled() {
    let project = uneven();
    let report = project.report(&["--set", "folds.k=3", "--set", "sample.undersample={\"pos\" = 0.5}"]);
    assert_eq!(report["valid_rows"], 45);
    let shown = project.0.gyeol(&["runs", "show", "recipe-001", "--json"]).json();
    assert_eq!(shown["steps"], shown["total_steps"]);
    assert!(report["folds"]["runs"][0]["train_rows"].as_u64().unwrap() < 25, "{report}");
}

#[test]
fn a_key_that_names_no_class_lists_those_there_are() {
    let project = uneven();
    for (set, words) in [
        (
            "sample.undersample={\"positive\" = 0.5}",
            "sample.undersample: \"positive\" is not a label of the training table; its labels are neg, pos",
        ),
        ("sample.undersample={\"pos\" = 2.0}", "sample.undersample: 2 is no share of the rows of \"pos\" to keep"),
        ("sample.balanced=true", "did you mean \"balance\"?"),
    ] {
        for folds in [&[][..], &["--set", "folds.k=3"]] {
            let ran = project.train(&[&["--set", set], folds].concat());
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.all());
            assert!(ran.stderr.contains(words), "{words} not in\n{}", ran.stderr);
        }
    }
}

#[test]
fn classes_drawn_equally_and_weighted_besides_are_told() {
    let project = Project::reviews();
    let ran = project.train(&["--set", "sample.balance=true", "--set", "loss.class_weights=inverse_frequency"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(ran.stderr.contains("warning: sample.balance draws every class equally often"), "{}", ran.stderr);
}
