//! The key `parameters`: names, distributions and conditions.

use std::collections::HashMap;

use super::{
    Method, SweepFileError,
    keys::Keys,
    yaml::{Data, Mark, Node},
};
use crate::space::{Distribution, Law, Parameter, Space, Step, Value, When};

const KEYS: &[&str] = &[
    "distribution",
    "value",
    "values",
    "probabilities",
    "min",
    "max",
    "mu",
    "sigma",
    "a",
    "b",
    "q",
    "parameters",
    "when",
];

/// A distribution of a sweep file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Constant,
    Categorical,
    Weighted,
    IntUniform,
    Uniform,
    LogUniform,
    LogUniformValues,
    InvLogUniform,
    InvLogUniformValues,
    Normal,
    LogNormal,
    Beta,
}

use Kind as K;

/// Every name, its distribution, and whether it is rounded to multiples of `q`.
const DISTRIBUTIONS: &[(&str, (Kind, bool))] = &[
    ("constant", (K::Constant, false)),
    ("categorical", (K::Categorical, false)),
    ("categorical_w_probabilities", (K::Weighted, false)),
    ("int_uniform", (K::IntUniform, false)),
    ("uniform", (K::Uniform, false)),
    ("q_uniform", (K::Uniform, true)),
    ("log_uniform", (K::LogUniform, false)),
    ("log_uniform_values", (K::LogUniformValues, false)),
    ("q_log_uniform", (K::LogUniform, true)),
    ("q_log_uniform_values", (K::LogUniformValues, true)),
    ("inv_log_uniform", (K::InvLogUniform, false)),
    ("inv_log_uniform_values", (K::InvLogUniformValues, false)),
    ("normal", (K::Normal, false)),
    ("q_normal", (K::Normal, true)),
    ("log_normal", (K::LogNormal, false)),
    ("q_log_normal", (K::LogNormal, true)),
    ("beta", (K::Beta, false)),
    ("q_beta", (K::Beta, true)),
];

/// Reads the value of `parameters` for a search by `method`.
pub(super) fn read(file: &str, node: &Node, method: Method) -> Result<Space, SweepFileError> {
    let mut reader = Reader { file, parameters: Vec::new(), places: HashMap::new() };
    reader.group("", "parameters", node, &[])?;
    let Reader { parameters, places, .. } = reader;
    let keys = Keys::any(file, "parameters", node)?;
    let space = Space::new(parameters).map_err(|source| {
        let at = source.parameter.as_ref().and_then(|name| places.get(name)).copied().unwrap_or(node.at);
        SweepFileError::Space { at: keys.place(at), source }
    })?;
    if method == Method::Grid {
        for (index, parameter) in space.parameters().iter().enumerate() {
            let problem = match parameter.distribution {
                Distribution::Categorical { probabilities: Some(_), .. } => {
                    "a grid tries every value once, so leave out probabilities"
                }
                _ if !space.is_finite(index) => {
                    "a grid cannot have infinitely many values; list them, or give bounds and a step q"
                }
                _ => continue,
            };
            return Err(keys.error_at(places[&parameter.name], &parameter.name, problem.into()));
        }
    }
    Ok(space)
}

struct Reader<'a> {
    file: &'a str,
    parameters: Vec<Parameter>,
    /// Where each name is written.
    places: HashMap<String, Mark>,
}

