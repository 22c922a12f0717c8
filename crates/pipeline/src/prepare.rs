//! Everything before the first step: the base model found, tables read, labels mapped, rows split and tokenised, and
//! every setting checked against them, so that a run that starts does not fail for something knowable.

use std::path::Path;

use gyeol_data::{
    CacheOutcome, Cleaner, Columns, Examples, LabelMap, Table, Targets, Task, Tokenised, Tokeniser, data_fingerprint,
    fingerprint, holds_label_sets, infer_task, text_fingerprint,
};
use gyeol_engine::config::{ClassWeights, LossKind};
use gyeol_engine::hf::{EncoderConfig, ProblemType};
use gyeol_engine::{HeadKind, Isa, Loss, ScoreBuckets, ScoreScale, TrainPlan, TrainSet};
use gyeol_eval::Metric;

use crate::base::{Base, Purpose};
use crate::boost;
use crate::cleaning;
use crate::division::{Divided, Division, Labelled};
use crate::hub::HubOptions;
use crate::recipe::Recipe;
use crate::refit::Refit;
use crate::sampling::Sampling;
use crate::watch::Keeper;
use crate::{Arithmetic, Error, Watcher, classes, loss, tuned};

/// A table with its tokens.
#[derive(Debug)]
pub struct Part {
    /// Ids, cleaned texts and labels.
    pub examples: Examples,
    /// Tokens of every row, as each base reads it.
    pub tokens: Vec<Tokenised>,
    /// Targets of every row; empty for a table without labels.
    pub targets: Targets,
    /// The rows used, ascending.
    pub rows: Vec<u32>,
}

impl Part {
    /// The ids of the rows used.
    pub fn ids(&self) -> Vec<String> {
        self.rows.iter().map(|&row| self.examples.ids[row as usize].clone()).collect()
    }

    pub(crate) fn set(&self) -> TrainSet<'_> {
        TrainSet { tokens: &self.tokens, targets: &self.targets, rows: &self.rows }
    }
}

/// A recipe with its tables and its base model, checked and ready to train.
#[derive(Debug)]
pub struct Prepared {
    /// The recipe with task, metric and loss filled in.
    pub recipe: Recipe,
    /// What its precision comes to.
    pub arithmetic: Arithmetic,
    /// The base model, or the members that are trained together, in the recipe's order.
    pub bases: Vec<Base>,
    /// What is done to texts, fitted on the training rows; `None` without `[clean]`.
    pub cleaner: Option<Cleaner>,
    /// The task.
    pub task: Task,
    /// The one declared metric.
    pub metric: Metric,
    /// What is minimised.
    pub loss: Loss,
    /// The classes; `None` for regression.
    pub labels: Option<LabelMap>,
    /// How the labelled rows are parted.
    pub division: Division,
    /// The training table; its `rows` are those that train.
    pub train: Part,
    /// With `[folds]`, the fold of each of its rows, from 0.
    pub folds: Vec<u32>,
    /// The rows of the training table whose texts adapt the base: labels and sampling have no part in it.
    pub(crate) adapts: Vec<u32>,
    /// How those that train were chosen, and are drawn.
    pub(crate) sampling: Sampling,
    /// How much each row of the training table counts; `None`: alike. A round of `[boost]` has them from the rounds before.
    pub(crate) row_weights: Option<Vec<f32>>,
    /// The run that is fitted again, on all rows.
    pub(crate) refit: Option<Refit>,
    /// Where the base model came from, for the folds.
    pub(crate) hub: HubOptions,
    /// The training table's targets from 0 to 1, which a bi-encoder is fitted to.
    unit_targets: Option<Targets>,
    /// The rows to validate on, if any: a table of their own.
    pub valid: Option<Part>,
    /// Rows of the training table held out instead.
    pub held_out: Vec<u32>,
    /// The table to predict.
    pub test: Option<Part>,
    /// What may be wrong with the tables, as the watcher was told.
    pub warnings: Vec<String>,
    /// Of the tables as they were read.
    pub(crate) data_fingerprint: String,
}

