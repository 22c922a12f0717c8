//! One run: fit, validate, keep the best, predict the test table, report.

mod model;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use gyeol_data::{Cleaner, Targets, Task, Tokenised};
use gyeol_engine::device::Cpu;
use gyeol_engine::{Averaged, Joint, KeptCheckpoint, Loss, Outcome};
use gyeol_eval::{Form, Metric, MetricValues, Outputs, Predictions, Report as Scored, SourceRow, Truth};

use crate::boost;
use crate::course::{Overfitting, best_of_all};
use crate::division::Division;
use crate::fingerprints::code_version;
use crate::folds;
use crate::masked_lm::{Adapted, adapt};
use crate::memory::{self, BatchShape, Fit};
use crate::observer::{Measured, Scorer};
use crate::prepare::Prepared;
use crate::runs::{ActiveRun, AverageScore, Report, Runs, SourceScores};
use crate::session::{Claim, Fitted, Job, Session, Trained, Which, best_step, stopped};
use crate::totals::{Totals, rate};
use crate::{Error, Watcher, class_shares, class_weights, frozen, process};
use model::{base_model, write_model};

pub(crate) use model::{describe_tokens, load_base};

/// Trains `prepared` in the run of `runs` that `which` means; with `[folds]` a run for each fold besides, with `[boost]` one for
/// each round.
///
/// # Errors
/// Whatever goes wrong on the way; the run directory then says so too, and can go on from its last state.
pub fn train(prepared: &Prepared, runs: &Runs, which: Which<'_>, watcher: &mut dyn Watcher) -> Result<Trained, Error> {
    boost::refuse_round(&prepared.recipe)?;
    let (name, toml) = (&prepared.recipe.name, prepared.recipe.to_toml()?);
    if let Which::Named(run) = which
        && let Some(report) = runs.report_of(run, &toml)?
    {
        return Ok(Trained::Finished(Box::new(report)));
    }
    let resume = which.resumes();
    let claim = Claim::new(runs, (name, &toml), prepared.arithmetic, which, watcher)?;
    // Before a new run is made: a checkpoint that does not fit leaves none behind.
    let adapted = match &prepared.recipe.adapt {
        Some(_) if !prepared.starts_from_best() => match adapt(prepared, runs, resume, watcher)? {
            Adapted::Done { dir, report, .. } => Some((dir, *report)),
            Adapted::Interrupted { run, step } => return Ok(Trained::Interrupted { run, step }),
        },
        _ => None,
    };
    match prepared.division {
        Division::Folds => folds::train(prepared, adapted.as_ref(), claim, runs, watcher),
        _ if prepared.recipe.boost.is_some() => boost::train(prepared, adapted.as_ref(), claim, runs, watcher),
        _ => tune(prepared, adapted.as_ref(), claim.batch()?, || claim.take(), resume, watcher),
    }
}

/// Trains `prepared` in the run that `take` gives, once it is known that it can begin; one that goes on keeps the batch it
/// `began` with. `adapted` is the directory of the adapted base, and the report of the run that made it.
pub(crate) fn tune(
    prepared: &Prepared,
    adapted: Option<&(PathBuf, Report)>,
    began: Option<BatchShape>,
    take: impl FnOnce() -> Result<ActiveRun, Error>,
    resume: bool,
    watcher: &mut dyn Watcher,
) -> Result<Trained, Error> {
    let fit = memory::fit(prepared, began)?;
    fit.warning.iter().for_each(|text| watcher.warning(text));
    let mut model = base_model(prepared, adapted.map(|(dir, _)| &**dir), watcher)?;
    crate::prepare::go_on(&*watcher)?;
    let session = Session { run: take()?, watcher, arithmetic: prepared.arithmetic };
    let adapted = adapted.map(|(_, report)| report);
    let warnings = prepared.warnings.iter().chain(&fit.warning).cloned().collect();
    let mut tuning = Tuning { prepared, fit, warnings, adapted, session };
    // The whole of it runs on a worker of the pool: handing each kernel to the pool from outside would cost more.
    rayon::scope(|_| tuning.route(&mut model, resume)).map_err(|error| tuning.session.failed(error))
}

/// A fine-tuning run.
struct Tuning<'a> {
    prepared: &'a Prepared,
    /// How it fits into memory.
    fit: Fit,
    /// What may be wrong with the tables, and with the batch.
    warnings: Vec<String>,
    /// The run that adapted the base.
    adapted: Option<&'a Report>,
    session: Session<'a>,
}

/// Measures the outputs of the validation rows.
struct Validation<'a> {
    prepared: &'a Prepared,
    truth: Option<Targets>,
}

