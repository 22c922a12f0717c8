//! The winner of a sweep as a recipe.

use gyeol_tune::study::Choice;

use super::{Sweep, names};
use crate::Error;
use crate::recipe::Recipe;
use crate::runs::Runs;
use crate::tuned::TunedConfig;

/// The recipe of the trial that won, which remembers what its values were tuned on.
///
/// # Errors
/// If the trial's run is gone: what it was trained on is known from there.
pub fn best_recipe(sweep: &Sweep, choice: &Choice<'_>, runs: &Runs) -> Result<Recipe, Error> {
    let (spec, trial) = (&sweep.spec, choice.trial);
    let space = sweep.study.space();
    let sets = spec.sets(trial.origin, &trial.assignment, space)?;
    let mut recipe = Recipe::parse(&sweep.recipe_path(), &spec.recipe, &sets)?;
    let run = runs.open(&trial.run)?;
    let report = run.report()?.unwrap_or_default();
    let varied = (0..space.dimensions().len()).map(|dimension| space.parameter_of(dimension).name.as_str());
    let tuned = TunedConfig {
        sweep: sweep.name().to_owned(),
        trial: trial.number,
        trials: sweep.study.trials().len() as u32,
        keys: varied.filter_map(|name| names::recipe_key(name).ok()).map(str::to_owned).collect(),
        metric: spec.metric.name(),
        score: choice.mean().unwrap_or(f64::NAN),
        standard_deviation: choice.standard_deviation(),
        seeds: choice.scores.len() as u64,
        ..TunedConfig::default()
    };
    recipe.tuned = Some(tuned.on(&report, &recipe));
    Ok(recipe)
}
