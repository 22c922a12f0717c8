//! `gyeol runs submissions`, and of the other commands about runs what concerns ensembles and what was handed in.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use gyeol_eval::{
    Metric, Task,
    ensemble::{Fitted, Method, Rule},
    submission::Sample,
};
use gyeol_pipeline::{
    ensemble::{PredictionsFile, Saved, SavedMember, Source, combine_files, file_fingerprint},
    runs::Runs,
    submission::Submission,
};

use crate::support::{Ran, Sandbox};

/// A sample of a kind that Korean competitions hand out: CP949 behind a UTF-8 mark, quoted ids, another order.
const SAMPLE: &str = "\"아이디\",감정\r\n\"c\",긍정\r\n\"a\",긍정\r\n\"b\",긍정\r\n";

/// Midnight between the 22nd and the 23rd of November 2025 in Greenwich.
const MIDNIGHT: f64 = 1_763_856_000.0;

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// A finished run.
fn run(sandbox: &Sandbox, name: &str) {
    sandbox.write(&format!(".gyeol/runs/{name}/recipe.toml"), "seed = 42\n");
    let begun = now() as u64 - 5 * 24 * 3600 - 1800;
    let started = format!("{{\"time\":{begun}.0,\"event\":\"started\",\"metric\":\"accuracy\",\"total_steps\":4}}\n");
    let finished = format!("{{\"time\":{}.0,\"event\":\"finished\",\"score\":0.8125}}\n", begun + 70);
    sandbox.write(&format!(".gyeol/runs/{name}/events.jsonl"), &(started + &finished));
}

fn predictions(sandbox: &Sandbox, path: &str, text: &str) -> PredictionsFile {
    sandbox.write(path, text);
    PredictionsFile { path: PathBuf::from(path), fingerprint: file_fingerprint(text.as_bytes()) }
}

fn sample() -> Sample {
    let (bytes, ..) = encoding_rs::EUC_KR.encode(SAMPLE);
    Sample::from_bytes([b"\xef\xbb\xbf", &*bytes].concat(), Path::new("sample.csv")).unwrap()
}

/// Two runs, an ensemble of the first and of a file of another tool, and what that handed in at `time`.
fn home(time: f64) -> Sandbox {
    let sandbox = Sandbox::new();
    run(&sandbox, "a-001");
    run(&sandbox, "b-001");
    run(&sandbox, "best-001");
    let ours = "id,prediction,p_긍정,p_부정\na,긍정,0.75,0.25\nb,부정,0.25,0.75\nc,긍정,0.625,0.375\n";
    let ours = predictions(&sandbox, ".gyeol/runs/a-001/test.csv", ours);
    let theirs = predictions(&sandbox, "theirs.csv", "id,부정,긍정\nc,2,-1\na,-1,1\nb,0,0\n");
    let member = |name: &str, source: Source, test: PredictionsFile| SavedMember {
        name: name.to_owned(),
        source,
        renamed: Vec::new(),
        valid: test.clone(),
        test: Some(test),
    };
    let members =
        vec![member("a-001", Source::Run("a-001".to_owned()), ours), member("theirs", Source::Foreign, theirs)];
    let mut saved = Saved {
        format: 1,
        task: Task::Classification,
        metric: Metric::Accuracy,
        id_column: "id".to_owned(),
        labels: vec!["긍정".to_owned(), "부정".to_owned()],
        label_names: None,
        score_range: None,
        fitted: Fitted {
            members: members.iter().map(|member| member.name.clone()).collect(),
            method: Method::Weighted,
            temperatures: Vec::new(),
            rule: Rule::Mean { weights: vec![0.625, 0.375] },
        },
        members,
    };
    let dir = sandbox.path().join(".gyeol/runs/best-001");
    saved.write(&dir).unwrap();
    // The program runs in the sandbox, this test does not.
    for member in &mut saved.members {
        let test = member.test.as_mut().unwrap();
        test.path = sandbox.path().join(&test.path);
    }
    let runs = Runs::new(&sandbox.path().join(".gyeol"));
    let combined = combine_files("best-001", &saved, &runs).unwrap();
    let submission = Submission::new(&sample(), &combined, None, (Metric::Accuracy, Some(0.8125)), time).unwrap();
    submission.write(&dir, &sample()).unwrap();
    sandbox
}

/// Runs the program where days begin as in Greenwich.
fn gyeol(sandbox: &Sandbox, args: &[&str]) -> Ran {
    Ran::of(sandbox.command(args).env("TZ", "UTC").output().unwrap())
}

