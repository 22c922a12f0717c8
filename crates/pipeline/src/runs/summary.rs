//! A run in a line, for lists.

use serde::Serialize;

use super::{Event, EventKind, Run, RunError, Status};

/// A run in a line. What a run has not come to yet is absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSummary {
    /// The run's name.
    pub name: String,
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
}

impl RunSummary {
    pub(super) fn of(run: &Run) -> Result<Self, RunError> {
        let status = run.status()?;
        let events = run.journal()?.events;
        let started = events.iter().find_map(|event| match &event.kind {
            EventKind::Started { metric, total_steps } => Some((metric.clone(), *total_steps)),
            _ => None,
        });
        let (metric, total_steps) = started.unzip();
        let mut summary = Self {
            name: run.name().to_owned(),
            status,
            score: metric.as_deref().and_then(|metric| last_score(&events, metric)),
            metric,
            steps: events.iter().filter_map(|event| event.kind.step()).max().unwrap_or(0),
            total_steps,
            started: events.first().map(|event| event.time),
            seconds: seconds_at_work(&events),
        };
        if status == Status::Finished
            && let Some(report) = run.report()?
        {
            summary.score = report.score;
            summary.metric = Some(report.metric);
            summary.steps = report.steps;
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

fn seconds_at_work(events: &[Event]) -> Option<f64> {
    let sessions = events.chunk_by(|_, next| !matches!(next.kind, EventKind::Resumed { .. }));
    let seconds: f64 = sessions.filter_map(|session| Some(session.last()?.time - session.first()?.time)).sum();
    (!events.is_empty()).then_some(seconds.max(0.0))
}
