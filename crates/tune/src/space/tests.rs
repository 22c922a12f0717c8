//! Tests of the space as a whole: W&B's numbers, and properties of spaces of every kind of parameter.

use proptest::prelude::*;
use serde_json::json;

use super::{Assignment, Distribution, Kind, Law, Parameter, Problem, Space, Step, Value, When};

fn number(name: &str, law: Law, step: Option<Step>) -> Parameter {
    Parameter::new(name, Distribution::Number { law, step })
}

fn choice(name: &str, values: Value) -> Parameter {
    let Value::Array(values) = values else { panic!("a list") };
    Parameter::new(name, Distribution::Categorical { values, probabilities: None })
}

fn integers(name: &str, min: i64, max: i64) -> Parameter {
    Parameter::new(name, Distribution::IntUniform { min, max })
}

fn when(parameter: Parameter, parent: &str, values: Value) -> Parameter {
    let Value::Array(values) = values else { panic!("a list") };
    let mut parameter = parameter;
    parameter.when.push(When { parameter: parent.into(), values });
    parameter
}

fn assignment(value: Value) -> Assignment {
    let Value::Object(assignment) = value else { panic!("an object") };
    assignment
}

fn problem(parameters: Vec<Parameter>) -> Problem {
    Space::new(parameters).unwrap_err().problem
}

/// One of each kind, some under conditions, one of those before what it hangs on.
fn mixed() -> Space {
    Space::new(vec![
        when(number("momentum", Law::Beta { a: 2.0, b: 3.0 }, None), "optimizer", json!(["sgd", "lion"])),
        choice("optimizer", json!(["adamw", "sgd", "lion"])),
        number("rate", Law::LogUniform { min: 1e-6, max: 1e-2 }, None),
        number("warmup", Law::Uniform { min: 100.0, max: 1000.0 }, Some(Step::Integer(50))),
        number("width", Law::LogUniform { min: 16.0, max: 4096.0 }, Some(Step::Integer(16))),
        number("smoothing", Law::Uniform { min: 0.0, max: 0.3 }, Some(Step::Real(0.1))),
        number("noise", Law::Normal { mu: -1.0, sigma: 30.0 }, Some(Step::Real(0.5))),
        number("scale", Law::LogNormal { mu: 0.5, sigma: 2.0 }, None),
        integers("rows", -5_000, 5_000),
        integers("epochs", 2, 7),
        Parameter::new("seed", Distribution::Constant(json!(7))),
        choice("batch", json!([64, 16, 32.0])),
        Parameter::new(
            "schedule",
            Distribution::Categorical {
                values: vec![json!("linear"), json!(null), json!({ "kind": "cosine" })],
                probabilities: Some(vec![0.25, 0.7, 0.05]),
            },
        ),
        when(when(integers("cycles", 1, 3), "schedule", json!([null])), "epochs", json!([4, 5, 6, 7])),
        when(Parameter::new("nesterov", Distribution::Constant(json!(true))), "optimizer", json!(["sgd"])),
    ])
    .unwrap()
}

fn near(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1e-3),
        _ => one == other,
    }
}

