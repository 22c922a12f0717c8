//! A sweep file and a recipe made into what a sweep is, with everything checked that can be before a trial begins.

use std::path::{Path, PathBuf};

use gyeol_data::fingerprint;
use gyeol_eval::Metric;
use gyeol_tune::study::{Goal, Origin};
use gyeol_tune::sweep_file::{EarlyTerminate, Method, SweepFile};
use gyeol_tune::{Assignment, Space, Value};

use super::spec::{Spec, SweepMetric, sets};
use super::{Sweep, SweepError, names};
use crate::appender::now;
use crate::nearest::{did_you_mean, nearest};
use crate::prepare::Prepared;
use crate::recipe::Recipe;

/// What the command line says of a sweep, beside its two files.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The metric.
    pub metric: Option<String>,
    /// How points are chosen.
    pub method: Option<Method>,
    /// Which trials end early: `Some(None)` is none.
    pub early_terminate: Option<Option<EarlyTerminate>>,
    /// Keys the sampler; the recipe's seed otherwise.
    pub seed: Option<u64>,
    /// How many of the best trials are run again.
    pub finalists: usize,
    /// With how many fresh seeds.
    pub seeds: usize,
    /// Where the recipe is.
    pub directory: PathBuf,
    /// What is added to the name, as where several bases are tuned.
    pub suffix: Option<String>,
}

/// A sweep that can begin, and what a person should know of it before.
#[derive(Debug)]
pub struct Planned {
    /// What it is.
    pub spec: Spec,
    /// What may be wrong, or was decided.
    pub warnings: Vec<String>,
    /// The file's own words on how many trials, if it has any.
    pub run_cap: Option<u64>,
    /// The value of the metric that is good enough, if the file names one.
    pub target: Option<f64>,
}

/// Plans the sweep of the file at `path`, whose text is `text`, over `recipe`, which came out as `prepared`. What the recipe leaves
/// open, such as the kind of the loss, is open to the sweep too.
///
/// # Errors
/// If the file is wrong, or does not fit the recipe: every parameter has to name a key, and values from all over the space have
/// to be values of it.
pub fn plan(
    path: &Path,
    text: &str,
    mut recipe: Recipe,
    prepared: &Prepared,
    overrides: &Overrides,
) -> Result<Planned, SweepError> {
    let file = SweepFile::parse(path, text)?;
    let unfit = |problem: String| SweepError::Unfit { path: path.to_owned(), problem };
    let mut warnings = Vec::new();
    if !file.ignored.is_empty() {
        warnings.push(format!("{}: these mean nothing here: {}", path.display(), file.ignored.join(", ")));
    }
    let metric = metric(&file, overrides.metric.as_deref(), prepared).map_err(unfit)?;
    if prepared.valid_set().is_none() && prepared.recipe.folds.is_none() {
        return Err(unfit(
            "the recipe has no validation rows to compare trials by; set data.valid or data.holdout".to_owned(),
        ));
    }
    if prepared.metric != metric.metric {
        let (ours, theirs) = (metric.name(), prepared.metric);
        warnings.push(format!("the sweep goes by {ours}, the recipe by {theirs}: trials go by the former"));
    }
    recipe.metric = Some(metric.metric);
    check_parameters((path, &overrides.directory), &file.space, &recipe)?;
    warnings.extend(inside_of_metric(&file.space, &metric));
    let toml = recipe.to_toml()?;
    let seed = overrides.seed.unwrap_or(recipe.seed);
    let method = overrides.method.unwrap_or(file.method);
    if method == Method::Grid && file.space.size().is_none() {
        return Err(unfit(
            "method grid: a parameter without a step has no end of values; use another method".to_owned(),
        ));
    }
    let given = vec![(Origin::Recipe, as_it_stands(&file.space, &recipe, &toml))];
    let data = fingerprint(&[
        &prepared.data_fingerprint(),
        &prepared.cleaning_fingerprint().unwrap_or_default(),
        &prepared.base_fingerprint().map_err(|error| unfit(error.to_string()))?,
    ]);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let spec = Spec {
        name: directory_name(file.name.as_deref().unwrap_or(&stem), overrides.suffix.as_deref()),
        created: now(),
        path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
        file: text.to_owned(),
        recipe: toml,
        directory: overrides.directory.clone(),
        data,
        metric,
        folds: recipe.folds.is_some() || recipe.boost.is_some(),
        method,
        early_terminate: overrides.early_terminate.unwrap_or(file.early_terminate),
        seed,
        finalists: overrides.finalists,
        // None that a trial has seen.
        seeds: (1..=overrides.seeds as u64).map(|next| recipe.seed.wrapping_add(next) & i64::MAX as u64).collect(),
        given,
    };
    if spec.folds && spec.early_terminate.is_some() {
        let rule = spec.early_terminate_name();
        let table = if recipe.boost.is_some() { "boost" } else { "folds" };
        warnings.push(format!("with [{table}] no trial ends early: early_terminate ({rule}) does nothing"));
    }
    Ok(Planned { spec, warnings, run_cap: file.run_cap, target: file.metric.and_then(|metric| metric.target) })
}

impl Planned {
    /// Lets the sweep begin with the best trials of an earlier one, as far as the space knows their values; how many.
    pub fn start_from(&mut self, earlier: &Sweep, most: usize) -> Result<usize, SweepError> {
        let space = self.spec.sweep_file()?.space;
        let known: Vec<Assignment> = self.spec.given.iter().map(|(_, given)| given.clone()).collect();
        let ranking = earlier.study.ranking();
        let fits =
            ranking.into_iter().map(|trial| &trial.assignment).filter(|a| space.contains(a) && !known.contains(a));
        let good: Vec<(Origin, Assignment)> = fits.take(most).map(|a| (Origin::Earlier, a.clone())).collect();
        let count = good.len();
        self.spec.given.extend(good);
        Ok(count)
    }
}

