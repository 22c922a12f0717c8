//! Which parameters hang on which: their order, and their conditions as levels of dimensions.

use std::collections::{HashMap, HashSet};

use super::{Condition, Parameter, Problem, Slot, SpaceError, Value, coding::Coding, value};
use crate::nearest::nearest;

/// The parameters in their order, but each after those it hangs on.
pub(super) fn order(parameters: &[Parameter]) -> Result<Vec<usize>, SpaceError> {
    let index: HashMap<&str, usize> = parameters.iter().enumerate().map(|(i, p)| (p.name.as_str(), i)).collect();
    let mut parents = Vec::with_capacity(parameters.len());
    for parameter in parameters {
        let mut seen = HashSet::new();
        let mut own = Vec::with_capacity(parameter.when.len());
        for when in &parameter.when {
            let parent = index.get(when.parameter.as_str()).copied();
            let parent = parent.ok_or_else(|| error(parameter, unknown(&when.parameter, parameters)))?;
            if !seen.insert(parent) {
                return Err(error(parameter, Problem::ParentTwice(when.parameter.clone())));
            }
            own.push(parent);
        }
        parents.push(own);
    }
    let files_order: Vec<usize> = (0..parameters.len()).collect();
    parents_first(&files_order, &parents).map_err(|cycle| {
        let names: Vec<&str> = cycle.iter().map(|&parameter| parameters[parameter].name.as_str()).collect();
        error(&parameters[cycle[0]], Problem::Cycle(names.join(" → ")))
    })
}

/// `wanted` with every one's parents moved before it; on a cycle, the way round it, its first one also last.
pub(super) fn parents_first(wanted: &[usize], parents: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut order = Vec::with_capacity(wanted.len());
    let mut placed = vec![false; parents.len()];
    for &first in wanted {
        // The way down from a parameter to the one whose parents are being placed. Not recursive: chains may be long.
        let mut way = vec![first];
        while let Some(&parameter) = way.last() {
            match parents[parameter].iter().find(|&&parent| !placed[parent]) {
                Some(parent) if way.contains(parent) => {
                    let start = way.iter().position(|other| other == parent).unwrap_or(0);
                    way.push(*parent);
                    return Err(way.split_off(start));
                }
                Some(&parent) => way.push(parent),
                None => {
                    way.pop();
                    if !std::mem::replace(&mut placed[parameter], true) {
                        order.push(parameter);
                    }
                }
            }
        }
    }
    Ok(order)
}

/// A parameter's conditions on dimensions; those on constants hold always, or are errors. `slots` of parents are complete.
pub(super) fn resolve(
    parameter: &Parameter,
    index: &HashMap<&str, usize>,
    slots: &[Slot],
) -> Result<Vec<Condition>, SpaceError> {
    let mut conditions = Vec::new();
    for when in &parameter.when {
        let fail = |problem| Err(error(parameter, problem));
        let never = |value: &Value| Problem::NeverHolds { parent: when.parameter.clone(), value: value.to_string() };
        if when.values.is_empty() {
            return fail(Problem::NoConditionValues(when.parameter.clone()));
        }
        let parent = &slots[index[when.parameter.as_str()]];
        match (&parent.coding, parent.dimension) {
            (Coding::Choice { .. } | Coding::Steps(_), Some(dimension)) => {
                let mut levels = Vec::with_capacity(when.values.len());
                for value in &when.values {
                    match parent.coding.level(value) {
                        Some(level) => levels.push(level),
                        None => return fail(never(value)),
                    }
                }
                levels.sort_unstable();
                levels.dedup();
                conditions.push(Condition { dimension, levels });
            }
            (Coding::Constant(constant), _) => {
                if let Some(other) = when.values.iter().find(|given| !value::same(constant, given)) {
                    return fail(never(other));
                }
                // Whatever it hangs on itself, this one does as well.
                let further = parent.conditions.iter().filter(|condition| !conditions.contains(condition));
                conditions.extend(further.cloned().collect::<Vec<_>>());
            }
            _ => return fail(Problem::ParentNotFinite(when.parameter.clone())),
        }
    }
    Ok(conditions)
}

fn unknown(name: &str, parameters: &[Parameter]) -> Problem {
    let known = parameters.iter().map(|parameter| parameter.name.as_str());
    Problem::UnknownParent { name: name.into(), suggestion: nearest(name, known).map(Into::into) }
}

fn error(parameter: &Parameter, problem: Problem) -> SpaceError {
    SpaceError { parameter: Some(parameter.name.clone()), problem }
}
