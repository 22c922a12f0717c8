//! `gyeol ensemble`: members of all kinds, matched by id; honest scores; what is kept.

use std::{fmt::Write as _, fs};

use serde_json::Value;

use crate::project::{LABELS, Project, names};
use crate::support::{Ran, Sandbox};

/// Reviews, and two runs of the same rows: `one-001` and `two-001`.
fn two_runs() -> Project {
    let project = Project::reviews();
    project.report(&["--set", "name=one"]);
    project.report(&["--set", "name=two", "--set", "train.learning_rate=5e-3", "--set", "train.epochs=4"]);
    project
}

fn ensemble(project: &Project, words: &[&str]) -> Ran {
    project.0.gyeol(&[&["ensemble"], words].concat())
}

/// A whole number from 0 to 99 that looks drawn (the finaliser of SplitMix64).
fn drawn(row: usize, of: usize) -> usize {
    let mut bits = (row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(of as u64 * 0xbf58_476d);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) % 100) as usize
}

/// 200 rows of three classes, and files of three tools that are right 70, 60 and 50 times of a hundred.
fn tools() -> Sandbox {
    let sandbox = Sandbox::new();
    let truth = |row: usize| row * 5 % 3;
    let mut table = "id,label\n".to_owned();
    (0..200).for_each(|row| writeln!(table, "r{row},{}", ["나쁨", "보통", "좋음"][truth(row)]).unwrap());
    sandbox.write("truth.csv", &table);
    for (tool, right) in [(0, 70), (1, 60), (2, 50)] {
        for (file, rows) in [("valid", 0..200), ("test", 1000..1040)] {
            let mut text = "id,p_나쁨,p_보통,p_좋음\n".to_owned();
            for row in rows {
                let class = if drawn(row, tool) < right { truth(row) } else { (truth(row) + 1 + row % 2) % 3 };
                let sure = 40 + drawn(row + 500, tool) / 2;
                let p = |of: usize| {
                    if of == class {
                        sure
                    } else {
                        (100 - sure) / 2 + (100 - sure) % 2 * usize::from(of == (class + 1) % 3)
                    }
                };
                let cell = |of: usize| format!("{:.2}", p(of) as f64 / 100.0);
                writeln!(text, "r{row},{},{},{}", cell(0), cell(1), cell(2)).unwrap();
            }
            sandbox.write(&format!("tool{tool}/{file}.csv"), &text);
        }
    }
    sandbox
}

const TRUTH: [&str; 6] = ["--truth", "truth.csv", "--label", "label", "--id", "id"];

fn of_tools(sandbox: &Sandbox, words: &[&str]) -> Ran {
    sandbox.gyeol(&[&["ensemble"], words, &TRUTH].concat())
}

#[test]
fn every_method_is_told_with_its_honest_score() {
    let sandbox = tools();
    let ran = of_tools(&sandbox, &["tool0", "tool1", "tool2"]);
    insta::assert_snapshot!("ensemble", ran.all());
    let document = of_tools(&sandbox, &["tool0", "tool1", "tool2", "--json"]).json();
    let names: Vec<&str> =
        document["methods"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["soft", "geometric", "hard", "weighted", "sharpened", "greedy", "simplex", "stacked"]);
    let weights: Vec<f64> =
        document["weights"].as_array().unwrap().iter().map(|weight| weight.as_f64().unwrap()).collect();
    let scores: Vec<f64> =
        document["members"].as_array().unwrap().iter().map(|row| row["score"].as_f64().unwrap()).collect();
    for (weight, score) in weights.iter().zip(&scores) {
        assert!((weight - score / scores.iter().sum::<f64>()).abs() < 1e-9, "weights are the normalised scores");
    }
    assert_eq!(document["best"], 0);
}

