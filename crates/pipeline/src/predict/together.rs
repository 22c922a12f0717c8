//! Predictions of all that a name stands for: every model directory for the same rows, then one out of several, from the leaves
//! of the tree up.

use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use gyeol_data::Table;
use gyeol_engine::hf::GyeolJson;
use gyeol_eval::Predictions;

use super::cache::{self, Kept, PredictionCache};
use super::files::files_bytes;
use super::parallel::{self, Plan};
use super::rows::{Ids, PredictOptions, Rows, columns, read_table};
use super::target::{Leaf, Node, Target, missing};
use crate::memory::available_memory;
use crate::prepare::go_on;
use crate::watch::Keeper;
use crate::{Arithmetic, Error, Predictor, Watcher};

/// What [`Target::predict`] gives.
#[derive(Debug, Clone)]
pub struct Predicted {
    /// In the order of the table.
    pub predictions: Predictions,
    /// The labels' names for people, in the order of the outputs, if there are any.
    pub label_names: Option<Vec<String>>,
    /// Whether the raw outputs are nothing but numbers: neither logits of classes nor one score.
    pub raw: bool,
    /// Reading and tokenising included; loading the models only where there are several.
    pub seconds: f64,
    /// How many models' outputs were not computed but kept from before.
    pub kept: usize,
}

/// What is the same for all models.
struct Job<'a> {
    arithmetic: Arithmetic,
    options: &'a PredictOptions,
    /// Whether outputs are taken from the cache, and left there.
    cached: bool,
}

/// What one model gives.
struct OfModel {
    /// Scores in their range.
    predictions: Predictions,
    label_names: Option<Vec<String>>,
    raw: bool,
    kept: bool,
    /// Seconds of loading it.
    loading: f64,
}

impl Target {
    /// Predicts the table `data` (`-`: CSV from `input`), whose rows are read once. Scores are brought into their range, unless raw
    /// outputs are asked for.
    ///
    /// With `cached`, outputs of runs' models for tables in files are kept under their home directory, and taken from there. Small
    /// models compute at once where memory allows; that changes no bit.
    ///
    /// # Errors
    /// As [`Predictor::open`] and [`Predictor::predict`]; if raw outputs are asked of several models; if a member of an ensemble cannot
    /// predict and is not to be left out.
    pub fn predict(
        &self,
        arithmetic: Arithmetic,
        (data, input): (&Path, impl Read),
        options: &PredictOptions,
        cached: bool,
        watcher: &mut dyn Watcher,
    ) -> Result<Predicted, Error> {
        self.refuse_logits(options)?;
        if let Node::Model(leaf) = *self.root() {
            // What has to be said is said before a large table is read, or standard input waited for.
            let dir = &self.leaves[leaf].dir;
            columns(GyeolJson::read(dir)?.as_ref(), dir, options)?;
        }
        watcher.phase("reading the table");
        let started = Instant::now();
        let table = read_table(data, input)?;
        go_on(watcher)?;
        let job = Job { arithmetic, options, cached: cached && data != Path::new("-") };
        let models = self.models(table, &job, watcher)?;
        let mut seconds = started.elapsed().as_secs_f64();
        if let ([Ok(model)], Node::Model(_)) = (models.as_slice(), self.root()) {
            seconds -= model.loading;
        }
        let kept = models.iter().flatten().filter(|model| model.kept).count();
        let predictions = self.combined(&models, watcher)?;
        let predictions = predictions.map_err(|problem| self.cannot_predict(problem))?;
        let (label_names, raw) = match (self.root(), models.iter().flatten().next()) {
            (Node::Ensemble(ensemble), _) => (ensemble.saved.label_names.clone(), false),
            (Node::Model(_), Some(model)) => (model.label_names.clone(), model.raw),
            (Node::Mean(_) | Node::Votes(..) | Node::Missing(_) | Node::Model(_), model) => {
                (model.and_then(|model| model.label_names.clone()), false)
            }
        };
        Ok(Predicted { predictions, label_names, raw, seconds, kept })
    }

