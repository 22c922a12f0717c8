//! Whether parameters are possible, each by itself, and how their values are coded if so.

use std::collections::HashSet;

use super::{
    Distribution, Law, MAX_LEVELS, MAX_PARAMETERS, MAX_VALUES, Parameter, Problem, SpaceError, Step, Value,
    coding::{self, Coding},
    lattice::{Lattice, NoLattice},
    value,
};

/// Checks that there are parameters, not too many, each name once.
pub(super) fn names(parameters: &[Parameter]) -> Result<(), SpaceError> {
    let whole = |problem| Err(SpaceError { parameter: None, problem });
    match parameters.len() {
        0 => return whole(Problem::Empty),
        count if count > MAX_PARAMETERS => return whole(Problem::TooManyParameters(count)),
        _ => {}
    }
    let mut names = HashSet::new();
    match parameters.iter().find(|parameter| !names.insert(&parameter.name)) {
        None => Ok(()),
        Some(twice) => Err(SpaceError { parameter: Some(twice.name.clone()), problem: Problem::NameTwice }),
    }
}

/// Checks a parameter's distribution and says how its values are coded.
pub(super) fn coding(parameter: &Parameter) -> Result<Coding, SpaceError> {
    let distribution = &parameter.distribution;
    let coding = match distribution {
        Distribution::Constant(value) => Ok(Coding::Constant(value.clone())),
        Distribution::Categorical { values, probabilities } => choice(values, probabilities.as_deref()),
        Distribution::IntUniform { min, max } => integers(*min, *max),
        Distribution::Number { law, step } => number(*law, *step, coding::equal_steps(distribution)),
    };
    coding.map_err(|problem| SpaceError { parameter: Some(parameter.name.clone()), problem })
}

fn choice(values: &[Value], probabilities: Option<&[f64]>) -> Result<Coding, Problem> {
    match values.len() {
        0 => return Err(Problem::NoValues),
        count if count > MAX_VALUES => return Err(Problem::TooManyValues(count)),
        _ => {}
    }
    let mut seen = HashSet::new();
    if let Some(twice) = values.iter().find(|value| !seen.insert(value::key(value))) {
        return Err(Problem::ValueTwice(twice.to_string()));
    }
    let Some(probabilities) = probabilities else {
        return Ok(match values {
            [only] => Coding::Constant(only.clone()),
            _ => Coding::choice(values, None),
        });
    };
    if probabilities.len() != values.len() {
        return Err(Problem::ProbabilityCount { values: values.len(), probabilities: probabilities.len() });
    }
    if let Some(bad) = probabilities.iter().find(|probability| !(0.0..=1.0 + 1e-6).contains(*probability)) {
        return Err(Problem::Probability(*bad));
    }
    let sum: f64 = probabilities.iter().sum();
    // The tolerance is W&B's, which is NumPy's for closeness.
    if (sum - 1.0).abs() > 1e-5 {
        return Err(Problem::ProbabilitySum(sum));
    }
    // What has no probability cannot be had, and a sum that is a little off is put right.
    let possible = values.iter().zip(probabilities).filter(|(_, probability)| **probability > 0.0);
    let (values, probabilities): (Vec<_>, Vec<_>) = possible.map(|(value, p)| (value.clone(), p / sum)).unzip();
    Ok(match values.as_slice() {
        [only] => Coding::Constant(only.clone()),
        values => Coding::choice(values, Some(&probabilities)),
    })
}

/// Integers are numbers rounded from half a step further out on both sides.
fn integers(min: i64, max: i64) -> Result<Coding, Problem> {
    if min >= max {
        return Err(Problem::Bounds { min: min as f64, max: max as f64 });
    }
    number(Law::Uniform { min: min as f64 - 0.5, max: max as f64 + 0.5 }, Some(Step::Integer(1)), true)
}

fn number(law: Law, step: Option<Step>, equal_steps: bool) -> Result<Coding, Problem> {
    shape(&law)?;
    let (low, high) = (law.quantile(0.0), law.quantile(1.0));
    if !(low.is_finite() && high.is_finite() && (high - low).is_finite()) {
        return Err(Problem::TooLarge);
    }
    let Some(step) = step else { return Ok(Coding::Number(law)) };
    let q = step.size();
    if !(q > 0.0 && q.is_finite()) {
        return Err(Problem::NotPositive { key: "q", value: q });
    }
    let lattice = Lattice::of(&law, step).map_err(|none| match none {
        NoLattice::Empty => Problem::NoMultiple(q),
        NoLattice::TooFine => Problem::TooFine(q),
    })?;
    Ok(match lattice.count() {
        1 => Coding::Constant(lattice.value(0)),
        count if equal_steps && count <= MAX_LEVELS => Coding::Steps(lattice),
        _ => Coding::Rounded(law, lattice),
    })
}

fn shape(law: &Law) -> Result<(), Problem> {
    let positive = |key, value: f64| {
        if value > 0.0 && value.is_finite() { Ok(()) } else { Err(Problem::NotPositive { key, value }) }
    };
    match *law {
        Law::Uniform { min, max } | Law::LogUniform { min, max } if !(min.is_finite() && max.is_finite()) => {
            Err(Problem::TooLarge)
        }
        Law::LogUniform { min, .. } if min <= 0.0 => Err(Problem::NoLogarithm(min)),
        Law::Uniform { min, max } | Law::LogUniform { min, max } if min >= max => Err(Problem::Bounds { min, max }),
        Law::Uniform { .. } | Law::LogUniform { .. } => Ok(()),
        Law::Normal { mu, sigma } | Law::LogNormal { mu, sigma } => {
            positive("sigma", sigma)?;
            if mu.is_finite() { Ok(()) } else { Err(Problem::TooLarge) }
        }
        Law::Beta { a, b } => positive("a", a).and_then(|()| positive("b", b)),
    }
}
