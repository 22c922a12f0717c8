//! What can be varied: named parameters, each with a distribution, and how an assignment of values becomes a point that
//! samplers work with.
//!
//! A sampler never sees a value. Every parameter that varies is a coordinate from 0 to 1: for numbers the cumulative
//! probability of the parameter's distribution, for choices the middle of the choice's cell. So random search is uniform in
//! every coordinate, and a model of the objective sees logarithms where the user asked for a logarithmic distribution.
//!
//! Not here: how a sweep file says all this, which is [`crate::sweep_file`].

mod check;
mod coding;
mod conditions;
mod dimension;
mod error;
#[cfg(test)]
mod golden;
mod grid;
mod lattice;
mod law;
mod parameter;
mod size;
mod value;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use coding::Coding;
pub use dimension::{Condition, Dimension, Kind, Point, deactivate};
pub use error::{Problem, SpaceError};
pub use grid::Grid;
pub use lattice::Step;
pub use law::Law;
pub use parameter::{Distribution, Parameter, When};

/// A value of a parameter, as in the sweep file: a number, a text, true or false, or anything else that JSON holds.
pub type Value = serde_json::Value;

/// Values by the name of their parameter, in the order of the space. A parameter whose condition does not hold is absent.
pub type Assignment = serde_json::Map<String, Value>;

/// So many parameters a space can have.
const MAX_PARAMETERS: usize = 1_000;
/// So many values a choice can have.
const MAX_VALUES: usize = 10_000;
/// Steps of equal probability are an ordinal dimension up to so many; beyond, they are a continuous one that is rounded.
const MAX_LEVELS: u64 = 1_000;

/// The parameters of a search.
///
/// Dimensions are the parameters that vary, in the order of the parameters but for conditions: what a parameter hangs on
/// comes before it. A parameter with one value only is no dimension.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    parameters: Vec<Parameter>,
    /// One a parameter, in the same order.
    slots: Vec<Slot>,
    dimensions: Vec<Dimension>,
    /// The parameter of each dimension.
    varying: Vec<usize>,
    /// How many assignments there are; absent: infinitely many.
    size: Option<u128>,
}

/// A parameter, made ready to be read off a point.
#[derive(Debug, Clone, PartialEq)]
struct Slot {
    coding: Coding,
    /// Its dimension; absent where it does not vary.
    dimension: Option<usize>,
    /// When it is there; the same as its dimension's, if it has one.
    conditions: Vec<Condition>,
}

impl Space {
    /// A space of parameters, in the order given.
    ///
    /// # Errors
    /// If a parameter's distribution or condition is impossible, a name is there twice, or there is no parameter at all.
    pub fn new(parameters: Vec<Parameter>) -> Result<Self, SpaceError> {
        check::names(&parameters)?;
        let codings = parameters.iter().map(check::coding).collect::<Result<Vec<_>, _>>()?;
        let order = conditions::order(&parameters)?;
        let index: HashMap<&str, usize> = parameters.iter().enumerate().map(|(i, p)| (p.name.as_str(), i)).collect();

        let mut slots: Vec<Slot> =
            codings.into_iter().map(|coding| Slot { coding, dimension: None, conditions: Vec::new() }).collect();
        let (mut dimensions, mut varying) = (Vec::new(), Vec::new());
        for parameter in order {
            let conditions = conditions::resolve(&parameters[parameter], &index, &slots)?;
            if let Some(kind) = slots[parameter].coding.kind() {
                slots[parameter].dimension = Some(dimensions.len());
                dimensions.push(Dimension { kind, conditions: conditions.clone() });
                varying.push(parameter);
            }
            slots[parameter].conditions = conditions;
        }
        let size = size::count(&slots)?;
        Ok(Self { parameters, slots, dimensions, varying, size })
    }

    /// The parameters, constants among them, in the order they were given.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// What samplers see: one dimension a parameter that varies.
    pub fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    /// The parameter that a dimension is of.
    ///
    /// # Panics
    /// If there is no such dimension.
    pub fn parameter_of(&self, dimension: usize) -> &Parameter {
        &self.parameters[self.varying[dimension]]
    }

