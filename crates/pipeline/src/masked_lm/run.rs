//! One masked-LM run.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use gyeol_data::{CacheOutcome, Corpus, DataError, MaskVocabulary, Streamed, Tokenised, Tokeniser, fingerprint};
use gyeol_engine::config::{SwaConfig, TrainConfig};
use gyeol_engine::device::Cpu;
use gyeol_engine::hf::{EncoderConfig, WeightPrecision, Weights, write_directory, write_masked_lm_config};
use gyeol_engine::{HeadKind, LoadReport, MaskedLm, Masking, Model, NewTokens, Objective, Outcome};

use super::{METRIC, TASK, rows};
use crate::fingerprints::code_version;
use crate::memory::{self, Fit};
use crate::observer::{Measured, Scorer, value_of};
use crate::prepare::go_on;
use crate::runs::{EventKind, Report, Runs};
use crate::session::{Claim, Fitted, Job, Session, Trained, Which, best_step, stopped};
use crate::totals::Totals;
use crate::train::describe_tokens;
use crate::{Arithmetic, Error, Watcher, process};

/// The name of the loss among the metrics: the natural logarithm of the perplexity.
const LOSS: &str = "masked_loss";

/// The name of the perplexity before the first step.
const BEFORE: &str = "perplexity_before";

/// What a run starts from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start<'a> {
    /// The weights of a checkpoint directory, which does not have the new tokens.
    Checkpoint { dir: &'a Path, new_tokens: &'a NewTokens },
    /// Fresh weights.
    Nothing,
}

/// A masked-LM run with everything read and checked.
#[derive(Debug)]
pub(super) struct MaskedLmRun<'a> {
    pub(super) name: &'a str,
    /// The resolved recipe.
    pub(super) toml: String,
    pub(super) train: TrainConfig,
    pub(super) seed: u64,
    pub(super) mask: f64,
    pub(super) whole_words: bool,
    /// During the training; `None`: the encoder's own.
    pub(super) dropout: Option<f32>,
    pub(super) arithmetic: Arithmetic,
    pub(super) encoder: EncoderConfig,
    pub(super) start: Start<'a>,
    pub(super) tokeniser: &'a Tokeniser,
    pub(super) texts: Texts,
    /// The number format of the weights written.
    pub(super) weights: WeightPrecision,
    /// What may be wrong with the texts.
    pub(super) warnings: Vec<String>,
    /// Covers base, texts, cleaning and settings.
    pub(super) fingerprint: String,
    /// Of the base, if there is one.
    pub(super) base_fingerprint: Option<String>,
    /// Of what is done to the texts, if anything is.
    pub(super) cleaning_fingerprint: Option<String>,
}

/// A corpus in tokens.
#[derive(Debug)]
pub(super) struct Texts {
    tokens: Tokenised,
    fingerprint: String,
    train: Vec<u32>,
    valid: Vec<u32>,
    vocabulary: MaskVocabulary,
}

impl Texts {
    /// Tokenises `corpus` into the cache under `home`, and keeps some of it aside.
    pub(super) fn new(
        corpus: &Corpus,
        tokeniser: &Tokeniser,
        max_length: usize,
        (holdout, seed): (f64, u64),
        home: &Path,
        watcher: &mut dyn Watcher,
    ) -> Result<Self, Error> {
        let vocabulary = tokeniser.masking()?;
        watcher.phase("tokenising");
        let cache = home.join("cache").join("tokens");
        std::fs::create_dir_all(&cache).map_err(|source| Error::Io {
            path: cache.clone(),
            action: "create",
            source,
        })?;
        let mut announced = false;
        let streamed = Tokenised::stream(&cache, corpus, tokeniser, max_length, |progress| {
            if !announced {
                watcher.predicting("tokenising", progress.total_texts as usize);
                announced = true;
            }
            watcher.predicted(progress.texts as usize);
            if watcher.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let Streamed { rows: tokens, outcome, left_out } = streamed.ok_or(Error::Interrupted)?;
        if let CacheOutcome::Replaced { path, damage } = outcome {
            watcher.warning(&format!("{}: {damage}; tokenised again", path.display()));
        }
        if left_out > 0 {
            watcher.warning(&format!("{left_out} texts have no token and are left out"));
        }
        if tokens.is_empty() {
            return Err(DataError::EmptyCorpus { name: "the texts".to_owned(), empty: left_out }.into());
        }
        if u32::try_from(tokens.len()).is_err() {
            let problem = format!("{} rows are more than can be counted; name fewer texts", tokens.len());
            return Err(Error::Setting { key: "texts", problem });
        }
        let (train, valid) = rows::split(&tokens, holdout, seed);
        watcher.note(&format!(
            "{} rows of {:.1} tokens on average, {} of them kept aside to measure perplexity",
            tokens.len(),
            tokens.tokens() as f64 / tokens.len() as f64,
            valid.len()
        ));
        Ok(Self { tokens, fingerprint: corpus.fingerprint()?, train, valid, vocabulary })
    }
}

/// What came before the first step.
struct Before(Option<f64>);

/// Measures the losses of the hidden tokens.
struct Perplexity;

impl Scorer for Perplexity {
    fn measure(&mut self, losses: &[f32]) -> Result<Measured, Error> {
        Ok(measured(losses))
    }
}

/// Perplexity and mean loss; undefined where nothing was hidden.
fn measured(losses: &[f32]) -> Measured {
    let mean = losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / losses.len() as f64;
    let defined = |value: f64| value.is_finite().then_some(value);
    vec![(METRIC.to_owned(), defined(mean.exp())), (LOSS.to_owned(), defined(mean))]
}

impl MaskedLmRun<'_> {
    fn objective(&self) -> MaskedLm<'_> {
        let Texts { tokens, train, valid, vocabulary, .. } = &self.texts;
        let masking = Masking { vocabulary, share: self.mask, whole_words: self.whole_words };
        MaskedLm { tokens, masking, train, valid, valid_seed: self.seed }
    }

