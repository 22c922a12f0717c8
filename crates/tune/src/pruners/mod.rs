//! Which trials are worth going on with: one pruner a file, each a function of what the trials have reported so far.
//!
//! What every pruner must keep to is in `contract.rs`, a suite of tests they all pass. How samplers see trials that were cut
//! short is not here but in [`fidelity`](crate::fidelity).

mod halving;
mod hyperband;
mod median;
mod never;
mod rungs;

#[cfg(test)]
mod contract;

pub use halving::Halving;
pub use hyperband::Hyperband;
pub use median::Median;
pub use never::Never;
pub use rungs::InvalidRungs;

/// What a trial has reported.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The trial's number, from 1, in the order they began.
    pub trial: u32,
    /// The objective at its evaluations 1, 2, …; a smaller one is better. NaN counts as worst.
    pub values: Vec<f64>,
    /// How many evaluations it will make if nothing ends it; `None` where that is not known yet.
    pub planned: Option<u64>,
    /// How it stands.
    pub state: State,
}

/// How a trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A process works on it, or waits for a decision about it.
    Running,
    /// It waits at a checkpoint, and may be taken up again.
    Paused,
    /// It ran to its end.
    Finished,
    /// A pruner ended it.
    Stopped,
    /// It ended in an error.
    Failed,
}

/// What becomes of a trial that has just reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It goes on.
    Continue,
    /// It ends, for good.
    Stop,
    /// It saves its state and makes room; [`Pruner::promote`] may take it up again.
    Pause,
}

impl Curve {
    /// The best of the first `evaluations` values; infinite where none of them is a number.
    pub(crate) fn best(&self, evaluations: usize) -> f64 {
        // `f64::min` passes over NaN.
        self.values.iter().take(evaluations).copied().fold(f64::INFINITY, f64::min)
    }
}

/// Decides about trials. Decisions are functions of the history alone.
pub trait Pruner: std::fmt::Debug + Send + Sync {
    /// What becomes of `trial`, whose last value is the newest of `history`. Asked once after each report.
    fn decide(&self, trial: u32, history: &[Curve]) -> Decision;

    /// The paused trial to go on with before a new one is begun, if any should. A pruner that pauses nothing itself takes up
    /// what something else paused, in the order the trials began.
    fn promote(&self, history: &[Curve]) -> Option<u32> {
        history.iter().find(|curve| curve.state == State::Paused).map(|curve| curve.trial)
    }

    /// The paused trial to go on with once no new one will be begun any more, if any should: then nothing better can come,
    /// and what is left to do is to bring the best to their end.
    fn finish(&self, history: &[Curve]) -> Option<u32> {
        self.promote(history)
    }
}

/// The curve of a trial. Whoever asks about a trial that is not in the history has mixed up two searches.
fn curve_of(trial: u32, history: &[Curve]) -> &Curve {
    history.iter().find(|curve| curve.trial == trial).expect("the trial asked about is in the history")
}
