//! `gyeol train --resume`: a run that was killed, interrupted, crowded or out of disk ends at the bits of one that was
//! not. Signals and limits are those of Unix.

use std::{
    fs,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use gyeol_engine::Isa;
use serde_json::Value;

use crate::{
    project::{Project, Shape, names, text},
    support::Ran,
};

/// Optimiser steps of the run that all these tests break off.
const STEPS: u64 = 480;

/// A run that scores itself every other step, and whose score gets better every time: the checkpoints
/// that fall out have a state saved every twenty steps or so, beside the one every few seconds.
fn long() -> Project {
    let project = Project::reviews();
    project.base(Shape { hidden: 96, layers: 2, positions: 40 });
    let train = format!("max_steps = {STEPS}\nevaluate_every = 2\nkeep = 1\nschedule = \"constant\"");
    project.recipe("id = \"ID\"\ntext = \"review\"\nholdout = 0.25", &train);
    let recipe = project.0.read("recipe.toml").replace("learning_rate = 1e-3", "learning_rate = 2e-6");
    project.0.write("recipe.toml", &format!("metric = \"log_loss\"\n{recipe}"));
    project
}

/// What of a run must not depend on how often it was broken off.
#[derive(PartialEq)]
struct Ending {
    weights: Vec<u8>,
    valid: String,
    steps: Vec<Value>,
    evaluations: Vec<Value>,
    report: Value,
}

impl Ending {
    fn of(project: &Project) -> Self {
        let mut report: Value = serde_json::from_str(&project.run_text(1, "report.json")).unwrap();
        // What a clock or a meter says, and a fingerprint of paths among others.
        report
            .as_object_mut()
            .unwrap()
            .retain(|key, _| !["second", "rss", "recipe_fingerprint"].iter().any(|differing| key.contains(differing)));
        Self {
            weights: project.weights(1),
            valid: project.run_text(1, "valid.csv"),
            steps: events(project, "step"),
            evaluations: events(project, "evaluation"),
            report,
        }
    }

    /// That of the run when nothing disturbs it.
    fn undisturbed() -> &'static Self {
        static ENDING: OnceLock<Ending> = OnceLock::new();
        ENDING.get_or_init(|| {
            let project = long();
            project.report(&[]);
            Self::of(&project)
        })
    }
}

/// Asserts that the run of `project` is complete, and that nothing shows what happened to it but the journal.
fn assert_undisturbed(project: &Project) {
    let (found, expected) = (Ending::of(project), Ending::undisturbed());
    assert_eq!(found.evaluations, expected.evaluations);
    assert_eq!(found.steps, expected.steps);
    assert_eq!(found.report, expected.report);
    assert_eq!(found.valid, expected.valid);
    assert!(found.weights == expected.weights, "the weights differ");
    assert!(!project.run_path(2, "").exists(), "a second run was started");
}

/// The events of a kind that count, without their time: what a resumption repeats, counts once. A line torn by the end
/// of a process is passed over.
fn events(project: &Project, kind: &str) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    for line in journal(project).lines() {
        let Ok(mut event) = serde_json::from_str::<Value>(line) else { continue };
        let step = event["step"].as_u64();
        if event["event"] == "resumed" {
            events.retain(|earlier| earlier["step"].as_u64() <= step);
        }
        if event["event"] == kind {
            event.as_object_mut().unwrap().remove("time");
            // A run stopped between a step and its evaluation may make the evaluation twice.
            events.retain(|earlier| earlier["step"] != event["step"]);
            events.push(event);
        }
    }
    events
}

