//! `gyeol adapt` and the table `[adapt]`: TAPT, masked-LM training of the base model on the texts of the task (Gururangan et
//! al. 2020). Done once for a base, its texts, their cleaning and the settings, and then reused by whatever names them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gyeol_data::{Corpus, CorpusSource, FoldsConfig, fingerprint};
use gyeol_engine::config::{FreezeLayers, HeadConfig, Init, LossConfig, ModelConfig, SwaConfig, TrainConfig};
use gyeol_engine::hf::EncoderConfig;

use super::AdaptConfig;
use super::pretrain::source;
use super::run::{MaskedLmRun, Start, Texts, check_tied, finished};
use crate::base::Base;
use crate::division::Division;
use crate::fingerprints::weights_fingerprint;
use crate::nearest::{did_you_mean, nearest};
use crate::prepare::{Part, Prepared, check_length, go_on};
use crate::recipe::Recipe;
use crate::runs::{Report, RunError, Runs};
use crate::session::Trained;
use crate::watch::Keeper;
use crate::{Arithmetic, Error, Watcher};

/// The recipe's own tables, as `adapt.texts` calls them.
pub(crate) const OWN: [&str; 3] = ["train", "valid", "test"];

/// A base model adapted to texts, or the state that is left of an adaptation.
#[derive(Debug)]
pub enum Adapted {
    /// It is there.
    Done {
        /// What came of the run.
        report: Box<Report>,
        /// The checkpoint directory.
        dir: PathBuf,
        /// Whether an earlier run had made it.
        reused: bool,
    },
    /// It was stopped, and can be resumed.
    Interrupted {
        /// The run's name.
        run: String,
        /// Steps in the saved state; 0 when none is saved.
        step: u64,
    },
}

/// An adaptation that could be made, checked as far as it can be before anything is computed.
pub(crate) struct Adaptation<'a> {
    prepared: &'a Prepared,
    base: &'a Base,
    settings: AdaptConfig,
    arithmetic: Arithmetic,
    corpus: Corpus,
    encoder: EncoderConfig,
    max_length: usize,
    fingerprint: String,
}

impl<'a> Adaptation<'a> {
    /// The adaptation that the recipe of `prepared` asks for; without a table `[adapt]`, one by the defaults.
    ///
    /// # Errors
    /// If the base has nothing to adapt, a setting does not fit it, or a text cannot be read.
    pub(crate) fn new(prepared: &'a Prepared, watcher: &mut dyn Watcher) -> Result<Self, Error> {
        let recipe = &prepared.recipe;
        let settings = recipe.adapt.clone().unwrap_or_default();
        if recipe.model.init == Init::Random {
            let problem =
                "\"random\" weights have learnt nothing to adapt; remove it, or pre-train with `gyeol pretrain`";
            return Err(Error::Setting { key: "model.init", problem: problem.to_owned() });
        }
        // Dropout is the base's own here, or `adapt.dropout`: `model.dropout` is fine-tuning's.
        let [base] = &prepared.bases[..] else {
            let problem = "one base is adapted at a time; adapt each as model.base, and name the adapted models here";
            return Err(Error::Setting { key: "model.members", problem: problem.to_owned() });
        };
        let mut encoder = EncoderConfig::read(&base.dir)?;
        encoder.set_vocab_size(base.config.vocab_size);
        check_tied(&encoder, "model.base")?;
        let max_length = settings.max_length.unwrap_or(recipe.model.max_length);
        check_length("adapt.max_length", max_length, &encoder)?;
        let key = "adapt.precision";
        let arithmetic = Arithmetic::new(settings.precision, prepared.arithmetic.instruction_set(), key)?;
        watcher.phase("reading texts");
        let mut corpus = Corpus::open(&sources(prepared, &settings)?)?;
        if let Some(cleaner) = &prepared.cleaner {
            corpus = corpus.cleaned(cleaner.clone());
        }
        let parts = [
            weights_fingerprint(&base.dir)?,
            corpus.fingerprint()?,
            base.tokeniser.fingerprint().to_owned(),
            format!("{:?}", base.new_tokens),
            // Numbers, words and lists always have a JSON form.
            serde_json::to_string(&settings).unwrap_or_default(),
            max_length.to_string(),
            arithmetic.to_string(),
        ];
        let fingerprint = fingerprint(&parts.each_ref().map(String::as_str));
        Ok(Self { prepared, base, settings, arithmetic, corpus, encoder, max_length, fingerprint })
    }

    /// The run that has made it before, and its model.
    pub(crate) fn made_before(&self, runs: &Runs) -> Result<Option<(Report, PathBuf)>, Error> {
        finished(runs, &self.fingerprint)
    }

    /// What a person should know of it before it begins.
    pub(crate) fn describe(&self) -> Result<String, Error> {
        let texts = self.corpus.counts()?.texts;
        Ok(format!("adapting the base to {texts} texts, in {}", self.arithmetic))
    }

    fn make(self, runs: &Runs, resume: bool, watcher: &mut dyn Watcher) -> Result<Trained, Error> {
        let Self { prepared, base, settings, arithmetic, corpus, encoder, max_length, fingerprint } = self;
        // Those of the recipe's tables are fine-tuning's: what it cuts is read whole here.
        let mut keeper = Keeper { watcher, warnings: Vec::new() };
        let held_out = (settings.holdout, settings.seed);
        let texts = Texts::new(&corpus, &base.tokeniser, max_length, held_out, runs.home(), &mut keeper)?;
        let Keeper { watcher, warnings } = keeper;
        let own = own_recipe(&prepared.recipe, settings.clone());
        let run = MaskedLmRun {
            name: &own.name,
            toml: own.to_toml()?,
            train: settings.train(),
            seed: settings.seed,
            mask: settings.mask,
            whole_words: settings.whole_words,
            dropout: settings.dropout,
            arithmetic,
            start: Start::Checkpoint { dir: &base.dir, new_tokens: &base.new_tokens },
            encoder,
            tokeniser: &base.tokeniser,
            texts,
            weights: settings.weights,
            warnings,
            fingerprint,
            base_fingerprint: Some(prepared.base_fingerprint()?),
            cleaning_fingerprint: prepared.cleaning_fingerprint(),
        };
        run.train(&runs.for_all(), resume, watcher)
    }
}

