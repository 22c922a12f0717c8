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
    lines.push(format!(
        "{} texts in {}: {:.0} texts/s, {:.0} tokens/s on {} threads ({}, {}), peak memory {}",
        report.train_rows,
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
