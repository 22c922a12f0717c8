//! Predictions of a trained model, or of any checkpoint directory, for a table.

mod cache;
mod ensemble;
mod files;
mod joint;
mod parallel;
mod rows;
mod sentence;
mod target;
mod together;

use std::collections::HashSet;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use gyeol_data::{Cleaner, DataError, Examples, Task, Tokeniser, labels_of};
use gyeol_engine::config::HeadChoice;
use gyeol_engine::device::Cpu;
use gyeol_engine::hf::{
    EncoderConfig, GYEOL_JSON, GyeolJson, HfError, ProblemType, SentenceDirectory, Weights, recover_directory,
};
use gyeol_engine::{HeadKind, Joint, Model, ScoreBuckets, ScoreScale, Trained};
use gyeol_eval::{Outputs, Predictions};

use crate::cleaning;
use crate::frozen::no_rows;
use crate::prepare::{Sequences, check_length, check_vocabulary, go_on, tokenise};
use crate::runs::{Run, Runs, Status};
use crate::{Arithmetic, Error, Watcher};
use rows::{Rows, columns, read_table};

pub use rows::PredictOptions;
pub use target::Target;
pub use together::Predicted;

/// Most texts of one forward pass; their tokens bound it first, unless they are very short.
const BATCH_SIZE: usize = 512;

/// A checkpoint directory ready to predict with.
#[derive(Debug)]
pub struct Predictor {
    dir: PathBuf,
    model: Joint<Cpu>,
    /// That of each model which predicts together with others; of one alone, its own.
    tokenisers: Vec<Tokeniser>,
    /// What the model was trained with; `None` for a checkpoint that was not written here.
    settings: Option<GyeolJson>,
    /// Longest token sequence, where a directory of sentence-transformers says it.
    max_length: Option<usize>,
    head: Head,
}

/// What the outputs of the head are.
#[derive(Debug)]
enum Head {
    /// The logits of these classes, one of which is right.
    Classes(Vec<String>),
    /// The logits of these labels, any number of which may be right.
    Labels(Vec<String>),
    /// One score.
    Score,
    /// The logits of score buckets, which together are one score.
    Buckets(ScoreBuckets),
    /// The cosine of two texts; from 0 to 1 it spans the range of scores, if there is one.
    Similarity { range: Option<[f64; 2]> },
    /// Numbers of these names that no single prediction comes of.
    Raw { names: Vec<String>, problem_type: ProblemType },
}

/// The model directory `name` stands for: a run of `runs`, a run's directory, or a checkpoint directory.
///
/// # Errors
/// If there is neither, or the run has no model yet.
pub fn model_directory(name: &str, runs: &Runs) -> Result<PathBuf, Error> {
    let path = Path::new(name);
    if path.is_dir() {
        let checkpoint = path.join("config.json").is_file() || !path.join("recipe.toml").is_file();
        return if checkpoint { Ok(path.to_owned()) } else { model_of(path.join("model"), run_at(path)?.as_ref()) };
    }
    if path.components().count() > 1 {
        return Err(Error::NoModel { path: path.to_owned(), problem: "there is no such directory".to_owned() });
    }
    let run = runs.open(name)?;
    model_of(run.model_dir(), Some(&run))
}

/// The run `name` stands for, and the runs it is one of; `None` where it is none.
pub(crate) fn run_of(name: &str, runs: &Runs) -> Result<Option<(Runs, Run)>, Error> {
    let path = Path::new(name);
    if !path.is_dir() {
        return Ok(runs.find(name)?.map(|run| (runs.clone(), run)));
    }
    if !path.join("recipe.toml").is_file() {
        return Ok(None);
    }
    Ok(run_at(path)?.map(|run| (Runs::beside(&run), run)))
}

/// The run in the directory `dir`, if it lies where runs are kept; a copy elsewhere is nobody's to write.
fn run_at(dir: &Path) -> Result<Option<Run>, Error> {
    let dir = dir.canonicalize().map_err(|source| Error::Io { path: dir.to_owned(), action: "find", source })?;
    let home = dir.parent().filter(|parent| parent.ends_with("runs")).and_then(Path::parent);
    let name = dir.file_name().and_then(|name| name.to_str());
    let (Some(home), Some(name)) = (home, name) else { return Ok(None) };
    Ok(Some(Runs::new(home).open(name)?))
}