/// Between two looks at an adaptation that another process makes.
const PAUSE: Duration = Duration::from_secs(1);

/// Adapts the base model of `prepared` as its recipe says (without a table `[adapt]`, by the defaults), unless one of `runs`
/// has done exactly that.
///
/// # Errors
/// If the base has nothing to adapt, a text cannot be read, or the training cannot go on; `resume` continues it.
pub fn adapt(prepared: &Prepared, runs: &Runs, resume: bool, watcher: &mut dyn Watcher) -> Result<Adapted, Error> {
    let mut waiting = false;
    let trained = loop {
        let adaptation = Adaptation::new(prepared, watcher)?;
        if let Some((report, dir)) = adaptation.made_before(runs)? {
            watcher.note(&format!("the base was adapted to these texts before: {}", report.run));
            return Ok(Adapted::Done { report: Box::new(report), dir, reused: true });
        }
        watcher.note(&adaptation.describe()?);
        match adaptation.make(runs, resume, watcher) {
            // Another process makes the very adaptation, which is then there for both.
            Err(Error::Run(busy @ RunError::Busy { .. })) if resume => {
                if !std::mem::replace(&mut waiting, true) {
                    watcher.note(&format!("waiting: {busy}"));
                }
                go_on(&*watcher)?;
                std::thread::sleep(PAUSE);
            }
            trained => break trained?,
        }
    };
    match trained {
        Trained::Finished(report) => {
            let dir = runs.open(&report.run)?.model_dir();
            Ok(Adapted::Done { report, dir, reused: false })
        }
        Trained::Interrupted { run, step } => Ok(Adapted::Interrupted { run, step }),
    }
}

/// The recipe of the run that adapts: what fine-tuning alone reads is at its defaults, so that changing it keeps the run.
/// The seed is not, where it decides which rows train.
fn own_recipe(recipe: &Recipe, settings: AdaptConfig) -> Recipe {
    let division = Division::of(recipe);
    let seed = if recipe.data.valid.is_some() || division != Division::Split { settings.seed } else { recipe.seed };
    Recipe {
        seed,
        name: format!("{}-adapt", recipe.name),
        metric: None,
        adapt: Some(settings),
        train: TrainConfig::default(),
        loss: LossConfig::default(),
        head: HeadConfig::default(),
        swa: SwaConfig::default(),
        guard: None,
        sample: None,
        folds: recipe.folds.as_ref().map(|_| FoldsConfig::default()),
        boost: None,
        refit: None,
        model: ModelConfig { dropout: None, freeze_layers: FreezeLayers::default(), ..recipe.model.clone() },
        ..recipe.clone()
    }
}

/// The texts: of the recipe's tables the rows that train, validate or are predicted; and files.
fn sources(prepared: &Prepared, settings: &AdaptConfig) -> Result<Vec<CorpusSource>, Error> {
    let mut sources = Vec::new();
    for name in &settings.texts {
        let absent = |key: &str| Error::Setting {
            key: "adapt.texts",
            problem: format!("\"{name}\" needs data.{key}, which the recipe does not have; remove it"),
        };
        let own = match name.as_str() {
            "train" => Some(rows(name, &prepared.train, &prepared.adapts)),
            // Joined to the training rows, they are among its texts.
            "valid" if prepared.division != Division::Split && settings.texts.iter().any(|own| own == "train") => None,
            "valid" => match &prepared.valid {
                Some(valid) => Some(rows(name, valid, &valid.rows)),
                None if prepared.held_out.is_empty() => return Err(absent("valid or data.holdout")),
                None => Some(rows(name, &prepared.train, &prepared.held_out)),
            },
            // A recipe is the same whether its test table is there yet or not.
            "test" => prepared.test.as_ref().map(|test| rows(name, test, &test.rows)),
            file if !Path::new(file).exists() => {
                let name = Path::new(file).file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
                let advice = did_you_mean(nearest(&name, OWN));
                let problem = format!("{file} is neither train, valid nor test nor a file that is there{advice}");
                return Err(Error::Setting { key: "adapt.texts", problem });
            }
            file => {
                sources.extend(source("adapt.columns", Path::new(file), &settings.columns)?);
                None
            }
        };
        sources.extend(own);
    }
    if sources.is_empty() {
        let problem = "no texts are left: the recipe has no data.test; add \"train\" or files".to_owned();
        return Err(Error::Setting { key: "adapt.texts", problem });
    }
    Ok(sources)
}

/// Texts, and second texts, of some rows of a table.
fn rows(name: &str, part: &Part, rows: &[u32]) -> CorpusSource {
    let examples = &part.examples;
    let texts = rows.iter().flat_map(|&row| {
        let pair = examples.pairs.as_ref().map(|pairs| pairs[row as usize].clone());
        std::iter::once(examples.texts[row as usize].clone()).chain(pair)
    });
    CorpusSource::Texts { name: format!("data.{name}"), texts: texts.collect::<Vec<_>>().into() }
}
