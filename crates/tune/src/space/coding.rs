//! How one parameter's values become coordinates and come back.

use super::{Distribution, Kind, Law, Value, lattice::Lattice, value};

/// A checked distribution, made ready.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Coding {
    /// One value.
    Constant(Value),
    /// A choice, in cells of equal width, or as wide as they are likely.
    Choice {
        /// As the user listed them.
        values: Vec<Value>,
        /// The level of each: its place among them, or among them in increasing order.
        levels: Vec<usize>,
        kind: Kind,
    },
    /// Multiples of a step in cells of equal width. Rounding would give the first and the last one half as much.
    Steps(Lattice),
    /// A number.
    Number(Law),
    /// A number rounded to multiples.
    Rounded(Law, Lattice),
}

impl Coding {
    /// A choice between at least two values, each once; probabilities are all above 0.
    pub(super) fn choice(values: &[Value], probabilities: Option<&[f64]>) -> Self {
        let mut order: Vec<usize> = (0..values.len()).collect();
        let kind = match probabilities {
            Some(probabilities) => Kind::Categorical { probabilities: probabilities.to_vec() },
            None if values.iter().all(Value::is_number) => {
                order.sort_by(|&one, &other| number(&values[one]).total_cmp(&number(&values[other])));
                Kind::Ordinal { levels: values.len() }
            }
            None => Kind::Categorical { probabilities: vec![1.0 / values.len() as f64; values.len()] },
        };
        let mut levels = vec![0; values.len()];
        for (level, index) in order.into_iter().enumerate() {
            levels[index] = level;
        }
        Self::Choice { values: values.to_vec(), levels, kind }
    }

    /// How a sampler reads its coordinate; `None` where there is nothing to choose.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Constant(_) => None,
            Self::Choice { kind, .. } => Some(kind.clone()),
            Self::Steps(lattice) => Some(Kind::Ordinal { levels: lattice.count() as usize }),
            Self::Number(_) | Self::Rounded(..) => Some(Kind::Continuous),
        }
    }

    /// The value at a coordinate from 0 to 1.
    pub(super) fn decode(&self, coordinate: f64) -> Value {
        match self {
            Self::Constant(value) => value.clone(),
            Self::Choice { values, levels, kind } => {
                let level = kind.level(coordinate);
                let index = levels.iter().position(|&other| other == level).expect("every level has a value");
                values[index].clone()
            }
            Self::Steps(lattice) => {
                let kind = Kind::Ordinal { levels: lattice.count() as usize };
                lattice.value(kind.level(coordinate) as u64)
            }
            Self::Number(law) => law.quantile(coordinate).into(),
            Self::Rounded(law, lattice) => lattice.round(law.quantile(coordinate)),
        }
    }

    /// The coordinate of a value, the middle of its cell where it has one; `None` where it cannot be had.
    pub(super) fn encode(&self, given: &Value) -> Option<f64> {
        match self {
            Self::Constant(value) => value::same(value, given).then_some(0.5),
            Self::Choice { kind, .. } => self.level(given).map(|level| kind.coordinate(level)),
            Self::Steps(lattice) => {
                let kind = Kind::Ordinal { levels: lattice.count() as usize };
                lattice.number(given).map(|number| kind.coordinate(number as usize))
            }
            Self::Number(law) => {
                let value = given.as_f64()?;
                let (low, high) = (law.quantile(0.0), law.quantile(1.0));
                let rounding = 1e-9 * low.abs().min(high.abs()).max((high - low).min(value.abs()));
                let inside = low - rounding <= value && value <= high + rounding;
                inside.then(|| law.cumulative(value.clamp(low, high)))
            }
            Self::Rounded(law, lattice) => lattice.number(given).map(|number| lattice.middle(law, number)),
        }
    }

    /// The level of a value; `None` where it cannot be had, or where there are no levels.
    pub(super) fn level(&self, given: &Value) -> Option<usize> {
        match self {
            Self::Choice { values, levels, .. } => {
                values.iter().position(|value| value::same(value, given)).map(|index| levels[index])
            }
            Self::Steps(lattice) => lattice.number(given).map(|number| number as usize),
            Self::Constant(_) | Self::Number(_) | Self::Rounded(..) => None,
        }
    }

    /// How many values there are; `None` where they are infinitely many.
    pub(super) fn count(&self) -> Option<u64> {
        match self {
            Self::Constant(_) => Some(1),
            Self::Choice { values, .. } => Some(values.len() as u64),
            Self::Steps(lattice) => Some(lattice.count()),
            Self::Number(_) => None,
            Self::Rounded(law, lattice) => {
                let (low, high) = law.support();
                (low.is_finite() && high.is_finite()).then(|| lattice.count())
            }
        }
    }

    /// A value by its place: as listed, or in increasing order.
    pub(super) fn value(&self, place: u64) -> Value {
        match self {
            Self::Constant(value) => value.clone(),
            Self::Choice { values, .. } => values[place as usize].clone(),
            Self::Steps(lattice) | Self::Rounded(_, lattice) => lattice.value(place),
            Self::Number(_) => unreachable!("numbers that are not rounded have no places"),
        }
    }

    /// The level of the value at a place, where there are levels.
    pub(super) fn level_at(&self, place: u64) -> usize {
        match self {
            Self::Choice { levels, .. } => levels[place as usize],
            _ => place as usize,
        }
    }
}

/// Whether a distribution's steps are equally likely, so that each can have a cell of the same width.
pub(super) fn equal_steps(distribution: &Distribution) -> bool {
    matches!(
        distribution,
        Distribution::IntUniform { .. } | Distribution::Number { law: Law::Uniform { .. }, step: Some(_) }
    )
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}