/// The directory `model`, put back if the process that wrote `run` died while it replaced it.
pub(crate) fn model_of(model: PathBuf, run: Option<&Run>) -> Result<PathBuf, Error> {
    if model.is_dir() {
        return Ok(model);
    }
    let problem = match run.map(Run::status).transpose()? {
        // Whoever holds the run's lock may be between the two renames of a replacement.
        Some(Status::Running) => "the run is not finished; its model is written at the end",
        Some(_) => {
            recover_directory(&model)?;
            "the run has no model yet; the command that began it finishes it with --resume"
        }
        None => "there is no such directory",
    };
    if model.is_dir() { Ok(model) } else { Err(Error::NoModel { path: model, problem: problem.to_owned() }) }
}

impl Predictor {
    /// Loads the checkpoint directory `dir`, to be computed as `arithmetic` says.
    ///
    /// # Errors
    /// If it is no checkpoint with a head, or its parts do not fit.
    pub fn open(dir: &Path, arithmetic: Arithmetic) -> Result<Self, Error> {
        let settings = GyeolJson::read(dir)?;
        if let Some(settings) = settings.as_ref().filter(|settings| settings.joint.is_some()) {
            return joint::open(dir, settings, arithmetic);
        }
        let Member { model, tokeniser, max_length, head } = Member::open(dir, settings.as_ref(), arithmetic)?;
        Ok(Self { dir: dir.to_owned(), model: model.into(), tokenisers: vec![tokeniser], settings, max_length, head })
    }

    /// Predictions for the table `data` (`-`: CSV from `input`), in its order.
    ///
    /// # Errors
    /// If no predictions can be made of the outputs and more than [`PredictOptions::logits`] is asked for, a column is
    /// not there, or a text cannot be computed; [`Error::Interrupted`] if the watcher asks to stop.
    pub fn predict(
        &mut self,
        data: &Path,
        input: impl Read,
        options: &PredictOptions,
        watcher: &mut dyn Watcher,
    ) -> Result<Predictions, Error> {
        self.check(options)?;
        let columns = columns(self.settings.as_ref(), &self.dir, options)?;
        go_on(watcher)?;
        watcher.phase("reading the table");
        let table = read_table(data, input)?;
        go_on(watcher)?;
        let rows = Rows::pick(&table, columns, options, None, watcher)?;
        drop(table);
        let Rows { mut examples, id_column } = rows;
        let outputs = self.outputs(&mut examples, options, watcher)?;
        Ok(Predictions::new(id_column, examples.ids, outputs)?)
    }

