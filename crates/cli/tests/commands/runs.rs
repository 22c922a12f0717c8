//! `gyeol runs`.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use crate::{project::Project, support::Sandbox};

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
    assert!(ran.stderr.contains("report.json: not a report of this version"), "{}", ran.stderr);
    let listed = sandbox.gyeol(&["runs", "ls", "--json"]).json();
    assert_eq!((&listed[0]["status"], &listed[0]["score"]), (&"finished".into(), &0.8125.into()));
    assert!(listed[0]["unreadable_report"].is_string() && listed[1].get("unreadable_report").is_none());
}

#[test]
fn a_run_that_cannot_be_read_does_not_hide_the_others() {
    let sandbox = home();
    sandbox.write(".gyeol/runs/a-001/notes.toml", "tags = 7\n");
    sandbox.write(".gyeol/runs/b-001/made_for.toml", "sweep = [\n");
    fs::write(sandbox.path().join(".gyeol/runs/c-001/recipe.toml"), b"name = \"\xff\"\n").unwrap();
    sandbox.write(".gyeol/sweeps/night-001/sweep.json", "{");
    for words in [&["ls"][..], &["export"], &["rebuild"]] {
        let ran = sandbox.gyeol(&[&["runs"], words].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.all());
        assert!(ran.stderr.contains("c-001: "), "{}", ran.all());
    }
    assert_eq!(listed(&sandbox, &[]), ["a-001", "b-001", "c-001"]);
    sandbox.write(".gyeol/runs/a-001/notes.toml", "tags = [\"mended\"]\n");
    assert_eq!(listed(&sandbox, &["--tag", "mended"]), ["a-001"]);
    // No run any more, whatever the store knows.
    fs::remove_file(sandbox.path().join(".gyeol/runs/a-001/recipe.toml")).unwrap();
    assert_eq!(listed(&sandbox, &[]), ["b-001", "c-001"]);
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

/// The names that `gyeol runs ls` lists with further words.
fn listed(sandbox: &Sandbox, words: &[&str]) -> Vec<String> {
    let listed = sandbox.gyeol(&[&["runs", "ls", "--json"], words].concat()).json();
    let name = |run: &Value| run.get("name").or(run.get("sweep")).unwrap().as_str().unwrap().to_owned();
    listed.as_array().unwrap().iter().map(name).collect()
}

/// A finished run of a sweep, with a report.
fn trial(sandbox: &Sandbox, trial: u32, score: f64) {
    let dir = format!(".gyeol/runs/t-{trial:03}");
    sandbox.write(&format!("{dir}/recipe.toml"), "name = \"t\"\nseed = 7\n[train]\nlearning_rate = 3e-5\nepochs = 2\n");
    let started = r#""event":"started","metric":"accuracy","total_steps":4"#;
    let lines = format!(
        "{{\"time\":{}.0,{started}}}\n{{\"time\":{}.0,\"event\":\"finished\",\"score\":{score}}}\n",
        1_000_000 + trial,
        1_000_010 + trial
    );
    sandbox.write(&format!("{dir}/events.jsonl"), &lines);
    sandbox.write(&format!("{dir}/made_for.toml"), &format!("sweep = \"night\"\ntrial = {trial}\n"));
    let report = json!({"run": format!("t-{trial:03}"), "score": score, "metric": "accuracy",
        "metrics": {"accuracy": score, "macro_f1": 1.0 - score, "pearson": null}, "task": "classification",
        "best_step": 4, "steps": 4, "train_rows": 9, "valid_rows": 3, "train_seconds": 1.0, "samples_per_second": 1.0,
        "tokens_per_second": 1.0, "predict_samples_per_second": null, "peak_rss_bytes": null, "threads": 1,
        "isa": "avx2", "precision": "f32", "data_fingerprint": "d1", "text_fingerprint": "t1",
        "base_fingerprint": "b1", "code_version": "0.1.0", "recipe_fingerprint": "r1"});
    sandbox.write(&format!("{dir}/report.json"), &report.to_string());
}

#[test]
fn conditions_orders_and_limits_choose_the_runs_listed() {
    let sandbox = home();
    for (number, score) in [(1, 0.5), (2, 0.9), (3, 0.7)] {
        trial(&sandbox, number, score);
    }
    assert_eq!(listed(&sandbox, &[]), ["night", "a-001", "b-001", "c-001"]);
    assert_eq!(listed(&sandbox, &["--limit", "2"]), ["b-001", "c-001"]);
    assert_eq!(listed(&sandbox, &["--sweep", "night", "--sort", "-score"]), ["t-002", "t-003", "t-001"]);
    assert_eq!(listed(&sandbox, &["--all", "--sort", "-macro_f1", "--limit", "2"]), ["t-001", "t-003"]);
    assert_eq!(listed(&sandbox, &["--all", "--where", "score>0.65", "--where", "run!=t-002"]), ["t-003", "a-001"]);
    assert_eq!(listed(&sandbox, &["--status", "failed"]), ["c-001"]);
    assert_eq!(listed(&sandbox, &["--metric", "pearson"]), Vec::<String>::new());
    let line = &sandbox.gyeol(&["runs", "ls", "--json", "--where", "trial>0"]).json()[0];
    assert_eq!((&line["sweep"], &line["trials"], &line["best"]), (&"night".into(), &3.into(), &"t-002".into()));
    assert_eq!((&line["score"], &line["steps"], &line["seconds"]), (&0.9.into(), &12.into(), &30.0.into()));
    let told = sandbox.gyeol(&["runs", "ls"]).stdout;
    assert!(told.lines().any(|line| line.starts_with("night (3 trials)  finished")), "{told}");
    insta::assert_snapshot!("ls_bad_field", sandbox.gyeol(&["runs", "ls", "--where", "scroe>0.5"]).all());
    insta::assert_snapshot!("ls_bad_condition", sandbox.gyeol(&["runs", "ls", "--where", "score"]).all());
    assert_eq!(sandbox.gyeol(&["runs", "ls", "--where", "score>high"]).code, Some(2));
}

#[test]
fn a_list_that_leaves_all_runs_out_says_so() {
    let sandbox = home();
    trial(&sandbox, 1, 0.5);
    let of_words = |words: &[&str]| sandbox.gyeol(&[&["runs", "ls"], words].concat());
    for words in [&["--where", "score>5"][..], &["--tag", "none"], &["--metric", "pearson"]] {
        let ran = of_words(words);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.all());
        assert_eq!(ran.stderr, "none of the 4 runs in .gyeol/runs matches\n");
    }
    assert_eq!(of_words(&["--limit", "0"]).stderr, "--limit 0 lists nothing of the 4 runs in .gyeol/runs\n");
    let unknown = of_words(&["--sweep", "nihgt"]);
    assert_eq!(unknown.code, Some(2), "{}", unknown.all());
    assert_eq!(unknown.stderr, "error: --sweep: no sweep is called \"nihgt\"; there are night\n");
    let export = sandbox.gyeol(&["runs", "export", "--where", "score>5"]);
    assert_eq!(
        (export.code, export.stdout.as_str()),
        (Some(0), "run,status,metric,score,steps,total_steps,started,seconds\n"),
        "{}",
        export.all()
    );
}

