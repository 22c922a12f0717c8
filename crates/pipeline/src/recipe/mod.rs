//! The recipe: one experiment in one TOML file.
//!
//! [`Recipe`] only composes the config structs of the crates that use them, so a key is added where it is read. Here
//! the file is read, `--set` laid over it, and every mistake pointed at. Tables and models are not opened here.

mod check;
mod check_head;
mod check_model;
mod difference;
mod error;
mod fields;
mod guard;
mod keys;
mod loss;
mod optimisation;
mod pretraining;
mod source;

use std::{
    fs,
    path::{Path, PathBuf},
};

use gyeol_data::{CleanConfig, DataConfig, EmoticonsConfig, FoldsConfig, SampleConfig};
use gyeol_engine::config::{HeadConfig, LossConfig, ModelConfig, SwaConfig, TrainConfig};
use gyeol_eval::Metric;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub(crate) use difference::difference;
pub use error::RecipeError;
pub use guard::{GuardRule, NoGuard};
pub(crate) use keys::recipe_keys;
pub(crate) use loss::check_loss;
pub use pretraining::{EncoderFamily, EncoderShape, EncoderSize, PretrainRecipe};
pub use source::Place;

use crate::boost::BoostConfig;
use crate::hub;
use crate::masked_lm::{AdaptConfig, OWN};
use crate::refit::RefitConfig;
use crate::tuned::TunedConfig;
use check::Problem;
use keys::Schema;
use source::Source;

/// One experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Names the runs; the file's stem when absent.
    #[serde(default)]
    pub name: String,
    /// Decides the holdout, the order of the rows, dropout and fresh weights.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// The one metric that selects checkpoints and stops early; absent: the task's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<Metric>,
    /// A bound on a second metric of the checkpoint that is chosen; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<GuardRule>,
    /// `[data]`: tables and columns.
    pub data: DataConfig,
    /// `[clean]`: what is done to texts before they are tokenised; absent: nothing at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean: Option<CleanConfig>,
    /// `[model]`: the checkpoint to start from.
    pub model: ModelConfig,
    /// `[head]`: what turns the encoder's output into the task's.
    #[serde(default)]
    pub head: HeadConfig,
    /// `[adapt]`: masked-LM training of the base on the texts first; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapt: Option<AdaptConfig>,
    /// `[train]`: the optimisation.
    #[serde(default)]
    pub train: TrainConfig,
    /// `[loss]`: what training minimises.
    #[serde(default)]
    pub loss: LossConfig,
    /// `[swa]`: the mean of the weights of several checkpoints.
    #[serde(default)]
    pub swa: SwaConfig,
    /// `[sample]`: which training rows are used, and how often; absent: each once an epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<SampleConfig>,
    /// `[folds]`: a model for each fold of the labelled rows; absent: one split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<FoldsConfig>,
    /// `[boost]`: models one after the other, each on rows weighted by the errors of those before; absent: one model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boost: Option<BoostConfig>,
    /// `[refit]`, as `--refit` writes it: all labelled rows, for the steps another run found best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refit: Option<RefitConfig>,
    /// `[tuned]`, as `gyeol sweep best` writes it: what the values were tuned on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuned: Option<TunedConfig>,
}

fn default_seed() -> u64 {
    42
}

impl Recipe {
    /// Reads the recipe at `path` with each of `sets` (`key=value`, as in `train.learning_rate=3e-5`) laid over it.
    ///
    /// The value of a set is TOML; a bare word is a string. Relative paths of the file, and of the sets, are taken from
    /// the recipe's directory and made absolute. `model.base` and each of `model.members` stay as they are unless
    /// they are directories there, or are written as paths.
    ///
    /// # Errors
    /// [`RecipeError`], with the line and column or the `--set`, for text that is no TOML, a key no recipe has, a
    /// value of another type and a value out of range.
    pub fn load(path: &Path, sets: &[String]) -> Result<Self, RecipeError> {
        let (text, directory) = open(path)?;
        let mut recipe = Self::parse(path, &text, sets)?;
        recipe.resolve_paths(&directory);
        Ok(recipe)
    }

    /// [`Recipe::load`] of a text already read; `path` is for messages and the name. Paths stay as written.
    pub fn parse(path: &Path, text: &str, sets: &[String]) -> Result<Self, RecipeError> {
        let name = |recipe: &mut Self, stem| recipe.name = stem;
        read(path, text, sets, &keys::RECIPE, name, Self::validate)
    }