    /// The outputs for the texts of `examples`, which are cleaned on the way.
    ///
    /// # Errors
    /// As [`Self::predict`].
    pub(crate) fn outputs(
        &mut self,
        examples: &mut Examples,
        options: &PredictOptions,
        watcher: &mut dyn Watcher,
    ) -> Result<Outputs, Error> {
        let length = self.check(options)?;
        self.note_new_names(watcher);
        if let Some(cleaner) = self.settings.as_ref().and_then(|settings| settings.clean.as_ref()) {
            watcher.phase("cleaning");
            cleaning::clean(cleaner, examples, watcher);
            go_on(watcher)?;
        }
        watcher.phase("tokenising");
        let compares = matches!(self.head, Head::Similarity { .. });
        let sequences = if compares { Sequences::Apart } else { Sequences::Joined };
        let mut tokens = Vec::with_capacity(self.tokenisers.len());
        for tokeniser in &self.tokenisers {
            let tokenised = tokenise(tokeniser, examples, sequences, length, None, watcher);
            tokens.push(tokenised.map_err(of_flag)?);
            go_on(watcher)?;
        }
        let rows: Vec<u32> = (0..examples.len() as u32).collect();
        watcher.predicting("predicting", rows.len());
        let model = &mut self.model;
        let outputs = rayon::scope(|_| {
            model.predict(&tokens, &rows, BATCH_SIZE, &no_rows(tokens.len()), |done| {
                watcher.predicted(done);
                if watcher.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        })?;
        let mut values = outputs.ok_or(Error::Interrupted)?;
        if let (Head::Similarity { range: Some(range) }, false) = (&self.head, options.logits) {
            values = ScoreScale::new(*range).scores(&values);
        }
        Ok(match &self.head {
            Head::Classes(labels) | Head::Raw { names: labels, .. } => {
                Outputs::Logits { labels: labels.clone(), values }
            }
            Head::Labels(labels) => Outputs::IndependentLogits { labels: labels.clone(), values },
            Head::Buckets(buckets) if options.logits => Outputs::Logits { labels: buckets.names(), values },
            Head::Buckets(buckets) => Outputs::Scores(buckets.scores(&values)),
            Head::Score | Head::Similarity { .. } => Outputs::Scores(values),
        })
    }

    /// The longest token sequence, if the model can give what `options` ask for.
    fn check(&self, options: &PredictOptions) -> Result<usize, Error> {
        if let (Head::Raw { problem_type, .. }, false) = (&self.head, options.logits) {
            return Err(no_predictions(&self.dir, *problem_type, self.config().num_labels()));
        }
        let own = self.settings.as_ref();
        let text_pair = options.text_pair.as_ref().or_else(|| own?.text_pair.as_ref());
        if let (Head::Similarity { .. }, None) = (&self.head, text_pair) {
            let problem = format!("{} compares two texts; name the column of the second", self.dir.display());
            return Err(Error::Setting { key: "--text-pair", problem });
        }
        let known = options.max_length.or(own.map(|own| own.max_length)).or(self.max_length);
        let configs = || self.model.models().iter().map(Model::config);
        let length = known.or_else(|| configs().map(|config| config.max_tokens()).min()).unwrap_or_default();
        configs().try_for_each(|config| check_length("--max-length", length, config))?;
        Ok(length)
    }

    /// The configuration of the model; of several, that of the first.
    fn config(&self) -> &EncoderConfig {
        self.model.models()[0].config()
    }

    /// Whether the raw outputs are nothing but numbers: neither logits of classes nor one score.
    pub fn is_raw(&self) -> bool {
        matches!(self.head, Head::Raw { .. } | Head::Buckets(_))
    }

    /// Says so where the outputs are not called what `config.json` calls them.
    fn note_new_names(&self, watcher: &mut dyn Watcher) {
        if let (None, Head::Classes(names) | Head::Labels(names) | Head::Raw { names, .. }) =
            (&self.settings, &self.head)
            && let Some(problem) = unusable(&self.config().labels, matches!(self.head, Head::Labels(_)))
        {
            let (file, last) = (self.dir.join("config.json"), names.len() - 1);
            let file = file.display();
            watcher.note(&format!("{file}: id2label has {problem}; outputs are called LABEL_0 to LABEL_{last}"));
        }
    }
}

/// One model of a predictor.
struct Member {
    model: Model<Cpu>,
    tokeniser: Tokeniser,
    max_length: Option<usize>,
    head: Head,
}

impl Member {
    /// The checkpoint directory `dir`, trained with `settings` if it was trained here.
    fn open(dir: &Path, settings: Option<&GyeolJson>, arithmetic: Arithmetic) -> Result<Self, Error> {
        let modules = SentenceDirectory::read(dir)?;
        let encoder = modules.as_ref().map_or(dir, |modules| modules.encoder.as_path());
        let config = EncoderConfig::read(encoder)?;
        let tokeniser = Tokeniser::open(encoder)?;
        check_vocabulary("model", &config, &tokeniser, &dir.display().to_string())?;
        if let Some(cleaner) = settings.and_then(|settings| settings.clean.as_ref()) {
            check_tokens(cleaner, &tokeniser, dir)?;
        }
        let outputs = config.num_labels();
        let (kind, head) = match (&modules, settings) {
            (Some(modules), settings) => sentence::head(&modules.layers, settings, &config, dir)?,
            (None, Some(settings)) if settings.head != HeadChoice::Default => {
                let hint = format!("{GYEOL_JSON} says that the head is in it; copy the whole directory");
                return Err(HfError::Missing { path: dir.join("modules.json"), hint }.into());
            }
            (None, Some(settings)) => {
                (HeadKind::Classification { outputs }, own_head(settings, outputs, "config.json: id2label", dir)?)
            }
            (None, None) => (HeadKind::Classification { outputs }, foreign_head(&config)),
        };
        let weights = match &modules {
            Some(modules) => modules.weights()?,
            None => Weights::open(dir)?,
        };
        let weights = weights.ok_or_else(|| Error::NoWeights(encoder.to_owned()))?;
        // Foreign directories may name more tokens than there are positions.
        let most = config.max_tokens();
        let max_length = modules.as_ref().and_then(|modules| modules.layers.max_length).map(|length| length.min(most));
        let mut model = Model::new(arithmetic.device(), config, kind, false)?;
        let report = model.load(&weights, encoder, 0)?;
        if let Some(tensor) = report.initialised.first().or(report.resized.first().map(|(name, _)| name)) {
            let problem = format!(
                "it has no trained head ({tensor} is missing or of another size); `gyeol train` makes one, with it as model.base"
            );
            return Err(Error::NoModel { path: dir.to_owned(), problem });
        }
        Ok(Self { model, tokeniser, max_length, head })
    }
}

/// Here a flag says how long a sequence may be, not the key of a recipe.
fn of_flag(error: Error) -> Error {
    match error {
        Error::Data(DataError::MaxLength { max_length, special, least }) => {
            let problem = format!("{max_length} leaves no room beside {special} special tokens; use at least {least}");
            Error::Setting { key: "--max-length", problem }
        }
        other => other,
    }
}

/// Cleaned texts hold special tokens, which must be the tokeniser's.
fn check_tokens(cleaner: &Cleaner, tokeniser: &Tokeniser, dir: &Path) -> Result<(), Error> {
    let missing = cleaner.special_tokens().iter().find(|token| tokeniser.token_id(&token.token).is_none());
    let Some(missing) = missing else { return Ok(()) };
    let problem = format!(
        "the cleaning makes the special token {}, which the tokeniser beside it does not have; copy the whole directory",
        missing.token
    );
    Err(HfError::Key { path: dir.join(GYEOL_JSON), key: "clean".to_owned(), problem }.into())
}

/// What the outputs of a model trained here are, of which there are so many, as the file and key `place` says;
/// `gyeol.json` has to agree.
fn own_head(settings: &GyeolJson, outputs: usize, place: &str, dir: &Path) -> Result<Head, Error> {
    let wrong = |key: &str, problem: String| {
        Err(HfError::Key { path: dir.join(GYEOL_JSON), key: key.to_owned(), problem }.into())
    };
    match settings.task {
        Task::Classification | Task::MultiLabel if settings.labels.len() != outputs => {
            let found = settings.labels.len();
            wrong("labels", format!("{found} labels, but the head has {outputs} outputs ({place})"))
        }
        Task::Classification | Task::MultiLabel => match first_twice(&settings.labels) {
            Some(label) => wrong("labels", format!("\"{label}\" is there twice; every output needs its own label")),
            None if settings.task == Task::MultiLabel => Ok(Head::Labels(settings.labels.clone())),
            None => Ok(Head::Classes(settings.labels.clone())),
        },
        Task::Regression if let Some(buckets) = &settings.score_buckets => {
            let found = buckets.centres().len();
            if found == outputs {
                return Ok(Head::Buckets(buckets.clone()));
            }
            wrong(
                "score_buckets",
                format!("{found} buckets, but the head has {outputs} outputs (config.json: id2label)"),
            )
        }
        Task::Regression if outputs != 1 => {
            wrong("task", format!("a regression has 1 output, but the head has {outputs} ({place})"))
        }
        Task::Regression => Ok(Head::Score),
    }
}

/// What the outputs of a checkpoint that was not written here are, as `transformers` takes its `config.json`.
/// Texts that do not tell the outputs apart, or that a joined prediction could not name, give way to `LABEL_0` and so on.
fn foreign_head(config: &EncoderConfig) -> Head {
    let joined = config.problem_type == Some(ProblemType::MultiLabelClassification);
    let numbered = || (0..config.num_labels()).map(|output| format!("LABEL_{output}")).collect();
    let names = if unusable(&config.labels, joined).is_some() { numbered() } else { config.labels.clone() };
    match (config.problem_type, names.len()) {
        (Some(ProblemType::MultiLabelClassification), _) => Head::Labels(names),
        (Some(ProblemType::Regression) | None, 1) => Head::Score,
        (Some(ProblemType::SingleLabelClassification) | None, _) => Head::Classes(names),
        (Some(problem_type), _) => Head::Raw { names, problem_type },
    }
}

/// Why a file of predictions could not tell these labels apart, if it could not; `joined` are several in one cell.
fn unusable(labels: &[String], joined: bool) -> Option<String> {
    let whole = |label: &&String| !labels_of(label).eq([label.as_str()]);
    let twice = first_twice(labels).map(|label| format!("\"{label}\" twice"));
    twice.or_else(|| {
        labels.iter().filter(|_| joined).find(whole).map(|label| format!("\"{label}\", which is no one label"))
    })
}

fn first_twice(labels: &[String]) -> Option<&String> {
    let mut seen = HashSet::new();
    labels.iter().find(|label| !seen.insert(label.as_str()))
}

/// The error of asking a head of several `outputs` that are no classes for one prediction a row.
fn no_predictions(dir: &Path, problem_type: ProblemType, outputs: usize) -> Error {
    let problem = format!(
        "predictions are classes or one score a row, which \"{}\" of {outputs} outputs does not give; --logits writes \
         the raw outputs",
        problem_type.as_str()
    );
    HfError::Key { path: dir.join("config.json"), key: "problem_type".to_owned(), problem }.into()
}

#[cfg(test)]
mod tests;
