//! A run in a line, for lists.

use serde::Serialize;

use super::{Event, EventKind, Run, RunError, Status};

/// A run in a line. What a run has not come to yet is absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSummary {
    /// The run's name.
    pub name: String,
    /// The run that it is a fold, or a round, of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fold_of: Option<String>,
    /// How it stands.
    pub status: Status,
    /// The score of the report; before there is one, that of the last evaluation.
    pub score: Option<f64>,
    /// The metric of the score.
    pub metric: Option<String>,
    /// Optimiser steps made.
    pub steps: u64,
    /// Optimiser steps planned.
    pub total_steps: Option<u64>,
    /// When it began, in seconds since 1970 (UTC).
    pub started: Option<f64>,
    /// Seconds at work, pauses between an interruption and its resumption left out.
    pub seconds: Option<f64>,
    /// Why its report cannot be read; what is known without it is told all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable_report: Option<String>,
}

impl RunSummary {
    pub(super) fn of(run: &Run) -> Result<Self, RunError> {
        let status = run.status()?;
        let events = run.journal()?.events;
        let started = events.iter().find_map(|event| match &event.kind {
            EventKind::Started { metric, total_steps, .. } => Some((metric.clone(), *total_steps)),
            _ => None,
        });
        let (metric, total_steps) = started.unzip();
        let mut summary = Self {
            name: run.name().to_owned(),
            fold_of: run.part_of().map(|(parent, _)| parent.to_owned()),
            status,
            score: metric.as_deref().and_then(|metric| last_score(&events, metric)),
            metric,
            steps: events.iter().filter_map(|event| event.kind.step()).max().unwrap_or(0),
            total_steps,
            started: events.first().map(|event| event.time),
            seconds: seconds_at_work(&events),
            unreadable_report: None,
        };
        if status == Status::Finished {
            match run.report() {
                Ok(Some(report)) => {
                    summary.score = report.score;
                    summary.metric = Some(report.metric);
                    summary.steps = report.steps;
                }
                Ok(None) => {}
                Err(error @ RunError::Report { .. }) => summary.unreadable_report = Some(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        Ok(summary)
    }
}

fn last_score(events: &[Event], metric: &str) -> Option<f64> {
    events.iter().rev().find_map(|event| match &event.kind {
        EventKind::Evaluation { metrics, .. } => metrics.get(metric).copied(),
        _ => None,
    })
}

/// A process says [`EventKind::Started`] before anything else, whether or not it then resumes.
fn seconds_at_work(events: &[Event]) -> Option<f64> {
    let sessions = events.chunk_by(|_, next| !matches!(next.kind, EventKind::Started { .. }));
    let seconds: f64 = sessions.filter_map(|session| Some(session.last()?.time - session.first()?.time)).sum();
    (!events.is_empty()).then_some(seconds.max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_between_two_sessions_is_no_work() {
        let started = || EventKind::Started {
            metric: "accuracy".into(),
            total_steps: 9,
            isa: None,
            precision: None,
            batch_size: None,
            accumulate: None,
        };
        let events = [
            (100.0, started()),
            (130.0, EventKind::Interrupted { step: 4 }),
            (1000.0, started()),
            (1001.0, EventKind::Warning { message: "2 texts are empty".into() }),
            (1002.0, EventKind::Resumed { step: 4 }),
            (1050.0, EventKind::Finished { score: None }),
        ]
        .map(|(time, kind)| Event { time, kind });
        assert_eq!(seconds_at_work(&events), Some(80.0));
        // A process killed before it said anything more.
        assert_eq!(seconds_at_work(&events[..3]), Some(30.0));
        assert_eq!(seconds_at_work(&[]), None);
    }
}
