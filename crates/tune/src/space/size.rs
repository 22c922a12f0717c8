//! How many assignments a space has.

use std::collections::{BTreeSet, HashMap};

use super::{Problem, Slot, SpaceError};

/// Conditions are too entangled to count when the sets of inactive parameters to be told apart have more members in all.
const MAX_WORK: usize = 1_000_000;

/// The number of distinct assignments; `None` where they are infinitely many, the largest number where they do not fit.
///
/// Goes through the parameters, parents first, and keeps how many assignments of those so far lead to each set of
/// parameters still to come that are known to be inactive.
pub(super) fn count(slots: &[Slot]) -> Result<Option<u128>, SpaceError> {
    let Some(counts) = slots.iter().map(|slot| slot.coding.count()).collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    let by_dimension: HashMap<usize, usize> =
        slots.iter().enumerate().filter_map(|(index, slot)| Some((slot.dimension?, index))).collect();
    // The parameters that hang on each, with the levels that let them live.
    let mut children: Vec<Vec<(usize, &[usize])>> = vec![Vec::new(); slots.len()];
    for (child, slot) in slots.iter().enumerate() {
        for condition in &slot.conditions {
            children[by_dimension[&condition.dimension]].push((child, &condition.levels));
        }
    }
    let mut work = 0;
    let mut states: HashMap<BTreeSet<usize>, u128> = HashMap::from([(BTreeSet::new(), 1)]);
    for parameter in order(slots, &children) {
        let live = effects(&children[parameter], &slots[parameter], counts[parameter], &mut work)?;
        let mut next: HashMap<BTreeSet<usize>, u128> = HashMap::new();
        for (mut inactive, assignments) in states {
            if inactive.remove(&parameter) {
                inactive.extend(children[parameter].iter().map(|&(child, _)| child));
                spend(&mut work, inactive.len())?;
                add(&mut next, inactive, assignments);
            } else {
                for (ended, values) in &live {
                    let union: BTreeSet<usize> = inactive.union(ended).copied().collect();
                    spend(&mut work, union.len())?;
                    add(&mut next, union, assignments.saturating_mul(*values));
                }
            }
        }
        states = next;
    }
    Ok(Some(states.values().fold(0, |sum, count| sum.saturating_add(*count))))
}

fn spend(work: &mut usize, members: usize) -> Result<(), SpaceError> {
    *work += members + 1;
    if *work > MAX_WORK { Err(SpaceError { parameter: None, problem: Problem::Entangled }) } else { Ok(()) }
}

fn add(states: &mut HashMap<BTreeSet<usize>, u128>, inactive: BTreeSet<usize>, assignments: u128) {
    let count = states.entry(inactive).or_default();
    *count = count.saturating_add(assignments);
}

/// Parents first, and each as soon as its last parent is there, so that few are undecided at any time.
fn order(slots: &[Slot], children: &[Vec<(usize, &[usize])>]) -> Vec<usize> {
    let mut missing: Vec<usize> = slots.iter().map(|slot| slot.conditions.len()).collect();
    let mut ready: Vec<usize> = (0..slots.len()).rev().filter(|&parameter| missing[parameter] == 0).collect();
    let mut order = Vec::with_capacity(slots.len());
    while let Some(parameter) = ready.pop() {
        order.push(parameter);
        for &(child, _) in &children[parameter] {
            missing[child] -= 1;
            if missing[child] == 0 {
                ready.push(child);
            }
        }
    }
    order
}

/// What an active parameter's values do: the sets of children they make inactive, and how many values do each.
fn effects(
    children: &[(usize, &[usize])],
    slot: &Slot,
    count: u64,
    work: &mut usize,
) -> Result<Vec<(BTreeSet<usize>, u128)>, SpaceError> {
    if children.is_empty() {
        return Ok(vec![(BTreeSet::new(), u128::from(count))]);
    }
    let mut effects: HashMap<BTreeSet<usize>, u128> = HashMap::new();
    for place in 0..count {
        let level = slot.coding.level_at(place);
        let ends = |levels: &[usize]| levels.binary_search(&level).is_err();
        let ended: BTreeSet<usize> =
            children.iter().filter(|(_, levels)| ends(levels)).map(|&(child, _)| child).collect();
        spend(work, ended.len())?;
        *effects.entry(ended).or_default() += 1;
    }
    Ok(effects.into_iter().collect())
}
