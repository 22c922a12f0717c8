//! The names of a run's files.

/// The resolved recipe.
pub(super) const RECIPE: &str = "recipe.toml";
/// What happened, a JSON object a line.
pub(super) const EVENTS: &str = "events.jsonl";
/// What came of it.
pub(super) const REPORT: &str = "report.json";
/// Held by the process that writes the run.
pub(super) const LOCK: &str = "run.lock";