impl Prepared {
    /// Reads and checks everything `recipe` names, to be computed on `isa`; tokens are cached under `home`.
    ///
    /// # Errors
    /// The first thing that is wrong, naming key, file, row and id.
    pub fn new(
        mut recipe: Recipe,
        isa: Isa,
        home: &Path,
        hub: &HubOptions,
        watcher: &mut dyn Watcher,
    ) -> Result<Self, Error> {
        let arithmetic = Arithmetic::new(recipe.train.precision, isa, "train.precision")?;
        watcher.note(&format!(
            "precision: {}",
            arithmetic.explained("train.precision", recipe.train.precision, Isa::fastest())
        ));
        let mut keeper = Keeper { watcher, warnings: Vec::new() };
        let watcher = &mut keeper;
        watcher.phase("reading tables");
        let columns = Columns::from(&recipe.data);
        let division = Division::of(&recipe);
        let Labelled { mut train, mut valid, mut fingerprints } = division.read(&recipe, watcher)?;
        let mut test =
            recipe.data.test.as_deref().map(|path| read(path, &columns.unlabelled(), watcher)).transpose()?;
        go_on(watcher)?;
        let refit = recipe.refit.as_ref().map(|refit| Refit::open(refit, home)).transpose()?;
        let task = resolve_task(&mut recipe, &train, watcher)?;
        boost::check_task(&recipe, task)?;
        let metric = resolve_metric(&mut recipe, task)?;
        let labels = match refit.as_ref().and_then(Refit::labels) {
            Some(labels) => Some(labels),
            None => classes::fit(task, &train)?,
        };
        if let (Some(labels), Some(names)) = (&labels, &recipe.data.label_names) {
            labels.check_names(names)?;
        }
        let targets = |examples: &Examples| classes::targets(task, labels.as_ref(), examples);
        let train_targets = targets(&train)?;
        let valid_targets = valid.as_ref().map(targets).transpose()?;
        let Divided { train: rows, held_out, folds } =
            division.divide(&recipe, &train, &train_targets, labels.as_ref(), valid.is_some(), watcher)?;
        // Made for every division, if only to see that the recipe's classes are the table's.
        let sampling = Sampling::new(&recipe, &rows, &train, &train_targets, labels.as_ref())?;
        let (sampling, trains) = match division {
            Division::Folds => (Sampling::default(), rows.clone()),
            _ => {
                let trains = sampling.rows.clone();
                (sampling, trains)
            }
        };
        if sampling.balance.is_some() && recipe.loss.class_weights != ClassWeights::None {
            watcher.warning("sample.balance draws every class equally often, and loss.class_weights weigh them once more; one of them is enough");
        }
        let loss = loss::resolve(&mut recipe, task, labels.as_ref(), &train_targets.select(&trains), watcher)?;
        classes::check_sets(labels.as_ref(), &train, &train_targets, &trains, watcher);
        sampling.describe().into_iter().for_each(|words| watcher.note(&words));
        let adapts = if division == Division::Split { rows.clone() } else { all(&train) };

        if division == Division::Split && valid.is_none() && held_out.is_empty() {
            warn_of_unread(&recipe, watcher);
        }

        // Ids, groups and split are those of the texts as they were: cleaning moves nobody.
        fingerprints.extend(test.as_ref().map(data_fingerprint));
        let data_fingerprint = fingerprint(&fingerprints.iter().map(String::as_str).collect::<Vec<_>>());
        let cleaner = match &recipe.clean {
            None => None,
            Some(config) => {
                watcher.phase("cleaning");
                let cleaner = match refit.as_ref().and_then(Refit::cleaner) {
                    Some(cleaner) => cleaner,
                    None => cleaning::fit(config, &train, &rows)?,
                };
                let traces = cleaning::clean(&cleaner, &mut train, watcher);
                watcher.note(&cleaning::describe(&cleaner, &traces, &rows));
                for table in [valid.as_mut(), test.as_mut()].into_iter().flatten() {
                    go_on(watcher)?;
                    cleaning::clean(&cleaner, table, watcher);
                }
                go_on(watcher)?;
                Some(cleaner)
            }
        };

        watcher.phase("opening the base model");
        let outputs = outputs(labels.as_ref(), &loss);
        let purpose = Purpose { task, outputs, cleaner: cleaner.as_ref(), refit: refit.as_ref(), hub };
        let bases = Base::open_all(&mut recipe, purpose)?;
        let (sequences, unit_targets) = match (&bases[0].head, recipe.data.score_range) {
            (HeadKind::BiEncoder { .. }, Some(range)) => {
                (Sequences::Apart, Some(ScoreScale::new(range).scaled(&train_targets)))
            }
            _ => (Sequences::Joined, None),
        };
        if bases.iter().any(Base::freezes_new_tokens) {
            watcher.note("model.freeze_layers keeps the embeddings as they are: new special tokens stay as they start");
        }
        go_on(watcher)?;

        watcher.phase("tokenising");
        let cache = home.join("cache").join("tokens");
        let length = recipe.model.max_length;
        let mut part = |examples: Examples, targets: Targets, rows: Vec<u32>| -> Result<Part, Error> {
            let mut tokens = Vec::with_capacity(bases.len());
            for Base { tokeniser, .. } in &bases {
                tokens.push(tokenise(tokeniser, &examples, sequences, length, Some(&cache), watcher)?);
                go_on(watcher)?;
            }
            Ok(Part { examples, tokens, targets, rows })
        };
        let valid = match (valid, valid_targets) {
            (Some(valid), Some(targets)) => {
                let rows = all(&valid);
                Some(part(valid, targets, rows)?)
            }
            _ => None,
        };
        let test = match test {
            Some(test) => {
                let rows = all(&test);
                Some(part(test, Targets::Scores(Vec::new()), rows)?)
            }
            None => None,
        };
        let train = part(train, train_targets, trains)?;
        let prepared = Self {
            recipe,
            arithmetic,
            bases,
            cleaner,
            task,
            metric,
            loss,
            labels,
            division,
            train,
            folds,
            adapts,
            sampling,
            row_weights: None,
            refit,
            hub: hub.clone(),
            unit_targets,
            valid,
            held_out,
            test,
            warnings: Vec::new(),
            data_fingerprint,
        };
        if let Some(refit) = &prepared.refit {
            refit.check(&prepared, watcher)?;
        }
        if let Some(text) = tuned::stale(&prepared)? {
            keeper.warning(&text);
        }
        for text in prepared.warm_up()? {
            keeper.warning(&text);
        }
        Ok(Self { warnings: keeper.warnings, ..prepared })
    }

