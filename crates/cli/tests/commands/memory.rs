//! The batch that fits into memory, as `GYEOL_MEMORY` limits it.

use serde_json::Value;

use crate::{project::Project, support::Ran};

/// Reviews, predicted one at a time: what a run takes is up to the batches it trains on.
fn project() -> Project {
    let project = Project::reviews();
    let data = "id = \"ID\"\ntext = \"review\"\ntest = \"test.csv\"\nholdout = 0.25";
    project.recipe(data, "epochs = 2\neval_batch_size = 1");
    project
}

/// `gyeol train recipe.toml` with further words where there are `bytes` of memory.
fn within(project: &Project, bytes: u64, words: &[&str]) -> Ran {
    let words = [&["train", "recipe.toml"], words].concat();
    Ran::of(project.0.command(&words).env("GYEOL_MEMORY", bytes.to_string()).output().unwrap())
}

/// What training in batches of `rows` takes.
fn taken(project: &Project, rows: usize) -> u64 {
    project.report(&["--dry-run", "--set", &format!("train.batch_size={rows}")])["memory_bytes"].as_u64().unwrap()
}

#[test]
fn a_batch_too_large_for_memory_is_halved_and_everything_says_so() {
    let project = project();
    let [four, eight] = [4, 8].map(|rows| taken(&project, rows));
    assert!(four < eight, "{four} {eight}");

    let ran = within(&project, eight - 1, &["--json"]);
    let said = "training with batch_size = 4 and accumulate = 2 instead";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    let report = ran.json();
    assert_eq!((&report["batch_size"], &report["accumulate"]), (&4.into(), &2.into()));
    assert!(report["warnings"].to_string().contains(said), "{report}");
    assert!(project.run_text(1, "recipe.toml").contains("batch_size = 8"));
    let journal = project.run_text(1, "events.jsonl");
    let started: Value = serde_json::from_str(journal.lines().next().unwrap()).unwrap();
    assert_eq!((&started["batch_size"], &started["accumulate"]), (&4.into(), &2.into()));

    // It is the run that the recipe would have asked for in the same words.
    project.report(&["--set", "train.batch_size=4", "--set", "train.accumulate=2"]);
    assert!(project.weights(1) == project.weights(2), "the weights differ");

    let enough = within(&project, eight, &["--json"]).json();
    assert_eq!((&enough["batch_size"], &enough["accumulate"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_dry_run_says_what_would_be_done() {
    let project = project();
    let eight = taken(&project, 8);
    let ran = within(&project, eight - 1, &["--dry-run"]);
    assert!(ran.stdout.contains("2 batches of 4 rows a step"), "{}", ran.all());
    assert!(ran.stderr.contains("batch_size = 4 and accumulate = 2"), "{}", ran.all());
    let estimate = within(&project, eight - 1, &["--dry-run", "--json"]).json();
    assert_eq!((&estimate["batch_size"], &estimate["accumulate"]), (&4.into(), &2.into()));
    assert_eq!(estimate["available_bytes"], eight - 1);
    assert!(estimate["memory_bytes"].as_u64().unwrap() < eight);
}

#[test]
fn memory_for_not_even_one_row_is_an_error_before_anything_is_written() {
    let project = project();
    let before = project.files();
    let ran = within(&project, 1000, &[]);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("train.batch_size: even batches of 1 rows take "), "{}", ran.stderr);
    assert!(ran.stderr.contains("GYEOL_MEMORY says it if there is more"), "{}", ran.stderr);
    assert_eq!(project.files(), before);
}

#[test]
fn an_amount_of_memory_that_is_none_is_refused() {
    let project = project();
    let command = &mut project.0.command(&["train", "recipe.toml"]);
    let ran = Ran::of(command.env("GYEOL_MEMORY", "plenty").output().unwrap());
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("GYEOL_MEMORY: \"plenty\" is not an amount of memory"), "{}", ran.stderr);
}

/// Signals are those of Unix.
#[cfg(unix)]
#[test]
fn a_run_that_goes_on_keeps_its_batch_where_there_is_more_memory() {
    use crate::resume::{count, ended, signal, wait_until};

    let project = project();
    let long = ["--set", "train.max_steps=400"];
    let limit = taken(&project, 8) - 1;
    let mut command = project.0.command(&[&["train", "recipe.toml"][..], &long].concat());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.env("GYEOL_MEMORY", limit.to_string()).spawn().unwrap();
    wait_until(&mut child, || count(&project, "step") >= 5);
    signal(&child, "INT");
    assert_eq!(ended(child).code, Some(130));
    let report = project.report(&[&long[..], &["--resume"]].concat());
    assert_eq!((&report["run"], &report["batch_size"]), (&"recipe-001".into(), &4.into()));
    assert_eq!(within(&project, limit, &long).code, Some(0));
    assert!(project.weights(1) == project.weights(2), "the weights differ");
}
