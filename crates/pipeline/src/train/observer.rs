//! Between the engine's trainer and the run directory, the clock and the watcher.

use std::ops::ControlFlow;
use std::time::Instant;

use gyeol_data::Targets;
use gyeol_engine::{Action, Evaluation, Observer, StepReport, TrainPlan};
use gyeol_eval::{MetricValues, Outputs};
use serde::{Deserialize, Serialize};

use super::{Session, outputs_of, truth};
use crate::prepare::Prepared;
use crate::runs::{ActiveRun, EventKind};
use crate::save_policy::SavePolicy;
use crate::{Error, Watcher};

/// The figures a run keeps over interruptions.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Totals {
    pub(super) train_seconds: f64,
    #[serde(default)]
    pub(super) save_seconds: f64,
    pub(super) rows: u64,
    pub(super) tokens: u64,
}

/// Between the engine's trainer and the run directory, the clock and the watcher.
pub(super) struct RunObserver<'a> {
    prepared: &'a Prepared,
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
    pub(super) saved_step: u64,
    pub(super) totals: Totals,
    metrics: Option<MetricValues>,
    truth: Option<Targets>,
    /// What stopped the run from here.
    pub(super) failure: Option<Error>,
}

impl<'a> RunObserver<'a> {
    pub(super) fn new(session: &'a mut Session<'_>, plan: TrainPlan, state_bytes: usize) -> Self {
        let prepared = session.prepared;
        Self {
            prepared,
            watcher: &mut *session.watcher,
            run: &mut session.run,
            plan,
            clock: Instant::now(),
            policy: SavePolicy::new(state_bytes, 0.0),
            step_began: 0.0,
            save_began: 0.0,
            announced: false,
            saving_step: 0,
            saved_step: 0,
            totals: Totals::default(),
            metrics: None,
            truth: prepared.valid_set().map(|valid| valid.targets.select(valid.rows)),
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
        self.totals.train_seconds += self.now() - self.step_began;
        self.totals.rows += report.rows as u64;
        self.totals.tokens += report.tokens as u64;
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

    fn score(&mut self, outputs: &[f32]) -> f64 {
        let mut outputs = outputs_of(self.prepared, outputs.to_vec());
        if let (Outputs::Scores(scores), Some([low, high])) = (&mut outputs, self.prepared.recipe.data.score_range) {
            scores.iter_mut().for_each(|score| *score = score.clamp(low as f32, high as f32));
        }
        let Some(truth_values) = &self.truth else { return f64::NAN };
        match MetricValues::measure(&outputs, truth(truth_values)) {
            Ok(metrics) => {
                let score = metrics.get(self.prepared.metric);
                self.metrics = Some(metrics);
                score.unwrap_or(f64::NAN)
            }
            Err(error) => {
                self.failure.get_or_insert(error.into());
                f64::NAN
            }
        }
    }

    fn evaluated(&mut self, evaluation: &Evaluation) -> Action {
        if let Some(metrics) = self.metrics.take() {
            let values = metrics.iter().map(|(metric, value)| (metric.to_string(), value.unwrap_or(f64::NAN)));
            let event =
                EventKind::Evaluation { step: evaluation.step, epoch: evaluation.epoch, metrics: values.collect() };
            self.record(event);
            self.watcher.evaluated(evaluation.step, self.prepared.metric, &metrics, evaluation.improved);
            if metrics.get(self.prepared.metric).is_none() {
                self.warn(format!(
                    "step {}: {} is undefined here (all predictions are alike?); the evaluation counts as the worst",
                    evaluation.step, self.prepared.metric
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
