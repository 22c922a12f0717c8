//! Who watches the route: told what happens, asked whether to stop.

use gyeol_engine::{StepReport, TrainPlan};

use crate::runs::Run;

/// Told what happens on the route. Every method but [`Watcher::warning`] may be left out.
pub trait Watcher: Send {
    /// A part of the route without steps to count begins.
    fn phase(&mut self, name: &'static str) {
        let _ = name;
    }

    /// Something a person would want to know once.
    fn note(&mut self, text: &str) {
        let _ = text;
    }

    /// Something that may be wrong; the work goes on.
    fn warning(&mut self, text: &str);

    /// Training begins, or goes on after step `from`.
    fn training(&mut self, run: &Run, plan: &TrainPlan, from: u64) {
        let _ = (run, plan, from);
    }

    /// An optimiser step is done.
    fn step(&mut self, report: &StepReport) {
        let _ = report;
    }

    /// Rows are about to be predicted.
    fn predicting(&mut self, what: &'static str, rows: usize) {
        let _ = (what, rows);
    }

    /// So many of them are done.
    fn predicted(&mut self, done: usize) {
        let _ = done;
    }

    /// An evaluation is done: the declared metric and its value, unless it is undefined.
    fn evaluated(&mut self, step: u64, metric: &str, score: Option<f64>, improved: bool) {
        let _ = (step, metric, score, improved);
    }

    /// The mean of the weights of so many checkpoints is scored.
    fn averaged(&mut self, checkpoints: usize, metric: &str, score: Option<f64>) {
        let _ = (checkpoints, metric, score);
    }

    /// Whether the user has asked to stop.
    fn interrupted(&self) -> bool {
        false
    }
}

/// Passes on what is said before the first step, and keeps the warnings for the run that follows.
pub(crate) struct Keeper<'a> {
    pub(crate) watcher: &'a mut dyn Watcher,
    pub(crate) warnings: Vec<String>,
}

impl Watcher for Keeper<'_> {
    fn phase(&mut self, name: &'static str) {
        self.watcher.phase(name);
    }

    fn note(&mut self, text: &str) {
        self.watcher.note(text);
    }

    fn warning(&mut self, text: &str) {
        self.watcher.warning(text);
        self.warnings.push(text.to_owned());
    }

    fn predicting(&mut self, what: &'static str, rows: usize) {
        self.watcher.predicting(what, rows);
    }

    fn predicted(&mut self, done: usize) {
        self.watcher.predicted(done);
    }

    fn interrupted(&self) -> bool {
        self.watcher.interrupted()
    }
}
