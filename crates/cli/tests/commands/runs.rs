//! `gyeol runs`.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::Sandbox;

/// A home with a finished run, one cut off in the middle of a line, and one that failed: begun four, three and two days
/// before now and half an hour, so that no age crosses an hour while a test runs.
fn home() -> Sandbox {
    let sandbox = Sandbox::new();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    // A run of the events, each given by its seconds from the start and what follows them.
    let run = |name: &str, days: u64, events: &[(u64, &str)], rest: &str| {
        let begun = now - days * 24 * 3600 - 1800;
        let lines = events.iter().map(|(seconds, event)| format!("{{\"time\":{}.0,{event}}}\n", begun + seconds));
        sandbox.write(&format!(".gyeol/runs/{name}/recipe.toml"), "seed = 42\n");
        sandbox.write(&format!(".gyeol/runs/{name}/events.jsonl"), &(lines.collect::<String>() + rest));
    };
    let started = r#""event":"started","metric":"accuracy","total_steps":4"#;
    let step = r#""event":"step","step":1,"epoch":0.5,"loss":1.5,"learning_rate":2e-5,"grad_norm":1.0,"tokens":64"#;
    let first = r#""event":"evaluation","step":2,"epoch":1.0,"metrics":{"accuracy":0.625,"log_loss":0.75}"#;
    let second = r#""event":"evaluation","step":4,"epoch":2.0,"metrics":{"accuracy":0.8125,"log_loss":null}"#;
    let warning = r#""event":"warning","message":"2 texts are empty; their rows keep their places""#;
    let finished = r#""event":"finished","score":0.8125"#;
    let failed = r#""event":"failed","error":"cannot write model.safetensors: No space left on device""#;
    run("a-001", 4, &[(0, started), (1, warning), (2, step), (5, first), (8, second), (70, finished)], "");
    run("b-001", 3, &[(0, started), (2, step)], "{\"time\":20");
    run("c-001", 2, &[(0, started), (3, failed)], "");
    sandbox.write(".gyeol/runs/not-a-run/notes.txt", "");
    sandbox
}

#[test]
fn a_home_without_runs_is_no_error() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!("ls_empty", sandbox.gyeol(&["runs", "ls"]).all());
    assert_eq!(sandbox.gyeol(&["runs", "ls", "--json"]).json(), serde_json::json!([]));
    assert_eq!(sandbox.gyeol(&["runs", "ls", "-q"]).stderr, "");
}

#[test]
fn runs_are_listed_by_their_beginning() {
    let sandbox = home();
    insta::assert_snapshot!("ls", sandbox.gyeol(&["runs", "ls"]).all());
    let listed = sandbox.gyeol(&["--json", "runs", "ls"]).json();
    let statuses: Vec<_> = listed.as_array().unwrap().iter().map(|run| run["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["finished", "interrupted", "failed"]);
}

#[test]
fn a_run_is_shown_with_its_evaluations_warnings_and_files() {
    let sandbox = home();
    insta::assert_snapshot!("show", sandbox.gyeol(&["runs", "show", "a-001"]).all());
    insta::assert_snapshot!("show_failed", sandbox.gyeol(&["runs", "show", "c-001"]).all());
    let shown = sandbox.gyeol(&["runs", "show", "a-001", "--json"]).json();
    assert_eq!(shown["evaluations"][1]["metrics"]["accuracy"], 0.8125);
    assert_eq!(shown["seconds"], 70.0);
    let torn = sandbox.gyeol(&["runs", "show", "b-001"]);
    assert!(torn.stderr.contains("no event in events.jsonl; lines: 1"), "{}", torn.all());
}

#[test]
fn a_damaged_report_does_not_hide_the_other_runs() {
    let sandbox = home();
    sandbox.write(".gyeol/runs/a-001/report.json", "{\"run\":");
    let ran = sandbox.gyeol(&["runs", "ls"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(ran.stdout.contains("a-001") && ran.stdout.contains("c-001"), "{}", ran.all());
    assert!(ran.stderr.contains("a-001: unreadable report: "), "{}", ran.stderr);
    let listed = sandbox.gyeol(&["runs", "ls", "--json"]).json();
    assert_eq!((&listed[0]["status"], &listed[0]["score"]), (&"finished".into(), &0.8125.into()));
    assert!(listed[0]["unreadable_report"].is_string() && listed[1].get("unreadable_report").is_none());
}

#[test]
fn an_unknown_run_suggests_the_nearest_one() {
    insta::assert_snapshot!("show_unknown", home().gyeol(&["runs", "show", "a-01"]).all());
}

#[test]
fn another_home_is_looked_into_when_asked() {
    let sandbox = home();
    let elsewhere = Sandbox::new();
    let home = sandbox.path().join(".gyeol");
    let listed = elsewhere.gyeol(&["runs", "ls", "--json", "--home", home.to_str().unwrap()]).json();
    assert_eq!(listed.as_array().unwrap().len(), 3);
}