    /// Whether the parameter with this index has finitely many values.
    pub(crate) fn is_finite(&self, parameter: usize) -> bool {
        self.slots[parameter].coding.count().is_some()
    }

    /// The values at a point, constants among them, in the order of the parameters; those that are inactive are left out.
    ///
    /// Coordinates beyond 0 and 1 are taken for the nearer of them. One that is NaN where the dimension is active, which no
    /// sampler should give, is taken for a half.
    ///
    /// # Panics
    /// If the point does not have a coordinate for every dimension.
    pub fn decode(&self, point: &Point) -> Assignment {
        assert_eq!(point.len(), self.dimensions.len(), "a point has one coordinate a dimension");
        let mut point: Vec<f64> = point.iter().map(|c| if c.is_nan() { 0.5 } else { c.clamp(0.0, 1.0) }).collect();
        deactivate(&self.dimensions, &mut point);
        let active = |slot: &&Slot| slot.conditions.iter().all(|condition| condition.holds(&self.dimensions, &point));
        let value = |slot: &Slot| slot.coding.decode(slot.dimension.map_or(0.0, |dimension| point[dimension]));
        let all = self.parameters.iter().zip(&self.slots).filter(|(_, slot)| active(slot));
        all.map(|(parameter, slot)| (parameter.name.clone(), value(slot))).collect()
    }

    /// The point that values are at, inactive coordinates NaN.
    ///
    /// `None` where a value is not one that its parameter can have (but for rounding), the value of an active parameter that
    /// varies is missing, a constant differs, or a name is not the name of a parameter. Values of inactive parameters are not
    /// looked at, and constants may be missing, so that any complete set of values can be asked about.
    pub fn encode(&self, assignment: &Assignment) -> Option<Point> {
        let known = |name: &String| self.parameters.iter().any(|parameter| parameter.name == *name);
        if !assignment.keys().all(known) {
            return None;
        }
        let mut point = vec![f64::NAN; self.dimensions.len()];
        for (dimension, &parameter) in self.varying.iter().enumerate() {
            let slot = &self.slots[parameter];
            if slot.conditions.iter().all(|condition| condition.holds(&self.dimensions, &point)) {
                point[dimension] = slot.coding.encode(assignment.get(&self.parameters[parameter].name)?)?;
            }
        }
        for (parameter, slot) in self.parameters.iter().zip(&self.slots).filter(|(_, slot)| slot.dimension.is_none()) {
            if slot.conditions.iter().all(|condition| condition.holds(&self.dimensions, &point))
                && let Some(value) = assignment.get(&parameter.name)
            {
                slot.coding.encode(value)?;
            }
        }
        Some(point)
    }

    /// Whether the space can give these values; see [`Self::encode`].
    pub fn contains(&self, assignment: &Assignment) -> bool {
        self.encode(assignment).is_some()
    }

    /// How many distinct assignments there are; `None` where they are infinitely many. As many as fit, if more.
    pub fn size(&self) -> Option<u128> {
        self.size
    }

    /// Every assignment, in the order of W&B's grid search: parameters sorted by name, the last of them changing fastest, values
    /// of a list as they are listed and numbers in increasing order. Under conditions, what a parameter hangs on comes before
    /// it, and a parameter that is inactive is passed over, so that no assignment comes twice.
    ///
    /// W&B leaves out the last step of a `q_uniform`, which a random search over it can give; here it is in.
    ///
    /// `None` where there are infinitely many.
    pub fn grid(&self) -> Option<Grid<'_>> {
        self.size.map(|_| Grid::new(self))
    }

    /// The parameters with everything that decides about their values, for comparing spaces and for fingerprints. Spaces that
    /// differ only in how their sweep files were written have the same description.
    pub fn describe(&self) -> Value {
        self.parameters.iter().map(Parameter::describe).collect()
    }
}
