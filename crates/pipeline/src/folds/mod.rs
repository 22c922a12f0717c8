//! `[folds]`: a run for each fold, trained one after the other with the same seed, and what comes of them together: every
//! labelled row predicted by the model that did not train on it, and the mean of the models for all other rows.
//!
//! A fold's run, `<run>-fold-<n>`, is one like any other, with its own recipe (`folds.only`), journal, report and model. The
//! run they belong to keeps no weights. Rows are dealt in `division`.

use std::path::PathBuf;

use gyeol_data::FoldsConfig;
use gyeol_engine::TrainPlan;
use gyeol_eval::{Form, Metric, Predictions, Summary};

use crate::parts::{self, Parts};
use crate::prepare::{Prepared, go_on};
use crate::recipe::Recipe;
use crate::runs::{FoldScore, FoldsReport, Report, Run, Runs, fold_name};
use crate::session::{Claim, Session, Trained};
use crate::train::{by_name, source_scores, truth, valid_sources};
use crate::{Error, Watcher, class_shares};

/// Trains every fold of `prepared` in the run that `claim` gives; folds that are finished stay as they are.
pub(crate) fn train(
    prepared: &Prepared,
    adapted: Option<&(PathBuf, Report)>,
    claim: Claim<'_>,
    runs: &Runs,
    watcher: &mut dyn Watcher,
) -> Result<Trained, Error> {
    let k = prepared.recipe.folds.as_ref().map_or(0, |folds| folds.k);
    let mut steps = 0;
    for fold in 0..k {
        steps += TrainPlan::new(&prepared.recipe.train, prepared.fold(fold)?.0.len()).steps;
    }
    let run = claim.take()?;
    let folds = Folds { parts: Parts { prepared, adapted, runs }, k };
    folds.parts.refuse_others(&runs.folds_of(run.run().name(), k)?, |fold| folds.recipe(fold))?;
    let mut session = Session { run, watcher, arithmetic: prepared.arithmetic };
    session.started(&prepared.metric.to_string(), steps, None, &prepared.warnings)?;
    let outcome = folds.route(&mut session);
    parts::conclude(&mut session, outcome)
}

/// The folds of a run.
struct Folds<'a> {
    parts: Parts<'a>,
    k: u32,
}

impl Folds<'_> {
    fn route(&self, session: &mut Session<'_>) -> Result<Trained, Error> {
        let parent = session.run.run().name().to_owned();
        let mut reports = Vec::new();
        for fold in 1..=self.k {
            go_on(&*session.watcher)?;
            let name = fold_name(&parent, fold);
            let report = match self.parts.finished(&name)? {
                Some(report) => {
                    session.watcher.note(&format!("fold {fold} of {} is finished already: {}", self.k, report.run));
                    report
                }
                None => match self.train(&name, fold, &mut *session.watcher)? {
                    Trained::Finished(report) => *report,
                    interrupted => return Ok(interrupted),
                },
            };
            self.parts.tidy(&report.run)?;
            reports.push(report);
        }
        session.watcher.phase("joining the folds");
        let report = self.together(session, &reports)?;
        session.run.write_report(&report)?;
        Ok(Trained::Finished(Box::new(report)))
    }

    /// The recipe of fold `fold` alone.
    fn recipe(&self, fold: u32) -> Recipe {
        let recipe = &self.parts.prepared.recipe;
        let folds = recipe.folds.clone().unwrap_or_default();
        Recipe { folds: Some(FoldsConfig { only: Some(fold), ..folds }), ..recipe.clone() }
    }

    /// Trains a fold, from its last state where it has one.
    fn train(&self, name: &str, fold: u32, watcher: &mut dyn Watcher) -> Result<Trained, Error> {
        let prepared = self.parts.prepare(self.recipe(fold), watcher)?;
        let (train, valid) = (prepared.train.rows.len(), prepared.held_out.len());
        watcher.note(&format!("fold {fold} of {}: {train} rows to train on, {valid} to validate on", self.k));
        prepared.sampling.describe().into_iter().for_each(|words| watcher.note(&words));
        self.parts.train(name, &prepared, watcher)
    }

    /// Writes the predictions of all folds together, and scores them.
    fn together(&self, session: &mut Session<'_>, reports: &[Report]) -> Result<Report, Error> {
        let prepared = self.parts.prepared;
        let valid = Predictions::gather(&self.parts.read(reports, Run::valid_path)?, &prepared.train.examples.ids)?;
        let scored =
            gyeol_eval::evaluate(&valid, truth(&prepared.train.targets), valid_sources(prepared).as_deref(), 0)?;
        valid.write(&session.run.run().valid_path(), Form::Predictions)?;
        if prepared.test.is_some() {
            let test = Predictions::mean(&self.parts.read(reports, Run::test_path)?)?;
            test.write(&session.run.run().test_path(), Form::Predictions)?;
        }
        let class_shares = class_shares::of(&scored);
        if let Some(message) = class_shares::weights_against_accuracy(prepared, &class_shares) {
            session.warn(message)?;
        }
        let scores: Option<Vec<f64>> = reports.iter().map(|report| report.score).collect();
        let summary = scores.as_deref().and_then(Summary::of);
        let mut metrics = by_name(scored.metrics());
        metrics.extend(loss(reports));
        let test_rows = prepared.test.as_ref().map_or(0, |test| test.rows.len()) as u64;
        let run = session.run.run();
        Ok(Report {
            score: metrics.get(prepared.metric.name()).copied().flatten(),
            metrics,
            sources: source_scores(&scored),
            class_shares,
            folds: Some(FoldsReport {
                mean: summary.as_ref().map(|summary| summary.mean),
                standard_deviation: summary.and_then(|summary| summary.standard_deviation),
                runs: reports.iter().map(fold_score).collect(),
            }),
            ..self.parts.report(run, reports, |report| report.valid_rows + test_rows)?
        })
    }
}

/// The mean training loss of the held-out rows, where the folds tell it: each fold's by its own weights.
fn loss(reports: &[Report]) -> Option<(String, Option<f64>)> {
    let name = Metric::Loss.name();
    let rows: u64 = reports.iter().map(|report| report.valid_rows).sum();
    let of = |report: &Report| Some((*report.metrics.get(name)?)? * report.valid_rows as f64 / rows as f64);
    let told = reports.iter().any(|report| report.metrics.contains_key(name));
    told.then(|| (name.to_owned(), reports.iter().map(of).sum()))
}

fn fold_score(report: &Report) -> FoldScore {
    FoldScore {
        run: report.run.clone(),
        score: report.score,
        best_step: report.best_step,
        train_rows: report.train_rows,
        valid_rows: report.valid_rows,
    }
}
