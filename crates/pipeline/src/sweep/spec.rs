//! What a sweep is: everything its trials depend on, as it is written into `sweep.json`.

use std::path::{Path, PathBuf};

use gyeol_data::fingerprint;
use gyeol_eval::Metric;
use gyeol_tune::pruners::{Never, Pruner};
use gyeol_tune::samplers::{Bayes, Gp, Sampler, Sobol, Tpe, Uniform};
use gyeol_tune::study::{Goal, Origin, Settings, Study};
use gyeol_tune::sweep_file::{EarlyTerminate, Method, SweepFile};
use gyeol_tune::{Assignment, Space};
use serde::{Deserialize, Serialize};

use super::{SweepError, names};
use crate::recipe::Recipe;
use crate::runs::Report;

/// What a sweep is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// Its name without the number.
    pub name: String,
    /// When it was made, in seconds since 1970 (UTC).
    pub created: f64,
    /// The path of the sweep file, for messages.
    pub path: PathBuf,
    /// The sweep file's text.
    pub file: String,
    /// The recipe that trials start from, every default written out, with the sweep's metric in it.
    pub recipe: String,
    /// Where the recipe is: paths among the values are taken from there.
    pub directory: PathBuf,
    /// Fingerprint of rows, cleaning and base: trials on others are not comparable.
    pub data: String,
    /// What trials are compared by.
    pub metric: SweepMetric,
    /// Whether the recipe trains folds, or rounds of boosting.
    pub folds: bool,
    /// How points are chosen.
    pub method: Method,
    /// Which trials end early, or pause; absent: none.
    pub early_terminate: Option<EarlyTerminate>,
    /// Keys the sampler.
    pub seed: u64,
    /// How many of the best trials are run again.
    pub finalists: usize,
    /// With which seeds.
    pub seeds: Vec<u64>,
    /// What is tried before the sampler is asked.
    pub given: Vec<(Origin, Assignment)>,
}

/// What trials are compared by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepMetric {
    /// The recipe's metric: it is what evaluations tell, and selects the checkpoint.
    pub metric: Metric,
    /// Whether a trial's score is that of the mean of its checkpoints' weights (`accuracy_swa`).
    pub averaged: bool,
    /// Which way it improves.
    pub goal: Goal,
}

impl SweepMetric {
    /// The name in a run's report.
    pub fn name(&self) -> String {
        if self.averaged { format!("{}_swa", self.metric) } else { self.metric.to_string() }
    }
}

impl Spec {
    /// What makes two sweeps the same: whatever decides about their trials but the trials of an earlier one.
    pub fn identity(&self) -> String {
        let words = |part: &dyn std::fmt::Debug| format!("{part:?}");
        let parts = [
            self.name.clone(),
            self.file.clone(),
            self.recipe.clone(),
            self.data.clone(),
            words(&self.metric),
            words(&self.method),
            words(&self.early_terminate),
            self.seed.to_string(),
        ];
        fingerprint(&parts.each_ref().map(String::as_str))
    }

    /// The sweep file, read.
    pub fn sweep_file(&self) -> Result<SweepFile, SweepError> {
        Ok(SweepFile::parse(&self.path, &self.file)?)
    }

    /// The sweep before anything has happened.
    pub(super) fn study(&self) -> Result<Study, SweepError> {
        let file = self.sweep_file()?;
        let seed = self.seed;
        let sampler: Option<Box<dyn Sampler>> = match self.method {
            Method::Grid => None,
            Method::Random => Some(Box::new(Uniform)),
            Method::Sobol => Some(Box::new(Sobol::new(seed))),
            Method::Bayes => Some(Box::new(Bayes::new(seed))),
            Method::Tpe => Some(Box::new(Tpe::new(seed))),
            Method::Gp => Some(Box::new(Gp::new(seed))),
        };
        let pruner =
            self.early_terminate.map_or_else(|| Ok(Box::new(Never) as Box<dyn Pruner>), EarlyTerminate::pruner);
        let pruner = pruner.map_err(|error| self.unfit(format!("early_terminate: {error}")))?;
        let settings = Settings { goal: self.metric.goal, seed, finalists: self.finalists, seeds: self.seeds.clone() };
        Ok(Study::new(file.space, settings, sampler, pruner, self.given.clone()))
    }

    /// The name of what ends trials early.
    pub fn early_terminate_name(&self) -> &'static str {
        self.early_terminate.map_or("none", EarlyTerminate::name)
    }

    /// Whether what a trial tells on its way says anything about the trial: with folds it is one fold's, with `[boost]` one round's.
    pub(super) fn prunes(&self) -> bool {
        !self.folds
    }

    /// What a run's report says by the sweep's metric.
    pub(super) fn score(&self, report: &Report) -> Option<f64> {
        match report.metrics.get(&self.metric.name()) {
            Some(value) => *value,
            // Without checkpoints to average the mean is that of one.
            None => report.score,
        }
    }

    fn unfit(&self, problem: String) -> SweepError {
        SweepError::Unfit { path: self.path.clone(), problem }
    }

    /// The recipe that trials start from.
    pub fn recipe(&self) -> Result<Recipe, SweepError> {
        Ok(Recipe::parse(Path::new("recipe.toml"), &self.recipe, &[])?)
    }

    /// What is laid over the recipe for a trial: nothing for the recipe as it stands.
    pub fn sets(&self, origin: Origin, assignment: &Assignment, space: &Space) -> Result<Vec<String>, SweepError> {
        match origin {
            Origin::Recipe => Ok(Vec::new()),
            Origin::Earlier | Origin::Sampler => {
                sets((&self.path, &self.directory), assignment, space, &self.recipe()?)
            }
        }
    }
}

/// What is laid over `recipe` to give its keys the values of an assignment; `path` is the sweep file's, `directory` the recipe's.
pub(super) fn sets(
    (path, directory): (&Path, &Path),
    assignment: &Assignment,
    space: &Space,
    recipe: &Recipe,
) -> Result<Vec<String>, SweepError> {
    let wrong = |parameter: &str, problem| SweepError::Parameter {
        path: path.to_owned(),
        parameter: parameter.to_owned(),
        problem,
    };
    let mut varied = Vec::new();
    for parameter in space.parameters() {
        let key = names::recipe_key(&parameter.name).map_err(|problem| wrong(&parameter.name, problem))?;
        if varied.contains(&key) {
            return Err(wrong(&parameter.name, format!("sets {key}, which another parameter sets too")));
        }
        varied.push(key);
    }
    let mut sets = Vec::new();
    for (name, value) in assignment {
        let key = names::recipe_key(name).map_err(|problem| wrong(name, problem))?;
        let companion =
            names::companion(key, recipe, &varied).map_err(|problem| wrong(name, format!("{key} {problem}")))?;
        sets.extend(companion.map(|(key, value)| format!("{key}={value}")));
        let value = names::from_directory(key, value, directory);
        sets.push(names::set(key, &value).map_err(|problem| wrong(name, problem))?);
    }
    Ok(sets)
}
