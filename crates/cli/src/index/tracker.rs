//! What a journal comes to in the store, event by event: the same whether it is read whole or as it grows.

use std::mem;

use gyeol_pipeline::runs::{Event, EventKind, Status};
use gyeol_store::{EventRow, MetricRow, RunRecord, RunRow, RunStatus};

/// The name of the mean training loss since the evaluation before.
const TRAIN_LOSS: &str = "train_loss";

/// A run as its events tell it.
#[derive(Debug)]
pub(super) struct Tracker {
    row: RunRow,
    /// What the last event about it says.
    status: Status,
    /// When the process at work began, and what those before it took.
    session: f64,
    before: f64,
    /// The training losses since the last evaluation, and their number.
    losses: (f64, u32),
    /// The last evaluation.
    evaluated: Option<u64>,
    events: Vec<EventRow>,
    metrics: Vec<MetricRow>,
}

impl Tracker {
    pub(super) fn new(name: &str) -> Self {
        Self {
            row: RunRow::new(name, RunStatus::Running),
            status: Status::Interrupted,
            session: 0.0,
            before: 0.0,
            losses: (0.0, 0),
            evaluated: None,
            events: Vec::new(),
            metrics: Vec::new(),
        }
    }

    /// How the run stands, once no process writes it.
    pub(super) fn status(&self) -> Status {
        self.status
    }

    /// Whether the event makes earlier ones void, so that the journal has to be read anew.
    pub(super) fn is_broken_by(&self, event: &Event) -> bool {
        match event.kind {
            EventKind::Resumed { .. } => true,
            EventKind::Evaluation { step, .. } => self.evaluated.is_some_and(|last| step <= last),
            _ => false,
        }
    }

    /// Takes in the next event.
    pub(super) fn push(&mut self, event: &Event) {
        let row = &mut self.row;
        if row.started.is_none() {
            row.started = Some(event.time);
            self.session = event.time;
        }
        match &event.kind {
            EventKind::Started { metric, total_steps, .. } => {
                // A pause before this process is no work.
                self.before = row.seconds.unwrap_or(0.0);
                self.session = event.time;
                row.metric.get_or_insert_with(|| metric.clone());
                row.total_steps.get_or_insert(*total_steps);
                self.status = Status::Interrupted;
            }
            EventKind::Step { step, loss, .. } => {
                row.steps = row.steps.max(*step);
                // A step with nothing to learn says nothing of how well the model does.
                if let Some(loss) = loss {
                    self.losses = (self.losses.0 + loss, self.losses.1 + 1);
                }
            }
            EventKind::Evaluation { step, metrics, .. } => {
                row.steps = row.steps.max(*step);
                if let Some(score) = row.metric.as_ref().and_then(|metric| metrics.get(metric)) {
                    row.score = Some(*score).filter(|score| score.is_finite());
                }
                let defined = |value: f64| Some(value).filter(|value| value.is_finite());
                let values = metrics.iter().map(|(name, value)| (name.clone(), defined(*value)));
                let values = values.map(|(name, value)| MetricRow { step: *step, name, value });
                self.metrics.extend(values);
                self.evaluated = Some(*step);
                self.mean_loss(*step);
            }
            EventKind::Finished { .. } => self.ended(Status::Finished),
            EventKind::Failed { .. } => self.ended(Status::Failed),
            EventKind::Interrupted { .. } => self.ended(Status::Interrupted),
            EventKind::Resumed { .. } => self.status = Status::Interrupted,
            EventKind::Averaged { .. } | EventKind::Warning { .. } => {}
        }
        self.row.heartbeat = Some(event.time);
        self.row.seconds = Some((self.before + event.time - self.session).max(0.0));
        if !matches!(event.kind, EventKind::Step { .. }) {
            self.events.push(event_row(event));
        }
    }

    fn ended(&mut self, status: Status) {
        self.status = status;
        self.mean_loss(self.row.steps);
    }

    fn mean_loss(&mut self, step: u64) {
        if let (sum, number @ 1..) = mem::take(&mut self.losses) {
            let value = Some(sum / f64::from(number)).filter(|mean| mean.is_finite());
            self.metrics.push(MetricRow { step, name: TRAIN_LOSS.to_owned(), value });
        }
    }

