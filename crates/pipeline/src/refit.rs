//! `gyeol train RECIPE --refit RUN`: all labelled rows, those that validated included, for as many steps as the run found
//! best. How well that does nobody has measured: nothing is left to measure it on.

use std::path::{Path, PathBuf};

use gyeol_data::{Cleaner, LabelMap};
use gyeol_engine::config::TrainConfig;
use gyeol_engine::hf::GyeolJson;
use serde::{Deserialize, Serialize};

use crate::prepare::Prepared;
use crate::recipe::{Recipe, difference};
use crate::runs::{EventKind, Report, Run, Runs};
use crate::{Error, Watcher};

/// `[refit]`: what `--refit` and `--from` come to. Only written by them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefitConfig {
    /// The run whose best step is known.
    pub run: String,
    /// The weights to start from.
    pub from: RefitFrom,
    /// Steps to train for: the best of the run, of its folds the mean.
    pub steps: u64,
    /// Steps the learning rate's schedule is made for: as many as the run planned.
    pub total_steps: u64,
}

/// The weights a refit starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefitFrom {
    /// Those the run started from; cleaning and labels are fitted anew.
    Base,
    /// The run's best; cleaning and labels are the run's.
    Best,
}

/// The recipe that fits `run` again on all its labelled rows. A recipe called as that of the run gets `-refit` behind its
/// name.
///
/// # Errors
/// If the run has not finished, was never validated, or has no single best weights to start from.
pub fn refit(mut recipe: Recipe, run: &str, from: RefitFrom, runs: &Runs) -> Result<Recipe, Error> {
    let run = runs.open(run)?;
    let report = finished(&run)?;
    if report.score.is_none() {
        return Err(wrong(format!("{} was not validated, so none of its steps is known to be best", run.name())));
    }
    if report.boost.is_some() {
        return Err(wrong(format!(
            "{} has a model for each round, and no one best step; name one without [boost]",
            run.name()
        )));
    }
    let planned = |run: &Run| -> Result<u64, Error> {
        let started = run.journal()?.events.into_iter().find_map(|event| match event.kind {
            EventKind::Started { total_steps, .. } => Some(total_steps),
            _ => None,
        });
        started.ok_or_else(|| wrong(format!("the journal of {} does not say how many steps it planned", run.name())))
    };
    let total_steps = match &report.folds {
        None => planned(&run)?,
        Some(_) if from == RefitFrom::Best => {
            let problem = format!("{} has a model for each fold, and no best of them; use --from base", run.name());
            return Err(Error::Setting { key: "--from", problem });
        }
        Some(folds) => {
            let steps = folds.runs.iter().map(|fold| planned(&runs.open(&fold.run)?));
            let steps = steps.collect::<Result<Vec<u64>, Error>>()?;
            (steps.iter().sum::<u64>() as f64 / steps.len() as f64).round() as u64
        }
    };
    if recipe.name == run.name().rsplit_once('-').map_or("", |(name, _)| name) {
        recipe.name.push_str("-refit");
    }
    let steps = report.best_step.min(total_steps);
    recipe.refit = Some(RefitConfig { run: run.name().to_owned(), from, steps, total_steps });
    Ok(recipe)
}

/// A run to be fitted again.
#[derive(Debug)]
pub(crate) struct Refit {
    config: RefitConfig,
    run: Run,
    report: Report,
    /// Where its best weights are wanted, their directory and settings.
    best: Option<(PathBuf, Option<GyeolJson>)>,
}

impl Refit {
    /// The run of `config` under `home`.
    pub(crate) fn open(config: &RefitConfig, home: &Path) -> Result<Self, Error> {
        let run = Runs::new(home).open(&config.run)?;
        let report = finished(&run)?;
        let best = match config.from {
            RefitFrom::Base => None,
            RefitFrom::Best => {
                let model = run.model_dir();
                let settings = GyeolJson::read(&model)?;
                Some((model, settings))
            }
        };
        Ok(Self { config: config.clone(), run, report, best })
    }

    /// The model directory to start from instead of the base at `index`.
    pub(crate) fn model(&self, index: usize) -> Option<PathBuf> {
        let (model, settings) = self.best.as_ref()?;
        let members = settings.as_ref().and_then(|settings| settings.member_directories(model));
        Some(members.and_then(|mut members| members.nth(index)).unwrap_or_else(|| model.clone()))
    }

    /// The classes of that model, if it tells classes apart.
    pub(crate) fn labels(&self) -> Option<LabelMap> {
        let labels = &self.best.as_ref()?.1.as_ref()?.labels;
        (!labels.is_empty()).then(|| LabelMap::from(labels.clone()))
    }

    /// Its cleaning.
    pub(crate) fn cleaner(&self) -> Option<Cleaner> {
        self.best.as_ref()?.1.as_ref()?.clean.clone()
    }

    /// Refuses another recipe than the run's: its best step says nothing about that. Other tables are told.
    pub(crate) fn check(&self, prepared: &Prepared, watcher: &mut dyn Watcher) -> Result<(), Error> {
        let path = self.run.recipe_path();
        let theirs = std::fs::read_to_string(&path).map_err(|source| Error::Io {
            path: path.clone(),
            action: "read",
            source,
        })?;
        let their_name =
            theirs.parse::<toml::Table>().ok().and_then(|table| Some(table.get("name")?.as_str()?.to_owned()));
        let name = their_name.unwrap_or_else(|| prepared.recipe.name.clone());
        let ours = Recipe { name, refit: None, ..prepared.recipe.clone() }.to_toml()?;
        if let Some(difference) = difference(&theirs, &ours) {
            let problem = format!("{} had another recipe: {difference}; use {}", self.run.name(), path.display());
            return Err(wrong(problem));
        }
        if self.report.data_fingerprint != prepared.data_fingerprint() {
            watcher.warning(&format!(
                "the tables are no longer those of {}: its best step was another's",
                self.run.name()
            ));
        }
        Ok(())
    }
}

impl Prepared {
    /// `[train]` as the trainer takes it, and the step after which to end where that is not the last of the schedule.
    pub(crate) fn schedule(&self) -> (TrainConfig, Option<u64>) {
        let train = self.recipe.train.clone();
        match &self.refit {
            None => (train, None),
            Some(Refit { config, .. }) => (TrainConfig { max_steps: config.total_steps, ..train }, Some(config.steps)),
        }
    }

    /// Whether the weights to start from have been fine-tuned already.
    pub(crate) fn starts_from_best(&self) -> bool {
        self.refit.as_ref().is_some_and(|refit| refit.best.is_some())
    }
}

fn finished(run: &Run) -> Result<Report, Error> {
    run.report()?.ok_or_else(|| wrong(format!("{} has not finished, so its best step is not known", run.name())))
}

fn wrong(problem: String) -> Error {
    Error::Setting { key: "--refit", problem }
}