    /// What to say of the warm-up: that one of its keys is not read, or that it is as long as the training.
    fn warm_up(&self) -> Result<Vec<String>, Error> {
        let rows = match self.division {
            Division::Folds => self.fold(0)?.0.len(),
            _ => self.train_set().rows.len(),
        };
        let (config, _) = self.schedule();
        let steps = TrainPlan::new(&config, rows).steps;
        let by_ratio = (config.warmup_ratio * steps as f64).ceil() as u64;
        let (key, warmup) = if config.warmup_steps > 0 {
            ("train.warmup_steps", config.warmup_steps)
        } else {
            ("train.warmup_ratio", by_ratio)
        };
        let unread = (config.warmup_steps > 0 && config.warmup_ratio > 0.0).then(|| {
            let (ratio, steps) = (config.warmup_ratio, config.warmup_steps);
            format!("train.warmup_ratio: {ratio} is not read, as train.warmup_steps is {steps}")
        });
        let whole = (warmup > 0 && warmup >= steps).then(|| {
            let all = if steps == 1 { "the one step".to_owned() } else { format!("all {steps} steps") };
            format!(
                "{key}: the warm-up takes {all} of the training, so the learning rate never comes to its full height"
            )
        });
        Ok(unread.into_iter().chain(whole).collect())
    }

    /// Rows of the training table to train on, sampled, and to validate on, in fold `fold` (from 0) of `[folds]`.
    pub(crate) fn fold(&self, fold: u32) -> Result<(Vec<u32>, Vec<u32>), Error> {
        let all = 0..self.train.examples.len() as u32;
        let (held_out, train): (Vec<u32>, Vec<u32>) = all.partition(|&row| self.folds[row as usize] == fold);
        let Part { examples, targets, .. } = &self.train;
        let sampling = Sampling::new(&self.recipe, &train, examples, targets, self.labels.as_ref())?;
        Ok((sampling.rows, held_out))
    }

    /// The scale of the outputs, where they are cosines.
    pub(crate) fn score_scale(&self) -> Option<ScoreScale> {
        match self.bases[0].head {
            HeadKind::BiEncoder { .. } => self.recipe.data.score_range.map(ScoreScale::new),
            _ => None,
        }
    }

