//! Values that have the right type and still make no sense.

use std::borrow::Cow;

use gyeol_data::{CleanConfig, DataError, Task};

use super::Recipe;

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
        self.check_metric()?;
        self.check_model()?;
        self.check_train()?;
        match &self.adapt {
            Some(adapt) => adapt.validate().map_err(|(key, problem)| (format!("adapt.{key}").into(), problem)),
            None => Ok(()),
        }
    }

    fn check_metric(&self) -> Result<(), Problem> {
        let (Some(metric), Some(task)) = (self.metric, self.data.task) else { return Ok(()) };
        let task = match task {
            Task::Classification => gyeol_eval::Task::Classification,
            Task::Regression => gyeol_eval::Task::Regression,
        };
        if metric.applies_to(task) {
            return Ok(());
        }
        let fitting: Vec<_> = gyeol_eval::Metric::for_task(task).map(gyeol_eval::Metric::name).collect();
        let name = metric.name();
        Err(("metric".into(), format!("{name} is not a metric of this task; use one of {}", fitting.join(", "))))
    }

    fn check_model(&self) -> Result<(), Problem> {
        let model = &self.model;
        require("model.base", !model.base.is_empty(), "\"\"", "a checkpoint directory or a hub id")?;
        require("model.max_length", model.max_length >= 3, model.max_length, "at least 3 (two of them are special)")?;
        if let Some(dropout) = model.dropout {
            require("model.dropout", (0.0..1.0).contains(&dropout), dropout, "from 0 to below 1")?;
        }
        Ok(())
    }

    fn check_train(&self) -> Result<(), Problem> {
        let train = &self.train;
        for (key, count) in [
            ("train.batch_size", train.batch_size),
            ("train.eval_batch_size", train.eval_batch_size),
            ("train.accumulate", train.accumulate),
            ("train.keep", train.keep),
        ] {
            require(key, count >= 1, count, "at least 1")?;
        }
        if train.epochs == 0 && train.max_steps == 0 {
            return Err(("train.epochs".into(), "is 0, and train.max_steps too; set one of them".to_owned()));
        }
        let positive = train.learning_rate.is_finite() && train.learning_rate > 0.0;
        require("train.learning_rate", positive, train.learning_rate, "a finite number above 0")?;
        require("train.warmup_ratio", (0.0..=1.0).contains(&train.warmup_ratio), train.warmup_ratio, "from 0 to 1")?;
        for (key, value) in [("train.weight_decay", train.weight_decay), ("train.max_grad_norm", train.max_grad_norm)] {
            require(key, value.is_finite() && value >= 0.0, value, "a finite number from 0")?;
        }
        Ok(())
    }
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
    key: &'static str,
    holds: bool,
    value: impl std::fmt::Display,
    expected: &str,
) -> Result<(), Problem> {
    if holds { Ok(()) } else { Err((key.into(), format!("{value} is out of range; expected {expected}"))) }
}
