//! Early termination as W&B's sweeps compute it under the name of hyperband: `early_terminate` of a sweep file.
//!
//! After Li et al., "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization" (JMLR 18, 2018), but with one
//! bracket, without rounds, and with thresholds that move as trials report. The reference is `hyperband_stopping.py` of the
//! Python package `sweeps`; for finite values the decisions are the same, which a golden made by that package checks.
//!
//! One thing differs: the package leaves values that are not finite out of a curve, so that a training that has diverged
//! reaches no further band and is never stopped. Here they count as worst.

use super::{Curve, Decision, Pruner, curve_of, rungs::InvalidRungs, rungs::Rungs};

/// Stops, for good, trials that are not among the best `1/eta` at the highest band they have reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Hyperband {
    bands: Rungs,
    eta: f64,
    strict: bool,
}

impl Hyperband {
    /// Bands at `min_iter·eta^k` evaluations. `strict` judges a trial by its value at the band; otherwise by its best so far,
    /// which stops fewer. W&B's defaults are an `eta` of 3, and strict.
    ///
    /// # Errors
    /// If `min_iter` is 0 or `eta` not a number larger than 1.
    pub fn from_min_iter(min_iter: u64, eta: f64, strict: bool) -> Result<Self, InvalidRungs> {
        Ok(Self { bands: Rungs::upwards(min_iter, eta)?, eta, strict })
    }

    /// Bands at `max_iter/eta^k` evaluations for k from 1 to `s`.
    ///
    /// # Errors
    /// If `eta` is not a number larger than 1, or no band is left.
    pub fn from_max_iter(max_iter: u64, s: u32, eta: f64, strict: bool) -> Result<Self, InvalidRungs> {
        Ok(Self { bands: Rungs::downwards(max_iter, s, eta)?, eta, strict })
    }

    /// What a trial must not be worse than at a band: of the n values known there, the one that about n/eta are better than.
    fn threshold(&self, band: usize, history: &[Curve]) -> f64 {
        let mut values: Vec<f64> = history.iter().filter_map(|curve| curve.values.get(band - 1)).map(worst).collect();
        values.sort_by(f64::total_cmp);
        // Multiplied by the inverse, as the reference does, which rounds differently from a division.
        let quantile = (1.0 / self.eta * values.len() as f64) as usize;
        values.get(quantile).copied().unwrap_or(f64::INFINITY)
    }
}

fn worst(value: &f64) -> f64 {
    if value.is_nan() { f64::INFINITY } else { *value }
}

impl Pruner for Hyperband {
    fn decide(&self, trial: u32, history: &[Curve]) -> Decision {
        let curve = curve_of(trial, history);
        let Some(index) = self.bands.reached(curve.values.len()) else { return Decision::Continue };
        let band = self.bands.as_slice()[index];
        let value = if self.strict { worst(&curve.values[band - 1]) } else { curve.best(curve.values.len()) };
        if value > self.threshold(band, history) { Decision::Stop } else { Decision::Continue }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::pruners::State;

    #[derive(Deserialize)]
    struct Case {
        min_iter: Option<u64>,
        max_iter: Option<u64>,
        s: Option<u32>,
        eta: f64,
        strict: bool,
        /// Whether each trial still runs.
        running: Vec<bool>,
        curves: Vec<Vec<f64>>,
        /// The numbers of the trials that the reference stops.
        stopped: Vec<u32>,
    }

    impl Case {
        fn pruner(&self) -> Hyperband {
            match (self.min_iter, self.max_iter, self.s) {
                (Some(min_iter), None, None) => Hyperband::from_min_iter(min_iter, self.eta, self.strict),
                (None, Some(max_iter), Some(s)) => Hyperband::from_max_iter(max_iter, s, self.eta, self.strict),
                _ => panic!("a case has min_iter, or max_iter and s"),
            }
            .unwrap()
        }
    }

    #[test]
    fn the_trials_stopped_are_those_that_the_reference_stops() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../tests/golden/hyperband.json")).unwrap();
        assert!(cases.iter().any(|case| case.stopped.is_empty()) && cases.iter().any(|case| !case.stopped.is_empty()));
        for (number, case) in cases.iter().enumerate() {
            let pruner = case.pruner();
            let trials = (1..).zip(&case.curves).zip(&case.running);
            let history: Vec<Curve> = trials
                .map(|((trial, values), running)| Curve {
                    trial,
                    values: values.clone(),
                    planned: None,
                    state: if *running { State::Running } else { State::Finished },
                })
                .collect();
            let running = history.iter().filter(|curve| curve.state == State::Running).map(|curve| curve.trial);
            let stopped = running.filter(|trial| pruner.decide(*trial, &history) == Decision::Stop);
            assert_eq!(stopped.collect::<Vec<_>>(), case.stopped, "case {number}");
        }
    }

    #[test]
    fn a_trial_that_diverged_is_stopped_at_its_next_band() {
        let curve =
            |trial, values: &[f64]| Curve { trial, values: values.to_vec(), planned: None, state: State::Running };
        let history = [curve(1, &[0.6, 0.5]), curve(2, &[0.6, f64::NAN])];
        let pruner = Hyperband::from_min_iter(2, 3.0, true).unwrap();
        assert_eq!(pruner.decide(2, &history), Decision::Stop);
    }
}
