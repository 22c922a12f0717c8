//! `train.optimizer` and what goes with it: each trains, and goes on after an interruption to the same bits. Signals are those
//! of Unix.

use serde_json::Value;

use crate::{
    project::{Project, Shape},
    resume::{count, ended, signal, start, wait_until},
};

/// The optimisers, each with a learning rate that suits it.
const OPTIMISERS: [(&str, &str); 4] = [("adamw", "1e-3"), ("sgd", "1e-1"), ("lion", "3e-4"), ("adafactor", "1e-3")];

/// A run long enough to be interrupted, of two layers.
fn long(optimizer: &str, learning_rate: &str) -> Project {
    let project = Project::reviews();
    project.base(Shape { hidden: 32, layers: 2, positions: 40 });
    let train = format!(
        "optimizer = \"{optimizer}\"\nmax_steps = 400\nlayer_decay = 0.8\nschedule = \"cosine_restarts\"\ncycles = 3\n\
         warmup_ratio = 0.1\nevaluate_every = 1000"
    );
    project.recipe("id = \"ID\"\ntext = \"review\"\nholdout = 0.25", &train);
    let recipe = project.0.read("recipe.toml");
    project
        .0
        .write("recipe.toml", &recipe.replace("learning_rate = 1e-3", &format!("learning_rate = {learning_rate}")));
    project
}

/// The mean loss of the first steps of a run, and of its last.
fn losses(project: &Project, run: usize) -> [f64; 2] {
    let journal = project.run_text(run, "events.jsonl");
    let events = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let losses: Vec<f64> = events.filter_map(|event| event["loss"].as_f64()).collect();
    [&losses[..20], &losses[losses.len() - 20..]].map(|part| part.iter().sum::<f64>() / 20.0)
}

#[test]
fn every_optimiser_trains_and_goes_on_to_the_same_bits() {
    for (optimizer, learning_rate) in OPTIMISERS {
        let project = long(optimizer, learning_rate);
        let mut child = start(&project, &[]);
        wait_until(&mut child, || count(&project, "step") >= 20);
        signal(&child, "INT");
        let ran = ended(child);
        assert_eq!(ran.code, Some(130), "{optimizer}: {}", ran.all());
        let state = project.run_path(1, "checkpoints/state");
        let size = std::fs::metadata(state.join("arenas.safetensors")).unwrap().len();
        project.report(&["--resume"]);
        assert_eq!(count(&project, "resumed"), 1, "{optimizer}");
        project.report(&[]);
        assert!(project.weights(1) == project.weights(2), "{optimizer}: the weights differ");
        assert_eq!(project.run_text(1, "valid.csv"), project.run_text(2, "valid.csv"), "{optimizer}");
        let [first, last] = losses(&project, 2);
        assert!(last < first, "{optimizer}: the loss went from {first} to {last}");

        // The state has the weights, and no more than the optimiser keeps beside them.
        let weights = project.weights(1).len() as f64;
        let kept = size as f64 / weights;
        let expected = match optimizer {
            "adamw" => 2.5..3.1,
            "adafactor" => 0.9..1.5,
            _ => 1.6..2.1,
        };
        assert!(expected.contains(&kept), "{optimizer}: a state of {kept} times the weights");
    }
}