#[test]
fn order_of_rows_and_columns_means_nothing() {
    let sandbox = tools();
    let words = ["tool0", "tool1", "--method", "stacked", "-o", "out.csv", "--json"];
    let before = of_tools(&sandbox, &words).json();
    let predictions = sandbox.read("out.csv");
    for file in ["valid", "test"] {
        let text = sandbox.read(&format!("tool1/{file}.csv"));
        let mut lines: Vec<String> = text
            .lines()
            .map(|line| {
                let cells: Vec<&str> = line.split(',').collect();
                [cells[0], cells[3], cells[1], cells[2]].join(",")
            })
            .collect();
        lines[1..].reverse();
        sandbox.write(&format!("tool1/{file}.csv"), &(lines.join("\n") + "\n"));
    }
    let truth = sandbox.read("truth.csv");
    let mut rows: Vec<&str> = truth.lines().collect();
    rows[1..].reverse();
    sandbox.write("truth.csv", &(rows.join("\n") + "\n"));
    let after = of_tools(&sandbox, &words).json();
    assert_eq!(after, before);
    assert_eq!(sandbox.read("out.csv"), predictions);
}

#[test]
fn a_missing_member_is_named_and_left_out_on_request() {
    let sandbox = tools();
    sandbox.write("broken/valid.csv", "id,p_나쁨,p_보통,p_좋음\nr0,0.5,x,0.5\n");
    sandbox.write("elsewhere/valid.csv", "id,p_나쁨,p_보통,p_좋음\nx,0.5,0.25,0.25\n");
    let rows: String = (1000..1039).map(|row| format!("r{row},0.5,0.25,0.25\n")).collect();
    sandbox.write("short.csv", &format!("id,p_나쁨,p_보통,p_좋음\n{rows}"));
    for (word, said) in [
        ("elsewhere", "none of its 1 rows, such as \"x\", is in truth.csv"),
        ("short=tool2/valid.csv,short.csv", "it predicted 39 test rows, tool0 40"),
        ("none", "no run \"none\""),
        ("none=none.csv", "there is no file none.csv"),
        ("broken", "valid.csv line 2 (row 1, id \"r0\"), column `p_보통`: \"x\" is not a number"),
    ] {
        let words = ["tool0", word, "tool1", "--json"];
        let ran = of_tools(&sandbox, &words);
        assert_eq!(ran.code, Some(2), "{}", ran.all());
        assert!(ran.stderr.contains(said), "{}", ran.all());
        let ran = of_tools(&sandbox, &[&words[..], &["--allow-missing"]].concat());
        assert!(ran.stderr.contains("is left out"), "{}", ran.all());
        let mut document = ran.json();
        assert_eq!(document["left_out"].as_array().unwrap().len(), 1);
        document.as_object_mut().unwrap().remove("left_out");
        assert_eq!(document, of_tools(&sandbox, &["tool0", "tool1", "--json"]).json());
    }
}

