//! W&B's own numbers, made by `tests/golden/make_space.py`.

use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use super::{Assignment, Distribution, Law, Space, Step, Value, coding::Coding, lattice::Lattice};
use crate::SweepFile;

#[derive(Deserialize)]
struct Golden {
    probabilities: Vec<f64>,
    distributions: Vec<Case>,
    grid: Grid,
}

#[derive(Deserialize)]
struct Case {
    config: Value,
    quantiles: Vec<Value>,
    cumulative: Option<Vec<f64>>,
}

#[derive(Deserialize)]
struct Grid {
    config: Value,
    assignments: Vec<Assignment>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../tests/golden/space.json")).unwrap()
}

/// JSON is YAML.
fn space(config: &Value) -> Space {
    SweepFile::parse(Path::new("golden.yaml"), &config.to_string()).unwrap().space
}

/// A number by W&B's rule: rounded with less room for the first and last step, as the law gives it.
fn number(distribution: &Distribution) -> (Law, Coding) {
    let (law, step) = match *distribution {
        Distribution::Number { law, step } => (law, step),
        Distribution::IntUniform { min, max } => {
            (Law::Uniform { min: min as f64 - 0.5, max: max as f64 + 0.5 }, Some(Step::Integer(1)))
        }
        _ => panic!("no number"),
    };
    (law, step.map_or(Coding::Number(law), |step| Coding::Rounded(law, Lattice::of(&law, step).unwrap())))
}

#[test]
fn quantiles_and_cumulative_probabilities_are_those_of_wandb() {
    let golden = golden();
    for case in &golden.distributions {
        let space = space(&json!({ "method": "random", "parameters": { "p": case.config } }));
        let (law, coding) = number(&space.parameters()[0].distribution);
        for (index, &probability) in golden.probabilities.iter().enumerate() {
            let (value, expected) = (coding.decode(probability), &case.quantiles[index]);
            let (ours, theirs) = (value.as_f64().unwrap(), expected.as_f64().unwrap());
            let close = |one: f64, other: f64| (one - other).abs() <= 1e-11 + 1e-9 * other.abs();
            assert!(close(ours, theirs), "{} at {probability}: {ours}, not {theirs}", case.config);
            // A step that is left out is an integer here.
            let left_out = case.config.get("distribution").is_some_and(|name| name.as_str().unwrap().starts_with("q_"))
                && case.config.get("q").is_none();
            assert!(left_out || value.is_i64() == expected.is_i64(), "{}: {value}, not {expected}", case.config);
            if let Some(cumulative) = &case.cumulative {
                let share = law.cumulative(theirs);
                assert!(close(share, cumulative[index]), "{}: P(≤ {theirs}) = {share}", case.config);
            }
        }
    }
}

#[test]
fn a_grid_goes_the_way_of_wandb() {
    let grid = golden().grid;
    let space = space(&grid.config);
    let ours: Vec<Assignment> = space.grid().unwrap().collect();
    assert_eq!(ours, grid.assignments);
    assert_eq!(space.size(), Some(24));
}
