//! Predictions of a run with folds: the mean of its folds' models, in the words of its `test.csv`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use gyeol_eval::Predictions;

use crate::division::Division;
use crate::predict::{model_of, run_of};
use crate::recipe::Recipe;
use crate::runs::{Run, Runs};
use crate::{Arithmetic, Error, PredictOptions, Predictor, Watcher, model_directory};

/// The model directories that predict together, one or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelDirectories(Vec<PathBuf>);

/// What [`predict_mean`] gives.
#[derive(Debug)]
pub struct Predicted {
    /// In the order of the table.
    pub predictions: Predictions,
    /// The last of the models, which knows the names of the classes.
    pub predictor: Predictor,
    /// Seconds of all models, reading and tokenising included, loading them not.
    pub seconds: f64,
}

/// The directories `name` stands for: those of the folds of a run with `[folds]`, otherwise the one of
/// [`model_directory`].
///
/// # Errors
/// If there is none, or a fold has no model yet.
pub fn model_directories(name: &str, runs: &Runs) -> Result<ModelDirectories, Error> {
    let Some((runs, run)) = run_of(name, runs)? else {
        return Ok(ModelDirectories(vec![model_directory(name, runs)?]));
    };
    match folds(&run)? {
        None => Ok(ModelDirectories(vec![model_directory(name, &runs)?])),
        Some(k) => {
            let folds = runs.folds_of(run.name(), k)?;
            if folds.len() < k as usize {
                let problem = format!(
                    "{} of its {k} folds are trained; the command that began it goes on with --resume",
                    folds.len()
                );
                return Err(Error::NoModel { path: run.dir().to_owned(), problem });
            }
            let models = folds.iter().map(|fold| model_of(fold.model_dir(), Some(fold)));
            Ok(ModelDirectories(models.collect::<Result<_, _>>()?))
        }
    }
}

/// How many folds the run has; `None` for one that has a model of its own.
fn folds(run: &Run) -> Result<Option<u32>, Error> {
    if run.model_dir().is_dir() {
        return Ok(None);
    }
    let recipe = Recipe::load(&run.recipe_path(), &[]);
    // A recipe of another kind or version is nothing that has folds here.
    Ok(recipe.ok().filter(|recipe| Division::of(recipe) == Division::Folds).and_then(|recipe| Some(recipe.folds?.k)))
}

/// Predicts the table `data` (`-`: CSV from `input`) with the models of `directories`, one after the other: what
/// [`Predictor::predict`] gives of one, of several the mean, scores brought into their range first.
///
/// # Errors
/// As [`Predictor::open`] and [`Predictor::predict`]; if raw outputs are asked of several models.
pub fn predict_mean(
    directories: &ModelDirectories,
    arithmetic: Arithmetic,
    (data, mut input): (&Path, impl Read),
    options: &PredictOptions,
    watcher: &mut dyn Watcher,
) -> Result<Predicted, Error> {
    let ModelDirectories(directories) = directories;
    if options.logits && directories.len() > 1 {
        let problem = format!(
            "{} models predict together by the mean of their probabilities, which has no raw outputs; name the run of one fold",
            directories.len()
        );
        return Err(Error::Setting { key: "--logits", problem });
    }
    let mut bytes = Vec::new();
    if data == Path::new("-") {
        let problem = |source| Error::Io { path: data.to_owned(), action: "read", source };
        input.read_to_end(&mut bytes).map_err(problem)?;
    }
    let (mut parts, mut last, mut seconds) = (Vec::new(), None, 0.0);
    for (number, directory) in directories.iter().enumerate() {
        if directories.len() > 1 {
            watcher.note(&format!("model {} of {}", number + 1, directories.len()));
        }
        watcher.phase("loading the model");
        let mut predictor = Predictor::open(directory, arithmetic)?;
        let started = Instant::now();
        let mut predictions = predictor.predict(data, &*bytes, options, watcher)?;
        seconds += started.elapsed().as_secs_f64();
        if let (false, Some(range)) = (options.logits, predictor.score_range()) {
            predictions.clamp_scores(range);
        }
        parts.push(predictions);
        last = Some(predictor);
    }
    let predictions = if parts.len() == 1 { parts.remove(0) } else { Predictions::mean(&parts)? };
    let nothing = || Error::NoModel { path: PathBuf::new(), problem: "there is no model to predict with".to_owned() };
    Ok(Predicted { predictions, predictor: last.ok_or_else(nothing)?, seconds })
}