#[test]
fn a_saved_ensemble_is_a_run_a_member_and_a_model() {
    let project = two_runs();
    let ran = ensemble(&project, &["one-001", "two-001", "--save", "both", "--method", "soft"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let files = names(project.0.path().join(".gyeol/runs/both"));
    let expected = ["ensemble.json", "events.jsonl", "recipe.toml", "report.json", "run.lock", "test.csv", "valid.csv"];
    assert_eq!(files, expected);
    let report: Value = serde_json::from_str(&project.0.read(".gyeol/runs/both/report.json")).unwrap();
    let evaluated = project.0.gyeol(&["evaluate", ".gyeol/runs/both/valid.csv", "train.csv", "--json"]).json();
    assert_eq!(evaluated["metrics"]["accuracy"], report["score"]);
    let listed = project.0.gyeol(&["runs", "ls", "--json"]).json();
    assert!(listed.to_string().contains("\"both\""), "{listed}");
    let ran = project.0.gyeol(&["predict", "both", "test.csv", "-o", "out.csv"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert_eq!(project.0.read("out.csv"), project.0.read(".gyeol/runs/both/test.csv"));
    // The mean of the two, row by row.
    let number = |file: &str, row: usize| -> f32 {
        let text = project.0.read(file);
        text.lines().nth(row + 1).unwrap().rsplit(',').next().unwrap().parse().unwrap()
    };
    for row in 0..15 {
        let [one, two] = ["one-001", "two-001"].map(|run| number(&format!(".gyeol/runs/{run}/test.csv"), row));
        assert!((number("out.csv", row) - f32::midpoint(one, two)).abs() < 1e-6);
    }
    let nested = ensemble(&project, &["both", "one-001", "--save", "nested", "--method", "geometric"]);
    assert_eq!(nested.code, Some(0), "{}", nested.all());
    let ran = project.0.gyeol(&["predict", "nested", "test.csv", "-o", "out.csv"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert_eq!(project.0.read("out.csv"), project.0.read(".gyeol/runs/nested/test.csv"));
    let again = ensemble(&project, &["one-001", "two-001", "--save", "both"]);
    assert_eq!(again.code, Some(2), "{}", again.all());
    assert!(again.stderr.contains("a run is called both already"), "{}", again.stderr);
}

#[test]
fn labels_of_another_table_are_reconciled_by_the_rows_both_have() {
    let project = two_runs();
    let same = ensemble(&project, &["one-001", "two-001", "--json"]).json();
    let mut table = project.0.read("train.csv");
    for (label, other) in LABELS.into_iter().zip(["0", "1"]) {
        table = table.replace(&format!(",{label}\n"), &format!(",{other}\n"));
    }
    project.0.write("other.csv", &table);
    let words = [
        "--set",
        "name=other",
        "--set",
        "data.train=other.csv",
        "--set",
        "train.learning_rate=5e-3",
        "--set",
        "train.epochs=4",
    ];
    project.report(&words);
    let ran = ensemble(&project, &["one-001", "other-001", "--json", "-o", "out.csv"]);
    assert!(
        ran.stderr.contains("other-001: its labels by the rows both tables have: 0 is neg, 1 is pos"),
        "{}",
        ran.all()
    );
    let document = ran.json();
    assert_eq!(document["methods"], same["methods"]);
    assert_eq!(document["weights"], same["weights"]);
    assert!(project.0.read("out.csv").starts_with("ID,prediction,p_neg,p_pos\n"));
    let saved = ensemble(&project, &["one-001", "other-001", "--save", "both"]);
    assert_eq!(saved.code, Some(0), "{}", saved.all());
    let ran = project.0.gyeol(&["predict", "both", "test.csv", "-o", "again.csv"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert_eq!(project.0.read("again.csv"), project.0.read("out.csv"));
}

#[test]
fn scores_are_combined_by_ranks_and_buckets_too() {
    let project = Project::pairs();
    project.report(&["--set", "name=one"]);
    project.report(&["--set", "name=two", "--set", "train.learning_rate=5e-3", "--set", "train.epochs=4"]);
    let document = ensemble(&project, &["one-001", "two-001", "--folds", "2", "--json"]).json();
    assert_eq!(document["metric"], "pearson");
    let names: Vec<&str> =
        document["methods"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["soft", "weighted", "sharpened", "rank", "buckets", "greedy", "simplex", "stacked"]);
    let ran = ensemble(&project, &["one-001", "two-001", "--method", "hard"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("--method: hard is not for regression; choose one of: soft,"), "{}", ran.stderr);
}

#[test]
fn members_that_do_not_go_together_are_refused() {
    let project = two_runs();
    let sandbox = tools();
    let check = |ran: Ran, said: &str| {
        assert_eq!(ran.code, Some(2), "{}", ran.all());
        assert!(ran.stderr.contains(said), "{}", ran.all());
    };
    check(ensemble(&project, &["one-001"]), "there have to be 2 or more");
    check(ensemble(&project, &["one-001", "one-001"]), "\"one-001\" is named twice");
    check(ensemble(&project, &["one-001", "two-01"]), "did you mean");
    check(ensemble(&project, &["one-001", "two-001", "--metric", "pearson"]), "metric `pearson` does not apply");
    check(ensemble(&project, &["one-001", "two-001", "--metric", "loss"]), "metric `loss` does not apply");
    check(sandbox.gyeol(&["ensemble", "tool0", "tool1"]), "--truth: no member is a run");
    project.0.write("train2.csv", &project.0.read("train.csv"));
    let words = ["one-001", "two-001", "--truth", "train2.csv", "--label", "label", "--id", "ID"];
    check(ensemble(&project, &words), "--truth: the members' recipes say where their labels are");
    project.report(&["--set", "name=third", "--set", "data.holdout=0"]);
    check(ensemble(&project, &["one-001", "third-001"]), "it has no valid.csv: no row was held out");
    // Test rows given for validation rows.
    let tests = ["a=tool0/test.csv,tool0/test.csv", "b=tool1/test.csv,tool1/test.csv"];
    let mut table = "id,label\n".to_owned();
    (1000..1040).for_each(|row| writeln!(table, "r{row},{}", ["나쁨", "보통", "좋음"][row % 3]).unwrap());
    sandbox.write("answers.csv", &table);
    let words = [&["ensemble"], &tests[..], &["--truth", "answers.csv", "--label", "label", "--id", "id"]].concat();
    check(sandbox.gyeol(&words), "40 of the 40 rows to fit weights to are test rows");
}

/// A sample for the test rows of [`tools`], the last first, in CP949 behind a byte-order mark, everything quoted.
fn sample(sandbox: &Sandbox, name: &str, ids: impl DoubleEndedIterator<Item = usize>) {
    let rows: String = ids.rev().map(|row| format!("\"r{row}\",\"보통\"\r\n")).collect();
    let text = format!("\"식별자\",\"정답\"\r\n{rows}");
    let (bytes, _, lossy) = encoding_rs::EUC_KR.encode(&text);
    assert!(!lossy);
    fs::write(sandbox.path().join(name), [b"\xef\xbb\xbf", &*bytes].concat()).unwrap();
}

#[test]
fn a_submission_keeps_the_conventions_of_the_sample_and_is_made_again_bit_for_bit() {
    let sandbox = tools();
    sample(&sandbox, "sample.csv", 1000..1040);
    let words = ["tool0", "tool1", "tool2", "--submission", "sample.csv", "-o", "out.csv", "--adjust", "prior"];
    let ran = of_tools(&sandbox, &words);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(ran.stdout.contains("adjusted by prior: accuracy 0."), "{}", ran.all());
    let bytes = fs::read(sandbox.path().join("out.csv")).unwrap();
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap();
    let text = encoding_rs::EUC_KR.decode_without_bom_handling_and_without_replacement(text).unwrap();
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert_eq!((lines[0], lines.len(), lines[41]), ("\"식별자\",\"정답\"", 42, ""));
    for (at, line) in lines[1..41].iter().enumerate() {
        let (id, label) = line.split_once(',').unwrap();
        assert_eq!(id, format!("\"r{}\"", 1039 - at));
        assert!(["\"나쁨\"", "\"보통\"", "\"좋음\""].contains(&label), "{line}");
    }
    let ledger = sandbox.gyeol(&["runs", "submissions", "--json"]).json();
    assert_eq!(ledger["submissions"][0]["run"], "submission-001");
    assert_eq!(ledger["today"], 1);
    let ran = sandbox.gyeol(&["runs", "show", "submission-001", "--submission", "again.csv"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert_eq!(fs::read(sandbox.path().join("again.csv")).unwrap(), bytes);

    sample(&sandbox, "other.csv", 1001..1041);
    let ran = of_tools(&sandbox, &["tool0", "tool1", "--submission", "other.csv", "-o", "none.csv"]);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("\"r1040\"") && ran.stderr.contains("\"r1000\""), "{}", ran.stderr);
    assert!(!sandbox.path().join("none.csv").exists());
    assert_eq!(sandbox.gyeol(&["runs", "submissions", "--json"]).json()["today"], 1, "nothing is kept of it");
}

#[test]
fn a_single_model_is_handed_in_the_same_way() {
    let sandbox = tools();
    sample(&sandbox, "sample.csv", 1000..1040);
    let ran = of_tools(&sandbox, &["tool1", "--submission", "sample.csv", "-o", "out.csv", "--save", "first"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let ran = sandbox.gyeol(&["runs", "show", "first", "--submission", "again.csv"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
}

#[test]
fn a_submission_is_made_again_after_its_home_has_moved() {
    let project = two_runs();
    let rows: String = (0..15).map(|row| format!("t{row},pos\n")).collect();
    project.0.write("sample.csv", &format!("ID,label\n{rows}"));
    let words = ["one-001", "two-001", "--submission", "sample.csv", "-o", "out.csv"];
    let ran = ensemble(&project, &words);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    fs::rename(project.0.path().join(".gyeol"), project.0.path().join("moved")).unwrap();
    let words = ["runs", "show", "submission-001", "--submission", "again.csv", "--home", "moved"];
    let ran = project.0.gyeol(&words);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert_eq!(project.0.read("again.csv"), project.0.read("out.csv"));
}
