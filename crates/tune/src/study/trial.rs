//! One trial, and how events change it.

use serde::{Deserialize, Serialize};

use super::Event;
use crate::{Assignment, pruners::State};

/// Which way the metric improves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// A smaller value is better.
    Minimize,
    /// A larger value is better.
    Maximize,
}

impl Goal {
    /// A value of the metric, turned so that a smaller one is better.
    pub fn loss(self, value: f64) -> f64 {
        match self {
            Self::Minimize => value,
            Self::Maximize => -value,
        }
    }
}

/// Where a trial's values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The recipe as it stands.
    Recipe,
    /// A good trial of an earlier search.
    Earlier,
    /// The sampler.
    Sampler,
}

/// One evaluation of a trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reported {
    /// After this optimiser step.
    pub step: u64,
    /// Passes over the training rows so far, with their fraction.
    pub epoch: f64,
    /// The metric of the search, as measured; NaN where it is undefined.
    pub value: f64,
}

/// One trial.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Its number, from 1, in the order the trials began.
    pub number: u32,
    /// The values tried; of the recipe as it stands, those of its own that the space knows.
    pub assignment: Assignment,
    /// Where they come from.
    pub origin: Origin,
    /// How it stands.
    pub state: State,
    /// Evaluations it will make if nothing ends it, once its first process has told.
    pub planned: Option<u64>,
    /// Its evaluations so far.
    pub reports: Vec<Reported>,
    /// The metric of what the trial keeps; absent before it ends, and where it failed or was stopped.
    pub score: Option<f64>,
    /// Optimiser steps it has made, as far as is known.
    pub steps: u64,
    /// Seconds its processes were at work.
    pub seconds: f64,
    /// Seconds of these before the first step and after the last evaluation.
    pub overhead: f64,
    /// Why it failed.
    pub error: Option<String>,
    /// The name of its run.
    pub run: String,
}

impl Trial {
    pub(super) fn new(number: u32, origin: Origin, assignment: Assignment, run: String) -> Self {
        Self {
            number,
            assignment,
            origin,
            state: State::Running,
            planned: None,
            reports: Vec::new(),
            score: None,
            steps: 0,
            seconds: 0.0,
            overhead: 0.0,
            error: None,
            run,
        }
    }

    /// Its values, smaller being better. One that was scored without any evaluation on the way (folds) has that.
    pub(super) fn values(&self, goal: Goal) -> Vec<f64> {
        match (&self.reports[..], self.score) {
            ([], Some(score)) => vec![goal.loss(score)],
            (reports, _) => reports.iter().map(|report| goal.loss(report.value)).collect(),
        }
    }

    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Planned { evaluations, .. } => self.planned = Some(*evaluations),
            Event::Reported { step, epoch, value, .. } => {
                // A process that was killed makes evaluations again.
                if self.reports.last().is_none_or(|last| last.step < *step) {
                    self.reports.push(Reported { step: *step, epoch: *epoch, value: *value });
                    self.steps = *step;
                }
            }
            Event::Worked { seconds, overhead, .. } => {
                self.seconds += seconds;
                self.overhead += overhead;
            }
            Event::Paused { .. } => self.state = State::Paused,
            Event::Resumed { .. } => self.state = State::Running,
            Event::Stopped { .. } => self.state = State::Stopped,
            Event::Finished { score, steps, .. } => {
                self.state = State::Finished;
                self.score = score.filter(|score| score.is_finite());
                self.steps = *steps;
            }
            Event::Failed { error, .. } => {
                self.state = State::Failed;
                self.error = Some(error.clone());
            }
            Event::Began { .. } | Event::Rerun(_) => {}
        }
    }
}