    /// The recipe with every default written out; loading it gives an equal recipe.
    ///
    /// # Errors
    /// When a path is not UTF-8, or the seed is beyond TOML's integers.
    pub fn to_toml(&self) -> Result<String, RecipeError> {
        written(self)
    }

    /// 32 hexadecimal digits that change when any key's resolved value does.
    ///
    /// # Errors
    /// As [`Recipe::to_toml`].
    pub fn fingerprint(&self) -> Result<String, RecipeError> {
        Ok(format!("{:032x}", xxhash_rust::xxh3::xxh3_128(self.to_toml()?.as_bytes())))
    }

    /// The files it names: tables, raw texts and a table of emoticons.
    pub fn files(&self) -> Vec<&Path> {
        let DataConfig { train, test, valid, .. } = &self.data;
        let mut files = vec![train.as_path()];
        files.extend([test, valid].into_iter().filter_map(|table| table.as_deref()));
        if let Some(CleanConfig { emoticons: EmoticonsConfig::Table(table), .. }) = &self.clean {
            files.push(table);
        }
        let texts = self.adapt.iter().flat_map(|adapt| &adapt.texts);
        files.extend(texts.filter(|text| !OWN.contains(&text.as_str())).map(Path::new));
        files
    }

    /// Whether its run has rounds, and is not one of them.
    pub(crate) fn is_boosted(&self) -> bool {
        self.boost.as_ref().is_some_and(|boost| boost.round.is_none())
    }

    fn resolve_paths(&mut self, directory: &Path) {
        let data = &mut self.data;
        for table in [Some(&mut data.train), data.test.as_mut(), data.valid.as_mut()].into_iter().flatten() {
            *table = directory.join(&*table);
        }
        if let Some(CleanConfig { emoticons: EmoticonsConfig::Table(table), .. }) = &mut self.clean {
            *table = directory.join(&*table);
        }
        for text in self.adapt.iter_mut().flat_map(|adapt| &mut adapt.texts) {
            if !OWN.contains(&text.as_str())
                && let Some(path) = directory.join(&*text).to_str()
            {
                *text = path.to_owned();
            }
        }
        for name in self.model.base.iter_mut().chain(self.model.members.iter_mut().flatten()) {
            let base = directory.join(&*name);
            let beside_models = base.parent().is_some_and(|parent| parent != directory && parent.is_dir());
            // A path that cannot be written as text stays as it was; opening it then says what is wrong.
            if (base.is_dir() || beside_models || hub::looks_like_a_path(name))
                && let Some(base) = base.to_str()
            {
                *name = base.to_owned();
            }
        }
    }
}

/// What is wrong with the name of a run, if anything is.
pub(crate) fn check_run_name(name: &str) -> Result<(), String> {
    check::check_name(name).map_err(|(_, problem)| problem)
}

/// The text of the recipe at `path`, and the directory its paths are taken from.
fn open(path: &Path) -> Result<(String, PathBuf), RecipeError> {
    let unreadable = |source| RecipeError::Read { path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let path = std::path::absolute(path).map_err(unreadable)?;
    let directory = path.parent().map(Path::to_owned);
    Ok((text, directory.unwrap_or(path)))
}

/// A kind of recipe with every default written out.
fn written(recipe: &impl Serialize) -> Result<String, RecipeError> {
    toml::to_string(recipe).map_err(|error| RecipeError::Value {
        at: Place::Whole(PathBuf::from("recipe.toml")),
        key: None,
        problem: format!("cannot be written as TOML: {error}"),
    })
}

/// Reads a kind of recipe: `name` gives it the file's stem where it has no name of its own, `validate` checks its values.
fn read<T: DeserializeOwned>(
    path: &Path,
    text: &str,
    sets: &[String],
    schema: &Schema,
    name: impl FnOnce(&mut T, String),
    validate: impl FnOnce(&T) -> Result<(), Problem>,
) -> Result<T, RecipeError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Source::new(path.to_owned(), text.to_owned(), sets)?;
    let document = source.parse()?;
    keys::check(document.get_ref(), &source, schema)?;
    let spans = source::spans(document.get_ref());
    let mut recipe: T = source.read(document)?;
    if !spans.iter().any(|(key, _)| key == "name") {
        name(&mut recipe, path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
    }
    validate(&recipe).map_err(|(key, problem)| {
        let written = spans.iter().find(|(path, _)| *path == key);
        let at = written.map_or_else(|| source.whole(), |(_, span)| source.place(span.start));
        RecipeError::Value { at, key: Some(key.into_owned()), problem }
    })?;
    Ok(recipe)
}

#[cfg(test)]
mod tests;
