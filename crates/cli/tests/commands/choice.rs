//! Which weights a run keeps: means of checkpoints, a moving average, a guard, and what is left of a training that goes off.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

use crate::project::{self, Project};

/// The numbers of every tensor of a file.
fn tensors(path: &Path) -> BTreeMap<String, Vec<f32>> {
    let numbers = |bytes: Vec<u8>| bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    project::tensors(&fs::read(path).unwrap()).into_iter().map(|(name, bytes)| (name, numbers(bytes))).collect()
}

/// The evaluations of run `number`: step, accuracy, log loss.
fn evaluations(project: &Project, number: usize) -> Vec<(u64, f64, f64)> {
    let journal = project.run_text(number, "events.jsonl");
    let events = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let evaluation = |event: Value| {
        let metric = |name: &str| event["metrics"][name].as_f64().unwrap();
        (event["step"].as_u64().unwrap(), metric("accuracy"), metric("log_loss"))
    };
    events.filter(|event| event["event"] == "evaluation").map(evaluation).collect()
}

#[test]
fn the_mean_of_checkpoints_is_kept_exactly_where_it_scores_better() {
    let (mut better, mut not) = (0, 0);
    let project = Project::reviews();
    for run in 1..=8 {
        let seed = format!("seed={run}");
        let sets = [
            "metric=log_loss",
            "train.epochs=8",
            "train.learning_rate=3e-2",
            "swa.checkpoints=2",
            "train.keep=1",
            &seed,
        ];
        let words: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        let report = project.report(&words);
        let averages = report["averages"].as_array().unwrap();
        let counts: Vec<u64> = averages.iter().map(|average| average["checkpoints"].as_u64().unwrap()).collect();
        assert_eq!(counts, [2], "as many are kept as are averaged");
        let swa = &averages[0]["score"];
        assert_eq!(report["metrics"]["log_loss_swa"], *swa);
        let best = evaluations(&project, run).iter().map(|evaluation| evaluation.2).fold(f64::MAX, f64::min);
        let kept = tensors(&project.run_path(run, "model/model.safetensors"));
        if swa.as_f64().unwrap() < best {
            better += 1;
            assert_eq!((&report["averaged_checkpoints"], &report["score"]), (&2.into(), swa));
            let files = fs::read_dir(project.run_path(run, "checkpoints")).unwrap();
            let all: Vec<_> = files.map(|file| tensors(&file.unwrap().path())).collect();
            for (name, values) in &kept {
                for (at, value) in values.iter().enumerate() {
                    let mean = all.iter().map(|weights| f64::from(weights[name][at])).sum::<f64>() / all.len() as f64;
                    assert!((f64::from(*value) - mean).abs() < 1e-6, "{name}");
                }
            }
        } else {
            not += 1;
            assert_eq!((&report["averaged_checkpoints"], report["score"].as_f64()), (&Value::Null, Some(best)));
        }
        // Whatever is kept is what predicts.
        let step = report["best_step"].as_u64().unwrap();
        let best = tensors(&project.run_path(run, &format!("checkpoints/step-{step:08}.safetensors")));
        assert_eq!(kept == best, report["averaged_checkpoints"].is_null());
    }
    assert!(better > 0 && not > 0, "{better} better, {not} not: the test would show nothing");
}