proptest! {
    #[test]
    fn decoding_undoes_encoding(point in prop::collection::vec(0.0..=1.0_f64, 13)) {
        let space = mixed();
        let values = space.decode(&point);
        let encoded = space.encode(&values).expect("what was decoded can be had");
        let again = space.decode(&encoded);
        prop_assert_eq!(values.len(), again.len());
        for (name, value) in &values {
            prop_assert!(near(value, &again[name]), "{}: {} is not {}", name, value, again[name]);
            // All but continuous numbers come back in every bit.
            prop_assert!(["momentum", "rate", "scale"].contains(&name.as_str()) || *value == again[name]);
        }
    }

    #[test]
    fn values_lie_within_bounds_on_their_steps_and_under_their_conditions(
        point in prop::collection::vec(0.0..=1.0_f64, 13),
    ) {
        let values = mixed().decode(&point);
        let within = |name: &str, low: f64, high: f64, step: f64| {
            values.get(name).is_none_or(|value| {
                let value = value.as_f64().unwrap();
                let steps = value / step;
                low <= value && value <= high && (step == 0.0 || (steps - steps.round()).abs() < 1e-9)
            })
        };
        prop_assert!(within("momentum", 0.0, 1.0, 0.0) && within("rate", 1e-6, 1e-2, 0.0));
        prop_assert!(within("warmup", 100.0, 1000.0, 50.0) && within("width", 16.0, 4096.0, 16.0));
        prop_assert!(within("smoothing", 0.0, 0.3, 0.1) && within("noise", -200.0, 200.0, 0.5));
        prop_assert!(within("rows", -5000.0, 5000.0, 1.0) && within("epochs", 2.0, 7.0, 1.0));
        for name in ["warmup", "width", "rows", "epochs", "seed"] {
            prop_assert!(values[name].is_i64(), "{} {}", name, values[name]);
        }
        prop_assert!(values["rate"].is_f64() && values["smoothing"].is_f64() && values["noise"].is_f64());
        prop_assert_eq!(values.contains_key("momentum"), values["optimizer"] != "adamw");
        prop_assert_eq!(values.contains_key("nesterov"), values["optimizer"] == "sgd");
        let cycles = values["schedule"].is_null() && values["epochs"].as_i64() >= Some(4);
        prop_assert_eq!(values.contains_key("cycles"), cycles);
    }

    #[test]
    fn the_grid_has_as_many_assignments_as_the_space_each_once(
        counts in prop::collection::vec(1..4_i64, 1..6),
        links in prop::collection::vec((0..6_usize, 0..6_usize, 1..4_i64), 0..6),
    ) {
        let mut parameters: Vec<_> = counts.iter().enumerate().map(|(index, count)| {
            choice(&format!("p{}", (index * 5) % 7), (1..=*count).collect())
        }).collect();
        for (one, other, value) in links {
            let (child, parent) = (one.max(other), one.min(other));
            let linked = |child: &Parameter, name: &str| child.when.iter().any(|when| when.parameter == name);
            if child == parent || child >= counts.len() || value > counts[parent] || counts[parent] == 1 {
                continue;
            }
            let name = parameters[parent].name.clone();
            if !linked(&parameters[child], &name) {
                let parameter = parameters[child].clone();
                parameters[child] = when(parameter, &name, json!([value]));
            }
        }
        parameters.reverse();
        let space = Space::new(parameters).unwrap();
        let all: Vec<String> = space.grid().unwrap().map(|values| Value::Object(values).to_string()).collect();
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        prop_assert_eq!(distinct.len(), all.len());
        prop_assert_eq!(space.size(), Some(all.len() as u128));
        prop_assert!(space.grid().unwrap().all(|values| space.contains(&values)));
    }
}

#[test]
fn the_ends_of_every_coordinate_have_values() {
    let space = mixed();
    for coordinate in [0.0, 1.0, -3.0, 2.0, f64::NAN] {
        let values = space.decode(&vec![coordinate; space.dimensions().len()]);
        assert!(values.values().all(|value| !value.is_number() || value.as_f64().unwrap().is_finite()));
        let encoded = space.encode(&values).unwrap();
        assert!(space.decode(&encoded).iter().all(|(name, value)| near(value, &values[name])), "{values:?}");
    }
}

#[test]
fn dimensions_are_ordinal_where_values_have_an_order_and_parents_come_first() {
    let space = mixed();
    let names: Vec<&str> = (0..space.dimensions().len()).map(|index| space.parameter_of(index).name.as_str()).collect();
    assert_eq!(names[..3], ["optimizer", "momentum", "rate"]);
    assert!(!names.contains(&"seed") && !names.contains(&"nesterov"));
    let kind = |name: &str| &space.dimensions()[names.iter().position(|other| *other == name).unwrap()].kind;
    assert_eq!(*kind("warmup"), Kind::Ordinal { levels: 19 });
    assert_eq!(*kind("batch"), Kind::Ordinal { levels: 3 });
    assert_eq!(*kind("epochs"), Kind::Ordinal { levels: 6 });
    assert_eq!(*kind("schedule"), Kind::Categorical { probabilities: vec![0.25, 0.7, 0.05] });
    for continuous in ["rows", "width", "noise", "rate"] {
        assert_eq!(*kind(continuous), Kind::Continuous, "{continuous}");
    }
    let cycles = &space.dimensions()[names.iter().position(|name| *name == "cycles").unwrap()];
    assert_eq!(cycles.conditions.len(), 2);
}