#[test]
fn submissions_are_listed_with_their_scores_gap_and_members() {
    let sandbox = home(MIDNIGHT + 60.0);
    insta::assert_snapshot!("submissions_new", gyeol(&sandbox, &["runs", "submissions"]).all());
    let noted = gyeol(&sandbox, &["runs", "note", "best-001", "two, weighted", "--public", "0.8278"]);
    insta::assert_snapshot!("submissions_noted", noted.all());
    gyeol(&sandbox, &["runs", "note", "best-001", "--private", "0.8"]);
    assert_eq!(
        sandbox.read(".gyeol/runs/best-001/notes.toml"),
        "note = \"two, weighted\"\npublic = 0.8278\nprivate = 0.8\n"
    );
    insta::assert_snapshot!("submissions", gyeol(&sandbox, &["runs", "submissions", "--quota", "10"]).all());
    let told = gyeol(&sandbox, &["runs", "submissions", "--json"]).json();
    assert_eq!((&told["today"], &told["quota"]), (&0.into(), &10.into()));
    let entry = &told["submissions"][0];
    assert_eq!((&entry["run"], &entry["gap"]), (&"best-001".into(), &(0.8 - 0.8125).into()));
    assert_eq!(entry["members"], serde_json::json!([["a-001", 0.625], ["theirs", 0.375]]));
}

#[test]
fn those_of_today_count_against_the_quota() {
    let sandbox = home(now());
    let told = gyeol(&sandbox, &["runs", "submissions", "--quota", "3"]);
    assert!(told.stdout.ends_with("\ntoday 1 of 3\n"), "{}", told.all());
    let none = Sandbox::new();
    insta::assert_snapshot!("submissions_none", gyeol(&none, &["runs", "submissions"]).all());
    assert_eq!(gyeol(&none, &["runs", "submissions", "--quota", "0"]).code, Some(2));
}

#[test]
fn a_note_needs_words_or_a_score() {
    let sandbox = home(MIDNIGHT);
    assert_eq!(gyeol(&sandbox, &["runs", "note", "best-001"]).code, Some(2));
    assert_eq!(gyeol(&sandbox, &["runs", "note", "best-001", "--public", "NaN"]).code, Some(2));
    let negative = gyeol(&sandbox, &["runs", "note", "a-001", "--public", "-0.5"]);
    assert_eq!((negative.code, negative.stdout.as_str()), (Some(0), "a-001, public -0.5\n"), "{}", negative.all());
    gyeol(&sandbox, &["runs", "note", "a-001", ""]);
    assert_eq!(sandbox.read(".gyeol/runs/a-001/notes.toml"), "public = -0.5\n");
}

#[test]
fn an_ensemble_is_shown_with_its_members_and_submission() {
    let sandbox = home(now() - 2.0 * 24.0 * 3600.0 - 1800.0);
    gyeol(&sandbox, &["runs", "note", "best-001", "--public", "0.8278"]);
    let shown = gyeol(&sandbox, &["runs", "show", "best-001"]);
    let facts = shown.stdout.split("\nFiles\n").next().unwrap().to_owned();
    insta::assert_snapshot!("submissions_show", facts);
    for file in ["ensemble.json", "submission.csv", "sample_submission.csv", "submission.json"] {
        assert!(shown.stdout.contains(&format!("\n{file} ")), "{}", shown.all());
    }
    let told = gyeol(&sandbox, &["runs", "show", "best-001", "--json"]).json();
    assert_eq!(told["ensemble"]["fitted"]["rule"]["weights"], serde_json::json!([0.625, 0.375]));
    assert_eq!((&told["submission"]["rows"], &told["public"]), (&3.into(), &0.8278.into()));
    assert!(gyeol(&sandbox, &["runs", "show", "a-001", "--json"]).json().get("ensemble").is_none());
}

#[test]
fn a_submission_is_made_again_bit_for_bit() {
    let sandbox = home(MIDNIGHT);
    let made = gyeol(&sandbox, &["runs", "show", "best-001", "--submission", "again.csv"]);
    insta::assert_snapshot!("submissions_again", made.all());
    let bytes = fs::read(sandbox.path().join("again.csv")).unwrap();
    assert_eq!(bytes, fs::read(sandbox.path().join(".gyeol/runs/best-001/submission.csv")).unwrap());
    let (text, _) = encoding_rs::EUC_KR.decode_without_bom_handling(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap());
    assert_eq!(text, "\"아이디\",감정\r\n\"c\",부정\r\n\"a\",긍정\r\n\"b\",부정\r\n");
    let wrong = gyeol(&sandbox, &["runs", "show", "a-001", "--submission", "again.csv"]);
    assert_eq!((wrong.code, wrong.stderr.contains("a-001 has no submission")), (Some(2), true), "{}", wrong.all());
}