#[test]
fn a_guard_chooses_among_the_checkpoints_whose_loss_has_not_blown_up_and_says_what_it_passed_over() {
    let project = Project::reviews();
    // Labels that the texts say nothing about: the loss blows up as they are learnt by heart, the accuracy comes and goes.
    let row = |row: usize| {
        format!("r{row},{},{}\n", project::text(row, row % 2), project::LABELS[((row * 2_654_435_761) >> 13) % 2])
    };
    project.0.write("train.csv", &format!("ID,review,label\n{}", (0..60).map(row).collect::<String>()));
    let mut passed_over = 0;
    for run in 1..=6 {
        let seed = format!("seed={run}");
        let sets = [
            "train.epochs=6",
            "train.evaluate_every=2",
            "train.learning_rate=1e-2",
            "guard=log_loss <= 1.0 * best",
            &seed,
        ];
        let words: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        let ran = project.train(&words);
        assert_eq!(ran.code, Some(0), "{}", ran.all());
        let evaluations = evaluations(&project, run);
        let lowest = evaluations.iter().min_by(|a, b| a.2.total_cmp(&b.2)).unwrap();
        let report: Value = serde_json::from_str(&project.run_text(run, "report.json")).unwrap();
        assert_eq!(report["best_step"], lowest.0);
        let better = evaluations.iter().any(|evaluation| evaluation.1 > lowest.1);
        assert_eq!(ran.stderr.contains("the guard log_loss <= 1 * best passed over step"), better, "{}", ran.stderr);
        passed_over += usize::from(better);
    }
    assert!(passed_over > 0, "the test would show nothing");
}

#[test]
fn a_moving_average_is_what_a_run_keeps_and_goes_on_with() {
    let project = Project::reviews();
    let [plain, averaged] = [(1, "train.ema=0.0"), (2, "train.ema=0.9")].map(|(run, set)| {
        project.report(&["--set", set, "--set", "train.keep=1"]);
        tensors(&project.run_path(run, "model/model.safetensors"))
    });
    assert!(plain.iter().any(|(name, values)| averaged[name] != *values));
    assert!(averaged.values().flatten().all(|value| value.is_finite()));
}

#[test]
fn a_training_that_goes_off_keeps_the_last_good_checkpoint_and_names_the_step() {
    let project = Project::reviews();
    let sets = ["train.learning_rate=1e30", "train.warmup_steps=2", "train.max_grad_norm=0", "train.evaluate_every=1"];
    let words: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let ran = project.train(&words);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let warning = "warning: diverged at step 3: the loss is NaN";
    assert!(ran.stderr.contains(warning), "{}", ran.stderr);
    assert!(ran.stderr.contains("the checkpoint of step 1 from before is kept"), "{}", ran.stderr);
    let report: Value = serde_json::from_str(&project.run_text(1, "report.json")).unwrap();
    assert_eq!(report["best_step"], 1);
    assert!(report["stopped"].as_str().unwrap().starts_with("diverged at step 3"), "{report}");
    assert!(ran.stdout.contains("stopped early: diverged at step 3"), "{}", ran.stdout);
    assert!(tensors(&project.run_path(1, "model/model.safetensors")).values().flatten().all(|value| value.is_finite()));
}

#[test]
fn a_training_that_goes_off_before_any_checkpoint_fails_and_names_the_step() {
    let project = Project::reviews();
    let sets = ["train.learning_rate=1e30", "train.max_grad_norm=0"];
    let words: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let ran = project.train(&words);
    assert_eq!(ran.code, Some(1), "{}", ran.all());
    assert!(ran.stderr.contains("step 2: the loss is NaN"), "{}", ran.stderr);
    assert!(ran.stderr.contains("lower the learning rate"), "{}", ran.stderr);
}

#[test]
fn a_guard_that_nothing_satisfies_and_a_mean_of_more_than_there_are_say_so() {
    let project = Project::reviews();
    let ran = project.train(&["--set", "guard=macro_f1 >= 0.999", "--set", "swa.checkpoints=5"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(ran.stderr.contains("no checkpoint satisfies the guard macro_f1 >= 0.999; step "), "{}", ran.stderr);
    let report: Value = serde_json::from_str(&project.run_text(1, "report.json")).unwrap();
    assert_eq!(report["averages"].as_array().unwrap().len(), 1, "of two checkpoints");
    assert_eq!(report["metrics"]["accuracy_swa"], report["averages"][0]["score"]);
}

#[test]
fn where_nothing_validates_what_evaluations_read_is_told_to_have_no_effect() {
    let project = Project::reviews();
    let ran = project.train(&["--set", "data.holdout=0", "--set", "swa.checkpoints=2", "--set", "train.patience=1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(ran.stderr.contains("train.patience and swa.checkpoints change nothing"), "{}", ran.stderr);
}
