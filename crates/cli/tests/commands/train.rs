//! `gyeol train`: what a run leaves, what it prints, and what its result depends on.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::{Value, json};

use crate::{
    project::{LABELS, Project, names, review, reviews, text},
    support::Ran,
};

/// Speeds, durations and sizes, which differ from run to run and from machine to machine.
fn settled(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(" rows in ") {
        Some((counts, _)) => format!("{counts} rows in […]"),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The labels of the training table by id.
fn labels(project: &Project) -> BTreeMap<String, String> {
    let table = project.0.read("train.csv");
    let rows = table.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    rows.map(|row| (row[0].clone(), row[2].clone())).collect()
}

/// The ids in the first column of a file of predictions.
fn ids(rows: &[Vec<String>]) -> Vec<&str> {
    rows.iter().map(|row| row[0].as_str()).collect()
}

#[test]
fn a_run_leaves_the_files_of_the_contract_and_nothing_half_written() {
    let project = Project::reviews();
    project.report(&["--set", "train.epochs=4", "--set", "train.keep=2"]);
    let files =
        ["checkpoints", "events.jsonl", "model", "recipe.toml", "report.json", "run.lock", "test.csv", "valid.csv"];
    assert_eq!(names(project.run_path(1, "")), files);
    let model =
        ["config.json", "gyeol.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"];
    assert_eq!(names(project.run_path(1, "model")), model);
    // The best checkpoints stay; the state to resume from has done its work.
    let checkpoints = names(project.run_path(1, "checkpoints"));
    assert_eq!(checkpoints.len(), 2);
    assert!(checkpoints.iter().all(|name| name.starts_with("step-") && name.ends_with(".safetensors")));
    assert_eq!(names(project.0.path().join(".gyeol")), ["cache", "runs", "store.db"]);
}

#[test]
fn the_report_has_every_field_and_is_what_json_prints() {
    let project = Project::reviews();
    let printed = project.report(&["--threads", "1", "--set", "train.precision=f32"]);
    let report: Value = serde_json::from_str(&project.run_text(1, "report.json")).unwrap();
    assert_eq!(printed, report);
    let keys: Vec<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    let of_the_contract = [
        ["score", "metrics", "metric", "steps", "train_seconds", "samples_per_second", "tokens_per_second"].as_slice(),
        &["predict_samples_per_second", "peak_rss_bytes", "threads", "isa", "precision"],
        &["data_fingerprint", "text_fingerprint"],
    ];
    for key in of_the_contract.concat() {
        assert!(keys.contains(&key), "{key} not in {keys:?}");
        assert!(!report[key].is_null(), "{key} is null");
    }
    let expected = json!({"run": "recipe-001", "task": "classification", "metric": "accuracy", "precision": "f32",
        "steps": 12, "train_rows": 45, "valid_rows": 15, "threads": 1});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&report[key], value, "{key}");
    }
    for key in ["train_seconds", "samples_per_second", "tokens_per_second", "predict_samples_per_second"] {
        assert!(report[key].as_f64().unwrap() > 0.0, "{key}");
    }
    let metrics: Vec<&str> = report["metrics"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(metrics, ["accuracy", "log_loss", "macro_f1"]);
    assert_eq!(report["metrics"]["accuracy"], report["score"]);
}

#[test]
fn the_score_is_that_of_the_predictions_written() {
    let project = Project::reviews();
    let report = project.report(&["--set", "train.epochs=6"]);
    let (header, rows) = project.predictions(1, "valid.csv");
    assert_eq!(header, "ID,prediction,p_neg,p_pos");
    let truth = labels(&project);
    let mut right = 0;
    for row in &rows {
        let [neg, pos]: [f64; 2] = [row[2].parse().unwrap(), row[3].parse().unwrap()];
        assert!((neg + pos - 1.0).abs() < 1e-5, "{row:?}");
        assert_eq!(row[1], LABELS[usize::from(pos > neg)], "{row:?}");
        right += usize::from(truth[&row[0]] == row[1]);
    }
    assert_eq!(report["score"], right as f64 / rows.len() as f64);
    assert_eq!(report["valid_rows"], rows.len());
}

#[test]
fn the_test_table_is_predicted_in_its_order() {
    let project = Project::reviews();
    project.report(&[]);
    let (header, rows) = project.predictions(1, "test.csv");
    assert_eq!(header, "ID,prediction,p_neg,p_pos");
    assert_eq!(ids(&rows), (0..15).rev().map(|row| format!("t{row}")).collect::<Vec<_>>());
}

#[test]
fn the_journal_tells_every_step_and_evaluation() {
    let project = Project::reviews();
    project.report(&["--set", "train.evaluate_every=5"]);
    let text = project.run_text(1, "events.jsonl");
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps = |kind: &str| -> Vec<u64> {
        let of_kind = events.iter().filter(|event| event["event"] == kind);
        of_kind.map(|event| event["step"].as_u64().unwrap()).collect()
    };
    assert_eq!(steps("step"), (1..=12).collect::<Vec<_>>());
    assert_eq!(steps("evaluation"), [5, 10, 12]);
    assert_eq!(events[0]["event"], "started");
    assert_eq!(events.last().unwrap()["event"], "finished");
}

#[test]
fn the_closing_summary_says_what_came_of_it_and_what_to_do_next() {
    let project = Project::reviews();
    let sets = ["train.epochs=4", "train.learning_rate=1e-2", "train.precision=f32"].map(|set| ["--set", set]);
    let words = [&["train", "recipe.toml"], sets.as_flattened()].concat();
    // One instruction set and precision, as the last digits are its own.
    let ran = Ran::of(project.0.command(&words).env("GYEOL_ISA", "portable").output().unwrap());
    insta::assert_snapshot!("train_summary", settled(&ran.all()));
}

#[test]
fn each_source_of_the_validation_rows_is_scored_apart() {
    let project = Project::reviews();
    let rows: String = (0..60).map(|row| format!("{},{}\n", review(row).trim_end(), ["web", "app"][row % 2])).collect();
    project.0.write("train.csv", &format!("ID,review,label,origin\n{rows}"));
    let ran = project.train(&["--set", "data.source=origin", "--set", "data.test=train.csv"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let table = ran.stdout.lines().skip_while(|line| *line != "Sources").nth(1);
    let header: Vec<&str> = table.expect("a table of the sources").split_whitespace().collect();
    assert_eq!(header, ["source", "rows", "accuracy", "log_loss", "macro_f1"]);
    let report: Value = serde_json::from_str(&project.run_text(1, "report.json")).unwrap();
    let sources = report["sources"].as_array().unwrap();
    assert_eq!(sources.len(), 2);
    let weighted: f64 =
        sources.iter().map(|one| one["rows"].as_f64().unwrap() * one["metrics"]["accuracy"].as_f64().unwrap()).sum();
    assert!((weighted / 15.0 - report["score"].as_f64().unwrap()).abs() < 1e-9, "{report}");
    assert!(project.report(&[]).get("sources").is_none());
}

#[test]
fn pairs_become_scores_within_their_range() {
    let project = Project::pairs();
    // A learning rate at which the raw outputs leave the range on both sides.
    let wild = ["--set", "train.learning_rate=0.1", "--set", "train.epochs=3", "--set", "train.precision=f32"];
    let report = project.report(&[&wild[..], &["--set", "data.score_range=[2.0, 2.5]"]].concat());
    assert_eq!((&report["task"], &report["metric"]), (&"regression".into(), &"pearson".into()));
    let metrics: Vec<&str> = report["metrics"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(metrics, ["loss", "pearson", "rmse", "spearman"]);
    let (header, rows) = project.predictions(1, "valid.csv");
    assert_eq!(header, "id,prediction");
    let scores: Vec<f64> = rows.iter().map(|row| row[1].parse().unwrap()).collect();
    assert!(scores.iter().all(|score| (2.0..=2.5).contains(score)), "{scores:?}");
    project.report(&wild);
    let free: Vec<f64> = project.predictions(2, "valid.csv").1.iter().map(|row| row[1].parse().unwrap()).collect();
    assert!(free.iter().any(|score| !(2.0..=2.5).contains(score)), "nothing was clamped: {free:?}");
}

#[test]
fn names_of_classes_are_for_people_and_the_files_keep_the_labels() {
    let project = Project::reviews();
    project.report(&["--set", "data.label_names=[\"부정\", \"긍정\"]"]);
    assert_eq!(project.predictions(1, "valid.csv").0, "ID,prediction,p_neg,p_pos");
    let file = |name: &str| -> Value { serde_json::from_str(&project.run_text(1, name)).unwrap() };
    assert_eq!(file("model/config.json")["id2label"], json!({"0": "neg", "1": "pos"}));
    let settings = file("model/gyeol.json");
    assert_eq!(settings["labels"], json!(["neg", "pos"]));
    assert_eq!(settings["label_names"], json!(["부정", "긍정"]));
}

#[test]
fn rows_of_a_group_are_held_out_together() {
    let project = Project::reviews();
    let rows: String = (0..60).map(|row| format!("{},g{}\n", review(row).trim_end(), row / 4)).collect();
    project.0.write("train.csv", &format!("ID,review,label,origin\n{rows}"));
    project.report(&["--set", "data.group=origin"]);
    let (_, held) = project.predictions(1, "valid.csv");
    let mut sizes = BTreeMap::<usize, usize>::new();
    for row in &held {
        *sizes.entry(row[0][1..].parse::<usize>().unwrap() / 4).or_default() += 1;
    }
    assert!(!sizes.is_empty() && sizes.values().all(|&size| size == 4), "{sizes:?}");
}

#[test]
fn without_a_holdout_every_row_trains_and_the_last_weights_are_kept() {
    let project = Project::reviews();
    let report = project.report(&["--set", "data.holdout=0"]);
    let expected = json!({"train_rows": 60, "valid_rows": 0, "score": null, "steps": 16, "best_step": 16});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&report[key], value, "{key}");
    }
    assert!(!project.run_path(1, "valid.csv").exists());
    assert_eq!(project.predictions(1, "test.csv").1.len(), 15);
    // Validation changes no weights, so a run whose last evaluation is its only one ends at the same.
    project.0.write("dev.csv", &project.0.read("train.csv"));
    project.report(&["--set", "data.valid=dev.csv", "--set", "train.evaluate_every=1000"]);
    assert!(project.weights(1) == project.weights(2));
}

#[test]
fn the_weights_of_the_best_evaluation_are_kept() {
    let project = Project::reviews();
    // The rate grows until it spoils a good beginning.
    let report = project.report(
        &[
            ["--set", "metric=log_loss"],
            ["--set", "train.evaluate_every=3"],
            ["--set", "train.learning_rate=1.0"],
            ["--set", "train.warmup_steps=12"],
            ["--set", "train.precision=f32"],
        ]
        .concat(),
    );
    let text = project.run_text(1, "events.jsonl");
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let scores: Vec<(u64, f64)> = events
        .filter(|event| event["event"] == "evaluation")
        .map(|event| (event["step"].as_u64().unwrap(), event["metrics"]["log_loss"].as_f64().unwrap()))
        .collect();
    let best = scores.iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    assert_ne!(best.0, 12, "the last is the best: nothing is shown by {scores:?}");
    assert_eq!((report["best_step"].as_u64(), report["score"].as_f64()), (Some(best.0), Some(best.1)));
    let checkpoint = fs::read(project.run_path(1, &format!("checkpoints/step-{:08}.safetensors", best.0))).unwrap();
    assert!(project.weights(1) == checkpoint);
}

#[test]
fn patience_ends_a_run_that_does_not_improve() {
    let project = Project::reviews();
    let sets = ["train.patience=2", "train.evaluate_every=1", "train.learning_rate=1e-12", "train.epochs=50"];
    let words: Vec<&str> = sets.into_iter().flat_map(|set| ["--set", set]).collect();
    // Weights that do not move never beat the first evaluation.
    assert_eq!(project.report(&words)["steps"], 3);
}

#[test]
fn a_validation_table_is_used_whole_and_what_it_shares_with_training_is_told() {
    let project = Project::reviews();
    let dev = format!("ID,review,label\nd0,영화 최고 배우 감동 결말 추천,pos\n{}d2,지루 최악 별로,neg\n", review(4));
    project.0.write("dev.csv", &dev);
    let ran = project.train(&["--set", "data.valid=dev.csv"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(ran.stderr.contains("dev.csv: 1 of 3 texts (33.3 %) are also in the training table"), "{}", ran.stderr);
    assert_eq!(ids(&project.predictions(1, "valid.csv").1), ["d0", "r4", "d2"]);
    let report: Value = serde_json::from_str(&project.run_text(1, "report.json")).unwrap();
    assert_eq!((&report["train_rows"], &report["valid_rows"]), (&60.into(), &3.into()));
}

#[test]
fn a_set_reaches_the_run_and_its_recipe() {
    let project = Project::reviews();
    let report = project.report(&["--set", "train.max_steps=3", "--set", "metric=macro_f1", "--set", "name=tuned"]);
    assert_eq!(
        (&report["steps"], &report["metric"], &report["run"]),
        (&3.into(), &"macro_f1".into(), &"tuned-001".into())
    );
    let recipe = project.0.read(".gyeol/runs/tuned-001/recipe.toml");
    for line in
        ["max_steps = 3", "metric = \"macro_f1\"", "seed = 7", "task = \"classification\"", "weight_decay = 0.01"]
    {
        assert!(recipe.contains(line), "{line} not in\n{recipe}");
    }
}

#[test]
fn seeds_are_a_run_each_and_a_mean() {
    let project = Project::reviews();
    let told = project.report(&["--seeds", "1,2"]);
    let scores: Vec<f64> = (0..2).map(|at| told["scores"][at]["score"].as_f64().unwrap()).collect();
    assert_eq!((&told["scores"][0]["seed"], &told["scores"][1]["run"]), (&1.into(), &"recipe-002".into()));
    assert!((told["mean"].as_f64().unwrap() - (scores[0] + scores[1]) / 2.0).abs() < 1e-12);
    assert!(project.weights(1) != project.weights(2));
    assert!(project.run_text(2, "recipe.toml").contains("seed = 2\n"));
    for (at, run) in told["runs"].as_array().unwrap().iter().enumerate() {
        assert_eq!(run, &serde_json::from_str::<Value>(&project.run_text(at + 1, "report.json")).unwrap());
    }
}

#[test]
fn resuming_several_seeds_trains_only_those_that_are_missing() {
    let project = Project::reviews();
    project.report(&["--seeds", "1"]);
    let told = project.report(&["--seeds", "1,2", "--resume"]);
    assert_eq!((&told["scores"][0]["run"], &told["scores"][1]["run"]), (&"recipe-001".into(), &"recipe-002".into()));
    assert_eq!(project.report(&["--seeds", "1,2", "--resume"]), told);
}

#[test]
fn a_dry_run_measures_and_leaves_no_run() {
    let project = Project::reviews();
    let before = project.files();
    let estimate = project.report(&["--dry-run"]);
    let expected = json!({"train_rows": 45, "valid_rows": 15, "test_rows": 15, "steps": 12, "evaluations": 2});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&estimate[key], value, "{key}");
    }
    for key in ["parameters", "tokens_per_second", "seconds", "memory_bytes", "disk_bytes"] {
        assert!(estimate[key].as_f64().unwrap() > 0.0, "{key}");
    }
    assert_eq!(project.files(), before);
    let ran = project.train(&["--dry-run"]);
    assert!(ran.stdout.contains("12, 2 evaluations"), "{}", ran.all());
    assert!(ran.stdout.contains("no run was made"), "{}", ran.all());
}

#[test]
fn the_seed_decides_the_bits_and_the_threads_do_not() {
    let project = Project::reviews();
    for threads in ["1", "1", "2", "3"] {
        project.report(&["--threads", threads]);
    }
    for run in 2..=4 {
        assert!(project.weights(run) == project.weights(1), "run {run}");
        assert_eq!(project.run_text(run, "valid.csv"), project.run_text(1, "valid.csv"));
    }
    project.report(&["--set", "seed=8"]);
    assert!(project.weights(5) != project.weights(1));
}

#[test]
fn reordering_rows_and_adding_a_column_moves_nobody_between_the_parts() {
    let project = Project::reviews();
    project.report(&[]);
    let rows = (0..60).map(|at| at * 17 % 60);
    let table: String = rows.map(|row| format!("x{row},{}", review(row))).collect();
    project.0.write("train.csv", &format!("note,ID,review,label\n{table}"));
    project.report(&[]);
    let held: Vec<BTreeSet<String>> = (1..=2)
        .map(|run| project.predictions(run, "valid.csv").1.into_iter().map(|mut row| row.swap_remove(0)).collect())
        .collect();
    assert_eq!(held[0], held[1]);
}

#[test]
fn empty_and_enormous_texts_keep_their_place_and_are_told() {
    let project = Project::reviews();
    let enormous = "최고 ".repeat((1 << 20) / "최고 ".len());
    project.0.write("train.csv", &format!("{}e0,,neg\ne1,{enormous},pos\n", reviews(58)));
    project.0.write("test.csv", &format!("ID,review\nt0,{}\nt1,{enormous}\nt2,\n", text(1, 1)));
    let ran = project.train(&["--set", "data.holdout=0"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let report: Value = serde_json::from_str(&project.run_text(1, "report.json")).unwrap();
    let kept: Vec<&str> = report["warnings"].as_array().unwrap().iter().map(|said| said.as_str().unwrap()).collect();
    let journal = project.run_text(1, "events.jsonl");
    for warning in [
        "train.csv: 1 of 60 texts are empty; they are kept",
        "train.csv: 1 of 60 texts (1.7 %) are longer than 32 tokens and were cut",
        "test.csv: 1 of 3 texts are empty; they are kept",
        "test.csv: 1 of 3 texts (33.3 %) are longer than 32 tokens and were cut",
    ] {
        assert!(ran.stderr.contains(warning), "{warning} not in\n{}", ran.stderr);
        assert!(kept.iter().any(|said| said.ends_with(warning)), "{warning} not in {kept:?}");
        assert!(journal.contains(warning), "{warning} not in\n{journal}");
    }
    assert_eq!(ids(&project.predictions(1, "test.csv").1), ["t0", "t1", "t2"]);
    assert_eq!(report["train_rows"], 60);
}

#[test]
fn a_home_that_takes_no_runs_is_refused_before_the_work() {
    let project = Project::reviews();
    project.0.write("file", "");
    for words in [&["--home", "file"][..], &["--home", "file/below", "--dry-run"]] {
        let ran = project.train(words);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.all());
        assert!(ran.stderr.starts_with("error: --home: file is no directory\nhint: "), "{}", ran.all());
    }
    #[cfg(target_os = "linux")]
    for words in [&["--home", "/proc/home"][..], &["--home", "/proc/home", "--dry-run"]] {
        let ran = project.train(words);
        assert_eq!(ran.code, Some(2), "{}", ran.all());
        assert!(ran.stderr.starts_with("error: --home: cannot write to the directory /proc ("), "{}", ran.all());
    }
}

#[test]
fn a_dry_run_counts_every_seed() {
    let project = Project::reviews();
    let one = project.report(&["--dry-run"]);
    let three = project.report(&["--dry-run", "--seeds", "1,2,3"]);
    assert_eq!((&one["runs"], &three["runs"]), (&1.into(), &3.into()));
    assert_eq!(three["disk_bytes"].as_u64(), one["disk_bytes"].as_u64().map(|bytes| 3 * bytes));
    let folds = project.train(&["--dry-run", "--seeds", "1,2", "--set", "folds.k=3"]);
    let said = "no run was made. 3 folds for each of 2 seeds; rows and steps are those of one";
    assert!(folds.stdout.contains(said), "{}", folds.all());
}

#[test]
fn a_warm_up_that_is_not_read_or_as_long_as_the_training_is_warned_of() {
    let project = Project::reviews();
    let warned = |words: &[&str]| project.train(&[words, &["--dry-run"]].concat()).stderr;
    // 45 rows in batches of 8, twice.
    let all = warned(&["--set", "train.warmup_steps=12"]);
    assert!(all.contains("train.warmup_steps: the warm-up takes all 12 steps of the training"), "{all}");
    let ratio = warned(&["--set", "train.warmup_ratio=1.0"]);
    assert!(ratio.contains("train.warmup_ratio: the warm-up takes all 12 steps of the training"), "{ratio}");
    assert!(!warned(&["--set", "train.warmup_steps=11"]).contains("warm"));
    let both = warned(&["--set", "train.warmup_steps=3", "--set", "train.warmup_ratio=0.1"]);
    assert!(both.contains("train.warmup_ratio: 0.1 is not read, as train.warmup_steps is 3"), "{both}");
}