/// The journal so far; empty before the run begins.
fn journal(project: &Project) -> String {
    fs::read(project.run_path(1, "events.jsonl"))
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

/// How often the journal names an event of `kind`.
pub(crate) fn count(project: &Project, kind: &str) -> usize {
    journal(project).matches(&format!("\"event\":\"{kind}\"")).count()
}

/// Starts `gyeol train recipe.toml` with further words, its streams kept for later.
pub(crate) fn start(project: &Project, words: &[&str]) -> Child {
    let mut command = project.0.command(&[&["train", "recipe.toml"], words].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until `reached`, or until the process has ended.
pub(crate) fn wait_until(child: &mut Child, reached: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(60);
    while !reached() && child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < patience, "the process neither goes on nor ends");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Sends a signal by its name.
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status().unwrap();
    assert!(sent.success());
}

/// What the process has printed, and how it ended.
pub(crate) fn ended(child: Child) -> Ran {
    Ran::of(child.wait_with_output().unwrap())
}

/// Numbers that look random and are the same every time (xorshift64).
struct Moments(u64);

impl Moments {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[test]
fn a_run_killed_ten_times_ends_at_the_bits_of_one_that_was_not() {
    let project = long();
    let mut moments = Moments(0x9E37_79B9_7F4A_7C15);
    for _ in 0..10 {
        let mut child = start(&project, &["--resume"]);
        // After so many steps of this process, and then anywhere within a few more, an evaluation or a save.
        let target = count(&project, "step") + moments.below(STEPS / 12) as usize;
        wait_until(&mut child, || count(&project, "step") >= target);
        thread::sleep(Duration::from_micros(moments.below(10_000)));
        child.kill().unwrap();
        let ran = ended(child);
        assert_eq!(ran.code, None, "the run ended before it was killed: {}", ran.all());
    }
    assert!(count(&project, "resumed") > 2, "no state was saved between the kills");
    project.report(&["--resume"]);
    assert_undisturbed(&project);
}

#[test]
fn a_state_saved_by_the_clock_repeats_the_steps_that_followed_it() {
    let project = long();
    // No checkpoint ever falls out: only the clock has a state saved. The run would take long, and is not waited for.
    let endless =
        ["--set", "train.max_steps=1000000", "--set", "train.keep=1000000", "--set", "train.evaluate_every=500"];
    let mut child = start(&project, &endless);
    wait_until(&mut child, || project.run_path(1, "checkpoints/state/state.json").exists());
    let seen = count(&project, "step");
    wait_until(&mut child, || count(&project, "step") >= seen + 40);
    child.kill().unwrap();
    child.wait().unwrap();
    let first = events(&project, "step");
    let mut child = start(&project, &[&endless[..], &["--resume"]].concat());
    let repeated = || count(&project, "resumed") == 1 && events(&project, "step").len() >= first.len();
    wait_until(&mut child, repeated);
    signal(&child, "INT");
    assert_eq!(ended(child).code, Some(130));
    let resumed = events(&project, "resumed")[0]["step"].as_u64().unwrap() as usize;
    assert!((1..=seen).contains(&resumed), "resumed after {resumed} of {seen}");
    assert!(events(&project, "step")[..first.len()] == first, "the steps differ");
}

#[test]
fn a_run_killed_while_it_writes_its_results_writes_them_again() {
    let project = long();
    let mut child = start(&project, &[]);
    wait_until(&mut child, || project.run_path(1, "model").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    if count(&project, "finished") == 0 {
        project.report(&["--resume"]);
    }
    assert_undisturbed(&project);
}

#[test]
fn ctrl_c_saves_the_state_and_says_how_to_go_on() {
    let project = long();
    let mut child = start(&project, &[]);
    wait_until(&mut child, || count(&project, "step") >= 20);
    signal(&child, "INT");
    let ran = ended(child);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(130), ""), "{}", ran.all());
    let step = events(&project, "step").len();
    let hint = format!("hint: the run recipe-001 is saved at step {step}: the same command with --resume goes on");
    assert!(ran.stderr.contains(&hint), "{hint} not in\n{}", ran.stderr);
    assert_eq!(events(&project, "interrupted")[0]["step"], step);
    let resumed = project.train(&["--resume"]);
    assert!(resumed.stderr.contains(&format!("continuing after step {step} of {STEPS}")), "{}", resumed.all());
    assert_eq!(resumed.stderr.matches("run recipe-001: ").count(), 1, "{}", resumed.stderr);
    assert_undisturbed(&project);
}

#[test]
fn ctrl_c_while_the_results_are_predicted_is_an_interruption_too() {
    let project = long();
    let rows: String = (0..20_000).map(|row| format!("t{row},{}\n", text(row, row % 2))).collect();
    project.0.write("many.csv", &format!("ID,review\n{rows}"));
    let words = ["--set", "data.test=many.csv", "--set", "train.max_steps=2", "--set", "train.eval_batch_size=8"];
    let mut child = start(&project, &words);
    wait_until(&mut child, || project.run_path(1, "valid.csv").exists());
    signal(&child, "INT");
    let ran = ended(child);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(130), ""), "{}", ran.all());
    // Two steps are too few for a state.
    let hint = "hint: the run recipe-001 has no saved state yet: the same command with --resume begins it again";
    assert!(ran.stderr.contains(hint), "{}", ran.stderr);
    assert_eq!((count(&project, "interrupted"), count(&project, "failed")), (1, 0));
    assert!(!project.run_path(1, "test.csv").exists());
    assert_eq!(project.report(&[&words[..], &["--resume"]].concat())["run"], "recipe-001");
}

#[test]
fn a_second_process_is_refused_and_the_first_is_unharmed() {
    let project = long();
    let mut first = start(&project, &[]);
    wait_until(&mut first, || count(&project, "step") >= 1);
    let second = project.train(&["--resume"]);
    let words = format!("error: run recipe-001 is being written by process {}; wait for it or stop it", first.id());
    assert_eq!((second.code, second.stdout.as_str()), (Some(1), ""), "{}", second.all());
    assert!(second.stderr.contains(&words), "{}", second.stderr);
    let ran = ended(first);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert_undisturbed(&project);
}

