//! The names of a run's files.

/// The resolved recipe.
pub(super) const RECIPE: &str = "recipe.toml";
/// What happened, a JSON object a line.
pub(super) const EVENTS: &str = "events.jsonl";
/// What came of it.
pub(super) const REPORT: &str = "report.json";
/// Held by the process that writes the run.
pub(super) const LOCK: &str = "run.lock";
/// What the run was made for.
/// In front of the name of a run that is being removed.
pub(super) const REMOVING: &str = ".removing-";
pub(super) const MADE_FOR: &str = "made_for.toml";
/// What people wrote about it.
pub(super) const NOTES: &str = "notes.toml";
