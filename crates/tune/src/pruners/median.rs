//! Median stopping: Golovin et al., "Google Vizier: A Service for Black-Box Optimization" (KDD 2017), in the form of
//! Optuna's `MedianPruner`, whose decisions a golden holds.

use super::{Curve, Decision, Pruner, State, curve_of};

/// Stops a trial whose best value so far is worse than the median of what finished trials had at the same evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Median {
    /// Nothing is stopped before so many trials have finished.
    pub startup: usize,
    /// No trial is stopped within its first `warmup` evaluations.
    pub warmup: usize,
}

impl Default for Median {
    /// Optuna's: 5 trials, no warm-up.
    fn default() -> Self {
        Self { startup: 5, warmup: 0 }
    }
}

impl Pruner for Median {
    fn decide(&self, trial: u32, history: &[Curve]) -> Decision {
        let curve = curve_of(trial, history);
        let evaluations = curve.values.len();
        let finished = || history.iter().filter(|curve| curve.state == State::Finished);
        if finished().count() < self.startup.max(1) || evaluations <= self.warmup {
            return Decision::Continue;
        }
        let best = curve.best(evaluations);
        if curve.values.iter().all(|value| value.is_nan()) {
            return Decision::Stop;
        }
        let there = finished().filter_map(|curve| curve.values.get(evaluations - 1)).copied();
        match median(there.filter(|value| !value.is_nan()).collect()) {
            Some(median) if best > median => Decision::Stop,
            _ => Decision::Continue,
        }
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let high = *values.get(values.len() / 2)?;
    // Halfway between the two in the middle, rounded as NumPy rounds it.
    Some(if values.len().is_multiple_of(2) { high - (high - values[values.len() / 2 - 1]) * 0.5 } else { high })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        startup: usize,
        warmup: usize,
        /// Curves of finished trials; null stands for a value that is not a number.
        finished: Vec<Vec<Option<f64>>>,
        curve: Vec<Option<f64>>,
        /// After which of its evaluations the reference would stop the trial.
        stopped: Vec<bool>,
    }

    #[test]
    fn a_trial_is_stopped_where_the_reference_stops_it() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../tests/golden/median.json")).unwrap();
        let numbers = |values: &[Option<f64>]| values.iter().map(|value| value.unwrap_or(f64::NAN)).collect::<Vec<_>>();
        for (number, case) in cases.iter().enumerate() {
            let pruner = Median { startup: case.startup, warmup: case.warmup };
            let curve = |(trial, values): (u32, &Vec<Option<f64>>)| Curve {
                trial,
                values: numbers(values),
                planned: None,
                state: State::Finished,
            };
            let finished: Vec<Curve> = (2..).zip(&case.finished).map(curve).collect();
            let stopped = (1..=case.curve.len()).map(|evaluations| {
                let values = numbers(&case.curve[..evaluations]);
                let mut history = vec![Curve { trial: 1, values, planned: None, state: State::Running }];
                history.extend(finished.iter().cloned());
                pruner.decide(1, &history) == Decision::Stop
            });
            assert_eq!(stopped.collect::<Vec<_>>(), case.stopped, "case {number}");
        }
    }
}
