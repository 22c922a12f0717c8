//! The metrics, one file each, and the enum that names them in recipes, reports and sweeps.
//!
//! Every function computes in `f64` and returns `None` where the metric is undefined (no rows, a constant prediction
//! under a correlation, a NaN among the outputs), so that an undefined value can never pass for a good one.

mod accuracy;
mod binary_log_loss;
mod label_sets;
mod log_loss;
mod macro_f1;
mod owned_truth;
mod pearson;
mod rmse;
mod spearman;

use std::{collections::BTreeMap, fmt, str::FromStr};

use gyeol_data::LabelSets;
use serde::{Deserialize, Serialize};

use crate::{EvalError, Outputs, Task};

pub use accuracy::accuracy;
pub use binary_log_loss::{binary_log_loss_from_logits, binary_log_loss_from_probabilities};
pub use label_sets::{LabelCounts, exact_match, macro_f1_of_sets, micro_f1};
pub(crate) use label_sets::{macro_average, micro_average};
pub(crate) use log_loss::negative_log;
pub use log_loss::{log_loss_from_logits, log_loss_from_probabilities};
pub use macro_f1::macro_f1;
pub use owned_truth::OwnedTruth;
pub use pearson::pearson;
pub use rmse::rmse;
pub use spearman::spearman;

/// A score of predictions against the truth. Recipes, reports and sweeps use the `snake_case` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of rows predicted right, of label sets those without any difference; 0 to 1, higher is better.
    Accuracy,
    /// F1 over all decisions on label sets, one a row and class; 0 to 1, higher is better.
    MicroF1,
    /// Unweighted mean of the classes' F1; 0 to 1, higher is better.
    MacroF1,
    /// Mean negative log-likelihood in nats, of label sets a decision, without weights, smoothing or focus; from 0,
    /// lower is better.
    LogLoss,
    /// What training minimises, of the validation rows, with all its weights and parameters; lower is better. Predictions alone
    /// do not tell it: it is measured by who trains.
    Loss,
    /// Linear correlation; −1 to 1, higher is better.
    Pearson,
    /// Rank correlation; −1 to 1, higher is better.
    Spearman,
    /// Root of the mean squared error, in units of the score; from 0, lower is better.
    Rmse,
}

impl Metric {
    /// Every metric, in the order reports list them.
    pub const ALL: [Self; 8] = [
        Self::Accuracy,
        Self::MicroF1,
        Self::MacroF1,
        Self::LogLoss,
        Self::Loss,
        Self::Pearson,
        Self::Spearman,
        Self::Rmse,
    ];

