//! Which trials are worth going on with: one pruner a file, each a function of what the trials have reported so far.

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

/// Decides about trials. Decisions are functions of the history alone.
pub trait Pruner: std::fmt::Debug + Send + Sync {
    /// What becomes of `trial`, whose last value is the newest of `history`.
    fn decide(&self, trial: u32, history: &[Curve]) -> Decision;

    /// The paused trial to go on with before a new one is begun, if any should.
    fn promote(&self, history: &[Curve]) -> Option<u32> {
        let _ = history;
        None
    }
}
