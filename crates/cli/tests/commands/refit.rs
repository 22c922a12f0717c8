//! `gyeol train --refit`: all labelled rows, for the steps another run found best.

use serde_json::Value;

use crate::project::{Project, names};

fn refitted(project: &Project, file: &str) -> String {
    project.0.read(&format!(".gyeol/runs/recipe-refit-001/{file}"))
}

/// The learning rate of every step in a journal.
fn rates(journal: &str) -> Vec<f64> {
    let events = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["event"] == "step").map(|event| event["learning_rate"].as_f64().unwrap()).collect()
}

#[test]
fn a_refit_trains_on_all_rows_for_the_best_steps_of_the_same_schedule() {
    let project = Project::reviews();
    // The rate grows until it spoils a good beginning, so that the best step is not the last.
    let words = ["--set", "metric=log_loss", "--set", "train.evaluate_every=3", "--set", "train.learning_rate=1.0"];
    let words = [&words[..], &["--set", "train.warmup_steps=12", "--set", "train.precision=f32"]].concat();
    let first = project.report(&words);
    let best = first["best_step"].as_u64().unwrap();
    assert!(best < 12, "the last step is the best: nothing is shown");
    let report = project.report(&[&words[..], &["--refit", "recipe-001"]].concat());
    assert_eq!((&report["run"], &report["steps"]), (&"recipe-refit-001".into(), &best.into()));
    assert_eq!((&report["train_rows"], &report["valid_rows"], &report["score"]), (&60.into(), &0.into(), &Value::Null));
    let of = &report["refit_of"];
    assert_eq!((&of["run"], &of["from"], &of["steps"]), (&"recipe-001".into(), &"base".into(), &best.into()));
    assert_eq!(of["total_steps"], 12);
    let journal = refitted(&project, "events.jsonl");
    assert_eq!(rates(&journal), rates(&project.run_text(1, "events.jsonl"))[..best as usize]);
    let files = names(project.0.path().join(".gyeol/runs/recipe-refit-001"));
    assert!(files.contains(&"test.csv".to_owned()) && !files.contains(&"valid.csv".to_owned()), "{files:?}");
    let ran = project.0.gyeol(&["predict", "recipe-refit-001", "test.csv", "-o", "out.csv", "--precision", "f32"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert_eq!(project.0.read("out.csv"), refitted(&project, "test.csv"));
    // Its recipe says all of it: the same comes of it again.
    let path = ".gyeol/runs/recipe-refit-001/recipe.toml";
    let again = project.0.gyeol(&["train", path, "--set", "name=again", "--json"]).json();
    assert_eq!((&again["refit_of"], &again["steps"]), (&report["refit_of"], &report["steps"]));
    assert_eq!(project.0.read(".gyeol/runs/again-001/test.csv"), refitted(&project, "test.csv"));
}

#[test]
fn a_refit_may_start_from_the_best_weights_with_their_cleaning() {
    let project = Project::reviews();
    let words = ["--set", "clean.rare_words=3", "--set", "clean.emoticons=true", "--set", "train.epochs=3"];
    project.report(&words);
    // No step moves these weights far.
    let report = project.report(&[&words[..], &["--refit", "recipe-001", "--from", "best"]].concat());
    assert_eq!(report["refit_of"]["from"], "best");
    let settings = |text: &str| serde_json::from_str::<Value>(text).unwrap()["clean"].clone();
    let own = settings(&project.run_text(1, "model/gyeol.json"));
    assert!(!own.is_null());
    assert_eq!(settings(&refitted(&project, "model/gyeol.json")), own);
    assert_eq!(project.run_text(1, "model/config.json"), refitted(&project, "model/config.json"));
}

#[test]
fn rows_that_validated_are_trained_on_and_folds_give_the_mean_of_their_steps() {
    let project = Project::reviews();
    let words = ["--set", "folds.k=3", "--set", "train.epochs=3"];
    let folds = project.report(&words);
    let report = project.report(&[&words[..], &["--refit", "recipe-001"]].concat());
    assert_eq!((&report["train_rows"], &report["steps"]), (&60.into(), &folds["best_step"]));
    assert_eq!(report["refit_of"]["total_steps"], 15);
    assert!(report.get("folds").is_none());
    let ran = project.train(&[&words[..], &["--refit", "recipe-001", "--from", "best"]].concat());
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("error: --from: recipe-001 has a model for each fold"), "{}", ran.stderr);
}

#[test]
fn a_run_of_another_recipe_or_without_a_best_step_is_refused() {
    let project = Project::reviews();
    project.report(&[]);
    project.report(&["--set", "data.holdout=0"]);
    for (words, expected) in [
        (&["--refit", "recipe-009"][..], "no run \"recipe-009\""),
        (&["--refit", "recipe-002"], "--refit: recipe-002 was not validated"),
        (
            &["--refit", "recipe-001", "--set", "train.epochs=9"],
            "--refit: recipe-001 had another recipe: its train.epochs is 2, the recipe's is 9",
        ),
        (&["--from", "best"], "--refit <RUN>"),
        (&["--refit", "recipe-001", "--seeds", "1,2"], "cannot be used with"),
    ] {
        let ran = project.train(words);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.all());
        assert!(ran.stderr.contains(expected), "{expected} not in\n{}", ran.stderr);
    }
    assert!(!project.0.path().join(".gyeol/runs/recipe-refit-001").exists());
}

#[test]
fn a_refit_of_a_head_over_pooled_tokens_starts_from_its_best_weights() {
    let project = Project::reviews();
    let config = project.0.read("base/config.json").replacen('{', "{\"classifier_dropout\": 0.3, ", 1);
    project.0.write("base/config.json", &config);
    let words = ["--set", "head.kind=mlp", "--set", "head.widths=[8]", "--set", "head.pooling=mean"];
    let words = [&words[..], &["--set", "train.precision=f32", "--set", "train.evaluate_every=1"]].concat();
    project.report(&words);
    // At next to no rate the weights it ends with are those it starts from, the head's among them.
    let slow = [&words[..], &["--set", "train.learning_rate=1e-12"]].concat();
    let refused = project.train(&[&slow[..], &["--refit", "recipe-001", "--from", "best"]].concat());
    assert!(refused.stderr.contains("train.learning_rate"), "{}", refused.all());
    project.report(&[&words[..], &["--refit", "recipe-001", "--from", "best"]].concat());
    let journal = |text: &str| -> Vec<f64> {
        let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.filter(|event| event["event"] == "step").map(|event| event["loss"].as_f64().unwrap()).collect()
    };
    let dense = |run: &str| project.0.path().join(format!(".gyeol/runs/{run}/model/2_Dense/model.safetensors"));
    let numbers = |run: &str| -> Vec<f32> {
        let tensors = crate::project::tensors(&std::fs::read(dense(run)).unwrap());
        tensors["linear.weight"].as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
    };
    let (before, after) = (numbers("recipe-001"), numbers("recipe-refit-001"));
    let steps = journal(&refitted(&project, "events.jsonl")).len() as f32;
    // A step of Adam moves a weight by about its rate: fresh weights would be elsewhere.
    let moved = before.iter().zip(&after).map(|(a, b)| (a - b).abs()).max_by(f32::total_cmp).unwrap();
    assert!(moved <= 1.5e-3 * steps && before.iter().any(|weight| weight.abs() > 1.5e-3 * steps), "{moved} in {steps}");
}