#[cfg(unix)]
#[test]
fn a_command_that_reads_makes_no_home() {
    let sandbox = Sandbox::new();
    for words in [&["runs", "ls"][..], &["runs", "export"], &["queue", "ls"]] {
        let ran = sandbox.gyeol(&[words, &["--home", "typo"]].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.all());
        assert!(!sandbox.path().join("typo").exists(), "{words:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_home_that_cannot_be_written_is_read() {
    use std::os::unix::fs::PermissionsExt as _;

    let sandbox = home();
    trial(&sandbox, 1, 0.5);
    let add = ["queue", "add", "--", "runs", "ls"];
    assert_eq!(sandbox.gyeol(&add).code, Some(0));
    let mode = |mode: u32| {
        let home = sandbox.path().join(".gyeol");
        for path in [home.join("store.db"), home] {
            let bits = if path.is_dir() { mode | 0o111 } else { mode };
            fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
        }
    };
    mode(0o444);
    // Nothing is forbidden to the superuser.
    let superuser = fs::write(sandbox.path().join(".gyeol/probe"), "").is_ok();
    for words in [&["runs", "ls"][..], &["runs", "export"], &["queue", "ls"]] {
        let ran = sandbox.gyeol(words);
        assert_eq!(ran.code, Some(0), "{}", ran.all());
        assert!(ran.stdout.contains(if words[0] == "queue" { "waiting" } else { "b-001" }), "{}", ran.all());
    }
    assert!(superuser || !sandbox.path().join(".gyeol/store.db-wal").exists());
    mode(0o644);
}

#[test]
fn directories_that_came_changed_or_went_are_noticed() {
    let sandbox = home();
    assert_eq!(listed(&sandbox, &[]), ["a-001", "b-001", "c-001"]);
    trial(&sandbox, 1, 0.5);
    fs::remove_dir_all(sandbox.path().join(".gyeol/runs/a-001")).unwrap();
    let journal = sandbox.read(".gyeol/runs/c-001/events.jsonl");
    let more = "{\"time\":4000000000.0,\"event\":\"finished\",\"score\":0.25}\n";
    sandbox.write(".gyeol/runs/c-001/events.jsonl", &(journal + more));
    assert_eq!(listed(&sandbox, &["--all"]), ["t-001", "b-001", "c-001"]);
    assert_eq!(listed(&sandbox, &["--all", "--status", "finished"]), ["t-001", "c-001"]);
}

#[test]
fn a_damaged_store_is_told_and_rebuilt_from_the_runs() {
    let sandbox = home();
    sandbox.gyeol(&["runs", "tag", "a-001", "kept", "한글"]);
    sandbox.gyeol(&["runs", "note", "a-001", "the first"]);
    let before = sandbox.gyeol(&["runs", "ls", "--json"]).json();
    sandbox.write(".gyeol/store.db", &"no database ".repeat(1000));
    insta::assert_snapshot!("ls_damaged", sandbox.gyeol(&["runs", "ls"]).all());
    insta::assert_snapshot!("rebuild_damaged", sandbox.gyeol(&["runs", "rebuild"]).all());
    assert_eq!(sandbox.gyeol(&["runs", "ls", "--json"]).json(), before);
    assert_eq!(
        sandbox.gyeol(&["runs", "rebuild", "--json"]).json(),
        json!({"runs": 3, "sweeps": 0, "put_aside": null})
    );
    assert_eq!(sandbox.gyeol(&["runs", "ls", "--json"]).json(), before);
    assert_eq!((&before[0]["note"], &before[0]["tags"]), (&"the first".into(), &json!(["kept", "한글"])));
}

#[test]
fn tags_and_notes_come_and_go() {
    let sandbox = home();
    insta::assert_snapshot!("tag", sandbox.gyeol(&["runs", "tag", "b-001", "good", "baseline"]).all());
    insta::assert_snapshot!("note", sandbox.gyeol(&["runs", "note", "b-001", "stopped by a power cut"]).all());
    insta::assert_snapshot!("show_noted", sandbox.gyeol(&["runs", "show", "b-001"]).all());
    assert_eq!(listed(&sandbox, &["--tag", "good"]), ["b-001"]);
    assert_eq!(sandbox.gyeol(&["runs", "tag", "b-001", "good", "--remove"]).code, Some(0));
    assert_eq!(listed(&sandbox, &["--tag", "good"]), Vec::<String>::new());
    insta::assert_snapshot!("tag_unknown", sandbox.gyeol(&["runs", "tag", "b-001", "good", "--remove"]).all());
    assert_eq!(sandbox.gyeol(&["runs", "note", "b-001", ""]).code, Some(0));
    assert_eq!(sandbox.read(".gyeol/runs/b-001/notes.toml"), "tags = [\"baseline\"]\n");
}

#[test]
fn an_export_has_a_row_a_run_with_recipe_metrics_and_fingerprints() {
    let sandbox = Sandbox::new();
    trial(&sandbox, 1, 0.5);
    trial(&sandbox, 2, 0.75);
    sandbox.write(".gyeol/runs/t-002/recipe.toml", "name = \"t\"\n[train]\nepochs = 3\n[head]\nwidths = [512, 256]\n");
    insta::assert_snapshot!("export_csv", sandbox.gyeol(&["runs", "export"]).all());
    let json = sandbox.gyeol(&["runs", "export", "--format", "json", "--where", "score>0.6"]).json();
    assert_eq!(json.as_array().unwrap().len(), 1);
    assert_eq!((&json[0]["run"], &json[0]["train.epochs"]), (&"t-002".into(), &3.into()));
    let ran = sandbox.gyeol(&["runs", "export", "-o", "runs.csv"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.all());
    assert_eq!(sandbox.read("runs.csv").lines().count(), 3);
    assert_eq!(sandbox.gyeol(&["runs", "export", "-o", "missing/runs.csv"]).code, Some(2));
}

#[test]
fn nothing_is_removed_that_was_not_named_and_confirmed() {
    let sandbox = home();
    sandbox.write(".gyeol/runs/a-001/model/model.safetensors", &"w".repeat(2048));
    sandbox.write(".gyeol/runs/a-001/checkpoints/step-2.safetensors", &"w".repeat(4096));
    let exists = |name: &str| sandbox.path().join(".gyeol/runs").join(name).exists();
    insta::assert_snapshot!("rm_unasked", sandbox.gyeol(&["runs", "rm", "a-001", "b-001"]).all());
    assert_eq!(sandbox.gyeol(&["runs", "rm", "b-001", "nobody", "--yes"]).code, Some(2));
    insta::assert_snapshot!("rm_unfinished", sandbox.gyeol(&["runs", "rm", "b-001", "--checkpoints", "--yes"]).all());
    assert!(exists("a-001/model") && exists("b-001"));
    insta::assert_snapshot!("rm_checkpoints", sandbox.gyeol(&["runs", "rm", "a-001", "--checkpoints", "--yes"]).all());
    assert!(exists("a-001/model") && !exists("a-001/checkpoints"));
    let ran = sandbox.gyeol(&["runs", "rm", "a-001", "--yes", "--json"]).json();
    assert_eq!(ran[0]["run"], "a-001");
    assert!(!exists("a-001"));
    assert_eq!(listed(&sandbox, &[]), ["b-001", "c-001"]);
}

#[test]
fn a_run_is_in_the_store_as_its_directory_has_it() {
    let project = Project::reviews();
    project.report(&["--set", "train.evaluate_every=3"]);
    let rows = |words: &[&str]| project.0.gyeol(&[&["runs"], words].concat()).json();
    let written = rows(&["export", "--format", "json"]);
    rows(&["rebuild", "--json"]);
    let rebuilt = rows(&["export", "--format", "json"]);
    assert_eq!(written, rebuilt);
    for key in ["data_fingerprint", "text_fingerprint", "base_fingerprint", "code_version", "heartbeat", "pid"] {
        assert!(!written[0][key].is_null(), "{key}");
    }
    assert_eq!((&written[0]["status"], &written[0]["recipe"]), (&"finished".into(), &"recipe".into()));
    assert!(written[0].get("cleaning_fingerprint").is_none());
}

#[test]
fn a_store_that_cannot_be_written_fails_no_run() {
    let project = Project::reviews();
    project.0.write(".gyeol/store.db", &"no database ".repeat(1000));
    let ran = project.train(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert_eq!(
        ran.stderr.matches("the run goes on, and `gyeol runs rebuild` mends the store").count(),
        1,
        "{}",
        ran.all()
    );
    assert_eq!(project.0.gyeol(&["runs", "rebuild"]).code, Some(0));
    assert_eq!(listed(&project.0, &["--status", "finished"]), ["recipe-001"]);
}

#[cfg(unix)]
#[test]
fn a_run_whose_process_is_killed_is_listed_as_interrupted() {
    use crate::resume::{count, start, wait_until};

    let project = Project::reviews();
    let mut child = start(&project, &["--set", "train.max_steps=100000", "--set", "train.evaluate_every=5"]);
    wait_until(&mut child, || count(&project, "evaluation") >= 2);
    let running = project.0.gyeol(&["runs", "ls", "--json"]).json();
    assert_eq!((&running[0]["status"], &running[0]["pid"]), (&"running".into(), &child.id().into()));
    let refused = project.0.gyeol(&["runs", "rm", "recipe-001", "--yes"]);
    assert_eq!(refused.code, Some(1), "{}", refused.all());
    assert!(refused.stderr.contains("recipe-001 is being written by process"), "{}", refused.stderr);
    child.kill().unwrap();
    child.wait().unwrap();
    let dead = project.0.gyeol(&["runs", "ls", "--json"]).json();
    assert_eq!(dead[0]["status"], "interrupted");
    assert!(dead[0]["heartbeat"].is_number());
}
