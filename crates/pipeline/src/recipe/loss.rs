//! Values of `[loss]` that have the right type and still make no sense, alone or together.

use gyeol_data::Task;
use gyeol_engine::config::{ClassWeights, LossConfig, LossKind};

/// Most score buckets: more than there are distinct scores in any scale people rate on.
const MOST_BUCKETS: usize = 1000;

/// Checks the loss of a recipe for `task`, or for any where it is not known yet.
///
/// # Errors
/// The key, and what is wrong with its value and how to mend it.
pub(crate) fn check_loss(loss: &LossConfig, task: Option<Task>) -> Result<(), (&'static str, String)> {
    check_values(loss)?;
    let Some(kind) = loss.kind.or(task.map(LossKind::default_for)) else { return Ok(()) };
    if let Some(task) = task.filter(|&task| !kind.applies_to(task)) {
        let fitting: Vec<&str> =
            LossKind::ALL.into_iter().filter(|kind| kind.applies_to(task)).map(LossKind::name).collect();
        let problem = format!("{} is not a loss of {task}; use {}", kind.name(), fitting.join(", "));
        return Err(("loss.kind", problem));
    }
    let reads = |key: &&str| tasks(task).any(|task| kind.applies_to(task) && kind.keys(task).contains(key));
    if let Some(key) = loss.set_keys().into_iter().find(|key| !reads(key)) {
        let of = task.map(|task| format!(" of {task}")).unwrap_or_default();
        let problem = format!(
            "loss.kind = \"{}\"{of} does not read it, it is for {}; remove it or choose another loss.kind",
            kind.name(),
            readers(key)
        );
        return Err((key, problem));
    }
    if loss.class_weights_smooth != 0.0 && loss.class_weights != ClassWeights::InverseFrequency {
        let problem =
            "it smooths loss.class_weights = \"inverse_frequency\", which is not set; set it, or remove this key";
        return Err(("loss.class_weights_smooth", problem.to_owned()));
    }
    Ok(())
}

/// Each value on its own.
fn check_values(loss: &LossConfig) -> Result<(), (&'static str, String)> {
    require("loss.gamma", loss.gamma.is_finite() && loss.gamma >= 0.0, loss.gamma, "a finite number from 0")?;
    let (smooth, smoothing) = (loss.class_weights_smooth, loss.label_smoothing);
    require("loss.class_weights_smooth", (0.0..=1.0).contains(&smooth), smooth, "from 0 to 1")?;
    require("loss.label_smoothing", (0.0..1.0).contains(&smoothing), smoothing, "from 0 to below 1")?;
    let delta = loss.huber_delta;
    require("loss.huber_delta", delta.is_finite() && delta > 0.0, delta, "a finite number above 0")?;
    require("loss.buckets", (2..=MOST_BUCKETS).contains(&loss.buckets), loss.buckets, "from 2 to 1000")?;
    if let ClassWeights::Explicit(weights) = &loss.class_weights {
        for &weight in weights {
            require("loss.class_weights", weight.is_finite() && weight > 0.0, weight, "finite numbers above 0")?;
        }
    }
    Ok(())
}

fn require(
    key: &'static str,
    holds: bool,
    value: impl std::fmt::Display,
    expected: &str,
) -> Result<(), (&'static str, String)> {
    super::check::require(key, holds, value, expected).map_err(|(_, problem)| (key, problem))
}

/// The task, or all there are.
fn tasks(task: Option<Task>) -> impl Iterator<Item = Task> {
    [Task::Classification, Task::Regression].into_iter().filter(move |one| task.is_none_or(|task| task == *one))
}

