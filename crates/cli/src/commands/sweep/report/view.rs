//! What a report is made from.

use std::cmp::Ordering;

use gyeol_tune::{
    Value,
    importance::{Importance, ImportanceError},
    pruners::State,
    study::{Goal, Trial},
};

/// A sweep as it is reported.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// Its name.
    pub(crate) name: String,
    /// The metric it is about.
    pub(crate) metric: String,
    /// Which way the metric improves.
    pub(crate) goal: Goal,
    /// What varies, in the order of the space's dimensions.
    pub(crate) parameters: Vec<Parameter>,
    /// The trials in the order they began.
    pub(crate) rows: Vec<Row>,
    /// Trials that were run again over fresh seeds; none where that has not been done.
    pub(crate) confirmed: Vec<Confirmed>,
    /// The number of the trial that won; absent as long as none is named.
    pub(crate) winner: Option<u32>,
    /// What it cost.
    pub(crate) costs: Costs,
    /// What its parameters matter, in the order of `parameters`; or why that is not known.
    pub(crate) importance: Result<Importance, ImportanceError>,
    /// What it was told: names and values, as they are to be read.
    pub(crate) settings: Vec<(String, String)>,
}

/// A parameter that varies.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    /// As the sweep file names it, and as it stands in assignments.
    pub(crate) name: String,
    /// How its values lie on an axis.
    pub(crate) scale: Scale,
}

/// How values lie on an axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scale {
    /// Numbers.
    Linear,
    /// Positive numbers whose distribution is logarithmic.
    Log,
    /// One after the other: choices, or the numbers of a list.
    Levels(Vec<Value>),
}

/// A trial, and when it came to its end.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// The trial.
    pub(crate) trial: Trial,
    /// Seconds from the beginning of the sweep to the trial's end, its last pause or failure; absent while it is running.
    pub(crate) ended: Option<f64>,
}

/// A trial run again.
#[derive(Debug, Clone)]
pub(crate) struct Confirmed {
    /// The trial's number.
    pub(crate) trial: u32,
    /// The metric under each fresh seed.
    pub(crate) scores: Vec<f64>,
}

/// What a sweep cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Costs {
    /// Optimiser steps of all trials and confirmations, each counted once however often it was replayed.
    pub(crate) steps: u64,
    /// Seconds that trials were at work, summed over workers.
    pub(crate) trial_seconds: f64,
    /// Seconds of those that did not go into training and evaluation: starting, reading, saving, deciding.
    pub(crate) overhead_seconds: f64,
    /// Seconds from beginning to end, without interruptions.
    pub(crate) wall_seconds: f64,
}

impl View {
    /// The trials that have a finite score, the best first; of equal ones the earlier.
    pub(crate) fn ranked(&self) -> Vec<&Trial> {
        let mut ranked: Vec<&Trial> =
            self.rows.iter().map(|row| &row.trial).filter(|trial| score(trial).is_some()).collect();
        ranked.sort_by(|a, b| self.better_first(score(a).unwrap_or(f64::NAN), score(b).unwrap_or(f64::NAN)));
        ranked
    }

    /// Orders finite scores, the better one first.
    pub(crate) fn better_first(&self, a: f64, b: f64) -> Ordering {
        match self.goal {
            Goal::Minimize => a.total_cmp(&b),
            Goal::Maximize => b.total_cmp(&a),
        }
    }

    /// The indices of the parameters, the most important first; in their own order where importance is not known.
    pub(crate) fn by_importance(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.parameters.len()).collect();
        if let Ok(importance) = &self.importance {
            let share = |index: usize| importance.dimensions.get(index).map_or(0.0, |dimension| dimension.share);
            order.sort_by(|&a, &b| share(b).total_cmp(&share(a)));
        }
        order
    }

    /// How many trials there are of each state that occurs, in the order of a trial's life.
    pub(crate) fn states(&self) -> Vec<(State, usize)> {
        let states = [State::Finished, State::Running, State::Paused, State::Stopped, State::Failed];
        let count = |state| self.rows.iter().filter(|row| row.trial.state == state).count();
        states.into_iter().map(|state| (state, count(state))).filter(|(_, trials)| *trials > 0).collect()
    }

    /// The words for the goal.
    pub(crate) fn direction(&self) -> &'static str {
        match self.goal {
            Goal::Minimize => "smaller is better",
            Goal::Maximize => "larger is better",
        }
    }
}

impl Confirmed {
    /// The mean of the scores, and their standard deviation (n − 1), of which there is none below two.
    pub(crate) fn mean_and_spread(&self) -> (f64, Option<f64>) {
        let seeds = self.scores.len() as f64;
        let mean = self.scores.iter().sum::<f64>() / seeds;
        let squares: f64 = self.scores.iter().map(|score| (score - mean).powi(2)).sum();
        (mean, (self.scores.len() > 1).then(|| (squares / (seeds - 1.0)).sqrt()))
    }

    /// `0.8712 ± 0.0021 over 5 seeds`.
    pub(crate) fn words(&self) -> String {
        let seeds = self.scores.len();
        match self.mean_and_spread() {
            (mean, Some(spread)) => format!("{mean:.4} ± {spread:.4} over {seeds} seeds"),
            (mean, None) => format!("{mean:.4} over {seeds} seed"),
        }
    }
}

impl Costs {
    /// The share of the trials' seconds that was overhead, from 0 to 1.
    pub(crate) fn overhead(&self) -> f64 {
        if self.trial_seconds > 0.0 { self.overhead_seconds / self.trial_seconds } else { 0.0 }
    }
}

/// The trial's score, if it is finite.
pub(crate) fn score(trial: &Trial) -> Option<f64> {
    trial.score.filter(|score| score.is_finite())
}

/// The name of a state.
pub(crate) fn state(state: State) -> &'static str {
    match state {
        State::Running => "running",
        State::Paused => "paused",
        State::Finished => "finished",
        State::Stopped => "stopped",
        State::Failed => "failed",
    }
}

/// A value of an assignment as it is read; a dash where the parameter is absent.
pub(crate) fn value(value: Option<&Value>) -> String {
    match value {
        None => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(figure)) => match (figure.as_i64(), figure.as_f64()) {
            (None, Some(figure)) => number(figure),
            _ => figure.to_string(),
        },
        Some(other) => other.to_string(),
    }
}

/// Four significant digits, with an exponent where zeros would be many: `0.8712`, `3.2e-5`.
pub(crate) fn number(figure: f64) -> String {
    if figure == 0.0 || !figure.is_finite() {
        return figure.to_string();
    }
    let trimmed = |digits: &str| {
        if digits.contains('.') {
            digits.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            digits.to_owned()
        }
    };
    let scientific = format!("{figure:.3e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>().unwrap_or(0) {
        exponent @ -3..6 => trimmed(&format!("{figure:.*}", usize::try_from(3 - exponent).unwrap_or(0))),
        exponent => format!("{}e{exponent}", trimmed(mantissa)),
    }
}
