//! The watcher of every command that works for a while: one line that moves on standard error, and lines that stay
//! above it.
//!
//! What a bar looks like is in `observe`; what is printed when nobody looks at a terminal is decided by `Output`.

use std::{
    cell::Cell,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use anyhow::Result;
use console::style;
use gyeol_engine::{StepReport, TrainPlan};
use gyeol_pipeline::{Watcher, runs::Run};
use indicatif::ProgressBar;

use crate::{
    job, observe,
    output::{self, Output},
};

/// Shows the work on the console and listens for Ctrl-C.
#[derive(Debug)]
pub(crate) struct Console {
    output: Output,
    /// The line that moves; hidden where there is nothing to show.
    line: ProgressBar,
    training: Option<Training>,
    /// What is being predicted, and how many rows.
    predicting: (&'static str, usize),
    interruption: &'static AtomicBool,
    /// Whether the user has been told that the work is about to stop.
    told: Cell<bool>,
}

/// A training whose bar is the line that moves.
#[derive(Debug)]
struct Training {
    plan: TrainPlan,
    pace: Pace,
    /// When the step before ended, or what came between it and the next one.
    since: Instant,
}

impl Console {
    /// Starts listening for Ctrl-C.
    pub(crate) fn new(output: &Output) -> Result<Self> {
        Ok(Self {
            output: *output,
            line: ProgressBar::hidden(),
            training: None,
            predicting: ("", 0),
            interruption: observe::interruption()?,
            told: Cell::new(false),
        })
    }

    /// Takes the moving line away: the result comes next.
    pub(crate) fn finish(&mut self) {
        self.replace(ProgressBar::hidden());
    }

    /// Puts `line` in the place of the moving line.
    fn replace(&mut self, line: ProgressBar) {
        self.training = None;
        self.line.finish_and_clear();
        self.line = line;
    }

    /// Prints above the moving line.
    fn above(&self, print: impl FnOnce(&Output)) {
        self.line.suspend(|| print(&self.output));
    }
}

impl Drop for Console {
    /// An error is printed next; a bar must not stay above it.
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}

impl Watcher for Console {
    fn phase(&mut self, name: &'static str) {
        self.replace(observe::spinner(&self.output, name));
    }

    fn note(&mut self, text: &str) {
        self.above(|output| output.note(text));
    }

    fn warning(&mut self, text: &str) {
        self.above(|output| output.warning(text));
    }

    fn training(&mut self, run: &Run, plan: &TrainPlan, from: u64) {
        self.above(|output| job::writes(run, output));
        let steps = plan.steps;
        self.above(|output| match from {
            0 => output.note(&format!("run {}: {steps} steps, {} an epoch", run.name(), plan.steps_per_epoch)),
            _ => output.note(&format!("run {}: continuing after step {from} of {steps}", run.name())),
        });
        self.replace(observe::training_bar(&self.output, steps));
        self.line.set_position(from);
        let now = Instant::now();
        self.training = Some(Training { plan: *plan, pace: Pace::new(from, now), since: now });
    }

    fn step(&mut self, report: &StepReport) {
        let Some(training) = &mut self.training else { return };
        let now = Instant::now();
        let seconds = now.duration_since(training.since).as_secs_f64();
        training.since = now;
        training.pace.step(report, seconds);
        self.line.set_position(report.step);
        self.line.set_message(training.pace.words(report, now));
    }

    fn predicting(&mut self, what: &'static str, rows: usize) {
        self.predicting = (what, rows);
        // Between two steps the bar of the training stays, and says what it waits for.
        if self.training.is_none() {
            self.replace(observe::bar(&self.output, what, rows as u64, "rows"));
        }
    }

    fn predicted(&mut self, done: usize) {
        if self.training.is_some() {
            let (what, rows) = self.predicting;
            self.line.set_message(format!("{what} {done}/{rows}"));
        } else {
            self.line.set_position(done as u64);
        }
    }

    fn evaluated(&mut self, step: u64, metric: &str, score: Option<f64>, improved: bool) {
        let plan = self.training.as_ref().map(|training| training.plan);
        let line = evaluation(step, plan.as_ref(), metric, score, improved);
        self.above(|output| output.note(&line));
        if let Some(training) = &mut self.training {
            training.since = Instant::now();
        }
    }

    fn averaged(&mut self, checkpoints: usize, metric: &str, score: Option<f64>) {
        let score = score.map_or_else(|| "undefined".to_owned(), |score| format!("{score:.4}"));
        self.above(|output| {
            output.note(&format!("mean of the weights of {checkpoints} checkpoints  {metric} {score}"))
        });
    }

    fn interrupted(&self) -> bool {
        let interrupted = self.interruption.load(Ordering::SeqCst);
        if interrupted && !self.told.replace(true) {
            self.above(|output| output.note("stopping; Ctrl-C again stops at once"));
        }
        interrupted
    }
}

/// One evaluation as a line that stays.
fn evaluation(step: u64, plan: Option<&TrainPlan>, metric: &str, score: Option<f64>, improved: bool) -> String {
    let width = plan.map_or(1, |plan| plan.steps.to_string().len());
    let epoch = plan.map(|plan| format!("  epoch {:.2}", step as f64 / plan.steps_per_epoch as f64));
    let score = score.map_or_else(|| "undefined".to_owned(), |score| format!("{score:.4}"));
    let mark = if improved { format!("  {}", style("best so far").for_stderr().green()) } else { String::new() };
    format!("step {step:>width$}{}  {metric} {score}{mark}", epoch.unwrap_or_default())
}

/// How fast a training goes and where its loss is, smoothed so that a person can read it.
#[derive(Debug)]
struct Pace {
    from: u64,
    started: Instant,
    loss: Smooth,
    tokens: Smooth,
    seconds: Smooth,
}

impl Pace {
    fn new(from: u64, started: Instant) -> Self {
        Self { from, started, loss: Smooth::new(0.95), tokens: Smooth::new(0.9), seconds: Smooth::new(0.9) }
    }

    fn step(&mut self, report: &StepReport, seconds: f64) {
        if let Some(loss) = report.loss {
            self.loss.add(loss);
        }
        self.tokens.add(report.tokens as f64);
        self.seconds.add(seconds);
    }

    /// What stands behind the bar, the least important last: a narrow terminal cuts it off. The time left goes by all
    /// the time since the start, evaluations included.
    fn words(&self, report: &StepReport, now: Instant) -> String {
        let taken = report.step.saturating_sub(self.from).max(1) as f64;
        let ahead = report.steps.saturating_sub(report.step) as f64;
        let left = now.duration_since(self.started).as_secs_f64() / taken * ahead;
        let loss = Some(self.loss.mean()).filter(|loss| !loss.is_nan());
        format!(
            "{} left, loss {}, {:.0} tokens/s, lr {:.1e}",
            output::duration(left),
            loss.map_or_else(|| "–".to_owned(), |loss| format!("{loss:.4}")),
            self.tokens.mean() / self.seconds.mean().max(f64::MIN_POSITIVE),
            report.learning_rate,
        )
    }
}

/// An exponentially weighted mean without the pull towards 0 of its first values (as Adam corrects its moments).
#[derive(Debug)]
struct Smooth {
    decay: f64,
    sum: f64,
    weight: f64,
}

impl Smooth {
    /// `decay` of every value is left when the next one comes.
    fn new(decay: f64) -> Self {
        Self { decay, sum: 0.0, weight: 0.0 }
    }

    fn add(&mut self, value: f64) {
        self.sum = self.decay * self.sum + (1.0 - self.decay) * value;
        self.weight = self.decay * self.weight + (1.0 - self.decay);
    }

    /// NaN before the first value.
    fn mean(&self) -> f64 {
        self.sum / self.weight
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PLAN: TrainPlan = TrainPlan { rows_per_step: 8, steps_per_epoch: 50, steps: 1000, evaluations: 20 };

    fn report(step: u64, loss: impl Into<Option<f64>>) -> StepReport {
        StepReport {
            step,
            steps: 100,
            epoch: 0.5,
            loss: loss.into(),
            learning_rate: 2e-5,
            gradient_norm: 1.0,
            rows: 8,
            tokens: 120,
            reused: 0,
        }
    }

    #[test]
    fn a_smoothed_value_starts_at_the_first_and_follows_slowly() {
        let mut smooth = Smooth::new(0.9);
        smooth.add(2.0);
        assert!((smooth.mean() - 2.0).abs() < 1e-12);
        smooth.add(1.0);
        assert!((1.0..2.0).contains(&smooth.mean()), "{}", smooth.mean());
        (0..500).for_each(|_| smooth.add(1.0));
        assert!((smooth.mean() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_time_left_goes_by_the_steps_of_this_process() {
        let started = Instant::now();
        let mut pace = Pace::new(40, started);
        pace.step(&report(41, 1.0), 0.5);
        pace.step(&report(42, 1.0), 0.5);
        let words = pace.words(&report(42, 1.0), started + Duration::from_secs(4));
        assert_eq!(words, "1 min 56 s left, loss 1.0000, 240 tokens/s, lr 2.0e-5");
    }

    #[test]
    fn the_loss_is_that_of_the_steps_which_have_one() {
        let started = Instant::now();
        let mut pace = Pace::new(0, started);
        let said = |loss: Option<f64>| {
            let report = report(1, loss);
            pace.step(&report, 0.5);
            pace.words(&report, started).split(", ").nth(1).unwrap().to_owned()
        };
        assert_eq!([None, Some(2.0), None].map(said), ["loss –", "loss 2.0000", "loss 2.0000"]);
    }

    #[test]
    fn evaluations_line_up_and_the_best_is_marked() {
        let line = |step, score, improved| {
            let line = evaluation(step, Some(&PLAN), "accuracy", score, improved);
            console::strip_ansi_codes(&line).into_owned()
        };
        assert_eq!(line(50, Some(0.5), true), "step   50  epoch 1.00  accuracy 0.5000  best so far");
        assert_eq!(line(1000, None, false), "step 1000  epoch 20.00  accuracy undefined");
    }
}