/// What trials are compared by: the command's word, else the file's, else the recipe's.
fn metric(file: &SweepFile, wanted: Option<&str>, prepared: &Prepared) -> Result<SweepMetric, String> {
    let natural = |metric: Metric| if metric.higher_is_better() { Goal::Maximize } else { Goal::Minimize };
    let (given, goal) = match (wanted, &file.metric) {
        (Some(name), _) => (name, None),
        (None, Some(metric)) => (metric.name.as_str(), Some(metric.goal)),
        (None, None) => {
            let metric = prepared.metric;
            return Ok(SweepMetric { metric, averaged: false, goal: natural(metric) });
        }
    };
    let name = names::metric(given);
    let (name, averaged) = name.strip_suffix("_swa").map_or((name, false), |name| (name, true));
    let fitting = || Metric::ALL.into_iter().filter(|metric| metric.selects_for(prepared.task));
    let Some(metric) = fitting().find(|metric| metric.name() == name) else {
        let known: Vec<&str> = fitting().map(Metric::name).collect();
        let nearest = did_you_mean(nearest(name, known.iter().copied()));
        return Err(format!(
            "metric {given} is no metric of {}, whose are {}{nearest}",
            prepared.task.name(),
            known.join(", ")
        ));
    };
    match goal {
        Some(goal) if goal != natural(metric) => {
            let (is, word) = if metric.higher_is_better() { ("larger", "maximize") } else { ("smaller", "minimize") };
            Err(format!("metric {given}: a {is} {metric} is better; write goal: {word}"))
        }
        _ => Ok(SweepMetric { metric, averaged, goal: natural(metric) }),
    }
}

/// Tries values from all over the space on the recipe.
fn check_parameters((path, directory): (&Path, &Path), space: &Space, recipe: &Recipe) -> Result<(), SweepError> {
    let toml = recipe.to_toml()?;
    let count = space.dimensions().len();
    // The corners that matter to one parameter at a time, and the middle.
    let mut points = vec![vec![0.5; count]];
    for dimension in 0..count {
        let levels = space.dimensions()[dimension].kind.levels().unwrap_or(2);
        for level in 0..levels {
            let mut point = vec![0.5; count];
            point[dimension] = match space.dimensions()[dimension].kind.levels() {
                Some(_) => space.dimensions()[dimension].kind.coordinate(level),
                None => level as f64,
            };
            points.push(point);
        }
    }
    for point in points {
        let assignment = space.decode(&point);
        let sets = sets((path, directory), &assignment, space, recipe)?;
        if let Err(error) = Recipe::parse(Path::new("recipe.toml"), &toml, &sets) {
            let guilty = assignment.iter().find(|(name, value)| {
                let key = names::recipe_key(name).unwrap_or_default();
                names::set(key, value).is_ok_and(|set| Recipe::parse(Path::new("recipe.toml"), &toml, &[set]).is_err())
            });
            let parameter = guilty.map_or_else(|| "together".to_owned(), |(name, value)| format!("{name} = {value}"));
            return Err(SweepError::Parameter { path: path.to_owned(), parameter, problem: error.to_string() });
        }
    }
    Ok(())
}

/// A metric with a parameter inside that the sweep tunes cannot compare trials.
fn inside_of_metric(space: &Space, metric: &SweepMetric) -> Option<String> {
    if metric.metric != Metric::Loss {
        return None;
    }
    let inside = |name: &str| names::recipe_key(name).is_ok_and(names::inside_of_loss);
    let varying = (0..space.dimensions().len()).map(|dimension| space.parameter_of(dimension).name.as_str());
    let tuned: Vec<&str> = varying.filter(|name| inside(name)).collect();
    (!tuned.is_empty()).then(|| {
        format!(
            "the sweep goes by the loss, and tunes what the loss is made of ({}): its trials are not comparable, and the smallest \
             loss may be that of the easiest one; --metric log_loss is the same for all",
            tuned.join(", ")
        )
    })
}

/// The recipe's own values of the space's parameters, as far as it has them. One that does nothing in the recipe, such as a gamma
/// without a focal loss, is not its own.
fn as_it_stands(space: &Space, recipe: &Recipe, toml: &str) -> Assignment {
    let table: toml::Table = toml.parse().unwrap_or_default();
    let value = |key: &str| -> Option<Value> {
        if names::companion(key, recipe, &[]) != Ok(None) {
            return None;
        }
        let mut parts = key.split('.');
        let mut value = table.get(parts.next()?)?;
        for part in parts {
            value = value.as_table()?.get(part)?;
        }
        serde_json::to_value(value).ok()
    };
    let own = |name: &String| Some((name.clone(), value(names::recipe_key(name).ok()?)?));
    space.parameters().iter().filter_map(|parameter| own(&parameter.name)).collect()
}

/// A name that can be a directory's, with room for what is put behind it.
fn directory_name(name: &str, suffix: Option<&str>) -> String {
    const BYTES: usize = 75;
    let safe = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let part = |text: &str| {
        let text: String = text.trim().chars().map(safe).collect();
        text[..text.floor_char_boundary(BYTES)].trim_matches(['-', '.']).to_owned()
    };
    let parts: Vec<String> =
        [Some(name), suffix].into_iter().flatten().map(part).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "sweep".to_owned() } else { parts.join("-") }
}
