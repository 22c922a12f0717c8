//! Tests of sweep files as a whole.

use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::{EarlyTerminate, Method, Metric, SweepFile, SweepFileError};
use crate::{space::Kind, study::Goal};

fn parse(text: &str) -> Result<SweepFile, SweepFileError> {
    SweepFile::parse(Path::new("sweep.yaml"), text)
}

fn error(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

/// A random search over one parameter, which is written on line 3.
fn parameter(config: &str) -> String {
    format!("method: random\nparameters:\n  p: {config}\n")
}

/// The first parameter of [`parameter`], described.
fn described(config: &str) -> serde_json::Value {
    parse(&parameter(config)).unwrap_or_else(|error| panic!("{error}")).space.describe()[0].clone()
}

fn early(config: &str) -> Result<EarlyTerminate, String> {
    let text =
        format!("method: random\nmetric: {{name: a}}\nparameters: {{p: {{value: 1}}}}\nearly_terminate: {config}\n");
    parse(&text).map(|file| file.early_terminate.unwrap()).map_err(|error| error.to_string())
}

#[test]
fn the_examples_are_read() {
    let loss = parse(include_str!("../../../../examples/sweeps/focal_bayes_loss.yaml")).unwrap();
    assert_eq!((loss.method, loss.space.dimensions().len()), (Method::Bayes, 11));
    assert_eq!(loss.metric, Some(Metric { name: "eval/loss".into(), goal: Goal::Minimize, target: None }));
    assert_eq!(loss.ignored, ["program", "command"]);
    let rate = json!({ "name": "learning_rate", "distribution": "log_uniform_values", "min": 1e-6, "max": 5e-5 });
    assert_eq!(loss.space.describe()[0], rate);
    assert_eq!(loss.space.dimensions()[4].kind, Kind::Ordinal { levels: 19 });

    let accuracy = parse(include_str!("../../../../examples/sweeps/focal_bayes_accuracy.yaml")).unwrap();
    assert_eq!(accuracy.space.dimensions().len(), 14);
    assert_eq!(accuracy.metric.unwrap().goal, Goal::Maximize);

    let small = parse(include_str!("../../../../examples/sweeps/small_encoder.yaml")).unwrap();
    assert_eq!((small.space.parameters().len(), small.space.dimensions().len()), (8, 7));
    assert_eq!(small.name.as_deref(), Some("small-encoder"));
}

#[test]
fn everything_a_file_can_say_is_read() {
    let file = parse(
        "name: 2024\ndescription: a search\nmethod: tpe\nproject: reviews\nmetric: {name: f1, goal: maximize, target: 9e-1, \
         impute: worst}\nrun_cap: 20\nearly_terminate: {type: halving, min_iter: 2}\nparameters: {p: {value: no}}",
    )
    .unwrap();
    assert_eq!((file.name.as_deref(), file.description.as_deref()), (Some("2024"), Some("a search")));
    assert_eq!((file.method, file.run_cap), (Method::Tpe, Some(20)));
    assert_eq!(file.metric, Some(Metric { name: "f1".into(), goal: Goal::Maximize, target: Some(0.9) }));
    assert_eq!(file.early_terminate, Some(EarlyTerminate::Halving { min_iter: 2, eta: 3.0 }));
    assert_eq!(file.ignored, ["project", "metric.impute"]);
    assert_eq!(file.space.describe(), json!([{ "name": "p", "distribution": "constant", "value": false }]));
}

#[test]
fn a_missing_distribution_is_told_by_the_other_keys() {
    for (config, distribution) in [
        ("{value: null}", "constant"),
        ("{values: [1, a]}", "categorical"),
        ("{values: [1, a], probabilities: [0.5, 0.5]}", "categorical_w_probabilities"),
        ("{min: 1, max: 3}", "int_uniform"),
        ("{min: 1, max: 3.0}", "uniform"),
        ("{min: 1e-5, max: 1}", "uniform"),
    ] {
        assert_eq!(described(config)["distribution"], distribution, "{config}");
    }
}

#[test]
fn defaults_are_those_of_wandb() {
    assert_eq!(
        described("{distribution: normal}"),
        json!({ "name": "p", "distribution": "normal", "mu": 0.0, "sigma": 1.0 })
    );
    assert_eq!(described("{distribution: beta}"), json!({ "name": "p", "distribution": "beta", "a": 1.0, "b": 1.0 }));
    assert_eq!(described("{distribution: q_uniform, min: 0, max: 9}")["q"], 1);
    assert_eq!(described("{distribution: q_uniform, min: 0, max: 9, q: 1.0}")["q"], 1.0);
    let exponents = described("{distribution: log_uniform, min: 0, max: 1}");
    assert_eq!((&exponents["min"], &exponents["max"]), (&json!(1.0), &json!(std::f64::consts::E)));
    assert_eq!(
        early("{type: hyperband, min_iter: 3}"),
        Ok(EarlyTerminate::Hyperband { min_iter: 3, eta: 3.0, strict: true })
    );
    let downwards = EarlyTerminate::HyperbandDownwards { max_iter: 27, s: 2, eta: 3.0, strict: false };
    assert_eq!(early("{type: hyperband, max_iter: 27, min_iter: 1, s: 2, strict: false}"), Ok(downwards));
    assert_eq!(early("{type: median}"), Ok(EarlyTerminate::Median { warmup: 0, startup_trials: 5 }));
}

#[test]
fn nested_parameters_have_dots_and_share_their_groups_condition() {
    let text = "method: random\nparameters:\n  optimizer:\n    when: {kind: sgd}\n    parameters:\n      lr: {min: 0.0, max: 1.0}\n      \
                extra: {parameters: {beta: {value: 0.9}}}\n  kind: {values: [adamw, sgd]}\n";
    let space = parse(text).unwrap().space;
    let names: Vec<_> = space.parameters().iter().map(|parameter| parameter.name.as_str()).collect();
    assert_eq!(names, ["optimizer.lr", "optimizer.extra.beta", "kind"]);
    assert_eq!(space.parameter_of(0).name, "kind");
    assert_eq!(space.decode(&vec![0.1, 0.5]).keys().collect::<Vec<_>>(), ["kind"]);
    assert_eq!(space.decode(&vec![0.9, 0.5]).len(), 3);
}

#[test]
fn anchors_and_merge_keys_work_between_parameters() {
    let space =
        parse("method: random\nparameters:\n  a: &a {min: 1, max: 5}\n  b: *a\n  c: {<<: *a, max: 9}").unwrap().space;
    assert_eq!(space.size(), Some(5 * 5 * 9));
}

#[test]
fn unknown_keys_name_the_nearest_one() {
    let unknown = error("method: random\nparamters: {}\n");
    assert_eq!(unknown, "sweep.yaml:2:1: unknown key \"paramters\"; did you mean \"parameters\"?");
    let unknown = error(&parameter("{distributon: uniform}"));
    assert_eq!(unknown, "sweep.yaml:3:7: unknown key \"parameters.p.distributon\"; did you mean \"distribution\"?");
    let unknown = error("method: random\nmetric: {name: a, zzz: 1}\nparameters: {}");
    assert!(unknown.starts_with("sweep.yaml:2:19: unknown key \"metric.zzz\"; there are name, goal"), "{unknown}");
    assert_eq!(error("method: byes"), "sweep.yaml:1:9: method: is \"byes\"; did you mean \"bayes\"?");
    let unknown = error(&parameter("{min: 0, max: 1, distribution: loguniform}"));
    assert!(unknown.ends_with("is \"loguniform\"; did you mean \"log_uniform\"?"), "{unknown}");
}

#[test]
fn impossible_parameters_have_a_line() {
    for (config, expected) in [
        ("{min: 5, max: 5}", "3:3: p: min 5 is not less than max 5"),
        ("{min: 2.0, max: 1}", "3:7: parameters.p.min: 2 is not less than max 1"),
        (
            "{distribution: log_uniform_values, min: 0, max: 1}",
            "3:3: p: min 0 must be above 0, as the distribution is of logarithms",
        ),
        (
            "{distribution: log_uniform, min: 0, max: 1000}",
            "3:3: p: its values are too large for a number; choose other bounds",
        ),
        ("{values: [1, 2], probabilities: [0.5, 0.4]}", "3:3: p: probabilities sum to 0.9, not to 1"),
        ("{values: []}", "3:3: p: values is an empty list"),
        ("{values: 3}", "3:15: parameters.p.values: is 3, has to be a list, such as [16, 32, 64]"),
        (
            "{min: 1, max: 3, q: 1}",
            "3:23: parameters.p.q: does not go with int_uniform; it goes with the distributions q_…",
        ),
        ("{distribution: uniform, min: 1}", "3:6: parameters.p: needs min and max"),
        ("{mu: 1}", "3:6: parameters.p: needs value, values, min and max, or distribution"),
        (
            "{distribution: int_uniform, min: 1.5, max: 3}",
            "3:39: parameters.p.min: is 1.5, has to be an integer, as int_uniform has integers; uniform has others",
        ),
        ("{distribution: uniform, min: \"0\", max: 3}", "3:35: parameters.p.min: is \"0\", has to be a number"),
        ("{value: .nan}", "3:14: parameters.p.value: a value cannot be infinite or NaN"),
        ("0.1", "3:6: parameters.p: is 0.1, has to be a mapping such as {value: …} or {min: …, max: …}"),
        ("{value: 1, when: {other: 2}}", "3:3: p: when: there is no parameter \"other\""),
        ("{distribution: q_normal, q: 0}", "3:3: p: q 0 must be above 0"),
    ] {
        let error = error(&parameter(config));
        assert_eq!(error.strip_prefix("sweep.yaml:").unwrap(), expected, "{config}");
    }
    let name = error("method: random\nparameters: {1st: {value: 1}}");
    assert!(name.starts_with("sweep.yaml:2:14: parameters.1st: is no name of a parameter"), "{name}");
    let twice = error("method: random\nparameters:\n  a.b: {value: 1}\n  a: {parameters: {b: {value: 2}}}");
    assert_eq!(twice, "sweep.yaml:4:20: parameters.a.b: is there twice, first in line 3; keep one");
}

#[test]
fn what_a_search_cannot_do_without_is_asked_for() {
    assert_eq!(error("parameters: {}"), "sweep.yaml:1:1: needs method, such as `method: bayes`");
    assert!(error("method: random").ends_with("needs parameters, with at least one to vary"));
    assert!(error("method: random\nparameters: {}").ends_with("a search needs at least one parameter"));
    assert!(error("method: bayes\nparameters: {p: {value: 1}}").contains("needs metric, as the method goes by it"));
    assert!(error("method: grid\nearly_terminate: {type: median}").contains("needs metric, as early_terminate"));
    assert!(error("method: bayes\nmetric: {goal: minimize}").contains("metric: needs name"));
    assert!(error("- method").ends_with("the file: is a list, has to be a mapping of keys"));
    assert!(error("method: random\nscheduler: {engine: optuna}").starts_with("sweep.yaml:2:1: scheduler: "));
    assert!(
        error("method: random\nparameters: {p: {value: 1}}\nrun_cap: 0").ends_with("has to be an integer from 1 on")
    );
}

#[test]
fn a_grid_needs_finitely_many_values() {
    let grid = |config: &str| parse(&parameter(config).replace("random", "grid"));
    assert!(grid("{distribution: q_uniform, min: 0.0, max: 1.0, q: 0.25}").is_ok());
    let continuous = grid("{min: 0.0, max: 1.0}").unwrap_err().to_string();
    assert!(continuous.starts_with("sweep.yaml:3:3: parameters.p: a grid cannot have infinitely many"), "{continuous}");
    assert!(grid("{distribution: q_normal}").is_err());
    assert!(grid("{values: [1, 2], probabilities: [0.5, 0.5]}").is_err());
}

#[test]
fn impossible_early_termination_has_a_line() {
    for (config, expected) in [
        ("{type: hyperband}", "4:18: early_terminate: needs min_iter, or max_iter and s"),
        ("{type: hyperband, max_iter: 9}", "4:18: early_terminate: needs s, the number of bands, beside max_iter"),
        (
            "{type: hyperband, max_iter: 2, s: 2}",
            "4:36: early_terminate.max_iter: 2 leaves no band; it has to be at least eta, 3",
        ),
        ("{type: hyperband, min_iter: 0}", "4:46: early_terminate.min_iter: is 0, has to be an integer from 1 on"),
        ("{type: halving, eta: 1}", "4:34: early_terminate.eta: is 1, has to be above 1"),
        (
            "{type: envelope}",
            "4:25: early_terminate.type: is \"envelope\"; has to be one of hyperband, halving, median",
        ),
        ("{min_iter: 3}", "4:18: early_terminate: needs type: hyperband, halving or median"),
    ] {
        assert_eq!(early(config).unwrap_err().strip_prefix("sweep.yaml:").unwrap(), expected, "{config}");
    }
}

#[test]
fn a_file_that_is_no_sweep_file_is_refused_quickly() {
    assert!(matches!(parse(&"#".repeat(2 << 20)), Err(SweepFileError::TooLong { .. })));
    // Many names, many values, long names, deep groups.
    let many: String = (0..20_000).map(|index| format!("  p{index}: {{value: 1}}\n")).collect();
    assert!(error(&format!("method: random\nparameters:\n{many}")).contains("too many"));
    assert!(error(&parameter(&format!("{{values: [{}]}}", "1,".repeat(90_000)))).contains("too many"));
    let long = "x".repeat(500_000);
    assert!(parse(&format!("method: random\nparameters: {{p: {{value: 1, when: {{{long}: 1}}}}}}")).is_err());
    let deep = format!("method: random\nparameters: {}", "{a: {parameters: ".repeat(10_000));
    assert!(parse(&deep).is_err());
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn no_text_that_looks_like_yaml_makes_the_reader_panic(
        parts in prop::collection::vec(prop::sample::select(vec![
            "method: ", "parameters:", "random", "\n", "\n  ", "\n    ", "p: ", "{", "}", "[", "]", ", ", "- ", "? ", ": ", "&a ", "*a",
            "<<: ", "!!str ", "!t ", "|\n", ">-\n", "'", "\"", "#", "---", "...", "%YAML 1.2\n", "%TAG ! x", "\t", "\r", "\u{feff}", "\u{2028}",
            "min: 1", "max: 2", "values: [1, 2]", "when: ", "한글", "\\", "1e-5", ".inf", "~", "@", "`", "distribution: beta", "a: 1e-300",
        ]), 0..40),
    ) {
        let text = parts.concat();
        let _ = parse(&text);
        let _ = parse(&format!("method: random\nparameters:\n  {text}"));
        let _ = parse(&parameter(&text));
    }
}
