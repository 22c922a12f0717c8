//! The models of a boosted run, and how much each of their votes counts.

use std::path::PathBuf;

use crate::Error;
use crate::predict::model_of;
use crate::runs::{Run, Runs};

/// A model that votes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Voter {
    /// The run of its round.
    pub(crate) run: String,
    /// Its directory.
    pub(crate) model: PathBuf,
    /// What its vote counts, above 0.
    pub(crate) alpha: f64,
}

/// The models that `run`, one of `runs` and of a recipe with `[boost]`, predicts with, in the order of its rounds.
///
/// # Errors
/// If it has not finished, or a round's model is gone.
pub(crate) fn voters(run: &Run, runs: &Runs) -> Result<Vec<Voter>, Error> {
    let unfinished = || Error::NoModel {
        path: run.dir().to_owned(),
        problem: "its rounds are not all trained; the command that began it goes on with --resume".to_owned(),
    };
    let boost = run.report()?.and_then(|report| report.boost).ok_or_else(unfinished)?;
    let voting = boost.rounds.into_iter().filter_map(|round| Some((round.run, round.alpha?)));
    voting
        .map(|(name, alpha)| {
            let round = runs.open(&name)?;
            Ok(Voter { model: model_of(round.model_dir(), Some(&round))?, run: name, alpha })
        })
        .collect()
}
