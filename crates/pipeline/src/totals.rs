//! The figures a run keeps over interruptions.

use gyeol_engine::StepReport;
use serde::{Deserialize, Serialize};

/// What the steps of a run took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub(crate) train_seconds: f64,
    #[serde(default)]
    pub(crate) save_seconds: f64,
    rows: u64,
    tokens: u64,
    /// Of the steps that took what frozen layers put out from memory.
    #[serde(default)]
    reusing: Pace,
}

/// How long some steps took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Pace {
    seconds: f64,
    tokens: u64,
    /// Tokens for which the frozen layers had nothing to do.
    reused: u64,
}

impl Totals {
    /// Counts a step that took `seconds`.
    pub(crate) fn step(&mut self, report: &StepReport, seconds: f64) {
        self.train_seconds += seconds;
        self.rows += report.rows as u64;
        self.tokens += report.tokens as u64;
        if report.reused > 0 {
            self.reusing.seconds += seconds;
            self.reusing.tokens += report.tokens as u64;
            self.reusing.reused += report.reused as u64;
        }
    }

    /// Rows a second of training.
    pub(crate) fn samples_per_second(&self) -> f64 {
        rate(self.rows as f64, self.train_seconds)
    }

    /// Tokens a second of training.
    pub(crate) fn tokens_per_second(&self) -> f64 {
        rate(self.tokens as f64, self.train_seconds)
    }

    /// Seconds of training that were not needed, as what frozen layers put out was kept: by what a token took in the steps
    /// before, when everything was computed. `None` if nothing was kept, or there is nothing to judge it by.
    pub(crate) fn saved_seconds(&self) -> Option<f64> {
        let Pace { seconds, tokens, reused } = self.reusing;
        let (other_seconds, other_tokens) = (self.train_seconds - seconds, self.tokens - tokens);
        let judged = reused > 0 && other_tokens > 0;
        judged.then(|| (other_seconds / other_tokens as f64 * tokens as f64 - seconds).max(0.0))
    }
}

/// So much a second; 0 where no time was taken.
pub(crate) fn rate(count: f64, seconds: f64) -> f64 {
    if seconds > 0.0 { count / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(tokens: usize, reused: usize) -> StepReport {
        StepReport {
            step: 1,
            steps: 9,
            epoch: 0.1,
            loss: Some(1.0),
            learning_rate: 1e-5,
            gradient_norm: 1.0,
            rows: 4,
            tokens,
            reused,
        }
    }

    #[test]
    fn what_is_saved_is_judged_by_the_steps_that_computed_everything() {
        let mut totals = Totals::default();
        totals.step(&report(100, 0), 2.0);
        assert_eq!(totals.saved_seconds(), None);
        totals.step(&report(200, 200), 1.5);
        totals.step(&report(100, 50), 1.0);
        assert_eq!(totals.saved_seconds(), Some(6.0 - 2.5));
        assert_eq!((totals.samples_per_second(), totals.tokens_per_second()), (12.0 / 4.5, 400.0 / 4.5));
    }

    #[test]
    fn a_run_that_goes_on_with_everything_kept_claims_nothing() {
        let mut totals = Totals::default();
        totals.step(&report(200, 200), 1.5);
        assert_eq!(totals.saved_seconds(), None);
    }
}