    fn refuse_logits(&self, options: &PredictOptions) -> Result<(), Error> {
        let problem = match self.root() {
            Node::Mean(models) if options.logits => format!(
                "{} models predict together by the mean of their probabilities, which has no raw outputs; name the run of \
                 one fold",
                models.len()
            ),
            Node::Votes(models, _) if options.logits => format!(
                "the models of {} rounds predict by their votes, which have no raw outputs; name the run of one round",
                models.len()
            ),
            Node::Ensemble(ensemble) if options.logits => format!(
                "{} is an ensemble, whose predictions are combined and have no raw outputs; name one of its members",
                ensemble.name
            ),
            _ => return Ok(()),
        };
        Err(Error::Setting { key: "--logits", problem })
    }

    /// The error of a whole tree that cannot predict.
    fn cannot_predict(&self, problem: String) -> Error {
        match self.root() {
            Node::Ensemble(ensemble) => Error::Ensemble { ensemble: ensemble.name.clone(), problem },
            Node::Model(_) | Node::Mean(_) | Node::Votes(..) | Node::Missing(_) => {
                Error::NoModel { path: self.leaves.first().map(|leaf| leaf.dir.clone()).unwrap_or_default(), problem }
            }
        }
    }

    /// What each leaf gives for the rows of `table`. An error of a leaf is its own only where it can be left out.
    fn models(
        &self,
        table: Table,
        job: &Job<'_>,
        watcher: &mut dyn Watcher,
    ) -> Result<Vec<Result<OfModel, Error>>, Error> {
        if let Node::Model(leaf) = *self.root() {
            return Ok(vec![Ok(job.model(&self.leaves[leaf], Arc::new(table), None, watcher)?)]);
        }
        let ids = self.ids(&table, job.options, watcher)?;
        let rows = table.rows();
        let bytes: Vec<u64> = self.leaves.iter().map(|leaf| files_bytes(&leaf.dir)).collect();
        let plan = Plan::new(&bytes, rayon::current_num_threads(), available_memory()?);
        // The table goes when the last model has picked its columns.
        let tables = Mutex::new(vec![Some(Arc::new(table)); self.leaves.len()]);
        let work = |leaf: usize, watcher: &mut dyn Watcher| {
            let table = tables.lock().unwrap_or_else(PoisonError::into_inner)[leaf].take();
            let model = job.model(&self.leaves[leaf], table.ok_or(Error::Interrupted)?, ids.as_ref(), watcher);
            model.map_err(|error| self.of_member(leaf, error))
        };
        let within = matches!(self.root(), Node::Ensemble(_));
        let goes_on = |error: &Error| self.allow_missing && within && error.is_user_error();
        watcher.phase("loading the models");
        parallel::run(&plan, rows, watcher, work, goes_on)
    }

    /// The ids of the rows of `table`, the same for all leaves: each reads them in the order of the table, but not the
    /// same texts.
    fn ids(&self, table: &Table, options: &PredictOptions, watcher: &mut dyn Watcher) -> Result<Option<Ids>, Error> {
        let own = self.leaves.iter().filter_map(|leaf| {
            // What is wrong with a leaf is said when it is to predict.
            columns(GyeolJson::read(&leaf.dir).ok()?.as_ref(), &leaf.dir, options).ok()
        });
        let own: Vec<_> = own.collect();
        // The outermost ensemble first.
        let ensembles = self.nodes.iter().rev().filter_map(|node| match node {
            Node::Ensemble(ensemble) => Some(ensemble.saved.id_column.clone()),
            Node::Model(_) | Node::Mean(_) | Node::Votes(..) | Node::Missing(_) => None,
        });
        let known: Vec<String> = ensembles.chain(own.iter().filter_map(|columns| columns.id.clone())).collect();
        Ids::pick(table, options, &known, &own, watcher)
    }

    /// The error of `leaf` as that of the member it is, where members are not left out.
    fn of_member(&self, leaf: usize, error: Error) -> Error {
        match self.member_with(leaf) {
            Some((ensemble, member)) if !self.allow_missing && error.is_user_error() => {
                missing(ensemble, member, &error.to_string())
            }
            _ => error,
        }
    }

