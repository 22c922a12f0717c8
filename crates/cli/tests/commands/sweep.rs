//! `gyeol sweep`: trials as processes, what comes of them, and that nothing is lost or repeated when something is killed.

use std::{
    fs,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{project::Project, support::Ran};

const SWEEP: &str = "\
name: rates
method: bayes
metric: {name: eval/accuracy, goal: maximize}
parameters:
  learning_rate: {distribution: log_uniform_values, min: 1e-5, max: 1e-2}
  per_device_train_batch_size: {values: [4, 8, 16]}
  lr_scheduler_type: {values: [linear, cosine_with_restarts]}
  weight_decay: {min: 0.0, max: 0.1}
  dropout_rate: {min: 0.0, max: 0.3}
";

/// A project whose trials make four evaluations each, with a sweep file.
fn project() -> Project {
    let project = Project::reviews();
    project.recipe("id = \"ID\"\ntext = \"review\"\nholdout = 0.25", "epochs = 4");
    project.0.write("sweep.yaml", SWEEP);
    project
}

fn sweep(project: &Project, words: &[&str]) -> Ran {
    project.0.gyeol(&[&["sweep", "run", "sweep.yaml", "recipe.toml", "--threads", "1"], words].concat())
}

/// What `--json` prints of the one sweep.
fn document(project: &Project, words: &[&str]) -> Value {
    let ran = sweep(project, &[words, &["--json"]].concat());
    ran.json()[0].clone()
}

/// What of a trial must not depend on what was killed on the way.
fn trials(sweep: &Value) -> Vec<[Value; 5]> {
    let keys = ["number", "assignment", "state", "score", "evaluations"];
    sweep["trials"].as_array().unwrap().iter().map(|trial| keys.map(|key| trial[key].clone())).collect()
}

fn journal(project: &Project) -> Vec<Value> {
    let text = fs::read_to_string(project.0.path().join(".gyeol/sweeps/rates-001/journal.jsonl")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn a_sweep_tries_the_recipe_first_and_names_a_winner_over_fresh_seeds() {
    let project = project();
    let document = document(&project, &["--count", "4", "--finalists", "2"]);
    let tried = trials(&document);
    assert_eq!(tried.len(), 4);
    assert_eq!(document["trials"][0]["origin"], "recipe");
    assert_eq!(document["trials"][0]["assignment"]["learning_rate"], 1e-3);
    assert!(
        tried.iter().all(|trial| trial[2] == "finished" && trial[4].as_array().unwrap().len() == 4),
        "{document:#}"
    );
    assert_eq!(document["reruns"].as_array().unwrap().len(), 4);
    assert_eq!(document["best"]["scores"].as_array().unwrap().len(), 2);
    let run = project.0.read(".gyeol/runs/rates-001-trial-2/recipe.toml");
    let rate = document["trials"][1]["assignment"]["learning_rate"].as_f64().unwrap();
    let written: toml::Table = run.parse().unwrap();
    assert_eq!(written["train"]["learning_rate"].as_float(), Some(rate));
    let schedule = document["trials"][1]["assignment"]["lr_scheduler_type"].as_str().unwrap();
    assert_eq!(written["train"]["schedule"].as_str(), Some(schedule.replace("cosine_with", "cosine").as_str()));
    let again = sweep(&project, &["--count", "4", "--finalists", "2"]);
    assert!(again.stderr.contains("going on after trial 4"), "{}", again.all());
    assert!(again.stdout.contains("winner: trial"), "{}", again.all());
    assert_eq!(journal(&project).iter().filter(|line| line["event"] == "finished").count(), 4);
}

#[test]
fn the_winner_is_a_recipe_that_says_when_its_values_are_stale() {
    let project = project();
    document(&project, &["--count", "2", "--fresh-seeds", "0"]);
    let best = project.0.gyeol(&["sweep", "best", "rates", "-o", "best.toml"]);
    assert_eq!(best.code, Some(0), "{}", best.all());
    let fresh = project.0.gyeol(&["train", "best.toml"]);
    assert_eq!(fresh.code, Some(0), "{}", fresh.all());
    assert!(!fresh.stderr.contains("stale"), "{}", fresh.stderr);
    let cleaned = project.0.gyeol(&["train", "best.toml", "--set", "clean.keep_characters=,.", "--json"]);
    let words = "[clean] changed since rates-001 tuned train.learning_rate";
    assert!(cleaned.stderr.contains(words), "{}", cleaned.all());
    let warnings = cleaned.json()["warnings"].to_string();
    assert!(warnings.contains("may be stale"), "{warnings}");
}

#[test]
fn halving_pauses_trials_and_takes_up_the_better() {
    let project = project();
    let document = document(&project, &["--count", "6", "--early-terminate", "halving", "--fresh-seeds", "0"]);
    let states: Vec<&str> =
        document["trials"].as_array().unwrap().iter().map(|trial| trial["state"].as_str().unwrap()).collect();
    assert!(states.contains(&"paused") && states.contains(&"finished"), "{states:?}");
    let paused = document["trials"].as_array().unwrap().iter().find(|trial| trial["state"] == "paused").unwrap();
    assert!(paused["evaluations"].as_array().unwrap().len() < 4);
    assert!(journal(&project).iter().any(|line| line["event"] == "resumed"));
    let report = project.0.gyeol(&["sweep", "report", "rates", "--html", "report.html"]);
    assert_eq!(report.code, Some(0), "{}", report.all());
    assert!(project.0.read("report.html").contains("rates-001"));
    let slip = project.0.gyeol(&["sweep", "show", "rate"]);
    assert_eq!(slip.code, Some(2), "{}", slip.all());
    assert!(slip.stderr.contains("did you mean \"rates\"?"), "{}", slip.all());
    let list = project.0.gyeol(&["sweep", "ls"]);
    assert!(list.stdout.contains("rates-001") && list.stdout.contains("idle"), "{}", list.all());
}

#[test]
fn two_workers_try_as_many_as_one() {
    let project = project();
    let document = document(&project, &["--count", "4", "--workers", "2", "--fresh-seeds", "0"]);
    assert_eq!(trials(&document).iter().filter(|trial| trial[2] == "finished").count(), 4);
}

#[test]
fn each_base_is_tuned_for_itself() {
    let project = project();
    let base = project.0.path().join("base");
    let copy = project.0.path().join("other");
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(base).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    let ran = sweep(&project, &["--count", "1", "--base", "base,other", "--fresh-seeds", "0"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(ran.stdout.contains("rates-base-001") && ran.stdout.contains("rates-other-001"), "{}", ran.all());
}

#[test]
fn a_trial_that_fails_costs_itself_alone() {
    let project = project();
    fs::create_dir_all(project.0.path().join(".gyeol/runs")).unwrap();
    // In the place of the second trial's run is a file.
    fs::write(project.0.path().join(".gyeol/runs/rates-001-trial-2"), "in the way").unwrap();
    let document = document(&project, &["--count", "3", "--fresh-seeds", "0"]);
    let states: Vec<Value> = trials(&document).iter().map(|trial| trial[2].clone()).collect();
    assert_eq!(states, ["finished", "failed", "finished"], "{document:#}");
    assert!(document["trials"][1]["error"].as_str().unwrap().contains("rates-001-trial-2"), "{document:#}");
}

#[test]
fn a_sweep_file_that_does_not_fit_is_told_with_its_place() {
    let project = project();
    let told = |text: &str| {
        project.0.write("sweep.yaml", text);
        let ran = sweep(&project, &["--count", "1"]);
        assert_eq!(ran.code, Some(2), "{}", ran.all());
        ran.stderr.lines().filter(|line| line.starts_with("error:")).collect::<Vec<_>>().join("\n")
    };
    let unknown = told(&SWEEP.replace("  learning_rate:", "  learning_rat:"));
    assert!(
        unknown.contains("parameter learning_rat: is no key of a recipe") && unknown.contains("did you mean"),
        "{unknown}"
    );
    let value = told(&SWEEP.replace("[4, 8, 16]", "[4, 0]"));
    assert!(value.contains("per_device_train_batch_size = 0"), "{value}");
    let goal = told(&SWEEP.replace("maximize", "minimize"));
    assert!(goal.contains("write goal: maximize"), "{goal}");
    let key = told(&SWEEP.replace("method:", "metod:"));
    assert!(key.contains("sweep.yaml:2"), "{key}");
    let metric = told(&SWEEP.replace("eval/accuracy", "eval/acuracy"));
    assert!(
        metric.contains("no metric of classification") && metric.contains("did you mean \"accuracy\"?"),
        "{metric}"
    );
    assert!(!project.0.path().join(".gyeol/sweeps").exists());
}

#[test]
fn a_loss_that_is_tuned_itself_is_no_measure_and_that_is_said() {
    let project = project();
    let text = SWEEP
        .replace("eval/accuracy, goal: maximize", "eval/loss, goal: minimize")
        .replace("parameters:\n", "parameters:\n  focal_loss_gamma: {min: 1.0, max: 3.0}\n");
    project.0.write("sweep.yaml", &text);
    let ran = sweep(&project, &["--count", "2", "--fresh-seeds", "0", "--json"]);
    assert!(ran.stderr.contains("focal_loss_gamma") && ran.stderr.contains("--metric log_loss"), "{}", ran.all());
    let document = ran.json()[0].clone();
    assert_eq!((document["metric"].as_str(), document["goal"].as_str()), (Some("loss"), Some("minimize")));
    assert!(trials(&document).iter().all(|trial| trial[3].is_f64()), "{document:#}");
}

#[test]
fn the_example_sweeps_run_as_they_are() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sweeps");
    for file in ["focal_bayes_loss.yaml", "focal_bayes_accuracy.yaml", "small_encoder.yaml"] {
        let project = project();
        let path = examples.join(file);
        let words =
            ["sweep", "run", path.to_str().unwrap(), "recipe.toml", "--count", "2", "--fresh-seeds", "0", "--json"];
        let document = project.0.gyeol(&words).json()[0].clone();
        let states: Vec<Value> = trials(&document).iter().map(|trial| trial[2].clone()).collect();
        assert_eq!(states, ["finished", "finished"], "{file}: {document:#}");
    }
}

/// Starts the sweep, kills it when its journal has some lines, and waits until its trials' processes are gone.
#[cfg(unix)]
fn kill_after(project: &Project, lines: usize, words: &[&str]) {
    let mut command =
        project.0.command(&[&["sweep", "run", "sweep.yaml", "recipe.toml", "--threads", "1"], words].concat());
    let mut child: Child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while journal(project).len() < lines && child.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < Duration::from_secs(60), "the sweep does not get on");
        thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[cfg(unix)]
#[test]
fn a_sweep_that_is_killed_again_and_again_ends_with_the_same_trials() {
    for words in [
        &["--count", "5", "--finalists", "2", "--fresh-seeds", "1"][..],
        &["--count", "6", "--fresh-seeds", "0", "--early-terminate", "halving"],
    ] {
        let whole = document(&project(), words);
        let broken = project();
        for lines in [1, 2, 4, 9, 13, 20, 30, 38, 39, 40] {
            kill_after(&broken, lines, words);
        }
        let ended = document(&broken, words);
        assert_eq!(trials(&ended), trials(&whole));
        let scores = |sweep: &Value| -> Vec<Value> {
            sweep["reruns"].as_array().unwrap().iter().map(|rerun| rerun["score"].clone()).collect()
        };
        assert_eq!(scores(&ended), scores(&whole));
        let finished = |line: &&Value| line["event"] == "finished";
        let lines = journal(&broken);
        let mut numbers: Vec<u64> = lines.iter().filter(finished).map(|line| line["trial"].as_u64().unwrap()).collect();
        numbers.sort_unstable();
        let before = numbers.len();
        numbers.dedup();
        assert_eq!(numbers.len(), before, "a trial finished twice");
    }
}