    /// The rows to fit, with the targets that are fitted.
    pub(crate) fn train_set(&self) -> TrainSet<'_> {
        let set = self.train.set();
        TrainSet { targets: self.unit_targets.as_ref().unwrap_or(set.targets), ..set }
    }

    /// The rows to validate on, wherever they come from.
    pub fn valid_set(&self) -> Option<TrainSet<'_>> {
        match &self.valid {
            Some(valid) => Some(valid.set()),
            None if self.held_out.is_empty() => None,
            None => Some(TrainSet { rows: &self.held_out, ..self.train.set() }),
        }
    }

    /// Their ids.
    pub fn valid_ids(&self) -> Vec<String> {
        match &self.valid {
            Some(valid) => valid.ids(),
            None => self.held_out.iter().map(|&row| self.train.examples.ids[row as usize].clone()).collect(),
        }
    }

    /// The score buckets the head's outputs are logits of, where the loss is cross-entropy over them.
    pub fn score_buckets(&self) -> Option<&ScoreBuckets> {
        match &self.loss {
            Loss::Buckets { buckets, .. } => Some(buckets),
            _ => None,
        }
    }

    /// Outputs of the head: one a class, one a score bucket, or one score.
    pub fn outputs(&self) -> usize {
        outputs(self.labels.as_ref(), &self.loss)
    }

    /// What the outputs are called in `config.json`: the labels, the centres of the score buckets, or `LABEL_0`.
    pub fn output_names(&self) -> Vec<String> {
        match (&self.labels, self.score_buckets()) {
            (Some(labels), _) => labels.labels().to_vec(),
            (None, Some(buckets)) => buckets.names(),
            (None, None) => vec!["LABEL_0".to_owned()],
        }
    }

    /// What the head's outputs mean, as `config.json` says it.
    pub fn problem_type(&self) -> ProblemType {
        match self.task {
            Task::Classification => ProblemType::SingleLabelClassification,
            Task::MultiLabel => ProblemType::MultiLabelClassification,
            // A softmax over buckets is to `transformers` what one over classes is.
            Task::Regression if self.score_buckets().is_some() => ProblemType::SingleLabelClassification,
            Task::Regression => ProblemType::Regression,
        }
    }
}

/// Says which keys are read by evaluations alone, where no row validates.
fn warn_of_unread(recipe: &Recipe, watcher: &mut dyn Watcher) {
    let keys = [
        ("train.patience", recipe.train.patience > 0),
        ("swa.checkpoints", recipe.swa.checkpoints > 1),
        ("guard", recipe.guard.is_some()),
    ];
    let set: Vec<&str> = keys.into_iter().filter(|(_, set)| *set).map(|(key, _)| key).collect();
    if !set.is_empty() {
        let keys = set.join(" and ");
        watcher.warning(&format!(
            "no row validates (data.holdout = 0), so that {keys} change nothing: the last weights are kept"
        ));
    }
}

fn outputs(labels: Option<&LabelMap>, loss: &Loss) -> usize {
    match (labels, loss) {
        (Some(labels), _) => labels.len(),
        (None, Loss::Buckets { buckets, .. }) => buckets.centres().len(),
        (None, _) => 1,
    }
}

fn all(examples: &Examples) -> Vec<u32> {
    (0..examples.len() as u32).collect()
}

/// Ends here if the user has asked to stop: between two parts of the work nothing is left half done.
pub(crate) fn go_on(watcher: &dyn Watcher) -> Result<(), Error> {
    if watcher.interrupted() { Err(Error::Interrupted) } else { Ok(()) }
}

pub(crate) fn read(path: &Path, columns: &Columns, watcher: &mut dyn Watcher) -> Result<Examples, Error> {
    pick(&Table::read(path)?, columns, watcher)
}

pub(crate) fn pick(table: &Table, columns: &Columns, watcher: &mut dyn Watcher) -> Result<Examples, Error> {
    let examples = Examples::from_table(table, columns)?;
    warn_of_empty(&examples, watcher);
    Ok(examples)
}

/// Says how many texts of a table are empty: they keep their place and are classified from the special tokens alone.
pub(crate) fn warn_of_empty(examples: &Examples, watcher: &mut dyn Watcher) {
    let empty = examples.empty_texts();
    if empty > 0 {
        watcher.warning(&format!("{}: {empty} of {} texts are empty; they are kept", examples.file(), examples.len()));
    }
}

/// How a model is given the two texts of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sequences {
    /// In one sequence.
    Joined,
    /// Each in its own.
    Apart,
}

