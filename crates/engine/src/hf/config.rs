//! `config.json`: what an encoder is made of, typed and checked, with the file's own keys kept for writing it back.
//!
//! Absent keys take the defaults of `transformers`' configuration class for the `model_type`. What the engine cannot
//! compute as written (relative positions, decoders, pruned heads) is an error here, never silently ignored.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use super::HfError;
use super::keys::Keys;
use super::kinds::{self, Activation, Family, ModelType, ProblemType};

/// More parameters than this (4 TiB in f32) are taken for a damaged file.
const MAX_PARAMETERS: u128 = 1 << 40;

/// More layers than this are taken for a damaged file: of a width of 1, memory would have to hold their names long before
/// their parameters were too many.
const MAX_LAYERS: usize = 1024;

/// More labels than this are taken for a damaged file.
const MAX_LABELS: usize = 1 << 20;

/// An encoder's dimensions and constants. Sizes are counts of at least 1 unless said otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderConfig {
    /// `model_type`
    pub model_type: ModelType,
    /// The family of `model_type`.
    pub family: Family,
    /// Rows of the word embedding.
    pub vocab_size: usize,
    /// Width of the embeddings; other than `hidden_size` only for ELECTRA, which then projects.
    pub embedding_size: usize,
    /// Width of the hidden states; a multiple of `heads`.
    pub hidden_size: usize,
    /// `num_hidden_layers`
    pub layers: usize,
    /// `num_attention_heads`
    pub heads: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Rows of the position embedding, more than `position_offset`.
    pub max_position_embeddings: usize,
    /// Rows of the segment embedding.
    pub type_vocab_size: usize,
    /// Added to the variance in LayerNorm.
    pub layer_norm_eps: f32,
    /// Activation of the feed-forward layer.
    pub activation: Activation,
    /// Dropout probability of hidden states, 0 ≤ p < 1.
    pub hidden_dropout: f32,
    /// Dropout probability of attention weights, 0 ≤ p < 1.
    pub attention_dropout: f32,
    /// Dropout probability before the classifier, 0 ≤ p < 1; absent from the file, it is `hidden_dropout`.
    pub classifier_dropout: f32,
    /// The padding token, below `vocab_size`.
    pub pad_token_id: usize,
    /// The position of a sequence's first token: `pad_token_id + 1` for RoBERTa, 0 otherwise.
    pub position_offset: usize,
    /// Standard deviation of fresh weights.
    pub initializer_range: f32,
    /// The label texts in the order of the outputs (`id2label`); absent from the file, `LABEL_0` and so on,
    /// `num_labels` (or 2) of them.
    pub labels: Vec<String>,
    /// What the outputs mean, when the file says it.
    pub problem_type: Option<ProblemType>,
    /// Every key of the file, in its order.
    raw: Map<String, Value>,
}

impl EncoderConfig {
    /// Reads `config.json` of the checkpoint directory `dir`.
    ///
    /// # Errors
    /// When the file is absent or no JSON object, when the `model_type` is not supported, and when a key has a value
    /// the engine cannot compute with; all name the file and the key.
    pub fn read(dir: &Path) -> Result<EncoderConfig, HfError> {
        let path = dir.join("config.json");
        let text = fs::read(&path).map_err(HfError::open(&path, || {
            "a checkpoint directory has config.json, weights and a tokenizer; is this one?".to_owned()
        }))?;
        let raw = serde_json::from_slice(&text).map_err(|source| HfError::Json { path: path.clone(), source })?;
        EncoderConfig::from_json(raw, &path)
    }

