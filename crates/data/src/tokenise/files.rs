//! The tokeniser files of a checkpoint directory, and which of transformers' classes they ask for.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::{DataError, Result};

pub(super) const TOKENIZER_JSON: &str = "tokenizer.json";
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
pub(super) const VOCAB_TXT: &str = "vocab.txt";
pub(super) const VOCAB_JSON: &str = "vocab.json";
pub(super) const MERGES_TXT: &str = "merges.txt";
const SPECIAL_TOKENS_MAP: &str = "special_tokens_map.json";
const ADDED_TOKENS: &str = "added_tokens.json";

/// Every file that has a say.
pub(super) const FILE_NAMES: [&str; 7] =
    [TOKENIZER_JSON, TOKENIZER_CONFIG, VOCAB_TXT, VOCAB_JSON, MERGES_TXT, SPECIAL_TOKENS_MAP, ADDED_TOKENS];

/// How transformers makes the tokeniser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// `BertTokenizer`, which ELECTRA uses too: WordPiece, its normaliser set by `tokenizer_config.json`.
    Bert,
    /// `RobertaTokenizer`: byte-level BPE.
    Roberta,
    /// `PreTrainedTokenizerFast` and all others: `tokenizer.json` as it is.
    Generic,
}

impl Class {
    /// The class as `tokenizer_config.json` names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bert => "BertTokenizer",
            Self::Roberta => "RobertaTokenizer",
            Self::Generic => "PreTrainedTokenizerFast",
        }
    }

    fn from_name(name: &str) -> Self {
        match name.strip_suffix("Fast").unwrap_or(name) {
            "BertTokenizer" | "ElectraTokenizer" => Self::Bert,
            "RobertaTokenizer" => Self::Roberta,
            _ => Self::Generic,
        }
    }

    fn from_model_type(model_type: &str) -> Option<Self> {
        match model_type {
            "bert" | "electra" => Some(Self::Bert),
            "roberta" => Some(Self::Roberta),
            _ => None,
        }
    }
}

/// Where the vocabulary comes from.
#[derive(Debug)]
pub(super) enum Vocabulary {
    /// The whole of `tokenizer.json`.
    Json(Value),
    /// Token → id, of `vocab.txt`.
    WordPiece(Value),
    /// Token → id of `vocab.json`, and the lines of `merges.txt`.
    Bpe(Value, Vec<Value>),
}

/// What the files say, read but not yet judged.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) dir: PathBuf,
    pub(super) class: Class,
    pub(super) vocabulary: Vocabulary,
    /// `tokenizer_config.json`; empty if there is none.
    pub(super) config: Map<String, Value>,
    /// `special_tokens_map.json`.
    pub(super) special_tokens_map: Map<String, Value>,
    /// `added_tokens.json`: token → id.
    pub(super) added_tokens: Map<String, Value>,
}

impl Files {
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let config = object(dir, TOKENIZER_CONFIG)?.unwrap_or_default();
        let model = object(dir, "config.json")?.unwrap_or_default();
        let vocabulary = read_vocabulary(dir)?;
        // transformers asks the tokeniser's configuration, then the model's, and then goes by the kind of model.
        let text = |map: &Map<String, Value>, key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
        let named = text(&config, "tokenizer_class").or_else(|| text(&model, "tokenizer_class"));
        let class = match named {
            Some(name) => Class::from_name(&name),
            None => text(&model, "model_type").and_then(|kind| Class::from_model_type(&kind)).unwrap_or(Class::Generic),
        };
        // Only `tokenizer.json` can describe an unknown class; a bare vocabulary says by its form what it is for.
        let class = match (&vocabulary, class) {
            (Vocabulary::Json(_), class) => class,
            (Vocabulary::WordPiece(_), _) => Class::Bert,
            (Vocabulary::Bpe(..), _) => Class::Roberta,
        };
        Ok(Self {
            dir: dir.into(),
            class,
            vocabulary,
            config,
            special_tokens_map: object(dir, SPECIAL_TOKENS_MAP)?.unwrap_or_default(),
            added_tokens: object(dir, ADDED_TOKENS)?.unwrap_or_default(),
        })
    }
}

fn read_vocabulary(dir: &Path) -> Result<Vocabulary> {
    if let Some(json) = object(dir, TOKENIZER_JSON)? {
        return Ok(Vocabulary::Json(Value::Object(json)));
    }
    if let Some(text) = text(dir, VOCAB_TXT)? {
        // A token listed twice has the later id, as in transformers.
        let ids = text.lines().enumerate().map(|(id, token)| (token.trim_end().to_owned(), Value::from(id)));
        return Ok(Vocabulary::WordPiece(Value::Object(ids.collect())));
    }
    if let (Some(vocabulary), Some(merges)) = (object(dir, VOCAB_JSON)?, text(dir, MERGES_TXT)?) {
        let merges = merges.lines().filter(|line| !line.starts_with("#version")).map(Value::from).collect();
        return Ok(Vocabulary::Bpe(Value::Object(vocabulary), merges));
    }
    Err(DataError::Tokeniser {
        path: dir.into(),
        problem: "no tokenizer here: tokenizer.json, vocab.txt, or vocab.json with merges.txt is needed".into(),
    })
}

/// A file's text; `None` if it is not there.
fn text(dir: &Path, name: &str) -> Result<Option<String>> {
    let path = dir.join(name);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(DataError::Tokeniser { path, problem: "not UTF-8 text".into() })
        }
        Err(source) => Err(DataError::Read { path, source }),
    }
}

/// A file's JSON object; `None` if it is not there.
fn object(dir: &Path, name: &str) -> Result<Option<Map<String, Value>>> {
    let Some(text) = text(dir, name)? else { return Ok(None) };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| DataError::Tokeniser { path: dir.join(name), problem: format!("not a JSON object: {error}") })
}
