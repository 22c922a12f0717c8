//! A search as a whole: its trials, and what is to be done next.
//!
//! A [`Study`] is what its [`Event`]s make of it, one after the other. Whoever runs the trials tells it what happened, writes
//! that down, and asks [`Study::next`]; after a crash the same events lead to the same study, and that to the same trials.

mod choice;
mod event;
mod next;
mod settings;
mod suggest;
#[cfg(test)]
mod tests;
mod trial;

use crate::{
    Assignment, Space,
    pruners::{Curve, Decision, Pruner, State},
    samplers::Sampler,
};

pub use choice::{Choice, Rerun};
pub use event::Event;
pub use next::Next;
pub use settings::{Limits, Settings};
pub use trial::{Goal, Origin, Reported, Trial};

/// A search.
#[derive(Debug)]
pub struct Study {
    space: Space,
    settings: Settings,
    sampler: Option<Box<dyn Sampler>>,
    pruner: Box<dyn Pruner>,
    /// What is tried before the sampler is asked: the recipe as it stands, then good trials of an earlier search.
    given: Vec<(Origin, Assignment)>,
    trials: Vec<Trial>,
    reruns: Vec<Rerun>,
}

impl Study {
    /// A search over `space` that begins with the assignments `given`, and then asks `sampler`; without one it goes through
    /// the grid of the space.
    pub fn new(
        space: Space,
        settings: Settings,
        sampler: Option<Box<dyn Sampler>>,
        pruner: Box<dyn Pruner>,
        given: Vec<(Origin, Assignment)>,
    ) -> Self {
        Self { space, settings, sampler, pruner, given, trials: Vec::new(), reruns: Vec::new() }
    }

    /// The space searched.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// How it is searched.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes how many of the best trials are run again, and with which seeds.
    pub fn rerun_with(&mut self, finalists: usize, seeds: &[u64]) {
        (self.settings.finalists, self.settings.seeds) = (finalists, seeds.to_vec());
    }

    /// The trials so far, by number.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// The trials that were run again with other seeds, in the order they ended.
    pub fn reruns(&self) -> &[Rerun] {
        &self.reruns
    }

    /// The trial of a number, from 1.
    pub fn trial(&self, number: u32) -> Option<&Trial> {
        self.trials.get(number.checked_sub(1)? as usize)
    }

    /// Takes in what happened. An event of a trial that there is none of is passed over: only a journal that was edited has
    /// one.
    pub fn apply(&mut self, event: &Event) {
        let trial = |study: &mut Self, number: u32| -> Option<usize> {
            let index = number.checked_sub(1)? as usize;
            (index < study.trials.len()).then_some(index)
        };
        match event {
            Event::Began { trial, origin, assignment, run } => {
                if *trial as usize == self.trials.len() + 1 {
                    self.trials.push(Trial::new(*trial, *origin, assignment.clone(), run.clone()));
                }
            }
            Event::Rerun(rerun) => {
                let known = |other: &Rerun| (other.trial, other.seed) == (rerun.trial, rerun.seed);
                if !self.reruns.iter().any(known) {
                    self.reruns.push(rerun.clone());
                }
            }
            event => {
                if let Some(index) = event.trial().and_then(|number| trial(self, number)) {
                    self.trials[index].apply(event);
                }
            }
        }
    }

    /// What becomes of a trial that has just reported.
    ///
    /// # Panics
    /// If there is no such trial.
    pub fn decide(&self, trial: u32) -> Decision {
        let planned = self.trial(trial).and_then(|trial| trial.planned);
        let made = self.trial(trial).map_or(0, |trial| trial.reports.len() as u64);
        // After the last evaluation there is nothing to save: the trial ends by itself.
        if planned.is_some_and(|planned| made >= planned) {
            return Decision::Continue;
        }
        self.pruner.decide(trial, &self.curves())
    }

    /// The history as pruners see it.
    pub fn curves(&self) -> Vec<Curve> {
        let curve = |trial: &Trial| Curve {
            trial: trial.number,
            values: trial.values(self.settings.goal),
            planned: trial.planned,
            state: trial.state,
        };
        self.trials.iter().map(curve).collect()
    }

    /// The finished trials, the best first; of equal ones the earlier.
    pub fn ranking(&self) -> Vec<&Trial> {
        let mut finished: Vec<(&Trial, f64)> = self
            .trials
            .iter()
            .filter(|trial| trial.state == State::Finished)
            .filter_map(|trial| Some((trial, self.settings.goal.loss(trial.score?))))
            .filter(|(_, loss)| loss.is_finite())
            .collect();
        finished.sort_by(|(_, a), (_, b)| a.total_cmp(b));
        finished.into_iter().map(|(trial, _)| trial).collect()
    }
}