impl Scorer for Validation<'_> {
    fn measure(&mut self, outputs: &[f32]) -> Result<Measured, Error> {
        let Some(targets) = &self.truth else { return Ok(Measured::new()) };
        let loss = told_loss(self.prepared, outputs, targets);
        let mut outputs = outputs_of(self.prepared, outputs.to_vec());
        if let (Outputs::Scores(scores), Some([low, high])) = (&mut outputs, self.prepared.recipe.data.score_range) {
            scores.iter_mut().for_each(|score| *score = score.clamp(low as f32, high as f32));
        }
        let metrics = MetricValues::measure(&outputs, truth(targets))?;
        Ok(metrics.iter().map(|(metric, value)| (metric.to_string(), value)).chain(loss).collect())
    }
}

/// The training loss of the validation rows, by name, unless it is the log loss under another name.
fn told_loss(prepared: &Prepared, outputs: &[f32], targets: &Targets) -> Option<(String, Option<f64>)> {
    let plain = match &prepared.loss {
        Loss::CrossEntropy(of) => of.weights.is_none() && of.label_smoothing == 0.0,
        Loss::Bce => true,
        _ => false,
    };
    if plain && prepared.metric != Metric::Loss {
        return None;
    }
    let scaled = prepared.score_scale().map(|scale| scale.scaled(targets));
    let loss = prepared.loss.mean(outputs, scaled.as_ref().unwrap_or(targets));
    Some((Metric::Loss.to_string(), loss.filter(|loss| !loss.is_nan())))
}