impl Reader<'_> {
    /// The parameters of a group, whose names all begin with `prefix` and which hang on `when`.
    fn group(&mut self, prefix: &str, path: &str, node: &Node, when: &[When]) -> Result<(), SweepFileError> {
        let keys = Keys::any(self.file, path, node)?;
        for (key, node) in keys.entries() {
            let name = format!("{prefix}{}", key.text);
            if !is_name(&key.text) {
                let problem =
                    "is no name of a parameter; letters, digits, _, . and - can be in one, the first a letter or _";
                return Err(keys.error_at(key.at, &key.text, problem.into()));
            }
            let path = format!("parameters.{name}");
            if !matches!(node.data, Data::Map(_)) {
                let problem =
                    format!("is {}, has to be a mapping such as {{value: …}} or {{min: …, max: …}}", node.what());
                return Err(keys.error_at(node.at, &key.text, problem));
            }
            let own = Keys::new(self.file, &path, node, KEYS)?;
            let mut all = when.to_vec();
            all.extend(conditions(self.file, &path, &own)?);
            match own.get("parameters") {
                Some(nested) => {
                    only(&own, &["parameters", "when"], "nested parameters")?;
                    self.group(&format!("{name}."), &path, nested, &all)?;
                }
                None => {
                    if let Some(first) = self.places.insert(name.clone(), key.at) {
                        let problem = format!("is there twice, first in line {}; keep one", first.line);
                        return Err(keys.error_at(key.at, &key.text, problem));
                    }
                    let distribution = distribution(&own)?;
                    self.parameters.push(Parameter { name, distribution, when: all });
                }
            }
        }
        Ok(())
    }
}

/// W&B's pattern for names.
fn is_name(text: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.starts_with(first) && text.chars().all(|c| first(c) || c.is_ascii_digit() || c == '.' || c == '-')
}

fn conditions(file: &str, path: &str, keys: &Keys<'_>) -> Result<Vec<When>, SweepFileError> {
    let Some(node) = keys.given("when") else { return Ok(Vec::new()) };
    let path = format!("{path}.when");
    let others = Keys::any(file, &path, node)?;
    let entries = others.entries().iter().map(|(key, node)| {
        let values = match &node.data {
            Data::List(items) => items.iter().map(|item| json(&others, &key.text, item)).collect::<Result<_, _>>()?,
            _ => vec![json(&others, &key.text, node)?],
        };
        Ok(When { parameter: key.text.clone(), values })
    });
    entries.collect()
}

/// A parameter's distribution: the one it names, or the one that its other keys tell.
fn distribution(keys: &Keys<'_>) -> Result<Distribution, SweepFileError> {
    let named = keys.choice("distribution", DISTRIBUTIONS)?;
    let has = |key| keys.get(key).is_some();
    let integer = |key| keys.get(key).is_some_and(|node| matches!(node.data, Data::Integer(_)));
    let (kind, rounded) = match named {
        Some(named) => named,
        None if has("value") => (K::Constant, false),
        None if has("values") && has("probabilities") => (K::Weighted, false),
        None if has("values") => (K::Categorical, false),
        None if integer("min") && integer("max") => (K::IntUniform, false),
        None if has("min") && has("max") => (K::Uniform, false),
        None => return Err(keys.missing("value, values, min and max, or distribution")),
    };
    let bare = |(_, distribution): &&(&str, (Kind, bool))| *distribution == (kind, rounded);
    let name = DISTRIBUTIONS.iter().find(bare).map_or("", |(name, _)| name);
    let own: &[&str] = match (kind, rounded) {
        (K::Constant, _) => &["value"],
        (K::Categorical, _) => &["values"],
        (K::Weighted, _) => &["values", "probabilities"],
        (K::Normal | K::LogNormal, false) => &["mu", "sigma"],
        (K::Normal | K::LogNormal, true) => &["mu", "sigma", "q"],
        (K::Beta, false) => &["a", "b"],
        (K::Beta, true) => &["a", "b", "q"],
        (_, false) => &["min", "max"],
        (_, true) => &["min", "max", "q"],
    };
    only(keys, &[&["distribution", "when"], own].concat(), name)?;

    let law = match kind {
        K::Constant => {
            let node = keys.get("value").ok_or_else(|| keys.missing("value"))?;
            return Ok(Distribution::Constant(json(keys, "value", node)?));
        }
        K::Categorical => return Ok(Distribution::Categorical { values: values(keys)?, probabilities: None }),
        K::Weighted => {
            let probabilities = Some(probabilities(keys)?);
            return Ok(Distribution::Categorical { values: values(keys)?, probabilities });
        }
        K::IntUniform => {
            let [min, max] = ["min", "max"].map(|key| match keys.get(key) {
                None => Err(keys.missing("min and max")),
                Some(Node { data: Data::Integer(value), .. }) => Ok(*value),
                Some(node) => Err(keys.wrong(key, node, "an integer, as int_uniform has integers; uniform has others")),
            });
            return Ok(Distribution::IntUniform { min: min?, max: max? });
        }
        K::Uniform => bounds(keys).map(|(min, max)| Law::Uniform { min, max }),
        K::LogUniformValues | K::InvLogUniformValues => bounds(keys).map(|(min, max)| Law::LogUniform { min, max }),
        K::LogUniform => bounds(keys).map(|(min, max)| Law::LogUniform { min: min.exp(), max: max.exp() }),
        K::InvLogUniform => bounds(keys).map(|(min, max)| Law::LogUniform { min: (-max).exp(), max: (-min).exp() }),
        K::Normal => shape(keys, ["mu", "sigma"], [0.0, 1.0]).map(|[mu, sigma]| Law::Normal { mu, sigma }),
        K::LogNormal => shape(keys, ["mu", "sigma"], [0.0, 1.0]).map(|[mu, sigma]| Law::LogNormal { mu, sigma }),
        K::Beta => shape(keys, ["a", "b"], [1.0, 1.0]).map(|[a, b]| Law::Beta { a, b }),
    }?;
    let step = if rounded { Some(step(keys)?) } else { None };
    Ok(Distribution::Number { law, step })
}

