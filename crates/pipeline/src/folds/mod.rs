//! `[folds]`: a run for each fold, trained one after the other with the same seed, and what comes of them together: every
//! labelled row predicted by the model that did not train on it, and the mean of the models for all other rows.
//!
//! A fold's run, `<run>-fold-<n>`, is one like any other, with its own recipe (`folds.only`), journal, report and model. The
//! run they belong to keeps no weights. Rows are dealt in `division`.

use std::fs;
use std::path::PathBuf;

use gyeol_data::{FoldsConfig, Task};
use gyeol_engine::TrainPlan;
use gyeol_eval::{Form, Metric, Predictions, Summary};

use crate::fingerprints::code_version;
use crate::prepare::{Prepared, go_on};
use crate::recipe::Recipe;
use crate::runs::{EventKind, FoldScore, FoldsReport, Report, Run, Runs, Status, fold_name};
use crate::session::{Claim, Session, Trained, batch_of, check_arithmetic};
use crate::totals::rate;
use crate::train::{by_name, source_scores, truth, tune, valid_sources};
use crate::{Error, Watcher, class_shares, class_weights, process};

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
    refuse_others(prepared, adapted, run.run(), runs, k)?;
    let mut session = Session { run, watcher, arithmetic: prepared.arithmetic };
    session.started(&prepared.metric.to_string(), steps, None, &prepared.warnings)?;
    let folds = Folds { prepared, adapted, runs, k };
    match folds.route(&mut session) {
        Ok(Trained::Finished(report)) => {
            session.run.record(EventKind::Finished { score: report.score })?;
            Ok(Trained::Finished(report))
        }
        // Told by the fold's journal and here, so that either shows why it stands still.
        Ok(interrupted) => {
            session.run.record(EventKind::Interrupted { step: 0 })?;
            Ok(interrupted)
        }
        Err(Error::Interrupted) => {
            session.run.record(EventKind::Interrupted { step: 0 })?;
            Err(Error::Interrupted)
        }
        Err(error) => Err(session.failed(error)),
    }
}

/// Refuses to add folds to others of another arithmetic, or of other tables or another adapted base: out-of-fold rows would
/// be those of neither.
fn refuse_others(
    prepared: &Prepared,
    adapted: Option<&(PathBuf, Report)>,
    run: &Run,
    runs: &Runs,
    k: u32,
) -> Result<(), Error> {
    for fold in runs.folds_of(run.name(), k)? {
        if let (Status::Finished, Some(report)) = (fold.status()?, fold.report()?) {
            let adapted_by = adapted.map(|(_, report)| &report.run);
            let changed = if report.data_fingerprint != prepared.data_fingerprint() {
                "the tables are no longer those"
            } else if report.adapted_by.as_ref() != adapted_by {
                "the adapted base is no longer that"
            } else {
                continue;
            };
            let problem = format!("{changed} {} was trained with; start a new run without --resume", fold.name());
            return Err(Error::Setting { key: "--resume", problem });
        }
    }
    for fold in runs.folds_of(run.name(), k)? {
        let journal = fold.journal()?;
        let objection = journal.arithmetic().and_then(|(isa, precision)| prepared.arithmetic.objection(isa, precision));
        // One that is not finished may begin again, if it has no state yet.
        if let (Some(problem), Status::Finished) = (objection, fold.status()?) {
            return Err(Error::Setting { key: "--resume", problem: format!("{} {problem}", fold.name()) });
        }
    }
    Ok(())
}

/// The folds of a run.
struct Folds<'a> {
    prepared: &'a Prepared,
    adapted: Option<&'a (PathBuf, Report)>,
    runs: &'a Runs,
    k: u32,
}