impl Tuning<'_> {
    fn route(&mut self, model: &mut Joint<Cpu>, resume: bool) -> Result<Trained, Error> {
        let prepared = self.prepared;
        let metric = prepared.metric.to_string();
        let (schedule, stop_after) = prepared.schedule();
        let config = self.fit.batch.of_config(schedule);
        let job = Job {
            objective: frozen::fine_tuning(prepared, &self.fit, self.session.watcher),
            config: &config,
            stop_after,
            seed: prepared.recipe.seed,
            metric: &metric,
            higher_is_better: prepared.metric.higher_is_better(),
            guard: prepared.recipe.guard,
            swa: prepared.recipe.swa,
            fingerprint: run_fingerprint(prepared, self.adapted)?,
            warnings: &self.warnings,
        };
        self.session.begin::<Joint<Cpu>, _>(&job)?;
        let truth = prepared.valid_set().map(|valid| valid.targets.select(valid.rows));
        match self.session.fit(model, job, &mut Validation { prepared, truth }, resume)? {
            Fitted::Interrupted { step, saved } => self.session.interrupted(step, saved),
            Fitted::Done { outcome, totals, saved } => match self.finish(model, &outcome, totals) {
                Err(Error::Interrupted) => self.session.interrupted(outcome.steps, saved),
                report => self.session.close(report?),
            },
        }
    }

    fn finish(&mut self, model: &mut Joint<Cpu>, outcome: &Outcome, totals: Totals) -> Result<Report, Error> {
        let prepared = self.prepared;
        self.session.watcher.phase("writing the model");
        write_model(prepared, model, self.session.run.run())?;
        let mut predicted = (0usize, 0f64);
        let mut predict =
            |what, tokens: &[Tokenised], rows: &[u32], watcher: &mut dyn Watcher| -> Result<Vec<f32>, Error> {
                watcher.predicting(what, rows.len());
                let started = Instant::now();
                let batch_size = prepared.recipe.train.eval_batch_size;
                let outputs = model.predict(tokens, rows, batch_size, &frozen::no_rows(tokens.len()), |done| {
                    watcher.predicted(done);
                    if watcher.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                })?;
                predicted = (predicted.0 + rows.len(), predicted.1 + started.elapsed().as_secs_f64());
                outputs.ok_or(Error::Interrupted)
            };
        let id_column = id_column(prepared.recipe.data.id.as_deref());
        let mut scored = None;
        let mut loss = None;
        if let Some(valid) = prepared.valid_set() {
            let outputs = predict("validating", valid.tokens, valid.rows, &mut *self.session.watcher)?;
            let targets = valid.targets.select(valid.rows);
            loss = told_loss(prepared, &outputs, &targets);
            let predictions = predictions(prepared, id_column, prepared.valid_ids(), outputs)?;
            scored = Some(gyeol_eval::evaluate(&predictions, truth(&targets), valid_sources(prepared).as_deref(), 0)?);
            predictions.write(&self.session.run.run().valid_path(), Form::Predictions)?;
        }
        if let Some(test) = &prepared.test {
            let outputs = predict("predicting", &test.tokens, &test.rows, &mut *self.session.watcher)?;
            let predictions = predictions(prepared, id_column, test.ids(), outputs)?;
            predictions.write(&self.session.run.run().test_path(), Form::Predictions)?;
        }
        if prepared.row_weights.is_some() {
            let train = &prepared.train;
            let outputs = predict("predicting training rows", &train.tokens, &train.rows, &mut *self.session.watcher)?;
            let predictions = predictions(prepared, id_column, train.ids(), outputs)?;
            predictions.write(&self.session.run.run().train_path(), Form::Predictions)?;
        }
        self.tell_of_guard(outcome)?;
        let class_shares = scored.as_ref().map(class_shares::of).unwrap_or_default();
        if let Some(message) = class_shares::weights_against_accuracy(prepared, &class_shares) {
            self.session.warn(message)?;
        }
        let metrics = scored.as_ref().map(Scored::metrics);
        let mut by_name = metrics.map(by_name).unwrap_or_default();
        by_name.extend(loss);
        by_name.extend(averaged_metric(prepared, outcome));
        let smaller = self.fit.changed(&prepared.recipe.train);
        let report = Report {
            run: self.session.run.run().name().to_owned(),
            score: by_name.get(prepared.metric.name()).copied().flatten(),
            metric: prepared.metric.to_string(),
            metrics: by_name,
            sources: scored.as_ref().map(source_scores).unwrap_or_default(),
            class_shares,
            class_weights: class_weights::by_label(prepared),
            task: prepared.task.name().to_owned(),
            best_step: best_step(outcome),
            averages: averages(outcome),
            averaged_checkpoints: averaged_checkpoints(outcome),
            stopped: stopped(outcome),
            overfitting: Overfitting::of(&self.session.run.run().journal()?.events),
            steps: outcome.steps,
            train_rows: prepared.train.rows.len() as u64,
            valid_rows: prepared.valid_set().map_or(0, |valid| valid.rows.len()) as u64,
            train_seconds: totals.train_seconds,
            save_seconds: totals.save_seconds,
            frozen_seconds_saved: totals.saved_seconds(),
            samples_per_second: totals.samples_per_second(),
            tokens_per_second: totals.tokens_per_second(),
            predict_samples_per_second: (predicted.0 > 0).then(|| rate(predicted.0 as f64, predicted.1)),
            peak_rss_bytes: process::peak_rss_bytes(),
            threads: rayon::current_num_threads(),
            isa: prepared.arithmetic.isa().to_owned(),
            precision: prepared.arithmetic.precision().to_owned(),
            data_fingerprint: prepared.data_fingerprint(),
            text_fingerprint: prepared.text_fingerprint(),
            cleaning_fingerprint: prepared.cleaning_fingerprint(),
            base_fingerprint: Some(prepared.base_fingerprint()?),
            code_version: code_version(),
            recipe_fingerprint: prepared.recipe.fingerprint()?,
            adapted_by: self.adapted.map(|report| report.run.clone()),
            sampled: prepared.sampling.counts.clone(),
            folds: None,
            boost: None,
            refit_of: prepared.recipe.refit.clone(),
            ensemble: None,
            batch_size: smaller.map(|batch| batch.batch_size),
            accumulate: smaller.map(|batch| batch.accumulate),
            warnings: self.session.run.run().journal()?.warnings().into_iter().map(str::to_owned).collect(),
        };
        self.session.run.write_report(&report)?;
        Ok(report)
    }

    /// Says so if the guard passed over a checkpoint that scored better, or admits none.
    fn tell_of_guard(&mut self, outcome: &Outcome) -> Result<(), Error> {
        let metric = self.prepared.metric;
        let (Some(rule), Some(chosen)) = (self.prepared.recipe.guard, outcome.best.first()) else { return Ok(()) };
        let events = self.session.run.run().journal()?.events;
        let best = best_of_all(&events, rule.metric).map(|(_, value)| value);
        if !best.is_some_and(|best| rule.guard.admits(chosen.guarded, best)) {
            let KeptCheckpoint { step, score, .. } = chosen;
            return self.session.warn(format!(
                "no checkpoint satisfies the guard {rule}; step {step}, the best by {metric} with {score:.4}, is kept"
            ));
        }
        match best_of_all(&events, metric) {
            Some((step, score)) if metric.better(Some(score), Some(chosen.score)) => self.session.warn(format!(
                "the guard {rule} passed over step {step} with {metric} {score:.4}; step {} with {:.4} is kept",
                chosen.step, chosen.score
            )),
            _ => Ok(()),
        }
    }
}

