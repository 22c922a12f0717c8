//! Between the engine's trainer and the run directory, the clock and the watcher.

use std::ops::ControlFlow;
use std::time::Instant;

use gyeol_engine::{Action, Evaluation, Observer, Score, StepReport, TrainPlan};
use gyeol_eval::Metric;

use crate::runs::{ActiveRun, EventKind};
use crate::save_policy::SavePolicy;
use crate::totals::Totals;
use crate::{Error, Watcher};

/// The metrics of an evaluation, by name; one that is undefined is `None`.
pub(crate) type Measured = Vec<(String, Option<f64>)>;

/// Measures what an evaluation gave.
pub(crate) trait Scorer {
    /// Every metric, the declared one among them.
    fn measure(&mut self, outputs: &[f32]) -> Result<Measured, Error>;
}

/// Between the engine's trainer and the run directory, the clock and the watcher.
pub(crate) struct RunObserver<'a> {
    metric: &'a str,
    /// The metric that a guard looks at.
    guarded: Option<Metric>,
    scorer: &'a mut dyn Scorer,
    watcher: &'a mut dyn Watcher,
    run: &'a mut ActiveRun,
    plan: TrainPlan,
    clock: Instant,
    policy: SavePolicy,
    step_began: f64,
    save_began: f64,
    /// Whether the watcher knows that the training begins: the trainer first says whether it resumes.
    announced: bool,
    /// The step of the state being saved.
    saving_step: u64,
    /// The step of the last state on the disk; 0 when there is none.
    pub(crate) saved_step: u64,
    pub(crate) totals: Totals,
    measured: Option<Measured>,
    /// What stopped the run from here.
    pub(crate) failure: Option<Error>,
}

impl<'a> RunObserver<'a> {
    /// Observes `run`, whose saved state takes `state_bytes`; the metrics are the declared one and that of its guard.
    pub(crate) fn new(
        run: &'a mut ActiveRun,
        watcher: &'a mut dyn Watcher,
        (metric, guarded): (&'a str, Option<Metric>),
        scorer: &'a mut dyn Scorer,
        plan: TrainPlan,
        state_bytes: usize,
    ) -> Self {
        Self {
            metric,
            guarded,
            scorer,
            watcher,
            run,
            plan,
            clock: Instant::now(),
            policy: SavePolicy::new(state_bytes, 0.0),
            step_began: 0.0,
            save_began: 0.0,
            announced: false,
            saving_step: 0,
            saved_step: 0,
            totals: Totals::default(),
            measured: None,
            failure: None,
        }
    }

    fn now(&self) -> f64 {
        self.clock.elapsed().as_secs_f64()
    }

    /// Appends an event; a journal that cannot be written stops the run.
    fn record(&mut self, kind: EventKind) {
        if let Err(error) = self.run.record(kind) {
            self.failure.get_or_insert(error.into());
        }
    }

    fn action(&self) -> Action {
        if self.failure.is_some() || self.watcher.interrupted() {
            Action::Stop
        } else if self.policy.due(self.now()) {
            Action::Save
        } else {
            Action::Continue
        }
    }
}

impl Observer for RunObserver<'_> {
    fn step_begins(&mut self) {
        self.announce(0);
        self.step_began = self.now();
    }

    fn step(&mut self, report: &StepReport) -> Action {
        self.totals.step(report, self.now() - self.step_began);
        self.record(EventKind::Step {
            step: report.step,
            epoch: report.epoch,
            loss: report.loss,
            learning_rate: report.learning_rate,
            grad_norm: report.gradient_norm,
            tokens: report.tokens as u64,
        });
        self.watcher.step(report);
        self.action()
    }

    fn evaluation_begins(&mut self, rows: usize) {
        self.watcher.predicting("validating", rows);
    }

    fn evaluated_rows(&mut self, done: usize) -> ControlFlow<()> {
        self.watcher.predicted(done);
        if self.watcher.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn score(&mut self, outputs: &[f32]) -> Score {
        match self.scorer.measure(outputs) {
            Ok(measured) => {
                let value = value_of(&measured, self.metric).unwrap_or(f64::NAN);
                let guarded = self.guarded.and_then(|metric| value_of(&measured, metric.name()));
                self.measured = Some(measured);
                Score { value, guarded }
            }
            Err(error) => {
                self.failure.get_or_insert(error);
                f64::NAN.into()
            }
        }
    }

    fn averaged(&mut self, checkpoints: usize, score: f64) {
        if let Some(measured) = self.measured.take() {
            let metrics = measured.into_iter().map(|(metric, value)| (metric, value.unwrap_or(f64::NAN)));
            self.record(EventKind::Averaged { checkpoints: checkpoints as u64, metrics: metrics.collect() });
            self.watcher.averaged(checkpoints, self.metric, (!score.is_nan()).then_some(score));
        }
    }

    fn evaluated(&mut self, evaluation: &Evaluation) -> Action {
        if let Some(measured) = self.measured.take() {
            let score = value_of(&measured, self.metric);
            let metrics = measured.into_iter().map(|(metric, value)| (metric, value.unwrap_or(f64::NAN)));
            let event =
                EventKind::Evaluation { step: evaluation.step, epoch: evaluation.epoch, metrics: metrics.collect() };
            self.record(event);
            self.watcher.evaluated(evaluation.step, self.metric, score, evaluation.improved);
            if score.is_none() {
                self.warn(format!(
                    "step {}: {} is undefined here (all predictions are alike?); the evaluation counts as the worst",
                    evaluation.step, self.metric
                ));
            }
        }
        self.action()
    }

    fn saving(&mut self, step: u64) -> serde_json::Value {
        self.saving_step = step;
        self.save_began = self.now();
        // Three numbers cannot fail to be written as JSON.
        serde_json::to_value(self.totals).unwrap_or_default()
    }

    fn saved(&mut self) {
        self.saved_step = self.saving_step;
        let now = self.now();
        self.totals.save_seconds += now - self.save_began;
        self.policy.saved(self.save_began, now);
    }

    fn resumed(&mut self, step: u64, kept: serde_json::Value) {
        self.totals = serde_json::from_value(kept).unwrap_or_default();
        self.saved_step = step;
        self.record(EventKind::Resumed { step });
        self.announce(step);
    }
}

/// The value of a metric.
pub(crate) fn value_of(measured: &Measured, metric: &str) -> Option<f64> {
    measured.iter().find(|(name, _)| name == metric)?.1
}

impl RunObserver<'_> {
    /// Tells the watcher, once, after which step the training begins.
    fn announce(&mut self, from: u64) {
        if !self.announced {
            self.watcher.training(self.run.run(), &self.plan, from);
            self.announced = true;
        }
    }

    fn warn(&mut self, message: String) {
        self.watcher.warning(&message);
        self.record(EventKind::Warning { message });
    }
}