    /// Trains in a new run of `runs`, or with `resume` in the latest unfinished one.
    pub(super) fn train(&self, runs: &Runs, resume: bool, watcher: &mut dyn Watcher) -> Result<Trained, Error> {
        let keys = match self.start {
            Start::Nothing => &memory::PRETRAINING,
            Start::Checkpoint { .. } => &memory::ADAPTING,
        };
        let which = if resume { Which::Unfinished } else { Which::New };
        let claim = Claim::new(runs, (self.name, &self.toml), self.arithmetic, which, watcher)?;
        let mut config = self.encoder.clone();
        if let Some(dropout) = self.dropout {
            config.set_dropout(dropout);
        }
        let mut model = Model::new(self.arithmetic.device(), config, HeadKind::MaskedLm, true)?;
        let fit = memory::fit_masked(keys, &self.train, self.seed, &self.objective(), &model, claim.batch()?)?;
        fit.warning.iter().for_each(|text| watcher.warning(text));
        watcher.phase("loading weights");
        match self.start {
            Start::Nothing => model.randomise(self.seed),
            Start::Checkpoint { dir, new_tokens } => {
                let weights = Weights::open(dir)?.ok_or_else(|| Error::NoWeights(dir.to_owned()))?;
                let report = model.load_with_tokens(&weights, dir, self.seed, new_tokens)?;
                let said = describe_tokens(new_tokens).into_iter().chain(describe(&report));
                said.for_each(|text: String| watcher.note(&text));
            }
        }
        go_on(watcher)?;
        let mut session = Session { run: claim.take()?, watcher, arithmetic: self.arithmetic };
        rayon::scope(|_| self.route(&mut session, &mut model, &fit, resume)).map_err(|error| session.failed(error))
    }

    fn route(
        &self,
        session: &mut Session<'_>,
        model: &mut Model<Cpu>,
        fit: &Fit,
        resume: bool,
    ) -> Result<Trained, Error> {
        let config = fit.batch.of_config(self.train.clone());
        let warnings: Vec<String> = self.warnings.iter().chain(&fit.warning).cloned().collect();
        let job = Job {
            objective: self.objective(),
            config: &config,
            stop_after: None,
            seed: self.seed,
            metric: METRIC,
            guard: None,
            swa: SwaConfig::default(),
            higher_is_better: false,
            fingerprint: fingerprint(&[&self.fingerprint, &self.arithmetic.to_string()]),
            warnings: &warnings,
        };
        session.begin::<Model<Cpu>, _>(&job)?;
        let before = match self.before(session, model)? {
            Some(before) => before,
            None => return session.interrupted(0, 0),
        };
        match session.fit(model, job, &mut Perplexity, resume)? {
            Fitted::Interrupted { step, saved } => session.interrupted(step, saved),
            Fitted::Done { outcome, totals, .. } => {
                session.watcher.phase("writing the model");
                self.write_model(model, &session.run.run().model_dir())?;
                let score = outcome.best.first().map(|best| best.score);
                if let (Some(score), Before(Some(before))) = (score, &before)
                    && score >= *before
                {
                    let words =
                        "the texts kept aside are no easier to fill in than before; a lower learning_rate may help";
                    let message = format!("perplexity {before:.2} → {score:.2}: {words}");
                    session.watcher.warning(&message);
                    session.run.record(EventKind::Warning { message })?;
                }
                let report = self.report(session, fit, &outcome, totals, &before)?;
                session.run.write_report(&report)?;
                session.close(report)
            }
        }
    }

