//! The closing summary of masked-LM runs, which `adapt` and `pretrain` share.

use std::path::Path;

use gyeol_pipeline::runs::Report;

use crate::output;

/// What came of the run in `report`, whose model is in `dir`; then the lines of the command's own.
pub(crate) fn tell(report: &Report, dir: &Path, more: &[String]) -> String {
    let mut lines = vec![format!("{} finished after {} steps", report.run, report.steps), String::new()];
    let metric = |name: &str| report.metrics.get(name).copied().flatten();
    if let Some(score) = report.score {
        let before =
            metric("perplexity_before").map_or_else(String::new, |before| format!("{} → ", perplexity(before)));
        lines.push(format!(
            "perplexity {before}{} on {} texts kept aside, at step {}",
            perplexity(score),
            report.valid_rows,
            report.best_step
        ));
    }
    // Over all epochs, as the rate is.
    let texts = report.samples_per_second * report.train_seconds;
    lines.push(format!(
        "{texts:.0} texts in {}: {:.0} texts/s, {:.0} tokens/s on {} threads ({}, {}), peak memory {}",
        output::duration(report.train_seconds),
        report.samples_per_second,
        report.tokens_per_second,
        report.threads,
        report.isa,
        report.precision,
        report.peak_rss_bytes.map_or_else(|| "unknown".to_owned(), output::bytes),
    ));
    lines.push(String::new());
    lines.push(format!("{:<11} {}", "model", dir.display()));
    lines.push(String::new());
    lines.extend(more.iter().cloned());
    lines.join("\n")
}

/// Large ones are known to no more than three digits.
fn perplexity(value: f64) -> String {
    if value < 100.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

/// A model directory as a `--set` that is right in any directory.
pub(crate) fn set_base(dir: &Path) -> String {
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    format!("--set {}", quoted(&format!("model.base={}", dir.display())))
}

/// A word of a command line, in quotes where a shell needs them.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=,:+".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}