    /// The name recipes and reports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::MicroF1 => "micro_f1",
            Self::MacroF1 => "macro_f1",
            Self::LogLoss => "log_loss",
            Self::Loss => "loss",
            Self::Pearson => "pearson",
            Self::Spearman => "spearman",
            Self::Rmse => "rmse",
        }
    }

    /// Whether larger values are better.
    pub fn higher_is_better(self) -> bool {
        match self {
            Self::Accuracy | Self::MicroF1 | Self::MacroF1 | Self::Pearson | Self::Spearman => true,
            Self::LogLoss | Self::Loss | Self::Rmse => false,
        }
    }

    /// Whether the metric scores predictions of `task`. Where one class is right the micro-averaged F1 is the accuracy, and
    /// is not told twice.
    pub fn applies_to(self, task: Task) -> bool {
        match self {
            Self::Accuracy | Self::MacroF1 | Self::LogLoss => task != Task::Regression,
            Self::MicroF1 => task == Task::MultiLabel,
            Self::Loss => false,
            Self::Pearson | Self::Spearman | Self::Rmse => task == Task::Regression,
        }
    }

    /// Whether a training of `task` can be judged by it: by those of its predictions, and by its loss.
    pub fn selects_for(self, task: Task) -> bool {
        self.applies_to(task) || self == Self::Loss
    }

    /// The metrics of a task, in the order reports list them.
    pub fn for_task(task: Task) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |metric| metric.applies_to(task))
    }

    /// The metric a recipe gets when it names none. Of label sets it is the micro-averaged F1: a set that is right but for
    /// one label counts for something, as it does not in the accuracy, and a label that few validation rows have does not
    /// decide which checkpoint is kept, as it may in the macro-averaged F1.
    pub fn default_for(task: Task) -> Self {
        match task {
            Task::Classification => Self::Accuracy,
            Task::MultiLabel => Self::MicroF1,
            Task::Regression => Self::Pearson,
        }
    }

    /// Whether `candidate` is strictly better than `best`. An undefined value (`None`, or NaN) is never better than
    /// anything, and anything defined is better than it.
    pub fn better(self, candidate: Option<f64>, best: Option<f64>) -> bool {
        let defined = |value: Option<f64>| value.filter(|v| !v.is_nan());
        match (defined(candidate), defined(best)) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(candidate), Some(best)) if self.higher_is_better() => candidate > best,
            (Some(candidate), Some(best)) => candidate < best,
        }
    }

    /// Scores `outputs`; `None` where the metric is undefined.
    ///
    /// # Errors
    /// When the metric, the outputs and the truth are not of one task, or do not describe the same rows.
    pub fn measure(self, outputs: &Outputs, truth: Truth<'_>) -> Result<Option<f64>, EvalError> {
        check(outputs, truth)?;
        Ok(match (self, truth, outputs) {
            (Self::Accuracy, Truth::Classes(truth), _) => accuracy(truth, &outputs.argmax()),
            (Self::MacroF1, Truth::Classes(truth), _) => macro_f1(truth, &outputs.argmax()),
            (Self::LogLoss, Truth::Classes(truth), Outputs::Logits { labels, values }) => {
                log_loss_from_logits(values, labels.len(), truth)
            }
            (Self::LogLoss, Truth::Classes(truth), Outputs::Probabilities { labels, values }) => {
                log_loss_from_probabilities(values, labels.len(), truth)
            }
            (Self::Accuracy, Truth::Sets(truth), _) => exact_match(truth, &outputs.label_sets()),
            (Self::MicroF1, Truth::Sets(truth), _) => micro_f1(truth, &outputs.label_sets()),
            (Self::MacroF1, Truth::Sets(truth), _) => macro_f1_of_sets(truth, &outputs.label_sets()),
            (Self::LogLoss, Truth::Sets(truth), Outputs::IndependentLogits { values, .. }) => {
                binary_log_loss_from_logits(values, truth)
            }
            (Self::LogLoss, Truth::Sets(truth), Outputs::IndependentProbabilities { values, .. }) => {
                binary_log_loss_from_probabilities(values, truth)
            }
            (Self::Pearson, Truth::Scores(truth), Outputs::Scores(scores)) => pearson(truth, scores),
            (Self::Spearman, Truth::Scores(truth), Outputs::Scores(scores)) => spearman(truth, scores),
            (Self::Rmse, Truth::Scores(truth), Outputs::Scores(scores)) => rmse(truth, scores),
            _ => return Err(EvalError::MetricNotForTask { metric: self, task: outputs.task() }),
        })
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Metric {
    type Err = EvalError;

    fn from_str(name: &str) -> Result<Self, EvalError> {
        let likeness = |metric: &Self| strsim::normalized_damerau_levenshtein(name, metric.name());
        Self::ALL.into_iter().find(|metric| metric.name() == name).ok_or_else(|| EvalError::UnknownMetric {
            name: name.to_owned(),
            suggestion: Self::ALL
                .into_iter()
                .filter(|metric| likeness(metric) >= 0.5)
                .max_by(|a, b| likeness(a).total_cmp(&likeness(b))),
        })
    }
}

/// What the rows should have been predicted as, one entry a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Truth<'a> {
    /// Class indices from 0, in the order of the outputs' labels.
    Classes(&'a [u32]),
    /// Sets of class indices from 0, in the order of the outputs' labels.
    Sets(&'a LabelSets),
    /// Scores.
    Scores(&'a [f32]),
}

impl Truth<'_> {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Sets(sets) => sets.len(),
            Self::Scores(scores) => scores.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The task these rows belong to.
    pub fn task(&self) -> Task {
        match self {
            Self::Classes(_) => Task::Classification,
            Self::Sets(_) => Task::MultiLabel,
            Self::Scores(_) => Task::Regression,
        }
    }
}

/// Every metric of a task with its value, `None` (JSON `null`) where it is undefined.
///
/// Serialises as one map from metric name to value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MetricValues(BTreeMap<Metric, Option<f64>>);

impl MetricValues {
    /// Measures every metric that applies to the outputs' task.
    ///
    /// # Errors
    /// When outputs and truth are not of one task, or do not describe the same rows.
    pub fn measure(outputs: &Outputs, truth: Truth<'_>) -> Result<Self, EvalError> {
        let measured = |metric: Metric| Ok((metric, metric.measure(outputs, truth)?));
        Metric::for_task(outputs.task()).map(measured).collect::<Result<_, _>>().map(Self)
    }

    /// The value of `metric`; `None` when it was not measured or is undefined.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        self.0.get(&metric).copied().flatten()
    }

    /// The metrics and their values, in the order reports list them.
    pub fn iter(&self) -> impl Iterator<Item = (Metric, Option<f64>)> + '_ {
        self.0.iter().map(|(&metric, &value)| (metric, value))
    }
}

