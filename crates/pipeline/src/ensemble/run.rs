//! The run of an ensemble: its directory holds what was asked for, what was fitted, and what came of it.

use gyeol_eval::{Form, Predictions, ensemble::Method};
use serde::{Deserialize, Serialize};

use super::recipe::{EnsembleConfig, EnsembleRecipe};
use super::{Chosen, Compared, Gathered, Saved, Standing, file_fingerprint};
use crate::fingerprints::code_version;
use crate::recipe::check_run_name;
use crate::runs::{ActiveRun, EventKind, Report, Run, Runs};
use crate::train::{by_name, source_scores, truth};
use crate::{Error, class_shares, process};

/// What came of an ensemble: a part of its run's report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EnsembleReport {
    /// The method.
    pub method: String,
    /// Whether members were calibrated first.
    pub calibrated: bool,
    /// Its own standing: the score is that of the report.
    pub standing: Option<Standing>,
    /// The members with their scores.
    pub members: Vec<Standing>,
    /// Their weights, where the method has one for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Vec<f64>>,
    /// Members that were named and left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// What an ensemble's run is made of.
#[derive(Debug)]
pub struct Ensemble<'a> {
    /// The members and their rows.
    pub gathered: &'a Gathered,
    /// The scores of members and methods.
    pub compared: &'a Compared,
    /// The method that is kept, and its place among those compared.
    pub method: (Method, usize),
    /// What was fitted.
    pub chosen: &'a Chosen,
    /// The members as they were named.
    pub words: &'a [String],
    /// Whether they were calibrated.
    pub calibrate: bool,
    /// Folds of the cross-validated score.
    pub folds: u32,
    /// Dealt them.
    pub seed: u64,
}

/// What a run of an ensemble is called.
#[derive(Debug, Clone, Copy)]
pub enum Called<'a> {
    /// So.
    Named(&'a str),
    /// `<stem>-<n>`.
    Numbered(&'a str),
}

/// Refuses a name that another run has, or no directory could.
///
/// # Errors
/// [`Error::Setting`] of `--save`.
pub fn check_name(name: &str, runs: &Runs) -> Result<(), Error> {
    let wrong = |problem| Err(Error::Setting { key: "--save", problem });
    if let Err(problem) = check_run_name(name) {
        return wrong(problem);
    }
    if runs.root().join(name).exists() {
        return wrong(format!("a run is called {name} already; choose another name, or `gyeol runs rm {name}`"));
    }
    Ok(())
}

impl Ensemble<'_> {
    /// The ensemble as it is kept.
    pub fn saved(&self) -> Saved {
        let Gathered { valid, members, metric, id_column, label_names, score_range, .. } = self.gathered;
        Saved {
            format: Saved::FORMAT,
            task: valid.task(),
            metric: *metric,
            id_column: id_column.clone(),
            labels: valid.labels().to_vec(),
            label_names: label_names.clone(),
            score_range: *score_range,
            members: members.clone(),
            fitted: self.chosen.fitted.clone(),
        }
    }

    /// The predictions of the test table; `None` if a member has none.
    ///
    /// # Errors
    /// If the fitted numbers do not fit the members.
    pub fn test(&self) -> Result<Option<Predictions>, Error> {
        let Some(test) = &self.gathered.test else { return Ok(None) };
        let outputs = self.chosen.fitted.combine(test)?;
        let mut predictions = Predictions::new(self.gathered.id_column.clone(), test.ids().to_vec(), outputs)?;
        if let Some(range) = self.gathered.score_range {
            predictions.clamp_scores(range);
        }
        Ok(Some(predictions))
    }

    /// What the cross-validated ensemble predicts for the rows it was fitted to.
    fn valid(&self) -> Result<Predictions, Error> {
        let (_, at) = self.method;
        let ids = self.gathered.valid.ids().to_vec();
        Ok(Predictions::new(self.gathered.id_column.clone(), ids, self.compared.outputs[at].clone())?)
    }

    /// Makes its run, complete.
    ///
    /// # Errors
    /// If the name is taken, or a file cannot be written; the run then says that it failed.
    pub fn write(&self, runs: &Runs, called: Called<'_>) -> Result<Run, Error> {
        let (method, at) = self.method;
        let name = match called {
            Called::Named(name) | Called::Numbered(name) => name,
        };
        let recipe = EnsembleRecipe {
            name: name.to_owned(),
            seed: self.seed,
            metric: self.gathered.metric,
            ensemble: EnsembleConfig {
                members: self.words.to_vec(),
                calibrate: self.calibrate,
                folds: self.folds,
                method,
            },
            data: self.gathered.data.clone(),
        };
        let toml = recipe.to_toml();
        let mut run = match called {
            Called::Named(name) => {
                check_name(name, runs)?;
                runs.create_named(name, &toml)?
            }
            Called::Numbered(stem) => runs.create(stem, &toml)?,
        };
        match self.fill(&mut run, file_fingerprint(toml.as_bytes()), at) {
            Ok(()) => Ok(run.run().clone()),
            Err(error) => {
                run.record(EventKind::Failed { error: error.to_string() })?;
                Err(error)
            }
        }
    }

    fn fill(&self, run: &mut ActiveRun, recipe_fingerprint: String, at: usize) -> Result<(), Error> {
        let Gathered { metric, .. } = self.gathered;
        run.record(EventKind::Started {
            metric: metric.to_string(),
            total_steps: 0,
            isa: None,
            precision: None,
            batch_size: None,
            accumulate: None,
        })?;
        self.saved().write(run.run().dir())?;
        let valid = self.valid()?;
        valid.write(&run.run().valid_path(), Form::Predictions)?;
        if let Some(test) = self.test()? {
            test.write(&run.run().test_path(), Form::Predictions)?;
        }
        let scored = gyeol_eval::evaluate(&valid, truth(&self.gathered.truth), self.gathered.sources.as_deref(), 0)?;
        let metrics = by_name(scored.metrics());
        let report = Report {
            run: run.run().name().to_owned(),
            score: metrics.get(metric.name()).copied().flatten(),
            metric: metric.to_string(),
            metrics,
            sources: source_scores(&scored),
            class_shares: class_shares::of(&scored),
            task: self.gathered.valid.task().name().to_owned(),
            valid_rows: self.gathered.valid.rows() as u64,
            peak_rss_bytes: process::peak_rss_bytes(),
            threads: rayon::current_num_threads(),
            code_version: code_version(),
            recipe_fingerprint,
            ensemble: Some(Box::new(self.report(at))),
            ..Report::default()
        };
        run.write_report(&report)?;
        run.record(EventKind::Finished { score: report.score })?;
        Ok(())
    }

    fn report(&self, at: usize) -> EnsembleReport {
        EnsembleReport {
            method: self.method.0.kind().name().to_owned(),
            calibrated: self.calibrate,
            standing: self.compared.methods.get(at).cloned(),
            members: self.compared.members.clone(),
            weights: self.chosen.fitted.weights().map(<[f64]>::to_vec),
            left_out: self.gathered.missing.iter().map(|missing| missing.name.clone()).collect(),
        }
    }
}