    /// Checks and types the keys of a `config.json`; `path` is for messages only.
    ///
    /// # Errors
    /// As [`EncoderConfig::read`].
    pub fn from_json(raw: Map<String, Value>, path: &Path) -> Result<EncoderConfig, HfError> {
        let keys = Keys { path, map: &raw };
        let model_type = kinds::model_type(&keys)?;
        let family = model_type.family();
        let electra = family == Family::Electra;

        let vocab_size = keys.size("vocab_size", 1, model_type.default_vocab_size())?;
        let hidden_size = keys.size("hidden_size", 1, if electra { 256 } else { 768 })?;
        let embedding_size = if electra { keys.size("embedding_size", 1, 128)? } else { hidden_size };
        let pad_token_id = keys.size("pad_token_id", 0, usize::from(family == Family::Roberta))?;
        let hidden_dropout = keys.probability("hidden_dropout_prob")?.unwrap_or(0.1);

        let config = EncoderConfig {
            model_type,
            family,
            vocab_size,
            embedding_size,
            hidden_size,
            layers: keys.size("num_hidden_layers", 1, 12)?,
            heads: keys.size("num_attention_heads", 1, if electra { 4 } else { 12 })?,
            intermediate_size: keys.size("intermediate_size", 1, if electra { 1024 } else { 3072 })?,
            max_position_embeddings: keys.size("max_position_embeddings", 1, 512)?,
            type_vocab_size: keys.size("type_vocab_size", 1, 2)?,
            layer_norm_eps: keys.real("layer_norm_eps", 1e-12)?,
            activation: kinds::activation(&keys)?,
            hidden_dropout,
            attention_dropout: keys.probability("attention_probs_dropout_prob")?.unwrap_or(0.1),
            classifier_dropout: keys.probability("classifier_dropout")?.unwrap_or(hidden_dropout),
            pad_token_id,
            position_offset: if family == Family::Roberta { pad_token_id.saturating_add(1) } else { 0 },
            initializer_range: keys.real("initializer_range", 0.02)?,
            labels: labels(&keys)?,
            problem_type: kinds::problem_type(&keys)?,
            raw: Map::new(),
        };
        config.check(&keys)?;
        Ok(EncoderConfig { raw, ..config })
    }

    /// The number of outputs of the head.
    pub fn num_labels(&self) -> usize {
        self.labels.len()
    }

    /// The longest sequence the position embedding has rows for, special tokens included.
    pub fn max_tokens(&self) -> usize {
        self.max_position_embeddings - self.position_offset
    }

    /// Scalars in the encoder: embeddings and layers, without pooler and head.
    pub fn parameter_count(&self) -> u64 {
        // `check` bounded the sum, so it fits.
        u64::try_from(self.parameters()).unwrap_or(u64::MAX)
    }

    /// Sets every dropout probability (hidden, attention, classifier) to `p`, 0 ≤ p < 1, here and in [`Self::raw`].
    pub fn set_dropout(&mut self, p: f32) {
        self.hidden_dropout = p;
        self.attention_dropout = p;
        self.classifier_dropout = p;
        for key in ["hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"] {
            self.raw.insert(key.to_owned(), shortest(p));
        }
    }

    /// Sets the dropout probability before the classifier, 0 ≤ p < 1, here and in [`Self::raw`].
    pub fn set_classifier_dropout(&mut self, p: f32) {
        self.classifier_dropout = p;
        self.raw.insert("classifier_dropout".to_owned(), shortest(p));
    }

    /// Sets the rows of the word embedding, here and in [`Self::raw`].
    pub fn set_vocab_size(&mut self, rows: usize) {
        self.vocab_size = rows;
        self.raw.insert("vocab_size".to_owned(), rows.into());
    }

    /// Every key of the file, those the engine has no use for included, in the file's order.
    pub fn raw(&self) -> &Map<String, Value> {
        &self.raw
    }

    fn parameters(&self) -> u128 {
        let wide = |size: usize| size as u128;
        let (hidden, inner, embedding) =
            (wide(self.hidden_size), wide(self.intermediate_size), wide(self.embedding_size));
        let rows = wide(self.vocab_size) + wide(self.max_position_embeddings) + wide(self.type_vocab_size);
        let linear = |from: u128, to: u128| from.saturating_mul(to).saturating_add(to);
        let norm = |width: u128| 2 * width;
        let projection = if embedding == hidden { 0 } else { linear(embedding, hidden) };
        let layer = [4 * linear(hidden, hidden).min(u128::MAX / 4), linear(hidden, inner), linear(inner, hidden)]
            .into_iter()
            .fold(2 * norm(hidden), u128::saturating_add);
        rows.saturating_mul(embedding)
            .saturating_add(norm(embedding))
            .saturating_add(projection)
            .saturating_add(layer.saturating_mul(wide(self.layers)))
    }