    /// The perplexity before the first step, measured once a run: a resumed one finds it in its journal. `None` if the user
    /// asks to stop.
    fn before(&self, session: &mut Session<'_>, model: &mut Model<Cpu>) -> Result<Option<Before>, Error> {
        if self.texts.valid.is_empty() {
            return Ok(Some(Before(None)));
        }
        let journal = session.run.run().journal()?;
        let known = journal.events.iter().find_map(|event| match &event.kind {
            EventKind::Evaluation { step: 0, metrics, .. } => metrics.get(METRIC).copied(),
            _ => None,
        });
        if let Some(known) = known {
            return Ok(Some(Before(Some(known))));
        }
        session.watcher.predicting("measuring the start", self.texts.valid.len());
        let watcher = &mut *session.watcher;
        let mut progress = |done| {
            watcher.predicted(done);
            if watcher.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let losses = self.objective().evaluate(model, self.train.eval_batch_size, &mut progress)?;
        let Some(losses) = losses else { return Ok(None) };
        let measured = measured(&losses);
        let score = value_of(&measured, METRIC);
        session.watcher.evaluated(0, METRIC, score, false);
        let metrics = measured.into_iter().map(|(name, value)| (name, value.unwrap_or(f64::NAN)));
        session.run.record(EventKind::Evaluation { step: 0, epoch: 0.0, metrics: metrics.collect() })?;
        Ok(Some(Before(score)))
    }

    /// The directory that transformers opens as a masked language model.
    fn write_model(&self, model: &mut Model<Cpu>, dir: &Path) -> Result<(), Error> {
        write_directory(dir, |staging| -> Result<(), Error> {
            write_masked_lm_config(staging, &self.encoder, self.weights)?;
            model.save_in(&staging.join("model.safetensors"), self.weights)?;
            Ok(self.tokeniser.save_files(staging)?)
        })
    }

    fn report(
        &self,
        session: &Session<'_>,
        fit: &Fit,
        outcome: &Outcome,
        totals: Totals,
        Before(before): &Before,
    ) -> Result<Report, Error> {
        let run = session.run.run();
        let score = outcome.best.first().map(|best| best.score).filter(|score| score.is_finite());
        let smaller = fit.changed(&self.train);
        let mut metrics = BTreeMap::new();
        if !self.texts.valid.is_empty() {
            metrics.insert(METRIC.to_owned(), score);
            metrics.insert(LOSS.to_owned(), score.map(f64::ln));
            metrics.insert(BEFORE.to_owned(), *before);
        }
        Ok(Report {
            run: run.name().to_owned(),
            score,
            metric: METRIC.to_owned(),
            metrics,
            task: TASK.to_owned(),
            best_step: best_step(outcome),
            steps: outcome.steps,
            train_rows: self.texts.train.len() as u64,
            valid_rows: self.texts.valid.len() as u64,
            train_seconds: totals.train_seconds,
            save_seconds: totals.save_seconds,
            stopped: stopped(outcome),
            samples_per_second: totals.samples_per_second(),
            tokens_per_second: totals.tokens_per_second(),
            peak_rss_bytes: process::peak_rss_bytes(),
            threads: rayon::current_num_threads(),
            isa: self.arithmetic.isa().to_owned(),
            precision: self.arithmetic.precision().to_owned(),
            data_fingerprint: self.texts.fingerprint.clone(),
            text_fingerprint: self.texts.fingerprint.clone(),
            cleaning_fingerprint: self.cleaning_fingerprint.clone(),
            base_fingerprint: self.base_fingerprint.clone(),
            code_version: code_version(),
            recipe_fingerprint: self.fingerprint.clone(),
            batch_size: smaller.map(|batch| batch.batch_size),
            accumulate: smaller.map(|batch| batch.accumulate),
            warnings: run.journal()?.warnings().into_iter().map(str::to_owned).collect(),
            ..Report::default()
        })
    }
}

/// What a person should know of how the checkpoint fitted.
fn describe(report: &LoadReport) -> Option<String> {
    let which = report.initialised.join(", ");
    (!which.is_empty())
        .then(|| format!("new head: {which} are not in the checkpoint (a discriminator has none) and start fresh"))
}

/// Refuses a decoder of its own, which the word embedding is not.
pub(super) fn check_tied(encoder: &EncoderConfig, key: &'static str) -> Result<(), Error> {
    if encoder.raw().get("tie_word_embeddings").and_then(serde_json::Value::as_bool) != Some(false) {
        return Ok(());
    }
    let problem = "it has a decoder of its own (config.json: tie_word_embeddings is false); only decoders tied to the word \
                   embedding can be trained";
    Err(Error::Setting { key, problem: problem.to_owned() })
}

/// The model directory of a run that finished, whatever its recipe is called, with this fingerprint.
pub(super) fn finished(runs: &Runs, fingerprint: &str) -> Result<Option<(Report, PathBuf)>, Error> {
    for run in runs.list()?.into_iter().rev() {
        // A report that cannot be read is another run's trouble, told by `gyeol runs`.
        let Ok(Some(report)) = run.report() else { continue };
        let dir = run.model_dir();
        if report.task == TASK && report.recipe_fingerprint == fingerprint && dir.is_dir() {
            return Ok(Some((report, dir)));
        }
    }
    Ok(None)
}
