//! The values of the next trial.

use std::collections::HashSet;

use rand_chacha::rand_core::SeedableRng as _;

use super::{Origin, Study, Trial};
use crate::{
    Assignment, fidelity,
    pruners::State,
    samplers::{Observation, Outcome, Random, Sampler, Uniform},
};

/// How often the sampler is asked again where it suggests what was tried, before chance is.
const ATTEMPTS: u64 = 8;

/// How often chance is asked, before the space counts as exhausted; a finite one is then looked through.
const CHANCES: u64 = 200;

impl Study {
    /// The values of trial `number`, the next; `None` when everything has been tried.
    pub(super) fn suggest(&self) -> Option<(Origin, Assignment)> {
        let number = self.trials.len();
        if let Some(given) = self.given.get(number) {
            return Some(given.clone());
        }
        let tried: HashSet<String> = self.trials.iter().map(|trial| self.written_as_tried(&trial.assignment)).collect();
        let new = |assignment: &Assignment| !tried.contains(&written(assignment));
        let Some(sampler) = &self.sampler else {
            return Some((Origin::Sampler, self.space.grid()?.find(new)?));
        };
        let dimensions = self.space.dimensions();
        let history = self.observations();
        let draw = |sampler: &dyn Sampler, attempt: u64| {
            let mut random = Random::seed_from_u64(self.settings.seed);
            random.set_stream(((number as u64) << 16) | attempt);
            self.space.decode(&sampler.suggest(dimensions, &history, &mut random))
        };
        let suggested = (0..ATTEMPTS).map(|attempt| draw(&**sampler, attempt)).find(new);
        let by_chance = || (ATTEMPTS..CHANCES).map(|attempt| draw(&Uniform, attempt)).find(new);
        let left_over = || self.space.grid()?.find(new);
        Some((Origin::Sampler, suggested.or_else(by_chance).or_else(left_over)?))
    }

    /// An assignment as the space would write it, if it can have these values.
    fn written_as_tried(&self, assignment: &Assignment) -> String {
        let canonical = self.space.encode(assignment).map(|point| self.space.decode(&point));
        written(canonical.as_ref().unwrap_or(assignment))
    }

    /// The history as samplers see it: without trials at values that the space does not know. What a trial that ran to its end is
    /// worth is its score, which need not be its best evaluation: it may be that of averaged weights, or one that a guard chose.
    fn observations(&self) -> Vec<Observation> {
        let outcomes = fidelity::outcomes(&self.curves());
        let observation = |(trial, outcome): (&Trial, Outcome)| {
            let outcome = match (trial.state, trial.score) {
                (State::Finished, Some(score)) => Outcome::Value(self.settings.goal.loss(score)),
                (State::Finished, None) => Outcome::Failed,
                _ => outcome,
            };
            Some(Observation { point: self.space.encode(&trial.assignment)?, outcome })
        };
        self.trials.iter().zip(outcomes).filter_map(observation).collect()
    }
}

/// An assignment as a text that is the same whatever the order of its values.
fn written(assignment: &Assignment) -> String {
    let mut values: Vec<(&String, String)> = assignment.iter().map(|(name, value)| (name, value.to_string())).collect();
    values.sort_unstable();
    format!("{values:?}")
}
