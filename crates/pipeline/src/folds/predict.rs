//! Predictions of a run with folds or rounds: the mean of its folds' models, or the votes of its rounds', in the words of its
//! `test.csv`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use gyeol_eval::Predictions;

use crate::boost::{self, Voter};
use crate::division::Division;
use crate::predict::{model_of, run_of};
use crate::recipe::Recipe;
use crate::runs::{Run, Runs};
use crate::{Arithmetic, Error, PredictOptions, Predictor, Watcher, model_directory};

/// The model directories that predict together, one or more, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelDirectories {
    models: Vec<PathBuf>,
    /// Of models that vote, what each vote counts; `None`: by their mean.
    votes: Option<Vec<f64>>,
}

impl ModelDirectories {
    fn mean_of(models: Vec<PathBuf>) -> Self {
        Self { models, votes: None }
    }
}

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

/// The directories `name` stands for: those of the folds of a run with `[folds]`, of the rounds of one with `[boost]`, otherwise
/// the one of [`model_directory`].
///
/// # Errors
/// If there is none, or a fold or round has no model yet.
pub fn model_directories(name: &str, runs: &Runs) -> Result<ModelDirectories, Error> {
    let Some((runs, run)) = run_of(name, runs)? else {
        return Ok(ModelDirectories::mean_of(vec![model_directory(name, runs)?]));
    };
    if is_boosted(&run) {
        let (models, votes) =
            boost::voters(&run, &runs)?.into_iter().map(|Voter { model, alpha }| (model, alpha)).unzip();
        return Ok(ModelDirectories { models, votes: Some(votes) });
    }
    match folds(&run)? {
        None => Ok(ModelDirectories::mean_of(vec![model_directory(name, &runs)?])),
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
            Ok(ModelDirectories::mean_of(models.collect::<Result<_, _>>()?))
        }
    }
}

/// Whether the run has rounds, and no model of its own.
fn is_boosted(run: &Run) -> bool {
    !run.model_dir().is_dir() && Recipe::load(&run.recipe_path(), &[]).is_ok_and(|recipe| recipe.is_boosted())
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
/// [`Predictor::predict`] gives of one, of several the mean or the shares of their votes, scores brought into their range first.
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
    let ModelDirectories { models: directories, votes } = directories;
    if options.logits && (directories.len() > 1 || votes.is_some()) {
        let count = directories.len();
        let problem = match votes {
            None => format!(
                "{count} models predict together by the mean of their probabilities, which has no raw outputs; name the run of one fold"
            ),
            Some(_) => format!(
                "the models of {count} rounds predict by their votes, which have no raw outputs; name the run of one round"
            ),
        };
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
    let predictions = match votes {
        Some(votes) => Predictions::votes(&parts, votes)?,
        None if parts.len() == 1 => parts.remove(0),
        None => Predictions::mean(&parts)?,
    };
    let nothing = || Error::NoModel { path: PathBuf::new(), problem: "there is no model to predict with".to_owned() };
    Ok(Predicted { predictions, predictor: last.ok_or_else(nothing)?, seconds })
}
