//! How sweeps and trials are told.

use gyeol_pipeline::sweep::Sweep;
use gyeol_tune::{
    Assignment, Value,
    study::{Choice, Origin, Trial},
};
use serde::Serialize;

use super::report;
use crate::output;

/// A sweep, for programs.
#[derive(Debug, Serialize)]
pub(super) struct SweepDocument<'a> {
    name: &'a str,
    metric: String,
    goal: gyeol_tune::study::Goal,
    method: gyeol_tune::sweep_file::Method,
    early_terminate: &'static str,
    running: bool,
    created: f64,
    trials: Vec<TrialDocument<'a>>,
    reruns: &'a [gyeol_tune::study::Rerun],
    best: Option<BestDocument>,
}

#[derive(Debug, Serialize)]
struct TrialDocument<'a> {
    number: u32,
    state: &'static str,
    origin: Origin,
    assignment: &'a Assignment,
    score: Option<f64>,
    evaluations: Vec<(u64, Option<f64>)>,
    steps: u64,
    seconds: f64,
    overhead_seconds: f64,
    error: Option<&'a str>,
    run: &'a str,
}

#[derive(Debug, Serialize)]
struct BestDocument {
    trial: u32,
    score: Option<f64>,
    mean: Option<f64>,
    standard_deviation: Option<f64>,
    scores: Vec<f64>,
}

impl<'a> SweepDocument<'a> {
    pub(super) fn new(sweep: &'a Sweep) -> anyhow::Result<Self> {
        let trial = |trial: &'a Trial| TrialDocument {
            number: trial.number,
            state: report::state(trial.state),
            origin: trial.origin,
            assignment: &trial.assignment,
            score: trial.score,
            evaluations: trial.reports.iter().map(|r| (r.step, Some(r.value).filter(|v| v.is_finite()))).collect(),
            steps: trial.steps,
            seconds: trial.seconds,
            overhead_seconds: trial.overhead,
            error: trial.error.as_deref(),
            run: &trial.run,
        };
        Ok(Self {
            name: sweep.name(),
            metric: sweep.spec.metric.name(),
            goal: sweep.spec.metric.goal,
            method: sweep.spec.method,
            early_terminate: sweep.spec.early_terminate_name(),
            running: sweep.is_running()?,
            created: sweep.spec.created,
            trials: sweep.study.trials().iter().map(trial).collect(),
            reruns: sweep.study.reruns(),
            best: sweep.study.choice().map(|choice| BestDocument {
                trial: choice.trial.number,
                score: choice.trial.score,
                mean: choice.mean(),
                standard_deviation: choice.standard_deviation(),
                scores: choice.scores.clone(),
            }),
        })
    }
}

/// `learning_rate 0.00031, batch 32`.
pub(super) fn assignment(assignment: &Assignment) -> String {
    let one = |(name, value): (&String, &Value)| format!("{name} {}", self::value(value));
    assignment.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A value short enough for a table.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => short(float),
            _ => number.to_string(),
        },
        Value::String(text) => output::one_line(text),
        other => other.to_string(),
    }
}

/// Four digits that count.
fn short(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e5).contains(&size) {
        return format!("{value:.3e}");
    }
    let text = format!("{value:.*}", if size >= 100.0 { 1 } else { 4 });
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    text.to_owned()
}

/// A score as people read it.
pub(super) fn score(score: Option<f64>) -> String {
    score.map_or_else(|| "-".to_owned(), |score| format!("{score:.4}"))
}

/// What won, and how sure that is.
pub(super) fn winner(choice: &Choice<'_>, metric: &str) -> String {
    let number = choice.trial.number;
    let (Some(mean), true) = (choice.mean(), !choice.scores.is_empty()) else {
        return format!(
            "best so far: trial {number}, {metric} {}, by one seed: the best of many is partly luck",
            score(choice.trial.score)
        );
    };
    let spread = choice.standard_deviation().map_or_else(String::new, |deviation| format!(" ± {deviation:.4}"));
    format!(
        "winner: trial {number}, {metric} {mean:.4}{spread} over {} fresh seeds (it was chosen with {})",
        choice.scores.len(),
        score(choice.trial.score)
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_told_in_as_many_digits_as_count() {
        let told = |given: Value| value(&given);
        assert_eq!(told(json!(3.14159e-5)), "3.142e-5");
        assert_eq!(told(json!(0.1)), "0.1");
        assert_eq!(told(json!(0.123456)), "0.1235");
        assert_eq!(told(json!(150.0)), "150");
        assert_eq!(told(json!(64)), "64");
        assert_eq!(told(json!("cosine")), "cosine");
    }
}
