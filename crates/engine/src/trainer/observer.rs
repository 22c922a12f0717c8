//! What a trainer tells the outside, and what the outside may ask of it.

use std::ops::ControlFlow;

use super::Score;

/// What to do after a step or an evaluation; the larger wins where two are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Go on.
    Continue,
    /// Save the resume state, then go on. After a step with an evaluation to come, it is saved after that.
    Save,
    /// Save the resume state, then stop.
    Stop,
}

/// One optimiser step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// Its number, from 1.
    pub step: u64,
    /// Steps of the whole run.
    pub steps: u64,
    /// Passes over the training rows so far.
    pub epoch: f64,
    /// Mean loss of its rows, finite; `None` if there was nothing to learn, as no token was hidden.
    pub loss: Option<f64>,
    /// The learning rate it took.
    pub learning_rate: f64,
    /// L2 norm of all gradients before clipping; 0 without a loss.
    pub gradient_norm: f64,
    /// Its rows.
    pub rows: usize,
    /// Its tokens; there is no padding to count.
    pub tokens: usize,
    /// Of them, those for which the frozen layers had nothing to do: what they put out was kept.
    pub reused: usize,
}

/// One evaluation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Steps taken before it.
    pub step: u64,
    /// Passes over the training rows before it.
    pub epoch: f64,
    /// The declared metric.
    pub score: f64,
    /// Whether it is the best so far.
    pub improved: bool,
}

/// Watches a run: scores it, may ask it to save or stop, and may keep figures of its own in the resume state.
pub trait Observer {
    /// A step is about to begin.
    fn step_begins(&mut self) {}

    /// A step is done.
    fn step(&mut self, report: &StepReport) -> Action;

    /// An evaluation of `rows` rows is about to begin.
    fn evaluation_begins(&mut self, rows: usize) {
        let _ = rows;
    }

    /// So many rows of an evaluation are done. Breaking off stops the run: its state is saved with the evaluation still due.
    /// Where the mean of checkpoints was being evaluated, after the last step, the last saved state is what is left.
    fn evaluated_rows(&mut self, done: usize) -> ControlFlow<()> {
        let _ = done;
        ControlFlow::Continue(())
    }

    /// The declared metric of what the objective's evaluation gave, and the guarded figure: in fine-tuning the outputs of
    /// all validation rows, in their order.
    fn score(&mut self, outputs: &[f32]) -> Score;

    /// The mean of the weights of so many checkpoints is about to be evaluated.
    fn average_begins(&mut self, checkpoints: usize) {
        let _ = checkpoints;
    }

    /// It is scored.
    fn averaged(&mut self, checkpoints: usize, score: f64) {
        let _ = (checkpoints, score);
    }

    /// An evaluation is done.
    fn evaluated(&mut self, evaluation: &Evaluation) -> Action;

    /// The resume state of step `step` is about to be written; what is returned is kept in it.
    fn saving(&mut self, step: u64) -> serde_json::Value {
        let _ = step;
        serde_json::Value::Null
    }

    /// The resume state is on the disk.
    fn saved(&mut self) {}

    /// The run goes on after step `step`; `kept` is what [`Observer::saving`] returned then.
    fn resumed(&mut self, step: u64, kept: serde_json::Value) {
        let _ = (step, kept);
    }
}
