//! Every assignment of a finite space, one after the other.

use super::{Assignment, Slot, Space, conditions};

/// The assignments of a finite space, in the order that [`Space::grid`] describes.
#[derive(Debug, Clone)]
pub struct Grid<'a> {
    space: &'a Space,
    /// Parameters that vary, the slowest first, each after those it hangs on.
    order: Vec<usize>,
    /// By the parameter, the place of its value in the next assignment; `None` where it is inactive or does not vary.
    places: Vec<Option<u64>>,
    /// By the dimension, the level of that value.
    levels: Vec<Option<usize>>,
    done: bool,
}

impl<'a> Grid<'a> {
    /// Of a space whose size is finite.
    pub(super) fn new(space: &'a Space) -> Self {
        let mut sorted = space.varying.clone();
        // W&B sorts nested parameters within the one that holds them.
        sorted.sort_by(|&one, &other| {
            let [one, other] = [one, other].map(|parameter| space.parameters[parameter].name.split('.'));
            one.cmp(other)
        });
        let parents = |slot: &Slot| slot.conditions.iter().map(|c| space.varying[c.dimension]).collect();
        let parents: Vec<Vec<usize>> = space.slots.iter().map(parents).collect();
        let order = conditions::parents_first(&sorted, &parents).expect("a space has no cycles");
        let (parameters, dimensions) = (space.parameters.len(), space.dimensions.len());
        let mut grid =
            Self { space, order, places: vec![None; parameters], levels: vec![None; dimensions], done: false };
        grid.restart(0);
        grid
    }

    /// The first values of parameters from a position of the order on.
    fn restart(&mut self, from: usize) {
        for position in from..self.order.len() {
            let parameter = self.order[position];
            let place = self.active(&self.space.slots[parameter]).then_some(0);
            self.set(parameter, place);
        }
    }

    fn set(&mut self, parameter: usize, place: Option<u64>) {
        let slot = &self.space.slots[parameter];
        self.places[parameter] = place;
        if let Some(dimension) = slot.dimension {
            self.levels[dimension] = place.map(|place| slot.coding.level_at(place));
        }
    }

    fn active(&self, slot: &Slot) -> bool {
        slot.conditions.iter().all(|condition| {
            self.levels[condition.dimension].is_some_and(|level| condition.levels.binary_search(&level).is_ok())
        })
    }

    fn current(&self) -> Assignment {
        let all = self.space.parameters.iter().zip(&self.space.slots).zip(&self.places);
        let active = all.filter(|((_, slot), _)| self.active(slot));
        active
            .map(|((parameter, slot), place)| (parameter.name.clone(), slot.coding.value(place.unwrap_or(0))))
            .collect()
    }
}

impl Iterator for Grid<'_> {
    type Item = Assignment;

    fn next(&mut self) -> Option<Assignment> {
        if self.done {
            return None;
        }
        let current = self.current();
        let more = (0..self.order.len()).rev().find_map(|position| {
            let parameter = self.order[position];
            let next = self.places[parameter]? + 1;
            (next < self.space.slots[parameter].coding.count()?).then_some((position, parameter, next))
        });
        match more {
            None => self.done = true,
            Some((position, parameter, next)) => {
                self.set(parameter, Some(next));
                self.restart(position + 1);
            }
        }
        Some(current)
    }
}