/// An error if there is a key that does not go with a distribution.
fn only(keys: &Keys<'_>, allowed: &[&str], name: &str) -> Result<(), SweepFileError> {
    match keys.names().find(|key| !allowed.contains(key)) {
        None => Ok(()),
        Some(key @ "q") => {
            Err(keys.value_error(key, format!("does not go with {name}; it goes with the distributions q_…")))
        }
        Some(key @ "probabilities") => {
            Err(keys.value_error(key, format!("does not go with {name}; it goes with categorical_w_probabilities")))
        }
        Some(key) => Err(keys.value_error(key, format!("does not go with {name}"))),
    }
}

fn bounds(keys: &Keys<'_>) -> Result<(f64, f64), SweepFileError> {
    let (Some(min), Some(max)) = (keys.number("min")?, keys.number("max")?) else {
        return Err(keys.missing("min and max"));
    };
    if min >= max {
        return Err(keys.value_error("min", format!("{min} is not less than max {max}")));
    }
    Ok((min, max))
}

fn shape<const N: usize>(keys: &Keys<'_>, names: [&str; N], defaults: [f64; N]) -> Result<[f64; N], SweepFileError> {
    let mut numbers = defaults;
    for (number, name) in numbers.iter_mut().zip(names) {
        *number = keys.number(name)?.unwrap_or(*number);
    }
    Ok(numbers)
}

/// An integer makes for integers, as in W&B. Its default is 1.0, which would give trainings 5.0 epochs.
fn step(keys: &Keys<'_>) -> Result<Step, SweepFileError> {
    match keys.given("q") {
        None => Ok(Step::Integer(1)),
        Some(Node { data: Data::Integer(q), .. }) => Ok(Step::Integer(*q)),
        Some(node) => node.number().map(Step::Real).ok_or_else(|| keys.wrong("q", node, "a number above 0")),
    }
}

fn values(keys: &Keys<'_>) -> Result<Vec<Value>, SweepFileError> {
    match keys.get("values") {
        None => Err(keys.missing("values")),
        Some(Node { data: Data::List(items), .. }) => items.iter().map(|item| json(keys, "values", item)).collect(),
        Some(node) => Err(keys.wrong("values", node, "a list, such as [16, 32, 64]")),
    }
}

fn probabilities(keys: &Keys<'_>) -> Result<Vec<f64>, SweepFileError> {
    let number = |item: &Node| item.number().ok_or_else(|| keys.wrong("probabilities", item, "a number"));
    match keys.get("probabilities") {
        None => Err(keys.missing("probabilities")),
        Some(Node { data: Data::List(items), .. }) => items.iter().map(number).collect(),
        Some(node) => Err(keys.wrong("probabilities", node, "a list of numbers that sum to 1")),
    }
}

fn json(keys: &Keys<'_>, key: &str, node: &Node) -> Result<Value, SweepFileError> {
    node.json().map_err(|at| keys.error_at(at, key, "a value cannot be infinite or NaN".into()))
}