#[test]
fn a_member_that_changed_or_went_is_named() {
    let sandbox = home(MIDNIGHT);
    sandbox.write("theirs.csv", "id,부정,긍정\nc,2,-1\na,-1,1\nb,0,1\n");
    let again = ["runs", "show", "best-001", "--submission", "again.csv"];
    insta::assert_snapshot!("submissions_changed", gyeol(&sandbox, &again).all());
    fs::remove_file(sandbox.path().join("theirs.csv")).unwrap();
    assert!(gyeol(&sandbox, &again).stderr.contains("member theirs: its predictions theirs.csv are gone"));
    assert!(!sandbox.path().join("again.csv").exists());
}

#[test]
fn removing_a_member_names_its_ensembles() {
    let sandbox = home(MIDNIGHT);
    let refused = gyeol(&sandbox, &["runs", "rm", "a-001"]);
    let warning = "a-001 is a member of best-001: without it, no more predictions of these";
    assert_eq!((refused.code, refused.stderr.contains(warning)), (Some(2), true), "{}", refused.all());
    let alone = gyeol(&sandbox, &["runs", "rm", "b-001", "--yes"]);
    assert!(!alone.stderr.contains("member of") && !alone.stderr.contains("submission"), "{}", alone.all());
    let both = gyeol(&sandbox, &["runs", "rm", "a-001", "best-001", "--yes"]);
    assert_eq!((both.code, both.stderr.contains("member of")), (Some(0), false), "{}", both.all());
}

#[test]
fn removing_a_run_that_handed_in_something_says_when() {
    let sandbox = home(MIDNIGHT + 60.0);
    let checkpoints = gyeol(&sandbox, &["runs", "rm", "best-001", "--checkpoints", "--yes"]);
    assert!(!checkpoints.stderr.contains("has a submission"), "{}", checkpoints.all());
    let warning = "best-001 has a submission, made 11-23 00:01: ";
    let refused = gyeol(&sandbox, &["runs", "rm", "best-001"]);
    assert_eq!((refused.code, refused.stderr.contains(warning)), (Some(2), true), "{}", refused.all());
    sandbox.write(".gyeol/runs/best-001/submission.json", "{");
    let removed = gyeol(&sandbox, &["runs", "rm", "best-001", "--yes"]);
    let warning = "best-001 has a submission, which cannot be read (";
    assert_eq!((removed.code, removed.stderr.contains(warning)), (Some(0), true), "{}", removed.all());
}

#[test]
fn one_damaged_record_hides_no_other_submission() {
    let sandbox = home(MIDNIGHT);
    run(&sandbox, "z-001");
    sandbox.write(".gyeol/runs/z-001/submission.json", "{");
    let told = gyeol(&sandbox, &["runs", "submissions"]);
    assert_eq!((told.code, told.stdout.contains("best-001")), (Some(0), true), "{}", told.all());
    assert!(told.stderr.contains("z-001: submission: "), "{}", told.stderr);
}

#[test]
fn a_damaged_ensemble_is_still_a_submission_of_today() {
    let sandbox = home(now());
    sandbox.write(".gyeol/runs/best-001/ensemble.json", "{");
    let told = gyeol(&sandbox, &["runs", "submissions"]);
    assert!(told.stdout.contains("unknown") && told.stdout.ends_with("\ntoday 1\n"), "{}", told.all());
    assert!(told.stderr.contains("ensemble.json is damaged"), "{}", told.stderr);
    let told = gyeol(&sandbox, &["runs", "submissions", "--json"]).json();
    assert_eq!((&told["today"], &told["submissions"][0]["members"]), (&1.into(), &serde_json::Value::Null));
}

#[test]
fn a_damaged_file_hides_nothing_else_of_its_run() {
    for (file, text) in [("submission.json", "{"), ("ensemble.json", "{}")] {
        let sandbox = home(MIDNIGHT);
        sandbox.write(&format!(".gyeol/runs/best-001/{file}"), text);
        let shown = gyeol(&sandbox, &["runs", "show", "best-001"]);
        assert_eq!((shown.code, shown.stdout.contains("1 min 10 s")), (Some(0), true), "{}", shown.all());
        assert!(shown.stderr.contains(&format!("{file} is damaged")), "{}", shown.all());
        assert_eq!(gyeol(&sandbox, &["runs", "show", "best-001", "--json"]).json()["status"], "finished");
        let again = gyeol(&sandbox, &["runs", "show", "best-001", "--submission", "again.csv"]);
        assert_eq!((again.code, again.stderr.contains(file)), (Some(2), true), "{}", again.all());
    }
}