#[test]
fn numbers_of_a_list_are_searched_in_increasing_order_and_stay_as_they_were_written() {
    let space = Space::new(vec![choice("batch", json!([64, 16, 32.0]))]).unwrap();
    let at = |coordinate: f64| space.decode(&vec![coordinate])["batch"].to_string();
    assert_eq!([at(0.1), at(0.5), at(0.9)], ["16", "32.0", "64"]);
}

#[test]
fn values_from_elsewhere_have_no_point() {
    let space = Space::new(vec![
        choice("optimizer", json!(["adamw", "sgd"])),
        when(number("momentum", Law::Uniform { min: 0.0, max: 0.99 }, None), "optimizer", json!(["sgd"])),
        number("warmup", Law::Uniform { min: 0.0, max: 100.0 }, Some(Step::Integer(10))),
        Parameter::new("seed", Distribution::Constant(json!(7))),
    ])
    .unwrap();
    let contains = |values: Value| space.contains(&assignment(values));
    assert!(contains(json!({ "optimizer": "adamw", "warmup": 20.0, "seed": 7 })));
    assert!(contains(json!({ "optimizer": "adamw", "warmup": 20 })), "constants may be missing");
    assert!(contains(json!({ "optimizer": "adamw", "momentum": 5, "warmup": 0 })), "inactive ones are not looked at");
    assert!(contains(json!({ "optimizer": "sgd", "momentum": 0.99 + 1e-13, "warmup": 0 })));
    for foreign in [
        json!({ "optimizer": "lion", "warmup": 20 }),
        json!({ "optimizer": "adamw", "warmup": 25 }),
        json!({ "optimizer": "adamw", "warmup": 110 }),
        json!({ "optimizer": "adamw", "warmup": "20" }),
        json!({ "optimizer": "adamw", "warmup": 20, "seed": 8 }),
        json!({ "optimizer": "adamw", "warmup": 20, "other": 1 }),
        json!({ "optimizer": "sgd", "warmup": 20 }),
        json!({ "optimizer": "sgd", "momentum": 1.2, "warmup": 20 }),
        json!({ "optimizer": "adamw" }),
    ] {
        assert!(!contains(foreign.clone()), "{foreign}");
    }
}

#[test]
fn impossible_distributions_are_named() {
    let uniform = |min, max, step| vec![number("p", Law::Uniform { min, max }, step)];
    assert_eq!(problem(vec![]), Problem::Empty);
    assert_eq!(problem(uniform(2.0, 1.0, None)), Problem::Bounds { min: 2.0, max: 1.0 });
    assert_eq!(problem(uniform(0.0, f64::INFINITY, None)), Problem::TooLarge);
    assert_eq!(problem(uniform(0.1, 0.9, Some(Step::Integer(1)))), Problem::NoMultiple(1.0));
    assert_eq!(problem(vec![integers("p", 3, 3)]), Problem::Bounds { min: 3.0, max: 3.0 });
    assert_eq!(problem(vec![number("p", Law::LogUniform { min: 0.0, max: 1.0 }, None)]), Problem::NoLogarithm(0.0));
    assert_eq!(problem(vec![number("p", Law::LogNormal { mu: 0.0, sigma: 500.0 }, None)]), Problem::TooLarge);
    let sigma = Problem::NotPositive { key: "sigma", value: 0.0 };
    assert_eq!(problem(vec![number("p", Law::Normal { mu: 0.0, sigma: 0.0 }, None)]), sigma);
    assert_eq!(problem(vec![choice("p", json!([]))]), Problem::NoValues);
    assert_eq!(problem(vec![choice("p", json!([1, 2, 1.0]))]), Problem::ValueTwice("1.0".into()));
    let weighted = |probabilities: &[f64]| {
        let probabilities = Some(probabilities.to_vec());
        vec![Parameter::new("p", Distribution::Categorical { values: vec![json!(1), json!(2)], probabilities })]
    };
    assert_eq!(problem(weighted(&[0.5, 0.25])), Problem::ProbabilitySum(0.75));
    assert_eq!(problem(weighted(&[1.0])), Problem::ProbabilityCount { values: 2, probabilities: 1 });
    assert_eq!(problem(weighted(&[1.5, -0.5])), Problem::Probability(1.5));
    let twice = Space::new(vec![integers("p", 1, 2), integers("p", 1, 3)]).unwrap_err();
    assert_eq!(twice.to_string(), "p: is there twice; keep one");
}