impl Folds<'_> {
    fn route(&self, session: &mut Session<'_>) -> Result<Trained, Error> {
        let parent = session.run.run().name().to_owned();
        let mut reports = Vec::new();
        for fold in 1..=self.k {
            go_on(&*session.watcher)?;
            let report = match self.finished(&parent, fold)? {
                Some(report) => {
                    session.watcher.note(&format!("fold {fold} of {} is finished already: {}", self.k, report.run));
                    report
                }
                None => match self.train(&parent, fold, &mut *session.watcher)? {
                    Trained::Finished(report) => *report,
                    interrupted => return Ok(interrupted),
                },
            };
            self.tidy(&report.run)?;
            reports.push(report);
        }
        session.watcher.phase("joining the folds");
        let report = self.together(session, &reports)?;
        session.run.write_report(&report)?;
        Ok(Trained::Finished(Box::new(report)))
    }

    /// The report of a fold that is done.
    fn finished(&self, parent: &str, fold: u32) -> Result<Option<Report>, Error> {
        match self.runs.find(&fold_name(parent, fold))? {
            Some(run) if run.status()? == Status::Finished => Ok(run.report()?),
            _ => Ok(None),
        }
    }

    /// Trains a fold, from its last state where it has one.
    fn train(&self, parent: &str, fold: u32, watcher: &mut dyn Watcher) -> Result<Trained, Error> {
        let Prepared { recipe, arithmetic, hub, .. } = self.prepared;
        let folds = recipe.folds.clone().unwrap_or_default();
        let recipe = Recipe { folds: Some(FoldsConfig { only: Some(fold), ..folds }), ..recipe.clone() };
        let toml = recipe.to_toml()?;
        let mut quiet = Quiet { watcher, known: &self.prepared.warnings };
        let prepared = Prepared::new(recipe, arithmetic.instruction_set(), self.runs.home(), hub, &mut quiet)?;
        let Quiet { watcher, .. } = quiet;
        let (train, valid) = (prepared.train.rows.len(), prepared.held_out.len());
        watcher.note(&format!("fold {fold} of {}: {train} rows to train on, {valid} to validate on", self.k));
        prepared.sampling.describe().into_iter().for_each(|words| watcher.note(&words));
        let begun = self.runs.find(&fold_name(parent, fold))?.map(Run::resume).transpose()?;
        let resume = begun.is_some();
        if let Some(run) = &begun {
            check_arithmetic(*arithmetic, run.run())?;
        }
        let batch = begun.as_ref().map_or(Ok(None), batch_of)?;
        let take = || match begun {
            Some(run) => Ok(run),
            None => Ok(self.runs.create_fold(parent, fold, &toml)?),
        };
        tune(&prepared, self.adapted, batch, take, resume, watcher)
    }

    /// Removes a finished fold's checkpoints: its model stays, and k times as many would fill a disk.
    fn tidy(&self, run: &str) -> Result<(), Error> {
        let path = self.runs.open(run)?.checkpoints_dir();
        match fs::remove_dir_all(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::Io { path, action: "remove", source })
            }
            _ => Ok(()),
        }
    }

    /// Writes the predictions of all folds together, and scores them.
    fn together(&self, session: &mut Session<'_>, reports: &[Report]) -> Result<Report, Error> {
        let prepared = self.prepared;
        let read = |path: fn(&Run) -> PathBuf| -> Result<Vec<Predictions>, Error> {
            let one = |report: &Report| -> Result<Predictions, Error> {
                let predictions = Predictions::read(&path(&self.runs.open(&report.run)?))?;
                // A file of a few rows may look like one of classes that exclude each other.
                Ok(if prepared.task == Task::MultiLabel { predictions.independent() } else { predictions })
            };
            reports.iter().map(one).collect()
        };
        let valid = Predictions::gather(&read(Run::valid_path)?, &prepared.train.examples.ids)?;
        let scored =
            gyeol_eval::evaluate(&valid, truth(&prepared.train.targets), valid_sources(prepared).as_deref(), 0)?;
        valid.write(&session.run.run().valid_path(), Form::Predictions)?;
        if prepared.test.is_some() {
            Predictions::mean(&read(Run::test_path)?)?.write(&session.run.run().test_path(), Form::Predictions)?;
        }
        let class_shares = class_shares::of(&scored);
        if let Some(message) = class_shares::weights_against_accuracy(prepared, &class_shares) {
            session.warn(message)?;
        }
        let run = session.run.run();
        let scores: Option<Vec<f64>> = reports.iter().map(|report| report.score).collect();
        let summary = scores.as_deref().and_then(Summary::of);
        let sum = |of: fn(&Report) -> f64| reports.iter().map(of).sum::<f64>();
        let train_seconds = sum(|report| report.train_seconds);
        let test_rows = prepared.test.as_ref().map_or(0, |test| test.rows.len()) as u64;
        // Each rate is of its own seconds.
        let predicted = |report: &Report| {
            let rows = (report.valid_rows + test_rows) as f64;
            (rows, report.predict_samples_per_second.map_or(0.0, |rate| rows / rate))
        };
        let (rows, seconds) =
            reports.iter().map(predicted).fold((0.0, 0.0), |(rows, seconds), (r, s)| (rows + r, seconds + s));
        let best_steps = sum(|report| report.best_step as f64);
        let mut metrics = by_name(scored.metrics());
        metrics.extend(loss(reports));
        Ok(Report {
            run: run.name().to_owned(),
            score: metrics.get(prepared.metric.name()).copied().flatten(),
            metric: prepared.metric.to_string(),
            metrics,
            sources: source_scores(&scored),
            class_shares,
            class_weights: class_weights::by_label(prepared),
            task: prepared.task.name().to_owned(),
            best_step: (best_steps / reports.len() as f64).round() as u64,
            steps: reports.iter().map(|report| report.steps).sum(),
            train_rows: prepared.train.rows.len() as u64,
            valid_rows: prepared.held_out.len() as u64,
            train_seconds,
            save_seconds: sum(|report| report.save_seconds),
            samples_per_second: rate(sum(|report| report.samples_per_second * report.train_seconds), train_seconds),
            tokens_per_second: rate(sum(|report| report.tokens_per_second * report.train_seconds), train_seconds),
            predict_samples_per_second: (seconds > 0.0).then(|| rate(rows, seconds)),
            peak_rss_bytes: reports
                .iter()
                .filter_map(|report| report.peak_rss_bytes)
                .chain(process::peak_rss_bytes())
                .max(),
            threads: rayon::current_num_threads(),
            isa: prepared.arithmetic.isa().to_owned(),
            precision: prepared.arithmetic.precision().to_owned(),
            data_fingerprint: prepared.data_fingerprint(),
            text_fingerprint: prepared.text_fingerprint(),
            cleaning_fingerprint: prepared.cleaning_fingerprint(),
            base_fingerprint: Some(prepared.base_fingerprint()?),
            code_version: code_version(),
            recipe_fingerprint: prepared.recipe.fingerprint()?,
            adapted_by: self.adapted.map(|(_, report)| report.run.clone()),
            folds: Some(FoldsReport {
                mean: summary.as_ref().map(|summary| summary.mean),
                standard_deviation: summary.and_then(|summary| summary.standard_deviation),
                runs: reports.iter().map(fold_score).collect(),
            }),
            stopped: stopped(reports),
            frozen_seconds_saved: reports.iter().map(|report| report.frozen_seconds_saved).sum(),
            batch_size: reports.iter().find_map(|report| report.batch_size),
            accumulate: reports.iter().find_map(|report| report.accumulate),
            warnings: warnings(run.journal()?.warnings(), reports),
            ..Report::default()
        })
    }
}

