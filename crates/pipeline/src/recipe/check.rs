//! Values that have the right type and still make no sense.

use std::borrow::Cow;

use gyeol_data::{CleanConfig, DataError, FoldsConfig, SampleConfig, Task};
use gyeol_engine::config::{LossKind, TrainConfig};

use super::check_head::check_head;
use super::check_model::check_model;
use super::loss::check_loss;
use super::{Recipe, optimisation};
use crate::boost;
use crate::masked_lm::{Beginning, MaskedLmConfig};

/// The key, and what is wrong with its value and how to mend it.
pub(super) type Problem = (Cow<'static, str>, String);

/// Room for `-001` and a file name's extension within the 255 bytes of common file systems.
const LONGEST_NAME: usize = 200;

impl Recipe {
    /// Checks every value that can be checked without a table or a model.
    pub(super) fn validate(&self) -> Result<(), Problem> {
        check_name(&self.name)?;
        // TOML's integers are signed.
        require("seed", self.seed <= i64::MAX as u64, self.seed, "at most 9223372036854775807")?;
        let of_data = |error| match error {
            DataError::Config { key, problem } => (key.into(), problem),
            other => ("data".into(), other.to_string()),
        };
        self.data.validate().map_err(of_data)?;
        self.clean.as_ref().map_or(Ok(()), CleanConfig::validate).map_err(of_data)?;
        self.sample.as_ref().map_or(Ok(()), SampleConfig::validate).map_err(of_data)?;
        self.folds.as_ref().map_or(Ok(()), FoldsConfig::validate).map_err(of_data)?;
        self.check_metric()?;
        check_model(self)?;
        check_head(&self.head, &self.data)?;
        check_train("train", &self.train)?;
        require("swa.checkpoints", self.swa.checkpoints >= 1, self.swa.checkpoints, "at least 1 (no mean)")?;
        check_loss(&self.loss, self.task()).map_err(|(key, problem)| (key.into(), problem))?;
        boost::check(self, self.task()).map_err(|(key, problem)| (key.into(), problem))?;
        if let Some(refit) = &self.refit {
            require("refit.steps", refit.steps >= 1, refit.steps, "at least 1")?;
            require("refit.total_steps", refit.total_steps >= refit.steps, refit.total_steps, "at least refit.steps")?;
        }
        self.adapt.as_ref().map_or(Ok(()), |adapt| check_masked_lm("adapt", adapt))
    }

    /// The task, where the recipe says it: the loss tells label sets from single labels.
    fn task(&self) -> Option<Task> {
        match (self.data.task, self.loss.kind) {
            (None | Some(Task::Classification), Some(LossKind::Bce)) => Some(Task::MultiLabel),
            (task, _) => task,
        }
    }

    fn check_metric(&self) -> Result<(), Problem> {
        let (Some(metric), Some(task)) = (self.metric, self.task()) else { return Ok(()) };
        if metric.selects_for(task) {
            return Ok(());
        }
        let fitting = gyeol_eval::Metric::for_task(task).chain([gyeol_eval::Metric::Loss]);
        let fitting: Vec<_> = fitting.map(gyeol_eval::Metric::name).collect();
        let name = metric.name();
        Err(("metric".into(), format!("{name} is not a metric of {task}; use one of {}", fitting.join(", "))))
    }
}

/// Checks the optimisation of the table `table`.
fn check_train(table: &str, train: &TrainConfig) -> Result<(), Problem> {
    let key = |name: &str| format!("{table}.{name}");
    for (name, count) in [
        ("batch_size", train.batch_size),
        ("eval_batch_size", train.eval_batch_size),
        ("accumulate", train.accumulate),
        ("keep", train.keep),
    ] {
        require(key(name), count >= 1, count, "at least 1")?;
    }
    if train.epochs == 0 && train.max_steps == 0 {
        return Err((key("epochs").into(), format!("is 0, and {table}.max_steps too; set one of them")));
    }
    let positive = train.learning_rate.is_finite() && train.learning_rate > 0.0;
    require(key("learning_rate"), positive, train.learning_rate, "a finite number above 0")?;
    require(key("ema"), (0.0..1.0).contains(&train.ema), train.ema, "a decay from 0 (none) to below 1")?;
    require(key("warmup_ratio"), (0.0..=1.0).contains(&train.warmup_ratio), train.warmup_ratio, "from 0 to 1")?;
    if train.warmup_steps > 0 && train.warmup_ratio > 0.0 {
        let (steps, ratio) = (train.warmup_steps, train.warmup_ratio);
        let problem = format!("{steps} steps and {table}.warmup_ratio = {ratio} are both set; set one of them to 0");
        return Err((key("warmup_steps").into(), problem));
    }
    for (name, value) in [("weight_decay", train.weight_decay), ("max_grad_norm", train.max_grad_norm)] {
        require(key(name), value.is_finite() && value >= 0.0, value, "a finite number from 0")?;
    }
    optimisation::check(table, train)
}

/// Checks the masked-LM training of the table `table`.
pub(super) fn check_masked_lm<B: Beginning>(table: &str, config: &MaskedLmConfig<B>) -> Result<(), Problem> {
    let key = |name: &str| format!("{table}.{name}");
    if config.texts.is_empty() {
        let own = if B::FRESH { "" } else { "\"train\", \"test\", " };
        let problem = format!("no texts to learn from; name {own}files of raw text (.txt, .txt.gz) or tables");
        return Err((key("texts").into(), problem));
    }
    require(key("holdout"), (0.0..=0.5).contains(&config.holdout), config.holdout, "a share of the texts, 0 to 0.5")?;
    require(key("seed"), config.seed <= i64::MAX as u64, config.seed, "at most 9223372036854775807")?;
    let share = config.mask > 0.0 && config.mask < 1.0;
    require(key("mask"), share, config.mask, "a share of the tokens above 0 and below 1")?;
    if let Some(dropout) = config.dropout {
        require(key("dropout"), (0.0..1.0).contains(&dropout), dropout, "from 0 to below 1")?;
    }
    if let Some(length) = config.max_length {
        require(key("max_length"), length >= 3, length, "at least 3 (two of them are special)")?;
    }
    if config.patience > 0 && config.holdout == 0.0 {
        let problem = "without a holdout nothing is measured; set holdout, or patience = 0".to_owned();
        return Err((key("patience").into(), problem));
    }
    check_train(table, &config.train())
}

/// Checks a recipe's name, which names a directory.
pub(super) fn check_name(name: &str) -> Result<(), Problem> {
    let forbidden = |c: char| c.is_control() || r#"/\<>:"|?*"#.contains(c);
    let problem = if name.is_empty() {
        "is empty; a name is needed for the run's directory"
    } else if name.len() > LONGEST_NAME {
        "is too long for a directory"
    } else if name.contains(forbidden) {
        r#"names a directory, so it cannot hold control characters or any of / \ < > : " | ? *"#
    } else if name.starts_with(['.', '-', ' ']) || name.ends_with(['.', ' ']) {
        "names a directory, so it cannot begin with a dot, hyphen or space, nor end with a dot or space"
    } else {
        return Ok(());
    };
    Err(("name".into(), format!("{name:?} {problem}")))
}

pub(super) fn require(
    key: impl Into<Cow<'static, str>>,
    holds: bool,
    value: impl std::fmt::Display,
    expected: &str,
) -> Result<(), Problem> {
    if holds { Ok(()) } else { Err((key.into(), format!("{value} is out of range; expected {expected}"))) }
}
