//! `[folds]`: every labelled row predicted by the model that did not train on it, and the mean of the models for others.

use std::{collections::BTreeMap, fs, process::Stdio};

use serde_json::Value;

use crate::project::{Project, names, review, reviews};

/// Sixty reviews in three folds.
fn folded() -> Project {
    let project = Project::reviews();
    let recipe = project.0.read("recipe.toml");
    project.0.write("recipe.toml", &format!("{recipe}\n[folds]\nk = 3\n"));
    project
}

/// The text of a file of fold `fold` of run 1.
fn of_fold(project: &Project, fold: usize, file: &str) -> String {
    project.0.read(&format!(".gyeol/runs/recipe-001-fold-{fold}/{file}"))
}

/// The rows of a file of predictions, by id.
fn by_id(text: &str) -> BTreeMap<&str, &str> {
    text.lines().skip(1).map(|line| line.split_once(',').unwrap()).collect()
}

#[test]
fn every_row_is_predicted_by_the_fold_that_did_not_train_on_it() {
    let project = folded();
    let report = project.report(&[]);
    let out_of_fold = project.run_text(1, "valid.csv");
    let ids: Vec<&str> = out_of_fold.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(ids, (0..60).map(|row| format!("r{row}")).collect::<Vec<_>>(), "the order of the table");
    let all = by_id(&out_of_fold);
    let mut seen = 0;
    for fold in 1..=3 {
        let own = of_fold(&project, fold, "valid.csv");
        for (id, rest) in by_id(&own) {
            assert_eq!(all[id], rest, "{id} in fold {fold}");
            seen += 1;
        }
        let own: Value = serde_json::from_str(&of_fold(&project, fold, "report.json")).unwrap();
        assert_eq!((&own["train_rows"], &own["valid_rows"]), (&40.into(), &20.into()));
        assert_eq!(report["folds"]["runs"][fold - 1]["score"], own["score"]);
        assert!(of_fold(&project, fold, "recipe.toml").contains(&format!("only = {fold}")));
        // Its model stays, and nothing else that is large.
        let files = names(project.0.path().join(format!(".gyeol/runs/recipe-001-fold-{fold}")));
        assert_eq!(files, ["events.jsonl", "model", "recipe.toml", "report.json", "run.lock", "test.csv", "valid.csv"]);
    }
    assert_eq!(seen, 60);
    let files = ["events.jsonl", "recipe.toml", "report.json", "run.lock", "test.csv", "valid.csv"];
    assert_eq!(names(project.run_path(1, "")), files);
    assert_eq!((&report["run"], &report["valid_rows"]), (&"recipe-001".into(), &60.into()));
    let scores: Vec<f64> = (0..3).map(|at| report["folds"]["runs"][at]["score"].as_f64().unwrap()).collect();
    let mean = scores.iter().sum::<f64>() / 3.0;
    assert!((report["folds"]["mean"].as_f64().unwrap() - mean).abs() < 1e-12);
    // Folds of one size: the accuracy of all rows is the mean of theirs.
    assert!((report["score"].as_f64().unwrap() - mean).abs() < 1e-9);
    let evaluated = project.0.gyeol(&["evaluate", ".gyeol/runs/recipe-001/valid.csv", "train.csv", "--json"]).json();
    assert_eq!(evaluated["metrics"]["accuracy"], report["score"]);
}