    fn check(&self, keys: &Keys<'_>) -> Result<(), HfError> {
        let wrong = |key: &str, problem: String| Err(HfError::key(keys.path, key, problem));
        if !self.hidden_size.is_multiple_of(self.heads) {
            return wrong(
                "num_attention_heads",
                format!("hidden_size {} is not a multiple of {} heads", self.hidden_size, self.heads),
            );
        }
        if self.pad_token_id >= self.vocab_size {
            return wrong(
                "pad_token_id",
                format!("{} is outside the vocabulary of {} tokens", self.pad_token_id, self.vocab_size),
            );
        }
        if self.max_position_embeddings <= self.position_offset {
            return wrong(
                "max_position_embeddings",
                format!(
                    "{} leaves no position: those of a RoBERTa start at pad_token_id + 1 = {}",
                    self.max_position_embeddings, self.position_offset
                ),
            );
        }
        if self.layers > MAX_LAYERS {
            return wrong(
                "num_hidden_layers",
                format!("{} is more than {MAX_LAYERS}; is the file damaged?", self.layers),
            );
        }
        let parameters = self.parameters();
        if parameters > MAX_PARAMETERS {
            return wrong(
                "hidden_size",
                format!(
                    "with vocab_size {}, hidden_size {}, num_hidden_layers {} and intermediate_size {} the model would \
                     have more than {MAX_PARAMETERS} parameters; is the file damaged?",
                    self.vocab_size, self.hidden_size, self.layers, self.intermediate_size
                ),
            );
        }
        refuse_other_computations(keys)
    }
}

/// The shortest decimal that reads back as `p`, so that 0.1 is written `0.1`.
fn shortest(p: f32) -> Value {
    p.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

fn labels(keys: &Keys<'_>) -> Result<Vec<String>, HfError> {
    let Some(value) = keys.get("id2label") else {
        let count = keys.size("num_labels", 1, 2)?;
        if count > MAX_LABELS {
            return Err(HfError::key(keys.path, "num_labels", format!("{count} is more than {MAX_LABELS}")));
        }
        return Ok((0..count).map(|id| format!("LABEL_{id}")).collect());
    };
    let wanted = "an object from each output's number, \"0\" upwards, to its label";
    let map = value.as_object().filter(|map| !map.is_empty()).ok_or_else(|| keys.wrong("id2label", value, wanted))?;
    let mut labels = vec![None; map.len()];
    for (id, label) in map {
        let slot = id.parse().ok().and_then(|id: usize| labels.get_mut(id)).filter(|slot| slot.is_none());
        let text = match label {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let (Some(slot), Some(text)) = (slot, text) else {
            return Err(keys.wrong(&format!("id2label.{id}"), label, &format!("part of {wanted}")));
        };
        *slot = Some(text);
    }
    // As many distinct ids below the length as there are slots: each slot is filled.
    Ok(labels.into_iter().flatten().collect())
}

/// Keys that change what the encoder computes in ways the engine does not.
fn refuse_other_computations(keys: &Keys<'_>) -> Result<(), HfError> {
    if let Some(kind) = keys.text("position_embedding_type")?.filter(|kind| *kind != "absolute") {
        let problem = format!("\"{kind}\" is not supported; only absolute positions are");
        return Err(HfError::key(keys.path, "position_embedding_type", problem));
    }
    for key in ["is_decoder", "is_encoder_decoder"] {
        if keys.flag(key)? {
            return Err(HfError::key(keys.path, key, "true is not supported; the model has to be an encoder"));
        }
    }
    let pruned = keys.get("pruned_heads").and_then(Value::as_object).is_some_and(|heads| !heads.is_empty());
    if pruned {
        return Err(HfError::key(keys.path, "pruned_heads", "pruned attention heads are not supported"));
    }
    Ok(())
}
