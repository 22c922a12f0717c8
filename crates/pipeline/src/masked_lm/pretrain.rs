//! `gyeol pretrain`: a tokeniser and an encoder from nothing.

use std::path::{Path, PathBuf};

use gyeol_data::{Columns, Corpus, CorpusSource, KeyStyle, Tokeniser, TokenizerKind, fingerprint};
use gyeol_engine::Isa;
use gyeol_engine::hf::{EncoderConfig, recover_directory, write_directory};

use super::PretrainConfig;
use super::run::{MaskedLmRun, Start, Texts, check_tied};
use crate::prepare::{check_length, check_vocabulary, go_on};
use crate::recipe::PretrainRecipe;
use crate::runs::Runs;
use crate::session::Trained;
use crate::watch::Keeper;
use crate::{Arithmetic, Error, Watcher};

/// The recipe key of a directory to take architecture and tokeniser of.
const LIKE: &str = "encoder.like";

/// How a pre-training ended, and the size of what it trained.
#[derive(Debug)]
pub struct Pretraining {
    /// The run.
    pub trained: Trained,
    /// Tokens of the vocabulary.
    pub vocab_size: usize,
    /// Scalars of the encoder.
    pub parameters: u64,
}

/// Trains what `recipe` describes on `isa`, in a new run of `runs` or with `resume` in its latest unfinished one. The
/// tokeniser and the tokens are cached under the same home.
///
/// # Errors
/// The first thing that is wrong with recipe or texts, naming key, file and line; or whatever stops the training, which
/// `resume` continues.
pub fn pretrain(
    recipe: &PretrainRecipe,
    isa: Isa,
    runs: &Runs,
    resume: bool,
    watcher: &mut dyn Watcher,
) -> Result<Pretraining, Error> {
    let home = runs.home();
    let settings = &recipe.pretrain;
    let key = "pretrain.precision";
    let arithmetic = Arithmetic::new(settings.precision, isa, key)?;
    watcher.note(&format!("precision: {}", arithmetic.explained(key, settings.precision, Isa::fastest())));
    watcher.phase("reading texts");
    let corpus = Corpus::open(&sources(settings)?)?;
    let counts = corpus.counts()?;
    watcher.note(&format!("{} texts, {:.1} MB", counts.texts, counts.bytes as f64 / 1e6));
    go_on(&*watcher)?;
    let mut keeper = Keeper { watcher, warnings: Vec::new() };
    let (tokeniser, encoder) = match &recipe.encoder.like {
        Some(like) => {
            let (tokeniser, encoder) = (Tokeniser::open(Path::new(like))?, EncoderConfig::read(Path::new(like))?);
            check_tied(&encoder, LIKE)?;
            check_vocabulary(LIKE, &encoder, &tokeniser, like)?;
            (tokeniser, encoder)
        }
        None => {
            let tokeniser = tokeniser(recipe, &corpus, home, &mut keeper)?;
            let padding = if recipe.tokenizer.kind == TokenizerKind::Bpe { 1 } else { 0 };
            let encoder = recipe.encoder.config(tokeniser.vocab_size(), padding)?;
            (tokeniser, encoder)
        }
    };
    go_on(&keeper)?;
    let max_length = settings.max_length.unwrap_or(encoder.max_tokens());
    check_length("pretrain.max_length", max_length, &encoder)?;
    let held_out = (settings.holdout, settings.seed);
    let texts = Texts::new(&corpus, &tokeniser, max_length, held_out, home, &mut keeper)?;
    let Keeper { watcher, warnings } = keeper;
    let toml = recipe.to_toml()?;
    let parts = [
        toml.clone(),
        corpus.fingerprint()?,
        tokeniser.fingerprint().to_owned(),
        serde_json::Value::Object(encoder.raw().clone()).to_string(),
        arithmetic.to_string(),
    ];
    let run = MaskedLmRun {
        name: &recipe.name,
        toml,
        train: settings.train(),
        seed: settings.seed,
        mask: settings.mask,
        whole_words: settings.whole_words,
        dropout: settings.dropout,
        arithmetic,
        start: Start::Nothing,
        tokeniser: &tokeniser,
        texts,
        weights: settings.weights,
        warnings,
        fingerprint: fingerprint(&parts.each_ref().map(String::as_str)),
        base_fingerprint: None,
        cleaning_fingerprint: None,
        encoder,
    };
    let (vocab_size, parameters) = (tokeniser.vocab_size(), run.encoder.parameter_count());
    let trained = run.train(runs, resume, watcher)?;
    Ok(Pretraining { trained, vocab_size, parameters })
}

/// The texts a recipe names: raw text, or the columns of tables.
fn sources(settings: &PretrainConfig) -> Result<Vec<CorpusSource>, Error> {
    let sources = settings.texts.iter().map(|text| source("pretrain.columns", Path::new(text), &settings.columns));
    Ok(sources.collect::<Result<Vec<_>, Error>>()?.concat())
}

/// A file of raw text, or a table with the columns that hold its texts, which the recipe key `key` names.
pub(super) fn source(key: &'static str, path: &Path, columns: &[String]) -> Result<Vec<CorpusSource>, Error> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let table = [".csv", ".tsv", ".jsonl", ".parquet"].iter().any(|format| name.ends_with(format));
    if !table {
        return Ok(vec![CorpusSource::File(path.to_owned())]);
    }
    if columns.is_empty() {
        let problem = format!("{} is a table; name the columns that hold its texts", path.display());
        return Err(Error::Setting { key, problem });
    }
    let of = |text: &String| CorpusSource::Table {
        path: path.to_owned(),
        columns: Columns { text: text.clone(), keys: KeyStyle::Key(key), ..Columns::default() },
    };
    Ok(columns.iter().map(of).collect())
}

/// The tokeniser, trained once for a corpus and its settings.
fn tokeniser(
    recipe: &PretrainRecipe,
    corpus: &Corpus,
    home: &Path,
    watcher: &mut dyn Watcher,
) -> Result<Tokeniser, Error> {
    let config = &recipe.tokenizer;
    // The settings of a table without strings cannot fail to be written.
    let settings = serde_json::to_string(config).unwrap_or_default();
    let key = fingerprint(&["tokenizer", &corpus.fingerprint()?, &settings]);
    let dir = home.join("cache").join("tokenizers").join(&key);
    recover_directory(&dir)?;
    if dir.is_dir() {
        return Ok(Tokeniser::open(&dir)?);
    }
    watcher.phase("training the tokeniser");
    let parent: PathBuf = home.join("cache").join("tokenizers");
    std::fs::create_dir_all(&parent).map_err(|source| Error::Io { path: parent, action: "create", source })?;
    let mut trained = None;
    write_directory(&dir, |staging| -> Result<(), Error> {
        trained = Some(Tokeniser::train(corpus, config, staging)?);
        Ok(())
    })?;
    if let Some(trained) = trained {
        let (found, asked) = (trained.vocab_size, config.vocab_size);
        if found < asked {
            watcher.warning(&format!("the texts have pieces for {found} tokens, not for {asked}"));
        }
        watcher.note(&format!("{found} tokens over {} characters, from {} texts", trained.alphabet, trained.texts));
    }
    Ok(Tokeniser::open(&dir)?)
}
