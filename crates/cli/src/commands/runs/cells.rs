//! How a run's values are shown.

use std::time::{SystemTime, UNIX_EPOCH};

use comfy_table::Color;

use crate::output;

/// The colour of a status, by its word.
pub(super) fn colour(status: &str) -> Color {
    match status {
        "running" => Color::Cyan,
        "finished" => Color::Green,
        "failed" => Color::Red,
        _ => Color::Yellow,
    }
}

pub(super) fn score(score: Option<f64>) -> String {
    score.filter(|score| score.is_finite()).map_or_else(|| "-".to_owned(), |score| format!("{score:.4}"))
}

/// Steps made, and of how many unless that is all.
pub(super) fn steps(steps: u64, total: Option<u64>) -> String {
    match total {
        Some(total) if total != steps => format!("{steps}/{total}"),
        _ => steps.to_string(),
    }
}

/// How long ago: it needs no time zone.
pub(super) fn ago(time: Option<f64>) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64());
    time.map_or_else(|| "-".to_owned(), |time| format!("{} ago", output::duration(now - time)))
}

pub(super) fn took(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "-".to_owned(), output::duration)
}