#[test]
fn other_rows_get_the_mean_of_the_folds_models() {
    let project = folded();
    project.report(&["--set", "train.learning_rate=1e-2"]);
    let mean = project.run_text(1, "test.csv");
    let folds: Vec<String> = (1..=3).map(|fold| of_fold(&project, fold, "test.csv")).collect();
    let number = |row: &str| -> f64 { row.rsplit(',').next().unwrap().parse().unwrap() };
    for (id, row) in by_id(&mean) {
        let expected = folds.iter().map(|fold| number(by_id(fold)[id])).sum::<f64>() / 3.0;
        assert!((number(row) - expected).abs() < 1e-7, "{id}: {row} but {expected}");
    }
    for name in ["recipe-001", ".gyeol/runs/recipe-001"] {
        let ran = project.0.gyeol(&["predict", name, "test.csv", "-o", "out.csv"]);
        assert_eq!(ran.code, Some(0), "{}", ran.all());
        assert_eq!(project.0.read("out.csv"), mean);
    }
    let piped = project.0.gyeol_reading(&["predict", "recipe-001", "-", "-o", "-"], &project.0.read("test.csv"));
    assert_eq!(piped.stdout, mean, "{}", piped.stderr);
    let ran = project.0.gyeol(&["predict", "recipe-001", "test.csv", "-o", "out.csv", "--logits"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("error: --logits: 3 models predict together"), "{}", ran.stderr);
    // One fold is a run like any other.
    let ran = project.0.gyeol(&["predict", "recipe-001-fold-2", "test.csv", "-o", "out.csv"]);
    assert_eq!((ran.code, project.0.read("out.csv")), (Some(0), folds[1].clone()), "{}", ran.stderr);
}

#[test]
fn a_fold_alone_is_the_same_as_among_the_others() {
    let project = folded();
    project.report(&[]);
    project.report(&["--set", "folds.only=2"]);
    assert_eq!(project.run_text(2, "valid.csv"), of_fold(&project, 2, "valid.csv"));
    assert!(
        project.weights(2)
            == fs::read(project.0.path().join(".gyeol/runs/recipe-001-fold-2/model/model.safetensors")).unwrap()
    );
}

#[test]
fn rows_to_validate_on_join_the_folds_and_both_tables_evaluate_them() {
    let project = folded();
    let dev: String = (60..69).map(review).collect();
    project.0.write("dev.csv", &format!("ID,review,label\n{dev}"));
    let report = project.report(&["--set", "data.valid=dev.csv"]);
    assert_eq!((&report["train_rows"], &report["valid_rows"]), (&69.into(), &69.into()));
    let predictions = ".gyeol/runs/recipe-001/valid.csv";
    let evaluated = project.0.gyeol(&["evaluate", predictions, "train.csv", "dev.csv", "--json"]).json();
    assert_eq!(evaluated["metrics"]["accuracy"], report["score"]);
    project.0.write("dev.csv", &reviews(3));
    let ran = project.train(&["--set", "data.valid=dev.csv"]);
    assert_eq!(ran.code, Some(2));
    let words = "id \"r0\" (column \"ID\") is also that of ";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
}

#[test]
fn scores_of_pairs_are_folded_by_bucket() {
    let project = Project::pairs();
    project.0.write("test.csv", "one,two\n영화 배우,정말 최고\n그냥 별로,영화 배우\n");
    let words = ["--set", "folds.k=4", "--set", "data.test=test.csv", "--set", "data.score_range=[0.0, 5.0]"];
    let report = project.report(&words);
    assert_eq!((&report["metric"], report["folds"]["runs"].as_array().unwrap().len()), (&"pearson".into(), 4));
    assert_eq!(project.predictions(1, "valid.csv").1.len(), 40);
    let ran = project.0.gyeol(&["predict", "recipe-001", "test.csv", "-o", "out.csv"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert_eq!(project.0.read("out.csv"), project.run_text(1, "test.csv"));
}

#[test]
fn runs_tell_which_folds_belong_together() {
    let project = folded();
    let ran = project.train(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    for words in [" out of fold, on 60 rows", "recipe-001-fold-3", "standard deviation over folds"] {
        assert!(ran.stdout.contains(words), "{words} not in\n{}", ran.stdout);
    }
    let listed = project.0.gyeol(&["runs", "ls"]).stdout;
    let first: Vec<&str> = listed.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(first, ["recipe-001", "recipe-001-fold-1", "recipe-001-fold-2", "recipe-001-fold-3"]);
    let listed = project.0.gyeol(&["runs", "ls", "--json"]).json();
    assert_eq!(listed[2]["fold_of"], "recipe-001");
    let shown = project.0.gyeol(&["runs", "show", "recipe-001", "--json"]).json();
    assert_eq!(shown["folds"].as_array().unwrap().len(), 3);
    assert_eq!(shown["steps"], shown["total_steps"]);
    let shown = project.0.gyeol(&["runs", "show", "recipe-001-fold-2"]).stdout;
    assert!(shown.contains("2 of recipe-001\n"), "{shown}");
}

#[test]
fn a_dry_run_counts_every_fold_and_leaves_none() {
    let project = folded();
    let before = project.files();
    let estimate = project.report(&["--dry-run"]);
    assert_eq!(
        (&estimate["runs"], &estimate["train_rows"], &estimate["valid_rows"]),
        (&3.into(), &40.into(), &20.into())
    );
    assert_eq!(project.files(), before);
}

#[test]
fn folds_that_cannot_be_made_are_told_before_a_run_is() {
    let project = folded();
    for (set, words) in [
        ("folds.k=1", "folds.k: 1 leaves nothing to train on"),
        ("folds.k=61", "folds.k: 60 rows cannot make 61 folds; use a smaller k"),
        ("folds.only=4", "folds.only: 4 is no fold; use 1 to 3"),
        ("folds.folds=4", "unknown key"),
    ] {
        let ran = project.train(&["--set", set]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.all());
        assert!(ran.stderr.contains(words), "{words} not in\n{}", ran.stderr);
    }
    assert!(!project.run_path(1, "").exists());
}

#[test]
fn the_base_is_adapted_once_for_all_folds() {
    let project = folded();
    let recipe = project.0.read("recipe.toml").replace("init = \"random\"\n", "");
    // A base with weights: those of a run.
    project.report(&["--set", "name=base", "--set", "data.holdout=0.5", "--set", "folds.only=1"]);
    let model = project.0.path().join(".gyeol/runs/base-001/model");
    let recipe = recipe.replace("base = \"base\"", &format!("base = '{}'", model.display()));
    project.0.write("recipe.toml", &format!("{recipe}\n[adapt]\nepochs = 1\nbatch_size = 8\n"));
    let report = project.report(&[]);
    assert_eq!(report["adapted_by"], "recipe-adapt-001");
    for fold in 1..=3 {
        let own: Value = serde_json::from_str(&of_fold(&project, fold, "report.json")).unwrap();
        assert_eq!(own["adapted_by"], "recipe-adapt-001");
    }
    let adapted: Value = serde_json::from_str(&project.0.read(".gyeol/runs/recipe-adapt-001/report.json")).unwrap();
    assert_eq!(adapted["train_rows"].as_u64().unwrap() + adapted["valid_rows"].as_u64().unwrap(), 75);
    assert!(!project.0.path().join(".gyeol/runs/recipe-adapt-002").exists());
}

#[test]
#[cfg(unix)]
fn a_run_with_folds_killed_twice_ends_at_the_same_file() {
    let unbroken = folded();
    let words = ["--set", "train.max_steps=150", "--set", "train.evaluate_every=2", "--set", "train.keep=1"];
    unbroken.report(&words);
    let project = folded();
    let resumed = [&words[..], &["--resume"]].concat();
    // In the second fold, and in the third; somewhere among its steps.
    for (fold, steps) in [(2, 71), (3, 23)] {
        let mut command = project.0.command(&[&["train", "recipe.toml"], &resumed[..]].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let journal = project.0.path().join(format!(".gyeol/runs/recipe-001-fold-{fold}/events.jsonl"));
        let reached =
            || fs::read_to_string(&journal).is_ok_and(|text| text.matches("\"event\":\"step\"").count() >= steps);
        while !reached() {
            assert!(child.try_wait().unwrap().is_none(), "the run ended before it was killed");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let error = project.0.gyeol(&["predict", "recipe-001", "test.csv", "-o", "out.csv"]);
        assert_eq!(error.code, Some(2), "{}", error.all());
    }
    let ran = project.train(&resumed);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(ran.stderr.contains("fold 2 of 3 is finished already: recipe-001-fold-2"), "{}", ran.stderr);
    for file in ["valid.csv", "test.csv"] {
        assert_eq!(project.run_text(1, file), unbroken.run_text(1, file), "{file}");
    }
    assert!(!project.run_path(2, "").exists());
    let seeds = project.report(&[&words[..], &["--seeds", "7,8", "--resume"]].concat());
    assert_eq!(seeds["scores"][0]["run"], "recipe-001", "a finished run with folds counts for its seed");
}

#[test]
#[cfg(unix)]
fn ctrl_c_in_a_fold_says_how_to_go_on() {
    let project = folded();
    let words = ["train", "recipe.toml", "--set", "train.max_steps=2000"];
    let mut child = project.0.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let journal = project.0.path().join(".gyeol/runs/recipe-001-fold-1/events.jsonl");
    while !fs::read_to_string(&journal).is_ok_and(|text| text.matches("\"event\":\"step\"").count() >= 10) {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it was stopped");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let sent = std::process::Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap();
    assert!(sent.success());
    let ran = crate::support::Ran::of(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(130), ""), "{}", ran.all());
    assert!(ran.stderr.contains("hint: the run recipe-001-fold-1 is saved at step "), "{}", ran.stderr);
    let status = |run: &str| project.0.gyeol(&["runs", "show", run, "--json"]).json()["status"].clone();
    assert_eq!((status("recipe-001"), status("recipe-001-fold-1")), ("interrupted".into(), "interrupted".into()));
}

#[test]
fn folds_of_other_tables_are_not_taken_for_those_of_these() {
    let project = folded();
    project.report(&[]);
    // As a kill in the last fold leaves it.
    fs::remove_dir_all(project.0.path().join(".gyeol/runs/recipe-001-fold-3")).unwrap();
    let journal = project.run_text(1, "events.jsonl");
    let begun: String =
        journal.lines().filter(|line| !line.contains("finished")).map(|line| format!("{line}\n")).collect();
    fs::write(project.run_path(1, "events.jsonl"), begun).unwrap();
    fs::remove_file(project.run_path(1, "report.json")).unwrap();
    project.0.write("train.csv", &reviews(60).replace("영화", "결말"));
    let ran = project.train(&["--resume"]);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    let problem = "--resume: the tables are no longer those recipe-001-fold-1 was trained with; start a new run";
    assert!(ran.stderr.contains(problem), "{}", ran.stderr);
    project.0.write("train.csv", &reviews(60));
    let ran = project.train(&["--resume"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
}

#[test]
fn the_report_of_folds_has_their_class_weights_and_warnings() {
    let project = folded();
    let report = project.report(&["--set", "loss.class_weights=[1.0, 3.0]"]);
    let weights: Vec<f64> =
        report["class_weights"].as_array().unwrap().iter().map(|class| class["weight"].as_f64().unwrap()).collect();
    assert_eq!(weights, [0.5, 1.5]);
    let warnings: Vec<&str> =
        report["warnings"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    let of = |run: &str| warnings.iter().filter(|text| text.starts_with(run) && text.contains("class_weights")).count();
    assert_eq!((of("loss.class_weights"), of("recipe-001-fold-1: ")), (1, 1), "{warnings:?}");
}