/// Checks that `outputs` and `truth` are of one task and describe the same rows.
pub(crate) fn check(outputs: &Outputs, truth: Truth<'_>) -> Result<(), EvalError> {
    if outputs.task() != truth.task() {
        return Err(EvalError::TaskMismatch { predictions: outputs.task(), truth: truth.task() });
    }
    if truth.len() != outputs.rows() {
        return Err(EvalError::Length { what: "truth", expected: outputs.rows(), found: truth.len() });
    }
    if let Truth::Classes(classes) = truth {
        let known = outputs.labels().len();
        if let Some(row) = classes.iter().position(|&class| class as usize >= known) {
            return Err(EvalError::ClassOutOfRange { row, class: classes[row], classes: known });
        }
    }
    if let Truth::Sets(sets) = truth
        && sets.classes() != outputs.labels().len()
    {
        return Err(EvalError::Length { what: "classes", expected: outputs.labels().len(), found: sets.classes() });
    }
    Ok(())
}

/// `value` when it is a finite number.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logits(values: &[f32]) -> Outputs {
        Outputs::Logits { labels: vec!["a".into(), "b".into()], values: values.to_vec() }
    }

    #[test]
    fn names_parse_back_and_agree_with_serde() {
        for metric in Metric::ALL {
            assert_eq!(metric.name().parse::<Metric>().unwrap(), metric);
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.name());
        }
    }

    #[test]
    fn an_unknown_name_suggests_the_nearest_and_lists_all() {
        let error = "acuracy".parse::<Metric>().unwrap_err();
        assert!(error.is_user_error());
        assert_eq!(
            error.to_string(),
            "no metric is called \"acuracy\" (accuracy, micro_f1, macro_f1, log_loss, loss, pearson, spearman, rmse); \
             did you mean \"accuracy\"?"
        );
        let far = "bleu".parse::<Metric>().unwrap_err();
        assert!(!far.to_string().contains("did you mean"));
    }

    #[test]
    fn better_follows_the_direction_and_never_prefers_the_undefined() {
        assert!(Metric::Accuracy.better(Some(0.8), Some(0.7)));
        assert!(!Metric::Accuracy.better(Some(0.7), Some(0.7)));
        assert!(Metric::LogLoss.better(Some(0.5), Some(0.7)));
        for metric in Metric::ALL {
            assert!(metric.better(Some(0.0), None));
            assert!(metric.better(Some(0.0), Some(f64::NAN)));
            assert!(!metric.better(None, Some(0.0)));
            assert!(!metric.better(Some(f64::NAN), None));
        }
    }

    #[test]
    fn values_serialise_as_a_map_with_null_for_the_undefined() {
        let values = MetricValues::measure(&Outputs::Scores(vec![1.0, 1.0]), Truth::Scores(&[1.0, 1.0])).unwrap();
        let json = serde_json::to_string(&values).unwrap();
        assert_eq!(json, r#"{"pearson":null,"spearman":null,"rmse":0.0}"#);
        assert_eq!(serde_json::from_str::<MetricValues>(&json).unwrap(), values);
    }

    #[test]
    fn a_metric_of_another_task_is_refused_by_name() {
        let error = Metric::Pearson.measure(&logits(&[0.0, 1.0]), Truth::Classes(&[1])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "metric `pearson` does not apply to classification; choose one of: accuracy, macro_f1, log_loss"
        );
    }

    #[test]
    fn outputs_and_truth_that_do_not_fit_are_refused() {
        let outputs = logits(&[0.0, 1.0]);
        let measure = |truth| MetricValues::measure(&outputs, truth).unwrap_err();
        assert!(matches!(measure(Truth::Scores(&[1.0])), EvalError::TaskMismatch { .. }));
        assert!(matches!(measure(Truth::Classes(&[1, 1])), EvalError::Length { expected: 1, found: 2, .. }));
        assert!(matches!(measure(Truth::Classes(&[2])), EvalError::ClassOutOfRange { row: 0, class: 2, classes: 2 }));
    }
}