/// The warnings of the whole, and of each fold those that are its own.
fn warnings(whole: Vec<&str>, folds: &[Report]) -> Vec<String> {
    let own = folds.iter().flat_map(|fold| {
        let new = fold.warnings.iter().filter(|warning| !whole.contains(&warning.as_str()));
        new.map(|warning| format!("{}: {warning}", fold.run))
    });
    whole.iter().map(|warning| (*warning).to_owned()).chain(own).collect()
}

/// Why some folds ended before their last step, if any did.
fn stopped(reports: &[Report]) -> Option<String> {
    let told = |report: &Report| report.stopped.as_ref().map(|why| format!("{}: {why}", report.run));
    let folds: Vec<String> = reports.iter().filter_map(told).collect();
    (!folds.is_empty()).then(|| folds.join("; "))
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

/// Leaves out what was said when all folds were prepared together; the rest of it is the same for each.
struct Quiet<'a> {
    watcher: &'a mut dyn Watcher,
    known: &'a [String],
}

impl Watcher for Quiet<'_> {
    fn phase(&mut self, name: &'static str) {
        self.watcher.phase(name);
    }

    fn warning(&mut self, text: &str) {
        if !self.known.iter().any(|known| known == text) {
            self.watcher.warning(text);
        }
    }

    fn interrupted(&self) -> bool {
        self.watcher.interrupted()
    }
}