#[test]
fn a_full_disk_stops_the_run_and_the_earlier_state_goes_on_afterwards() {
    let project = long();
    let mut child = start(&project, &[]);
    wait_until(&mut child, || count(&project, "step") >= 30);
    signal(&child, "INT");
    assert_eq!(ended(child).code, Some(130));
    let state = |file: &str| fs::read(project.run_path(1, &format!("checkpoints/state/{file}"))).unwrap();
    let saved = (state("state.json"), state("arenas.safetensors"));
    // Blocks of 512 bytes that a file may have: too few for a checkpoint, then too few for the state, which has both
    // moments beside the weights.
    for (blocks, file) in [(512, "checkpoints/step-"), (1600, "arenas.safetensors")] {
        let binary = env!("CARGO_BIN_EXE_gyeol");
        let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec '{binary}' train recipe.toml --resume");
        let ran = Ran::of(project.0.program("sh").args(["-c", &limited]).output().unwrap());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.all());
        assert!(ran.stderr.contains(file) && ran.stderr.contains(": cannot write: "), "{}", ran.stderr);
        assert!(saved == (state("state.json"), state("arenas.safetensors")), "the earlier state was touched");
        assert!(!project.run_path(1, "model").exists());
        let left = names(project.run_path(1, "checkpoints"));
        assert!(left.iter().all(|name| name == "state" || name.starts_with("step-")), "{left:?}");
    }
    assert_eq!(count(&project, "failed"), 2);
    project.report(&["--resume"]);
    assert_undisturbed(&project);
}

/// Interrupts the run of `project` on the instruction set `before`, and asserts that on `after` it is refused with `why`,
/// everything kept, and goes on on `before`.
fn refused_on_another(project: &Project, before: Isa, after: Isa, why: &str) {
    let resume = |isa: Isa| {
        let mut command = project.0.command(&["train", "recipe.toml", "--resume"]);
        command.env("GYEOL_ISA", isa.name()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let mut child = resume(before);
    wait_until(&mut child, || count(project, "step") >= 2);
    signal(&child, "INT");
    assert_eq!(ended(child).code, Some(130));
    // But for the lock, which names the process that held it last.
    let files = || {
        let mut files = project.files();
        files.retain(|name, _| !name.ends_with("run.lock"));
        files
    };
    let kept = files();
    let refused = ended(resume(after));
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{}", refused.all());
    let words =
        format!("error: --resume: recipe-001 was computed in {why}; GYEOL_ISA={} goes on with it", before.name());
    assert!(refused.stderr.contains(&words), "{words} not in\n{}", refused.stderr);
    assert!(files() == kept, "a refused resumption touched something");
    let resumed = ended(resume(before));
    assert_eq!(resumed.code, Some(0), "{}", resumed.all());
    assert!(resumed.stderr.contains("run recipe-001: continuing after step "), "{}", resumed.stderr);
}

#[test]
fn a_state_of_another_instruction_set_is_refused_and_kept() {
    // A processor that has no other has nothing to mix.
    if Isa::Avx2.available() {
        let why = "f32 on avx2, here it would be f32 on portable, which rounds otherwise";
        refused_on_another(&long(), Isa::Avx2, Isa::Portable, why);
    }
}

#[test]
fn a_state_in_bf16_is_refused_and_kept_where_auto_comes_to_f32() {
    if Isa::Avx512Bf16.available() {
        let why = "bf16 on avx512bf16, here it would be f32 on avx512, which rounds otherwise";
        refused_on_another(&long(), Isa::Avx512Bf16, Isa::Avx512, why);
    }
}

#[test]
fn resume_without_an_unfinished_run_starts_one() {
    let project = Project::reviews();
    let ran = project.train(&["--resume"]);
    assert!(ran.stderr.contains("no unfinished run of this recipe; starting one\n"), "{}", ran.all());
    assert_eq!(project.report(&["--resume"])["run"], "recipe-002");
    assert!(project.weights(1) == project.weights(2));
}

#[test]
fn a_changed_recipe_or_table_is_not_continued() {
    let project = long();
    let mut child = start(&project, &[]);
    wait_until(&mut child, || count(&project, "step") >= 2);
    signal(&child, "INT");
    assert_eq!(ended(child).code, Some(130));
    // Another recipe is another run.
    let other = ["--resume", "--set", "train.max_steps=2", "--set", "seed=9"];
    let ran = project.train(&other);
    let words = "starting one (recipe-001 is unfinished, but its seed is 7, the recipe's is 9)";
    assert!(ran.stderr.contains(words), "{}", ran.all());
    assert!(project.run_path(2, "report.json").exists());
    // The same recipe on another table would mix two runs into one.
    let table = project.0.read("train.csv").replacen("neg", "pos", 1);
    project.0.write("train.csv", &table);
    let ran = project.train(&["--resume"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.all());
    assert!(
        ran.stderr.contains("it belongs to another recipe, table or base model; start a new run"),
        "{}",
        ran.stderr
    );
}
