//! One search over a table, epoch by epoch.
//!
//! Every epoch takes a worker the same time. A suggestion becomes the nearest configuration that was not tried yet, and the history
//! that samplers see has that configuration's place, not the one suggested. Samplers thus miss what they aim at by as much
//! as the table is sparse, all of them alike.

use std::{fmt, str::FromStr};

use anyhow::{Result, bail};
use gyeol_tune::{
    fidelity,
    pruners::{Curve, Decision, Halving, Hyperband, Median, Never, Pruner, State},
    samplers::{Gp, Observation, Random, Sampler, Sobol, Tpe, Uniform},
    space::{Dimension, Kind},
};
use rand::SeedableRng as _;

use crate::{
    Arguments,
    table::{DIMENSIONS, Table},
};

/// The budget is looked at in so many parts.
pub(crate) const PARTS: usize = 12;

/// A sampler and a pruner, by name.
#[derive(Debug, Clone)]
pub(crate) struct Arm {
    sampler: String,
    pruner: String,
}

impl FromStr for Arm {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some((sampler, pruner)) = text.split_once('+') else { bail!("{text}: write SAMPLER+PRUNER") };
        Ok(Self { sampler: sampler.to_owned(), pruner: pruner.to_owned() })
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.sampler, self.pruner)
    }
}

impl Arm {
    fn sampler(&self, seed: u64) -> Result<Box<dyn Sampler>> {
        Ok(match self.sampler.as_str() {
            "uniform" => Box::new(Uniform),
            "sobol" => Box::new(Sobol::new(seed)),
            "tpe" => Box::new(Tpe::new(seed)),
            "gp" => Box::new(Gp::new(seed)),
            other => bail!("no sampler is called {other}; there are uniform, sobol, tpe, gp"),
        })
    }

    fn pruner(&self, arguments: &Arguments) -> Result<Box<dyn Pruner>> {
        Ok(match self.pruner.as_str() {
            "never" => Box::new(Never),
            "median" => Box::new(Median::default()),
            "hyperband" => Box::new(Hyperband::from_min_iter(arguments.min_iter, arguments.eta, true)?),
            "halving" => Box::new(Halving::new(arguments.min_iter, arguments.eta)?),
            other => bail!("no pruner is called {other}; there are never, median, hyperband, halving"),
        })
    }
}

/// How a search went.
pub(crate) struct Course {
    /// How many trials it began.
    pub(crate) trials: usize,
    /// After each part of the budget: the regret of the best checkpoint seen.
    pub(crate) best: [f64; PARTS],
    /// That of the last checkpoint of the best trial that ran to its end; infinite before there is one.
    pub(crate) last: [f64; PARTS],
}

/// Runs a search of an arm on a table.
pub(crate) fn run(table: &Table, arm: &Arm, arguments: &Arguments, seed: u64) -> Result<Course> {
    let (sampler, pruner) = (arm.sampler(seed)?, arm.pruner(arguments)?);
    let mut search =
        Search { table, sampler, pruner, random: Random::seed_from_u64(seed), history: vec![], tried: vec![] };
    let budget = arguments.budget * table.epochs();
    let (optimum, optimum_last) = table.optimum();
    let mut course = Course { trials: 0, best: [f64::INFINITY; PARTS], last: [f64::INFINITY; PARTS] };
    let mut running: Vec<u32> = Vec::new();
    let mut spent = 0;
    while spent < budget {
        running.extend(std::iter::from_fn(|| search.begin()).take(arguments.workers - running.len()));
        if running.is_empty() {
            break; // The table is used up, and its best are at their end.
        }
        for trial in &running {
            let value = search.report(*trial);
            let last = if search.state(*trial) == State::Finished { value } else { f64::INFINITY };
            // The parts of the budget that this epoch still belongs to, and those after it.
            for part in spent * PARTS / budget..PARTS {
                course.best[part] = course.best[part].min(value - optimum);
                course.last[part] = course.last[part].min(last - optimum_last);
            }
            spent += 1;
        }
        running.retain(|trial| search.state(*trial) == State::Running);
    }
    course.trials = search.tried.len();
    Ok(course)
}

/// A search in the middle of it.
struct Search<'a> {
    table: &'a Table,
    sampler: Box<dyn Sampler>,
    pruner: Box<dyn Pruner>,
    random: Random,
    /// Trial 1, 2, …
    history: Vec<Curve>,
    /// The configuration of each.
    tried: Vec<usize>,
}

impl Search<'_> {
    /// The trial a worker takes up; none once there is nothing left to try.
    fn begin(&mut self) -> Option<u32> {
        let more = self.tried.len() < self.table.points.len();
        let promoted = if more { self.pruner.promote(&self.history) } else { self.pruner.finish(&self.history) };
        if let Some(trial) = promoted {
            self.history[trial as usize - 1].state = State::Running;
            return Some(trial);
        }
        let outcomes = self.tried.iter().zip(fidelity::outcomes(&self.history));
        let observe = |(index, outcome): (&usize, _)| Observation { point: self.table.points[*index].clone(), outcome };
        let observations: Vec<Observation> = outcomes.map(observe).collect();
        let dimensions = [const { Dimension { kind: Kind::Continuous, conditions: Vec::new() } }; DIMENSIONS];
        let point = self.sampler.suggest(&dimensions, &observations, &mut self.random);
        self.tried.push(self.table.nearest(&point, &self.tried)?);
        let (trial, planned) = (self.tried.len() as u32, Some(self.table.epochs() as u64));
        self.history.push(Curve { trial, values: vec![], planned, state: State::Running });
        Some(trial)
    }

    /// Trains a trial for an epoch, and returns its validation loss.
    fn report(&mut self, trial: u32) -> f64 {
        let index = trial as usize - 1;
        let value = self.table.curves[self.tried[index]][self.history[index].values.len()];
        self.history[index].values.push(value);
        self.history[index].state = if self.history[index].values.len() == self.table.epochs() {
            State::Finished
        } else {
            match self.pruner.decide(trial, &self.history) {
                Decision::Continue => State::Running,
                Decision::Stop => State::Stopped,
                Decision::Pause => State::Paused,
            }
        };
        value
    }

    fn state(&self, trial: u32) -> State {
        self.history[trial as usize - 1].state
    }
}
