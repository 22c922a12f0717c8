//! `model.freeze_layers`: what of a model a run leaves as it came.

use crate::project::{Project, Shape, TINY, tensors};

#[test]
fn frozen_layers_and_the_embeddings_leave_a_run_as_they_came() {
    let project = Project::reviews();
    project.base(Shape { layers: 2, ..TINY });
    let train = |number: usize, frozen: &str, steps: usize| {
        let sets = [format!("model.freeze_layers={frozen}"), format!("train.max_steps={steps}")];
        let ran = project.train(&["--set", &sets[0], "--set", &sets[1], "--set", "train.weight_decay=0.5"]);
        assert_eq!(ran.code, Some(0), "{}", ran.all());
        assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
        tensors(&project.weights(number))
    };
    let head = ["pooler", "classifier"].as_slice();
    for (run, frozen, trained) in [(1, "1/2", &[head, &[".layer.1."]].concat()), (3, "2", &head.to_vec())] {
        let (short, long) = (train(run, frozen, 1), train(run + 1, frozen, 6));
        // The true gradient of a key's bias is zero: whether it moves is a matter of rounding.
        for (name, values) in short.iter().filter(|(name, _)| !name.ends_with("key.bias")) {
            let trains = trained.iter().any(|part| name.contains(part));
            assert_eq!(*values != long[name], trains, "{name}, {frozen} frozen");
        }
    }
    assert!(project.run_text(1, "recipe.toml").contains("freeze_layers = \"1/2\""));
}
