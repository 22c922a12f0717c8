//! `gyeol queue`: jobs in order, held, killed with their daemon, stopped, and never run twice.

use std::{
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    project::{Project, names},
    resume::signal,
    support::Sandbox,
};

/// A daemon in the background, killed with the test; a job it leaves behind is told to end.
struct Daemon<'a>(Child, &'a Sandbox);

impl<'a> Daemon<'a> {
    fn start(sandbox: &'a Sandbox, words: &[&str]) -> Self {
        let mut command = sandbox.command(&[&["queue", "start", "--quiet"], words].concat());
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap(), sandbox)
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        if self.0.try_wait().unwrap().is_none() {
            self.1.gyeol(&["queue", "stop"]);
            self.0.wait().unwrap();
        }
    }
}

fn add(sandbox: &Sandbox, words: &[&str]) {
    let ran = sandbox.gyeol(&[&["queue", "add"], words].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.all());
}

/// All jobs, as `queue ls` tells them.
fn jobs(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.gyeol(&["queue", "ls", "--all", "--json"]).json()["jobs"].as_array().unwrap().clone()
}

fn states(sandbox: &Sandbox) -> Vec<String> {
    jobs(sandbox).iter().map(|job| job["state"].as_str().unwrap().to_owned()).collect()
}

fn run_until_empty(sandbox: &Sandbox) {
    let ran = sandbox.gyeol(&["queue", "start", "--until-empty", "--threads", "2"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
}

fn wait_for(what: &str, reached: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(60);
    while !reached() {
        assert!(Instant::now() < patience, "{what} did not come");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Steps in the journal of a run.
fn steps(project: &Project, run: usize) -> usize {
    let journal = std::fs::read(project.run_path(run, "events.jsonl")).unwrap_or_default();
    String::from_utf8_lossy(&journal).matches("\"event\":\"step\"").count()
}

/// What took a moment took none.
fn without_times(text: &str) -> String {
    let mut parts = text.split("took ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "took 0.0" + part.split_at(part.find(' ').unwrap()).1)
}

/// Trains for as long as nobody stops it.
const ENDLESS: [&str; 6] = [
    "train",
    "recipe.toml",
    "--set=train.max_steps=10000000",
    "--set=train.evaluate_every=1000",
    "--set=train.keep=1",
    "--quiet",
];

#[test]
fn help_and_mistakes() {
    let sandbox = Sandbox::new();
    for command in ["add", "ls", "logs", "start", "stop", "pause", "resume", "retry", "cancel", "rm"] {
        let ran = sandbox.gyeol(&["queue", command, "--help"]);
        assert!(ran.stdout.contains("Examples:"), "{command}");
    }
    insta::assert_snapshot!("queue_add_help", sandbox.gyeol(&["queue", "add", "--help"]).all());
    insta::assert_snapshot!("queue_add_no_command", sandbox.gyeol(&["queue", "add", "--", "trian", "r.toml"]).all());
    insta::assert_snapshot!(
        "queue_add_unknown_job",
        sandbox.gyeol(&["queue", "add", "--after", "7", "--", "runs", "ls"]).all()
    );
    for words in
        [&["--deadline", "tomorrow"][..], &["--deadline", "2001-01-01T00:00"], &["--memory", "much"], &["--name", "12"]]
    {
        let ran = sandbox.gyeol(&[&["queue", "add"], words, &["--", "runs", "ls"]].concat());
        assert_eq!(ran.code, Some(2), "{}", ran.all());
    }
    assert_eq!(sandbox.gyeol(&["queue", "cancel", "7"]).code, Some(2));
    assert_eq!(sandbox.gyeol(&["queue", "ls", "--json"]).json()["jobs"], serde_json::json!([]));
}

#[test]
fn jobs_follow_those_they_wait_for_and_a_failed_one_holds_the_others() {
    let sandbox = Sandbox::new();
    add(&sandbox, &["--", "evaluate", "predictions.csv", "answers.csv"]);
    add(&sandbox, &["--after", "1", "--name", "둘", "--", "runs", "ls"]);
    add(&sandbox, &["--after", "둘", "--", "runs", "ls"]);
    add(&sandbox, &["--priority", "-1", "--", "completions", "bash"]);
    add(&sandbox, &["--after", "4", "--priority", "9", "--", "gyeol", "completions", "zsh"]);
    run_until_empty(&sandbox);
    insta::assert_snapshot!("queue_ls", without_times(&sandbox.gyeol(&["queue", "ls", "--quiet"]).stdout));
    let started = |job: usize| jobs(&sandbox)[job - 1]["attempt"]["started"].as_f64();
    assert!(started(4) < started(5) && started(1) < started(4));
    let printed = sandbox.gyeol(&["queue", "logs", "5", "--follow"]).stdout;
    assert!(printed.contains("gyeol completions zsh --threads 2") && printed.contains("#compdef gyeol"), "{printed}");
    // What was missing is there: the job is tried again, and those behind it are free.
    sandbox.write("predictions.csv", "id,prediction,p_a,p_b\n1,a,0.75,0.25\n2,b,0.25,0.75\n");
    sandbox.write("answers.csv", "id,text,label\n1,a first text,a\n2,a second text,b\n");
    assert_eq!(sandbox.gyeol(&["queue", "retry", "1"]).code, Some(0));
    run_until_empty(&sandbox);
    assert_eq!(states(&sandbox), ["done"; 5], "{}", sandbox.gyeol(&["queue", "logs", "1"]).all());
    assert_eq!(jobs(&sandbox)[4]["attempt"]["number"], 1);
    assert_eq!(sandbox.gyeol(&["queue", "rm", "1", "2"]).code, Some(0));
    assert_eq!(states(&sandbox).len(), 3);
}

#[test]
fn a_daemon_killed_again_and_again_repeats_nothing() {
    let project = Project::reviews();
    let sandbox = &project.0;
    for _ in 0..3 {
        add(sandbox, &["--", "train", "recipe.toml", "--set=train.max_steps=1500"]);
    }
    for kill in 1..=3 {
        let mut daemon = Daemon::start(sandbox, &[]);
        // Somewhere in the middle of a job, which goes on without the daemon: one whose process has not yet said that it is
        // there would be started again, as a second attempt.
        wait_for("a step", || steps(&project, kill) > 5);
        daemon.0.kill().unwrap();
        daemon.0.wait().unwrap();
    }
    run_until_empty(sandbox);
    assert_eq!(states(sandbox), ["done"; 3]);
    let attempts: Vec<Value> = jobs(sandbox).iter().map(|job| job["attempt"]["number"].clone()).collect();
    assert_eq!(attempts, [1, 1, 1]);
    assert_eq!(names(project.0.path().join(".gyeol/runs")), ["recipe-001", "recipe-002", "recipe-003"]);
}

#[test]
fn a_job_killed_with_its_daemon_goes_on_where_it_was() {
    let project = Project::reviews();
    let sandbox = &project.0;
    add(sandbox, &["--", "train", "recipe.toml", "--set=train.max_steps=3000", "--set=train.evaluate_every=50"]);
    let mut daemon = Daemon::start(sandbox, &[]);
    wait_for("a step", || steps(&project, 1) > 5);
    let pid = jobs(sandbox)[0]["attempt"]["pid"].to_string();
    daemon.0.kill().unwrap();
    daemon.0.wait().unwrap();
    assert!(sandbox.program("sh").args(["-c", &format!("kill -9 {pid}")]).status().unwrap().success());
    run_until_empty(sandbox);
    let job = &jobs(sandbox)[0];
    assert_eq!((&job["state"], &job["attempt"]["number"]), (&"done".into(), &2.into()));
    assert_eq!(names(project.0.path().join(".gyeol/runs")), ["recipe-001"]);
}

#[test]
fn a_run_that_finished_before_its_job_could_say_so_is_not_made_again() {
    let project = Project::reviews();
    let report = project.report(&[]);
    let again = project.report(&["--resume", "--unless-finished-since", "0"]);
    assert_eq!(again, report);
    // That run was finished before the job began.
    assert_eq!(project.report(&["--resume", "--unless-finished-since", "9e9"])["run"], "recipe-002");
}

#[test]
fn a_job_is_stopped_paused_resumed_and_cancelled_with_its_state_saved() {
    let project = Project::reviews();
    let sandbox = &project.0;
    add(sandbox, &[&["--"], &ENDLESS[..]].concat());
    let mut daemon = Daemon::start(sandbox, &[]);
    wait_for("a step", || steps(&project, 1) > 5);
    let refused = sandbox.gyeol(&["queue", "start"]);
    assert_eq!(refused.code, Some(2), "{}", refused.all());
    assert_eq!(sandbox.gyeol(&["queue", "rm", "1"]).code, Some(2));
    // The daemon ends: the job waits for the next.
    signal(&daemon.0, "INT");
    assert_eq!(daemon.0.wait().unwrap().code(), Some(130));
    assert_eq!(states(sandbox), ["waiting"]);
    drop(daemon);

    let seen = steps(&project, 1);
    let daemon = Daemon::start(sandbox, &[]);
    wait_for("another step", || steps(&project, 1) > seen);
    assert!(jobs(sandbox)[0]["about"].as_str().unwrap().starts_with("recipe-001, step "));
    assert_eq!(sandbox.gyeol(&["queue", "pause", "1"]).code, Some(0));
    wait_for("the pause", || states(sandbox) == ["paused"]);
    let seen = steps(&project, 1);
    assert_eq!(sandbox.gyeol(&["queue", "resume", "1"]).code, Some(0));
    wait_for("another step", || steps(&project, 1) > seen);
    assert_eq!(sandbox.gyeol(&["queue", "cancel", "1"]).code, Some(0));
    wait_for("the end", || states(sandbox) == ["cancelled"]);
    drop(daemon);
    assert_eq!(jobs(sandbox)[0]["failures"], 0);
    assert!(project.run_path(1, "checkpoints/state/state.json").exists());
    assert_eq!(names(project.0.path().join(".gyeol/runs")), ["recipe-001"]);
}

#[test]
fn a_paused_queue_starts_nothing_and_a_detached_daemon_stops_when_told() {
    let sandbox = Sandbox::new();
    add(&sandbox, &["--", "runs", "ls"]);
    assert_eq!(sandbox.gyeol(&["queue", "pause"]).code, Some(0));
    let started = sandbox.gyeol(&["queue", "start", "--detach"]);
    assert_eq!(started.code, Some(0), "{}", started.all());
    assert_eq!(sandbox.gyeol(&["queue", "ls", "--json"]).json()["running"], true);
    thread::sleep(Duration::from_millis(300));
    assert_eq!(jobs(&sandbox)[0]["about"], "the queue is paused");
    assert_eq!(sandbox.gyeol(&["queue", "resume"]).code, Some(0));
    wait_for("the end of the job", || states(&sandbox) == ["done"]);
    let stopped = sandbox.gyeol(&["queue", "stop"]);
    assert_eq!(stopped.code, Some(0), "{}", stopped.all());
    assert_eq!(sandbox.gyeol(&["queue", "ls", "--json"]).json()["running"], false);
}