/// What the means of several checkpoints scored.
fn averages(outcome: &Outcome) -> Vec<AverageScore> {
    let score = |average: &Averaged| AverageScore {
        checkpoints: average.checkpoints as u64,
        score: Some(average.score).filter(|score| score.is_finite()),
    };
    outcome.choice.iter().flat_map(|choice| &choice.averaged).map(score).collect()
}

/// Of how many checkpoints the weights are the mean, if of several.
fn averaged_checkpoints(outcome: &Outcome) -> Option<u64> {
    outcome.choice.as_ref().map(|choice| choice.checkpoints as u64).filter(|checkpoints| *checkpoints > 1)
}

/// The score of the mean that the recipe asks for, whether or not it was better: `accuracy_swa` where the metric is
/// accuracy.
fn averaged_metric(prepared: &Prepared, outcome: &Outcome) -> Option<(String, Option<f64>)> {
    let wanted = prepared.recipe.swa.checkpoints as u64;
    // Where fewer were kept than asked for, all of them.
    let average = averages(outcome).into_iter().rfind(|average| average.checkpoints <= wanted)?;
    Some((format!("{}_swa", prepared.metric), average.score))
}

/// What the bits of a run depend on, beside the recipe's own values: the tables, the cleaning, the tokeniser, what adapted
/// the base, what the rows weigh, and the arithmetic.
fn run_fingerprint(prepared: &Prepared, adapted: Option<&Report>) -> Result<String, Error> {
    let mut parts = vec![prepared.recipe.fingerprint()?, prepared.data_fingerprint()];
    parts.extend(prepared.bases.iter().map(|base| base.tokeniser.fingerprint().to_owned()));
    parts.push(prepared.arithmetic.to_string());
    // The recipe names a table of emoticons, but does not hold it.
    parts.extend(prepared.cleaner.as_ref().map(Cleaner::fingerprint));
    parts.extend(adapted.map(|report| report.recipe_fingerprint.clone()));
    parts.extend(prepared.row_weights.as_ref().map(|weights| {
        let bytes: Vec<u8> = weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
        format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&bytes))
    }));
    Ok(gyeol_data::fingerprint(&parts.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// The name of the id column in files of predictions: the table's, or `id` where ids are made from content.
pub(crate) fn id_column(name: Option<&str>) -> &str {
    name.unwrap_or("id")
}

pub(crate) fn by_name(metrics: &MetricValues) -> BTreeMap<String, Option<f64>> {
    metrics.iter().map(|(metric, value)| (metric.to_string(), value)).collect()
}

/// The source of each row to validate on, where `data.source` names a column.
pub(crate) fn valid_sources(prepared: &Prepared) -> Option<Vec<String>> {
    let (examples, rows) = match &prepared.valid {
        Some(valid) => (&valid.examples, &valid.rows),
        None => (&prepared.train.examples, &prepared.held_out),
    };
    let sources = examples.sources.as_ref()?;
    Some(rows.iter().map(|&row| sources[row as usize].clone()).collect())
}

pub(crate) fn source_scores(scored: &Scored) -> Vec<SourceScores> {
    let scores = |row: &SourceRow| SourceScores {
        source: row.source.clone(),
        rows: row.rows as u64,
        metrics: by_name(&row.metrics),
    };
    scored.sources().iter().map(scores).collect()
}

pub(crate) fn truth(targets: &Targets) -> Truth<'_> {
    match targets {
        Targets::Classes(classes) => Truth::Classes(classes),
        Targets::Sets(sets) => Truth::Sets(sets),
        Targets::Scores(scores) => Truth::Scores(scores),
    }
}

fn outputs_of(prepared: &Prepared, values: Vec<f32>) -> Outputs {
    let labels = || prepared.labels.as_ref().map_or_else(Vec::new, |labels| labels.labels().to_vec());
    match (prepared.task, prepared.score_buckets()) {
        (Task::Classification, _) => Outputs::Logits { labels: labels(), values },
        (Task::MultiLabel, _) => Outputs::IndependentLogits { labels: labels(), values },
        (Task::Regression, Some(buckets)) => Outputs::Scores(buckets.scores(&values)),
        (Task::Regression, None) => Outputs::Scores(match prepared.score_scale() {
            Some(scale) => scale.scores(&values),
            None => values,
        }),
    }
}

fn predictions(
    prepared: &Prepared,
    id_column: &str,
    ids: Vec<String>,
    outputs: Vec<f32>,
) -> Result<Predictions, Error> {
    let mut predictions = Predictions::new(id_column, ids, outputs_of(prepared, outputs))?;
    if let Some(range) = prepared.recipe.data.score_range {
        predictions.clamp_scores(range);
    }
    Ok(predictions)
}
