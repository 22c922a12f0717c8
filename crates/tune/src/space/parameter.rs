//! A parameter as the user declares it.

use serde_json::json;

use super::{Law, Step, Value};

/// A named parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name; that of a nested one has dots.
    pub name: String,
    /// The values it can have.
    pub distribution: Distribution,
    /// When it is there at all: while all of these hold.
    pub when: Vec<When>,
}

/// The values a parameter can have, and how likely they are.
#[derive(Debug, Clone, PartialEq)]
pub enum Distribution {
    /// One value.
    Constant(Value),
    /// One of several values. Numbers without probabilities are searched as ordered.
    Categorical {
        /// The values, each once.
        values: Vec<Value>,
        /// How likely each is, summing to 1; absent: equally.
        probabilities: Option<Vec<f64>>,
    },
    /// An integer between two, both included, each equally likely.
    IntUniform {
        /// The smallest.
        min: i64,
        /// The largest, above `min`.
        max: i64,
    },
    /// A number.
    Number {
        /// How it is distributed.
        law: Law,
        /// What it is rounded to multiples of, within bounds; absent: not rounded.
        step: Option<Step>,
    },
}

/// A condition: another parameter is there and has one of some values.
#[derive(Debug, Clone, PartialEq)]
pub struct When {
    /// The other parameter's name. It has to have listed values, or equally likely steps.
    pub parameter: String,
    /// The values of it.
    pub values: Vec<Value>,
}

impl Parameter {
    /// A parameter that is always there.
    pub fn new(name: impl Into<String>, distribution: Distribution) -> Self {
        Self { name: name.into(), distribution, when: Vec::new() }
    }

    pub(super) fn describe(&self) -> Value {
        let mut all = json!({ "name": self.name });
        let (kind, numbers) = self.distribution.describe();
        all["distribution"] = kind.into();
        for (key, value) in numbers.as_object().into_iter().flatten() {
            all[key] = value.clone();
        }
        if !self.when.is_empty() {
            all["when"] = self.when.iter().map(|when| (when.parameter.clone(), when.values.clone())).collect();
        }
        all
    }
}

impl Distribution {
    fn describe(&self) -> (String, Value) {
        match self {
            Self::Constant(value) => ("constant".into(), json!({ "value": value })),
            Self::Categorical { values, probabilities: None } => ("categorical".into(), json!({ "values": values })),
            Self::Categorical { values, probabilities: Some(probabilities) } => {
                let numbers = json!({ "values": values, "probabilities": probabilities });
                ("categorical_w_probabilities".into(), numbers)
            }
            Self::IntUniform { min, max } => ("int_uniform".into(), json!({ "min": min, "max": max })),
            Self::Number { law, step } => {
                let (name, mut numbers) = law.describe();
                match step {
                    None => return (name.into(), numbers),
                    Some(Step::Integer(q)) => numbers["q"] = (*q).into(),
                    Some(Step::Real(q)) => numbers["q"] = (*q).into(),
                }
                (format!("q_{name}"), numbers)
            }
        }
    }
}
