//! A training run of gyeol measured: speed from the times in its journal after the warm-up, memory from its report.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::document::{Document, number};
use super::turns::Figures;
use crate::process;

/// What of the report is kept: figures, never paths of the machine.
const KEPT: [&str; 11] = [
    "counted_tokens_per_second",
    "counted_samples_per_second",
    "tokens_per_second",
    "samples_per_second",
    "train_seconds",
    "peak_rss_bytes",
    "steps",
    "threads",
    "isa",
    "precision",
    "seed",
];

const MIB: f64 = 1024.0 * 1024.0;

/// Runs `command`, which prints a report and leaves its only run in the directory `runs`. The first `warmup` steps, of
/// `batch` rows each, are left out of the figures.
pub(super) fn reported(command: &mut Command, runs: &Path, warmup: u64, batch: usize) -> Result<(Document, Figures)> {
    let printed = process::capture(command)?;
    let mut report: Document =
        serde_json::from_str(&printed).with_context(|| format!("gyeol --json printed no document: {printed:?}"))?;
    let figures = figures(&report, &journal(runs)?, warmup, batch)?;
    let speed = [("counted_tokens_per_second", figures.tokens), ("counted_samples_per_second", figures.samples)];
    report.extend(speed.map(|(key, value)| (key.to_owned(), value.into())));
    Ok((report.into_iter().filter(|(key, _)| KEPT.contains(&key.as_str())).collect(), figures))
}

/// The journal of the only run in the directory `runs`.
fn journal(runs: &Path) -> Result<String> {
    let unreadable = || format!("{}: the run cannot be read", runs.display());
    let mut entries = fs::read_dir(runs).with_context(unreadable)?;
    let run = entries.find_map(|entry| entry.ok().filter(|entry| entry.path().is_dir())).with_context(unreadable)?;
    fs::read_to_string(run.path().join("events.jsonl")).with_context(unreadable)
}

/// The figures of a run: speed from the times in its journal after the warm-up, memory from its report.
fn figures(report: &Document, journal: &str, warmup: u64, batch: usize) -> Result<Figures> {
    let (mut begin, mut end, mut tokens, mut steps) = (None, None, 0.0, 0u64);
    for line in journal.lines() {
        let event: Document = serde_json::from_str(line).context("events.jsonl is no JSON")?;
        if event.get("event").and_then(|event| event.as_str()) != Some("step") {
            continue;
        }
        let (step, time) = (number(&event, "step")? as u64, number(&event, "time")?);
        if step == warmup {
            begin = Some(time);
        } else if step > warmup {
            (end, tokens, steps) = (Some(time), tokens + number(&event, "tokens")?, steps + 1);
        }
    }
    let (Some(begin), Some(end)) = (begin, end) else { bail!("the journal holds no steps after the warm-up") };
    let seconds = end - begin;
    Ok(Figures {
        tokens: tokens / seconds,
        samples: (steps * batch as u64) as f64 / seconds,
        memory: number(report, "peak_rss_bytes")? / MIB,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_that_of_the_steps_after_the_warm_up() {
        let report = serde_json::from_str(r#"{"peak_rss_bytes": 1048576, "isa": "avx2"}"#).unwrap();
        let step = |step: u64, time: f64, tokens: u64| {
            format!("{}\n", serde_json::json!({"time": time, "event": "step", "step": step, "tokens": tokens}))
        };
        let journal: String = [
            "{\"time\": 0.5, \"event\": \"started\"}\n".to_owned(),
            step(1, 9.0, 1000),
            step(2, 10.0, 1000),
            step(3, 10.5, 300),
            step(4, 12.0, 500),
        ]
        .concat();
        let figures = figures(&report, &journal, 2, 32).unwrap();
        assert_eq!(figures, Figures { tokens: 400.0, samples: 32.0, memory: 1.0 });
    }
}