/// Tokens of a table, from the cache where it has them; says what was cut.
pub(crate) fn tokenise(
    tokeniser: &Tokeniser,
    examples: &Examples,
    sequences: Sequences,
    max_length: usize,
    cache: Option<&Path>,
    watcher: &mut dyn Watcher,
) -> Result<Tokenised, Error> {
    let pairs = examples.pairs.as_deref();
    let apart = pairs.filter(|_| sequences == Sequences::Apart);
    let encode = || match apart {
        Some(others) => tokeniser.encode_apart(&examples.texts, others, max_length),
        None => tokeniser.encode_rows(&examples.texts, pairs, max_length),
    };
    let tokens = match cache {
        None => encode()?,
        Some(dir) => {
            let mut texts = text_fingerprint(&examples.texts, pairs);
            if apart.is_some() {
                texts = fingerprint(&["apart", &texts]);
            }
            let key = Tokenised::key(&texts, tokeniser.fingerprint(), max_length);
            let (tokens, outcome) = Tokenised::cached(dir, &key, encode)?;
            match outcome {
                CacheOutcome::Read | CacheOutcome::Stored => {}
                CacheOutcome::Replaced { path, damage } => {
                    watcher.warning(&format!("{}: {damage}; tokenised again", path.display()));
                }
                CacheOutcome::NotStored { path, source } => {
                    watcher.warning(&format!("{}: tokens are not kept for the next run: {source}", path.display()));
                }
            }
            tokens
        }
    };
    let tokens = if apart.is_some() { tokens.in_twos() } else { tokens };
    let cut = tokens.truncated();
    if cut > 0 {
        let share = 100.0 * cut as f64 / tokens.len() as f64;
        watcher.warning(&format!(
            "{}: {cut} of {} texts ({share:.1} %) are longer than {max_length} tokens and were cut",
            examples.file(),
            tokens.len()
        ));
    }
    Ok(tokens)
}

pub(crate) fn resolve_task(recipe: &mut Recipe, train: &Examples, watcher: &mut dyn Watcher) -> Result<Task, Error> {
    let label_sets = recipe.loss.kind == Some(LossKind::Bce);
    let task = match recipe.data.task {
        Some(Task::Classification) if label_sets => Task::MultiLabel,
        Some(task) => task,
        None if label_sets => {
            watcher.note(&format!("task: {}, as loss.kind is \"bce\"", Task::MultiLabel));
            Task::MultiLabel
        }
        None => {
            let inferred = infer_task(train)?;
            watcher.note(&format!("task: {}, as {} (`data.task` says otherwise)", inferred.task, inferred.reason));
            inferred.task
        }
    };
    if task == Task::Classification && holds_label_sets(train) {
        watcher.warning(&format!(
            "{}: each combination of labels with | between them is a class of its own; loss.kind = \"bce\" takes them apart",
            train.file()
        ));
    }
    // The loss tells label sets from single labels; to the recipe both are classification.
    recipe.data.task = Some(if task == Task::MultiLabel { Task::Classification } else { task });
    // With the task known, keys of the other task are mistakes.
    recipe.data.validate()?;
    Ok(task)
}

fn resolve_metric(recipe: &mut Recipe, task: Task) -> Result<Metric, Error> {
    let metric = recipe.metric.unwrap_or_else(|| Metric::default_for(task));
    if !metric.selects_for(task) {
        let fitting: Vec<&str> = Metric::for_task(task).chain([Metric::Loss]).map(|metric| metric.name()).collect();
        let problem = format!("{metric} is not a metric of {task}; use {}", fitting.join(", "));
        return Err(Error::Setting { key: "metric", problem });
    }
    if let Some(guard) = recipe.guard
        && !guard.metric.applies_to(task)
    {
        let fitting: Vec<&str> = Metric::for_task(task).map(|metric| metric.name()).collect();
        let problem = format!("{} is not a metric of {task}; use {}", guard.metric, fitting.join(", "));
        return Err(Error::Setting { key: "guard", problem });
    }
    recipe.metric = Some(metric);
    Ok(metric)
}

/// A token without an embedding row cannot be computed.
pub(crate) fn check_vocabulary(
    key: &'static str,
    config: &EncoderConfig,
    tokeniser: &Tokeniser,
    base: &str,
) -> Result<(), Error> {
    if tokeniser.vocab_size() > config.vocab_size {
        let problem = format!(
            "the tokeniser of {base} has {} tokens, its word embedding only {} rows (config.json: vocab_size); \
             they do not belong together",
            tokeniser.vocab_size(),
            config.vocab_size
        );
        return Err(Error::Setting { key, problem });
    }
    Ok(())
}

/// A position without an embedding row cannot be computed.
pub(crate) fn check_length(key: &'static str, length: usize, config: &EncoderConfig) -> Result<(), Error> {
    if length > config.max_tokens() {
        let most = config.max_tokens();
        let problem = format!("{length} is more than the {most} positions of the model; use at most {most}");
        return Err(Error::Setting { key, problem });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
