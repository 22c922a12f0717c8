//! Which ensembles a run is a member of.

use super::{Saved, Source};
use crate::runs::{RunError, Runs};

/// The ensembles that `run` is a member of, by name. One that cannot be read names no members.
///
/// # Errors
/// If the runs cannot be listed.
pub fn ensembles_of(runs: &Runs, run: &str) -> Result<Vec<String>, RunError> {
    let has_it =
        |saved: &Saved| saved.members.iter().any(|member| matches!(&member.source, Source::Run(name) if name == run));
    let ensembles = runs
        .list()?
        .into_iter()
        .filter(|ensemble| Saved::of(ensemble).ok().flatten().is_some_and(|saved| has_it(&saved)));
    Ok(ensembles.map(|ensemble| ensemble.name().to_owned()).collect())
}
