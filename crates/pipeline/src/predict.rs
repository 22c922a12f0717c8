//! Predictions of a trained model, or of any checkpoint directory, for a table.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use gyeol_data::{Columns, Examples, KeyStyle, Table, Task, TextFormat, Tokeniser};
use gyeol_engine::Isa;
use gyeol_engine::Model;
use gyeol_engine::device::Cpu;
use gyeol_engine::hf::{EncoderConfig, GyeolJson, ProblemType, Weights, recover_directory};
use gyeol_eval::{Outputs, Predictions};

use crate::prepare::{check_length, check_vocabulary, tokenise, warn_of_empty};
use crate::runs::Runs;
use crate::train::id_column;
use crate::{Error, Watcher};

/// Texts of one forward pass.
const BATCH_SIZE: usize = 64;

/// What the command line may say against the model's own settings.
#[derive(Debug, Clone, Default)]
pub struct PredictOptions {
    /// The id column.
    pub id: Option<String>,
    /// The text column.
    pub text: Option<String>,
    /// The column of the second text.
    pub text_pair: Option<String>,
    /// Longest token sequence.
    pub max_length: Option<usize>,
}

/// A checkpoint directory ready to predict with.
#[derive(Debug)]
pub struct Predictor {
    dir: PathBuf,
    model: Model<Cpu>,
    tokeniser: Tokeniser,
    settings: GyeolJson,
    /// Whether the directory said which columns it was trained on.
    own: bool,
}

/// The model directory `name` stands for: a run of `runs`, a run's directory, or a checkpoint directory.
///
/// # Errors
/// If there is neither, or the run has no model yet.
pub fn model_directory(name: &str, runs: &Runs) -> Result<PathBuf, Error> {
    let path = Path::new(name);
    if path.is_dir() && !path.join("recipe.toml").is_file() {
        return Ok(path.to_owned());
    }
    let model = if path.is_dir() {
        path.join("model")
    } else if path.components().count() > 1 {
        return Err(Error::NoModel { path: path.to_owned(), problem: "there is no such directory".to_owned() });
    } else {
        runs.open(name)?.model_dir()
    };
    recover_directory(&model)?;
    if !model.is_dir() {
        let problem = "the run has no model yet; `gyeol train … --resume` finishes it".to_owned();
        return Err(Error::NoModel { path: model, problem });
    }
    Ok(model)
}

impl Predictor {
    /// Loads the checkpoint directory `dir`.
    ///
    /// # Errors
    /// If it is no checkpoint with a head, or its parts do not fit.
    pub fn open(dir: &Path, isa: Isa) -> Result<Self, Error> {
        let config = EncoderConfig::read(dir)?;
        let tokeniser = Tokeniser::open(dir)?;
        check_vocabulary(&config, &tokeniser, &dir.display().to_string())?;
        let stored = GyeolJson::read(dir)?;
        let own = stored.is_some();
        let settings = stored.unwrap_or_else(|| foreign(&config));
        let outputs = config.num_labels();
        let weights = Weights::open(dir)?.ok_or_else(|| Error::NoWeights(dir.to_owned()))?;
        let mut model = Model::new(Cpu::new(isa), config, outputs, false)?;
        let report = model.load(&weights, dir, 0)?;
        if let Some(tensor) = report.initialised.first().or(report.resized.first().map(|(name, _)| name)) {
            let problem = format!("it has no trained head ({tensor} is missing or of another size); train it first");
            return Err(Error::NoModel { path: dir.to_owned(), problem });
        }
        Ok(Self { dir: dir.to_owned(), model, tokeniser, settings, own })
    }

    /// Predictions for the table `data` (`-`: CSV from `input`), in its order.
    ///
    /// # Errors
    /// If a column is not there, or a text cannot be computed; [`Error::Interrupted`] if the watcher asks to stop.
    pub fn predict(
        &mut self,
        data: &Path,
        input: impl Read,
        options: &PredictOptions,
        watcher: &mut dyn Watcher,
    ) -> Result<Predictions, Error> {
        let columns = self.columns(options)?;
        let length = options.max_length.unwrap_or(self.settings.max_length);
        check_length("--max-length", length, self.model.config())?;
        watcher.phase("reading the table");
        let table = if data == Path::new("-") {
            Table::from_reader(input, TextFormat::Csv, "standard input")?
        } else {
            Table::read(data)?
        };
        let examples = Examples::from_table(&table, &columns)?;
        drop(table);
        warn_of_empty(&examples, watcher);
        watcher.phase("tokenising");
        let tokens = tokenise(&self.tokeniser, &examples, length, None, watcher)?;
        let rows: Vec<u32> = (0..examples.len() as u32).collect();
        watcher.predicting("predicting", rows.len());
        let model = &mut self.model;
        let outputs = rayon::scope(|_| {
            model.predict(&tokens, &rows, BATCH_SIZE, |done| {
                watcher.predicted(done);
                if watcher.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        })?;
        let values = outputs.ok_or(Error::Interrupted)?;
        let outputs = match self.settings.task {
            Task::Classification => Outputs::Logits { labels: self.settings.labels.clone(), values },
            Task::Regression => Outputs::Scores(values),
        };
        Ok(Predictions::new(id_column(columns.id.as_deref()), examples.ids, outputs)?)
    }

    /// Lowest and highest score of a regression, if it was trained with one.
    pub fn score_range(&self) -> Option<[f64; 2]> {
        self.settings.score_range
    }

    /// The columns to read: the flags, else the model's own. A flag for the text alone means a single text.
    fn columns(&self, options: &PredictOptions) -> Result<Columns, Error> {
        let (text, text_pair) = match (&options.text, self.own) {
            (Some(text), _) => (text.clone(), options.text_pair.clone()),
            (None, true) => {
                (self.settings.text.clone(), options.text_pair.clone().or_else(|| self.settings.text_pair.clone()))
            }
            (None, false) => {
                let problem = format!("{} does not say which column holds the texts; name it", self.dir.display());
                return Err(Error::Setting { key: "--text", problem });
            }
        };
        let id = options.id.clone().or_else(|| self.settings.id.clone());
        Ok(Columns { id, text, text_pair, keys: KeyStyle::Flag, ..Columns::default() })
    }
}

/// Settings for a checkpoint directory that was not written here: what `config.json` tells.
fn foreign(config: &EncoderConfig) -> GyeolJson {
    let one = config.num_labels() == 1;
    let regression = config.problem_type == Some(ProblemType::Regression) || (config.problem_type.is_none() && one);
    let task = if regression { Task::Regression } else { Task::Classification };
    let mut settings = GyeolJson::new(task, String::new(), config.max_tokens());
    if task == Task::Classification {
        settings.labels.clone_from(&config.labels);
    }
    settings
}
