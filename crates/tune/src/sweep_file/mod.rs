//! Sweep files in W&B's format, as they are, and a little more.
//!
//! What keys mean, their defaults and what is refused follow W&B's package `sweeps` (0.3). Where this reader differs:
//!
//! - `1e-5` is a number; the words for true and false are those of PyYAML. `yaml/scalar.rs` has it all.
//! - `log_uniform`, `inv_log_uniform` and `q_log_uniform`, whose bounds are natural exponents, are taken, though W&B no longer
//!   takes them in new sweeps.
//! - Rounded distributions stay within their bounds, and a `q` that is left out is the integer 1.
//! - Methods `tpe`, `gp` and `sobol`; `early_terminate` of the types `halving`, which pauses and resumes, and `median`; and a
//!   parameter's `when: {other: value}` or `when: {other: [value, …]}`: it is there only while the other one has one of these
//!   values. Several others must all have theirs. A group of nested `parameters` can have a `when` too.
//! - Keys that say how W&B starts a program mean nothing here. They are accepted and told (`ignored`).
//!
//! Not here: reading the file, and what the names of parameters mean to a training.

mod early_terminate;
mod error;
mod keys;
mod parameters;
mod yaml;

#[cfg(test)]
mod tests;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use early_terminate::EarlyTerminate;
pub use error::{Place, SweepFileError};

use crate::{Space, study::Goal};
use keys::Keys;

/// A file of more bytes is refused unread.
const MAX_BYTES: usize = 1 << 20;

/// What a sweep file says.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepFile {
    /// The sweep's name.
    pub name: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// How points are chosen.
    pub method: Method,
    /// What is to become better; there whenever the method or `early_terminate` needs it.
    pub metric: Option<Metric>,
    /// The parameters.
    pub space: Space,
    /// Which trials end early.
    pub early_terminate: Option<EarlyTerminate>,
    /// No more trials than this, at least 1.
    pub run_cap: Option<u64>,
    /// Keys that were accepted and mean nothing here, in the order of the file; those within others with dots.
    pub ignored: Vec<String>,
}

/// How points are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// By a model of the metric, whichever does best.
    Bayes,
    /// At random.
    Random,
    /// Every one.
    Grid,
    /// By a tree-structured Parzen estimator.
    Tpe,
    /// By a Gaussian process.
    Gp,
    /// By a Sobol sequence.
    Sobol,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 6] = [Self::Bayes, Self::Random, Self::Grid, Self::Tpe, Self::Gp, Self::Sobol];

    /// Its name in a sweep file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bayes => "bayes",
            Self::Random => "random",
            Self::Grid => "grid",
            Self::Tpe => "tpe",
            Self::Gp => "gp",
            Self::Sobol => "sobol",
        }
    }

    /// Whether it chooses points by the metric of earlier ones.
    pub fn needs_metric(self) -> bool {
        matches!(self, Self::Bayes | Self::Tpe | Self::Gp)
    }
}

/// What is to become better.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its name, as in the file.
    pub name: String,
    /// Which way; to minimise it where the file does not say.
    pub goal: Goal,
    /// The sweep is over once a trial is as good as this.
    pub target: Option<f64>,
}

const KEYS: &[&str] = &[
    "name",
    "description",
    "method",
    "metric",
    "parameters",
    "early_terminate",
    "run_cap",
    "program",
    "command",
    "project",
    "entity",
    "controller",
    "kind",
    "apiVersion",
    "job",
    "image_uri",
    "imageuri",
    "metrics",
    "scheduler",
];

/// Keys about how W&B starts programs and where it shows them.
const IGNORED: &[&str] =
    &["program", "command", "project", "entity", "controller", "kind", "apiVersion", "job", "image_uri", "imageuri"];

impl SweepFile {
    /// Reads the text of a sweep file; `path` is for messages.
    ///
    /// # Errors
    /// If the text is not one YAML document, has a key that is not known, or asks for something impossible. Every error names
    /// the line and the key, and all can be mended by the user.
    pub fn parse(path: &Path, text: &str) -> Result<Self, SweepFileError> {
        let file = path.display().to_string();
        if text.len() > MAX_BYTES {
            return Err(SweepFileError::TooLong { file, bytes: text.len() });
        }
        let root = yaml::parse(text).map_err(|(at, problem)| {
            let at = Place { file: file.clone(), line: at.line, column: at.column };
            SweepFileError::Syntax { at, problem }
        })?;
        let keys = Keys::new(&file, "", &root, KEYS)?;
        for (key, advice) in [
            ("metrics", "a search has one metric; name it under metric"),
            ("scheduler", "schedulers of W&B cannot be run; choose a method"),
        ] {
            if keys.given(key).is_some() {
                return Err(keys.value_error(key, advice));
            }
        }
        let mut ignored: Vec<String> = keys.names().filter(|name| IGNORED.contains(name)).map(Into::into).collect();

        let methods = Method::ALL.map(|method| (method.name(), method));
        let method = keys.choice("method", &methods)?;
        let method = method.ok_or_else(|| keys.missing("method, such as `method: bayes`"))?;
        let metric = keys.given("metric").map(|node| metric(&file, node, &mut ignored)).transpose()?;
        if method.needs_metric() && metric.is_none() {
            return Err(keys
                .missing("metric, as the method goes by it, such as `metric: {name: eval/accuracy, goal: maximize}`"));
        }
        let early_terminate = match keys.given("early_terminate") {
            None => None,
            Some(_) if metric.is_none() => {
                return Err(keys.missing("metric, as early_terminate goes by it, such as `metric: {name: eval/loss}`"));
            }
            Some(node) => Some(early_terminate::read(&file, node)?),
        };
        let parameters = keys.given("parameters");
        let parameters = parameters.ok_or_else(|| keys.missing("parameters, with at least one to vary"))?;
        let space = parameters::read(&file, parameters, method)?;
        Ok(Self {
            name: keys.text("name")?,
            description: keys.text("description")?,
            method,
            metric,
            space,
            early_terminate,
            run_cap: keys.integer("run_cap", 1)?,
            ignored,
        })
    }
}

fn metric(file: &str, node: &yaml::Node, ignored: &mut Vec<String>) -> Result<Metric, SweepFileError> {
    // How W&B fills in for runs that failed or still run is the sampler's to decide here.
    const IMPUTE: [&str; 2] = ["impute", "impute_while_running"];
    let keys = Keys::new(file, "metric", node, &["name", "goal", "target", IMPUTE[0], IMPUTE[1]])?;
    ignored.extend(keys.names().filter(|name| IMPUTE.contains(name)).map(|name| format!("metric.{name}")));
    let name = keys.text("name")?.filter(|name| !name.is_empty());
    let goal = keys.choice("goal", &[("minimize", Goal::Minimize), ("maximize", Goal::Maximize)])?;
    Ok(Metric {
        name: name.ok_or_else(|| keys.missing("name, such as `name: eval/accuracy`"))?,
        goal: goal.unwrap_or(Goal::Minimize),
        target: keys.number("target")?,
    })
}