#[test]
fn impossible_conditions_are_named() {
    let rate = || number("rate", Law::Uniform { min: 0.0, max: 1.0 }, None);
    let with = |parent: &str, values: Value| vec![choice("kind", json!(["a", "b"])), when(rate(), parent, values)];
    let suggestion = Some("kind".to_string());
    assert_eq!(problem(with("kin", json!(["a"]))), Problem::UnknownParent { name: "kin".into(), suggestion });
    let never = Problem::NeverHolds { parent: "kind".into(), value: "\"c\"".into() };
    assert_eq!(problem(with("kind", json!(["a", "c"]))), never);
    assert_eq!(problem(with("kind", json!([]))), Problem::NoConditionValues("kind".into()));
    let on_number = vec![rate(), when(integers("p", 1, 2), "rate", json!([0.5]))];
    assert_eq!(problem(on_number), Problem::ParentNotFinite("rate".into()));
    let circle = vec![
        when(integers("a", 1, 2), "b", json!([1])),
        when(integers("b", 1, 2), "c", json!([1])),
        when(integers("c", 1, 2), "a", json!([1])),
    ];
    assert_eq!(problem(circle), Problem::Cycle("a → b → c → a".into()));
    assert_eq!(problem(vec![when(integers("a", 1, 2), "a", json!([1]))]), Problem::Cycle("a → a".into()));
}

#[test]
fn a_condition_on_a_constant_holds_with_the_constant() {
    let space = Space::new(vec![
        choice("kind", json!(["a", "b"])),
        when(Parameter::new("depth", Distribution::Constant(json!(3))), "kind", json!(["a"])),
        when(integers("width", 1, 2), "depth", json!([3])),
    ])
    .unwrap();
    assert_eq!(space.size(), Some(3));
    assert_eq!(space.decode(&vec![0.9, 0.9]), assignment(json!({ "kind": "b" })));
}

#[test]
fn large_spaces_are_counted_without_going_through_them() {
    let pairs = (0..200).flat_map(|index| {
        let parent = format!("a{index:03}");
        [choice(&parent, json!([1, 2, 3])), when(integers(&format!("b{index:03}"), 1, 10), &parent, json!([2]))]
    });
    let one = Space::new(pairs.clone().take(2).collect()).unwrap();
    assert_eq!(one.size(), Some(12));
    let children_last = pairs.clone().step_by(2).take(20).chain(pairs.clone().skip(1).step_by(2).take(20));
    assert_eq!(Space::new(children_last.collect()).unwrap().size(), Some(12_u128.pow(20)));
    assert_eq!(Space::new(pairs.collect()).unwrap().size(), Some(u128::MAX));
    assert_eq!(mixed().size(), None);
    assert!(mixed().grid().is_none());
}

#[test]
fn conditions_that_cannot_be_counted_are_refused() {
    // Each pair of neighbours in a ring of parents and one more across: nothing can be decided early.
    let parents = (0..40).map(|index| choice(&format!("a{index}"), json!([1, 2])));
    let children = (0..40).map(|index| {
        let child = when(integers(&format!("b{index}"), 1, 2), &format!("a{index}"), json!([1]));
        when(child, &format!("a{}", (index * 7 + 13) % 40), json!([1]))
    });
    assert_eq!(problem(parents.chain(children).collect()), Problem::Entangled);
}

#[test]
fn a_description_has_what_decides_about_values() {
    let described = mixed().describe();
    let expected = json!({
        "name": "momentum", "distribution": "beta", "a": 2.0, "b": 3.0, "when": { "optimizer": ["sgd", "lion"] },
    });
    assert_eq!(described[0], expected);
    let warmup = json!({ "name": "warmup", "distribution": "q_uniform", "min": 100.0, "max": 1000.0, "q": 50 });
    assert_eq!(described[3], warmup);
}