    /// The predictions of the root, or why there are none.
    fn combined(
        &self,
        models: &[Result<OfModel, Error>],
        watcher: &mut dyn Watcher,
    ) -> Result<Result<Predictions, String>, Error> {
        let mut made: Vec<Result<Predictions, String>> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let parts = |nodes: &[usize]| nodes.iter().map(|&node| made[node].clone()).collect::<Result<Vec<_>, _>>();
            let predictions = match node {
                Node::Model(leaf) => match &models[*leaf] {
                    Ok(model) => Ok(model.predictions.clone()),
                    Err(error) => Err(error.to_string()),
                },
                Node::Missing(problem) => Err(problem.clone()),
                Node::Votes(nodes, alphas) => match parts(nodes) {
                    Ok(parts) => Ok(Predictions::votes(&parts, alphas)?),
                    Err(problem) => Err(problem),
                },
                Node::Mean(nodes) => match parts(nodes) {
                    Ok(parts) => Ok(Predictions::mean(&parts)?),
                    Err(problem) => Err(problem),
                },
                Node::Ensemble(ensemble) => {
                    let members = ensemble.members.iter().map(|&member| made[member].clone()).collect();
                    ensemble.combine(members, self.allow_missing, watcher)?
                }
            };
            made.push(predictions);
        }
        Ok(made.pop().unwrap_or_else(|| Err("it has no model".to_owned())))
    }
}

impl Job<'_> {
    /// What the model of `leaf` gives for the rows of `table`.
    fn model(
        &self,
        leaf: &Leaf,
        table: Arc<Table>,
        ids: Option<&Ids>,
        watcher: &mut dyn Watcher,
    ) -> Result<OfModel, Error> {
        let settings = GyeolJson::read(&leaf.dir)?;
        let columns = columns(settings.as_ref(), &leaf.dir, self.options)?;
        let Rows { mut examples, id_column } = Rows::pick(&table, columns, self.options, ids, watcher)?;
        drop(table);
        let cache = leaf.home.as_ref().filter(|_| self.cached).and_then(|home| {
            match cache::key(&leaf.dir, &examples, self.options, self.arithmetic) {
                Ok(key) => Some((PredictionCache::new(home), key)),
                Err(error) => {
                    watcher.note(&format!("{}: its predictions cannot be kept: {error}", leaf.name));
                    None
                }
            }
        });
        let before = cache.as_ref().and_then(|(cache, key)| cache.read(key, examples.len()));
        let (kept, loading) = (before.is_some(), Instant::now());
        let (Kept { outputs, raw, .. }, loading) = match before {
            Some(before) => {
                watcher.note(&format!("{}: its predictions of this table were kept, and are taken", leaf.name));
                for warning in &before.warnings {
                    // The same texts, but the table may be called something else by now.
                    match warning.strip_prefix(&before.table) {
                        Some(rest) => watcher.warning(&format!("{}{rest}", examples.file())),
                        None => watcher.warning(warning),
                    }
                }
                watcher.predicting("predicting", examples.len());
                watcher.predicted(examples.len());
                (before, 0.0)
            }
            None => {
                watcher.phase("loading the model");
                let mut predictor = Predictor::open(&leaf.dir, self.arithmetic)?;
                let loading = loading.elapsed().as_secs_f64();
                go_on(watcher)?;
                let mut keeper = Keeper { watcher, warnings: Vec::new() };
                let outputs = predictor.outputs(&mut examples, self.options, &mut keeper)?;
                let Keeper { watcher, warnings } = keeper;
                let table = examples.file().to_owned();
                let made = Kept { outputs, raw: predictor.is_raw(), warnings, table };
                if let Some((cache, key)) = &cache
                    && let Err(error) = cache.write(key, &made)
                {
                    watcher.warning(&format!("{}: its predictions are not kept for the next time: {error}", leaf.name));
                }
                (made, loading)
            }
        };
        let mut predictions = Predictions::new(id_column, examples.ids, outputs)?;
        let settings = settings.as_ref();
        if let (false, Some(range)) = (self.options.logits, settings.and_then(|settings| settings.score_range)) {
            predictions.clamp_scores(range);
        }
        let label_names = settings.and_then(|settings| settings.label_names.clone());
        Ok(OfModel { predictions, label_names, raw, kept, loading })
    }
}