/// The losses that read a key, as `focal of classification`.
fn readers(key: &str) -> String {
    let of = |task: Task| {
        let kinds = LossKind::ALL.into_iter().filter(|kind| kind.applies_to(task) && kind.keys(task).contains(&key));
        let names: Vec<&str> = kinds.map(LossKind::name).collect();
        (!names.is_empty()).then(|| format!("{} of {task}", names.join(" and ")))
    };
    tasks(None).filter_map(of).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(task: Option<Task>, change: impl Fn(&mut LossConfig)) -> String {
        let mut loss = LossConfig::default();
        change(&mut loss);
        check_loss(&loss, task).map_err(|(key, problem)| format!("{key}: {problem}")).err().unwrap_or_default()
    }

    #[test]
    fn a_key_that_the_loss_does_not_read_is_refused_with_those_that_do() {
        let (classification, regression) = (Some(Task::Classification), Some(Task::Regression));
        assert_eq!(
            refused(None, |loss| (loss.kind, loss.gamma) = (Some(LossKind::CrossEntropy), 3.0)),
            "loss.gamma: loss.kind = \"cross_entropy\" does not read it, it is for focal of classification; remove it or \
             choose another loss.kind"
        );
        assert_eq!(
            refused(regression, |loss| loss.label_smoothing = 0.1),
            "loss.label_smoothing: loss.kind = \"l2\" of regression does not read it, it is for cross_entropy and focal of \
             classification and cross_entropy of regression; remove it or choose another loss.kind"
        );
        let cross_entropy = |loss: &mut LossConfig| {
            (loss.kind, loss.buckets) = (Some(LossKind::CrossEntropy), 6);
        };
        assert!(
            refused(classification, cross_entropy).starts_with("loss.buckets: loss.kind = \"cross_entropy\" of class")
        );
        assert_eq!(refused(regression, cross_entropy) + &refused(None, cross_entropy), "");
        let weighted = |loss: &mut LossConfig| {
            (loss.kind, loss.class_weights) = (Some(LossKind::CrossEntropy), ClassWeights::InverseFrequency);
        };
        assert_eq!(refused(classification, weighted), "");
        assert!(refused(regression, weighted).starts_with("loss.class_weights: "));
    }

    #[test]
    fn every_loss_takes_the_defaults_of_all_keys() {
        for kind in LossKind::ALL {
            for task in tasks(None).filter(|&task| kind.applies_to(task)) {
                assert_eq!(refused(Some(task), |loss| loss.kind = Some(kind)), "");
            }
        }
    }

    #[test]
    fn smoothing_is_of_inverse_frequency_alone() {
        let smooth = |weights: ClassWeights| {
            refused(None, |loss| {
                loss.kind = Some(LossKind::Focal);
                (loss.class_weights, loss.class_weights_smooth) = (weights.clone(), 0.5);
            })
        };
        assert_eq!(smooth(ClassWeights::InverseFrequency), "");
        let message =
            "loss.class_weights_smooth: it smooths loss.class_weights = \"inverse_frequency\", which is not set";
        assert!(smooth(ClassWeights::None).starts_with(message));
        assert!(smooth(ClassWeights::Explicit(vec![1.0, 2.0])).starts_with(message));
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let messages = [
            refused(None, |loss| loss.gamma = -1.0),
            refused(None, |loss| loss.class_weights_smooth = 1.5),
            refused(None, |loss| loss.label_smoothing = 1.0),
            refused(None, |loss| loss.huber_delta = 0.0),
            refused(None, |loss| loss.buckets = 1),
            refused(None, |loss| loss.class_weights = ClassWeights::Explicit(vec![1.0, 0.0])),
        ];
        assert_eq!(
            messages,
            [
                "loss.gamma: -1 is out of range; expected a finite number from 0",
                "loss.class_weights_smooth: 1.5 is out of range; expected from 0 to 1",
                "loss.label_smoothing: 1 is out of range; expected from 0 to below 1",
                "loss.huber_delta: 0 is out of range; expected a finite number above 0",
                "loss.buckets: 1 is out of range; expected from 2 to 1000",
                "loss.class_weights: 0 is out of range; expected finite numbers above 0",
            ]
        );
    }
}