    /// The run with all that has been taken in.
    pub(super) fn record(&self) -> RunRecord {
        RunRecord {
            row: self.row.clone(),
            events: self.events.clone(),
            metrics: self.metrics.clone(),
            scores: Vec::new(),
            artifacts: Vec::new(),
        }
    }

    /// The same with what has been taken in since the last time.
    pub(super) fn take_record(&mut self) -> RunRecord {
        let record = self.record();
        self.events.clear();
        self.metrics.clear();
        record
    }
}

fn event_row(event: &Event) -> EventRow {
    // An event was written as JSON before, and names its kind.
    let body = serde_json::to_value(event).unwrap_or_default();
    EventRow {
        time: event.time,
        kind: body["event"].as_str().unwrap_or_default().to_owned(),
        step: event.kind.step(),
        body: body.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(events: &[(f64, EventKind)]) -> Tracker {
        let mut tracker = Tracker::new("a-001");
        for (time, kind) in events {
            tracker.push(&Event { time: *time, kind: kind.clone() });
        }
        tracker
    }

    fn started() -> EventKind {
        EventKind::Started {
            metric: "accuracy".into(),
            total_steps: 9,
            isa: None,
            precision: None,
            batch_size: None,
            accumulate: None,
        }
    }

    fn step(step: u64, loss: impl Into<Option<f64>>) -> EventKind {
        let loss = loss.into();
        EventKind::Step { step, epoch: 0.5, loss, learning_rate: 2e-5, grad_norm: 1.0, tokens: 64 }
    }

    fn evaluation(step: u64, accuracy: f64) -> EventKind {
        EventKind::Evaluation { step, epoch: 1.0, metrics: [("accuracy".to_owned(), accuracy)].into() }
    }

    #[test]
    fn steps_come_to_their_mean_loss_between_evaluations() {
        let events = [
            (1.0, started()),
            (2.0, step(1, 1.0)),
            (3.0, step(2, 0.5)),
            (3.5, step(3, None)),
            (4.0, evaluation(3, 0.5)),
            (4.5, step(4, None)),
            (5.0, step(5, f64::NAN)),
            (6.0, evaluation(5, f64::NAN)),
            (6.5, step(6, None)),
            (6.7, evaluation(6, 0.5)),
            (7.0, step(7, 0.25)),
            (8.0, EventKind::Interrupted { step: 7 }),
        ];
        let mut tracker = track(&events);
        let record = tracker.take_record();
        let values: Vec<_> = record.metrics.iter().map(|row| (row.step, &*row.name, row.value)).collect();
        let expected = [
            (3, "accuracy", Some(0.5)),
            (3, TRAIN_LOSS, Some(0.75)),
            (5, "accuracy", None),
            (5, TRAIN_LOSS, None),
            (6, "accuracy", Some(0.5)),
            (7, TRAIN_LOSS, Some(0.25)),
        ];
        assert_eq!(values, expected);
        assert_eq!(record.events.len(), 5);
        assert_eq!((record.row.steps, record.row.score, tracker.status()), (7, Some(0.5), Status::Interrupted));
        // What was taken is not given again; the row stays whole.
        let again = tracker.take_record();
        assert!(again.events.is_empty() && again.metrics.is_empty());
        assert_eq!(again.row, record.row);
    }

    #[test]
    fn a_pause_between_two_processes_is_no_work() {
        let events = [
            (100.0, started()),
            (130.0, EventKind::Interrupted { step: 4 }),
            (1000.0, started()),
            (1002.0, EventKind::Resumed { step: 4 }),
            (1050.0, EventKind::Finished { score: None }),
        ];
        let seconds = |events| track(events).record().row.seconds;
        assert_eq!((seconds(&events), seconds(&events[..3]), seconds(&[])), (Some(80.0), Some(30.0), None));
    }

    #[test]
    fn what_makes_earlier_events_void_is_known() {
        let tracker = track(&[(1.0, started()), (2.0, evaluation(3, 0.5))]);
        let broken = |kind| tracker.is_broken_by(&Event { time: 3.0, kind });
        assert!(broken(EventKind::Resumed { step: 1 }) && broken(evaluation(3, 0.5)));
        assert!(!broken(evaluation(6, 0.5)) && !broken(step(4, 0.5)));
    }
}
