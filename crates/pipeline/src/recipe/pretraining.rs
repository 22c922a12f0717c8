//! The recipe of `gyeol pretrain`: an encoder and its tokeniser from nothing, in one TOML file.

use std::path::Path;

use gyeol_data::{DataError, TokenizerConfig};
use gyeol_engine::hf::{EncoderConfig, HfError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Problem, RecipeError, check, keys, open, read, written};
use crate::masked_lm::PretrainConfig;

/// One pre-training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainRecipe {
    /// Names the runs; the file's stem when absent.
    #[serde(default)]
    pub name: String,
    /// `[pretrain]`: the texts, and the training.
    pub pretrain: PretrainConfig,
    /// `[tokenizer]`: the vocabulary.
    #[serde(default)]
    pub tokenizer: TokenizerConfig,
    /// `[encoder]`: the architecture and its size.
    #[serde(default)]
    pub encoder: EncoderShape,
}

/// `[encoder]`: what is trained. A `size` gives all counts, each of which can be set apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct EncoderShape {
    /// A checkpoint directory whose `config.json` and tokeniser are taken; its weights are not. Nothing else here or in
    /// `[tokenizer]` can then be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// The architecture.
    pub family: EncoderFamily,
    /// The size, as Turc et al. (2019) name them.
    pub size: EncoderSize,
    /// Blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// Width of the hidden states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden_size: Option<usize>,
    /// Attention heads; `hidden_size` is a multiple of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<usize>,
    /// Width of the feed-forward layer; absent: four times `hidden_size`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intermediate_size: Option<usize>,
    /// ELECTRA: width of the embeddings; absent: `hidden_size`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding_size: Option<usize>,
    /// Longest text the model will ever take, in tokens; absent: 512.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_positions: Option<usize>,
    /// Dropout of hidden states and attention; absent: 0.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f32>,
}

/// An architecture to pre-train.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EncoderFamily {
    /// BERT.
    #[default]
    Bert,
    /// RoBERTa: positions begin after the padding token's id, one segment.
    Roberta,
    /// ELECTRA's encoder, trained as a generator is.
    Electra,
}

/// Layers × width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EncoderSize {
    /// 2 × 128, 2 heads.
    Tiny,
    /// 4 × 256, 4 heads.
    #[default]
    Mini,
    /// 4 × 512, 8 heads.
    Small,
    /// 8 × 512, 8 heads.
    Medium,
    /// 12 × 768, 12 heads.
    Base,
}

/// `encoder.max_positions` unless it says otherwise.
const POSITIONS: usize = 512;

impl EncoderSize {
    /// Layers, width and heads.
    fn counts(self) -> (usize, usize, usize) {
        match self {
            Self::Tiny => (2, 128, 2),
            Self::Mini => (4, 256, 4),
            Self::Small => (4, 512, 8),
            Self::Medium => (8, 512, 8),
            Self::Base => (12, 768, 12),
        }
    }
}

impl EncoderShape {
    /// The model's configuration for a vocabulary of `vocab_size` tokens whose padding is `padding`.
    ///
    /// # Errors
    /// If the counts do not fit each other; the message names the key of `config.json`.
    pub fn config(&self, vocab_size: usize, padding: usize) -> Result<EncoderConfig, HfError> {
        let (layers, hidden_size, heads) = self.size.counts();
        let hidden_size = self.hidden_size.unwrap_or(hidden_size);
        let positions = self.max_positions.unwrap_or(POSITIONS);
        let dropout = f64::from(self.dropout.unwrap_or(0.1));
        // As short as it was given: the f32's own digits would be written otherwise.
        let dropout = (dropout * 1e6).round() / 1e6;
        let mut keys: Map<String, Value> = [
            ("vocab_size", json!(vocab_size)),
            ("hidden_size", json!(hidden_size)),
            ("num_hidden_layers", json!(self.layers.unwrap_or(layers))),
            ("num_attention_heads", json!(self.heads.unwrap_or(heads))),
            ("intermediate_size", json!(self.intermediate_size.unwrap_or(4 * hidden_size))),
            ("max_position_embeddings", json!(positions)),
            ("type_vocab_size", json!(2)),
            ("hidden_act", json!("gelu")),
            ("hidden_dropout_prob", json!(dropout)),
            ("attention_probs_dropout_prob", json!(dropout)),
            ("layer_norm_eps", json!(1e-12)),
            ("initializer_range", json!(0.02)),
            ("pad_token_id", json!(padding)),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into_iter()
        .collect();
        let mut set = |key: &str, value: Value| keys.insert(key.to_owned(), value);
        match self.family {
            EncoderFamily::Bert => set("model_type", json!("bert")),
            EncoderFamily::Roberta => {
                set("layer_norm_eps", json!(1e-5));
                set("type_vocab_size", json!(1));
                // Positions up to that of padding are never a token's.
                set("max_position_embeddings", json!(positions + padding + 1));
                set("model_type", json!("roberta"))
            }
            EncoderFamily::Electra => {
                set("embedding_size", json!(self.embedding_size.unwrap_or(hidden_size)));
                set("model_type", json!("electra"))
            }
        };
        EncoderConfig::from_json(keys, Path::new("[encoder]"))
    }
}

impl PretrainRecipe {
    /// Reads the recipe at `path` with each of `sets` laid over it, as [`Recipe::load`](super::Recipe::load) does. Paths of
    /// texts are taken from the recipe's directory.
    ///
    /// # Errors
    /// [`RecipeError`], with the line and column or the `--set`.
    pub fn load(path: &Path, sets: &[String]) -> Result<Self, RecipeError> {
        let (text, directory) = open(path)?;
        let mut recipe = Self::parse(path, &text, sets)?;
        let beside = |name: &mut String| {
            // A path that cannot be written as text stays as it was; opening it then says what is wrong.
            if let Some(path) = directory.join(&*name).to_str() {
                *name = path.to_owned();
            }
        };
        recipe.pretrain.texts.iter_mut().for_each(beside);
        recipe.encoder.like.iter_mut().for_each(beside);
        Ok(recipe)
    }

    /// [`PretrainRecipe::load`] of a text already read; `path` is for messages and the name. Paths stay as written.
    ///
    /// # Errors
    /// As [`PretrainRecipe::load`].
    pub fn parse(path: &Path, text: &str, sets: &[String]) -> Result<Self, RecipeError> {
        let name = |recipe: &mut Self, stem: String| recipe.name = stem;
        read(path, text, sets, &keys::PRETRAINING, name, Self::validate)
    }

    /// The recipe with every default written out; loading it gives an equal recipe.
    ///
    /// # Errors
    /// When a path is not UTF-8.
    pub fn to_toml(&self) -> Result<String, RecipeError> {
        written(self)
    }

    /// A key that is set and that a directory to be like has its own of.
    fn written_beside_like(&self) -> Option<&'static str> {
        let EncoderShape {
            like: _,
            family,
            size,
            layers,
            hidden_size,
            heads,
            intermediate_size,
            embedding_size,
            max_positions,
            dropout,
        } = &self.encoder;
        let set = [
            ("encoder.family", *family != EncoderFamily::default()),
            ("encoder.size", *size != EncoderSize::default()),
            ("encoder.layers", layers.is_some()),
            ("encoder.hidden_size", hidden_size.is_some()),
            ("encoder.heads", heads.is_some()),
            ("encoder.intermediate_size", intermediate_size.is_some()),
            ("encoder.embedding_size", embedding_size.is_some()),
            ("encoder.max_positions", max_positions.is_some()),
            ("encoder.dropout", dropout.is_some()),
            ("tokenizer", self.tokenizer != TokenizerConfig::default()),
        ];
        set.into_iter().find(|(_, set)| *set).map(|(key, _)| key)
    }

    fn validate(&self) -> Result<(), Problem> {
        check::check_name(&self.name)?;
        check::check_masked_lm("pretrain", &self.pretrain)?;
        self.tokenizer.validate().map_err(|error| match error {
            DataError::Config { key, problem } => (key.into(), problem),
            other => ("tokenizer".into(), other.to_string()),
        })?;
        let dropout = self.encoder.dropout.unwrap_or(0.0);
        check::require("encoder.dropout", (0.0..1.0).contains(&dropout), dropout, "from 0 to below 1")?;
        if let (Some(key), Some(_)) = (self.written_beside_like(), &self.encoder.like) {
            let problem = "encoder.like takes this from a checkpoint; remove one of the two".to_owned();
            return Err((key.into(), problem));
        }
        if let (None, Some(length)) = (&self.encoder.like, self.pretrain.max_length) {
            let most = self.encoder.max_positions.unwrap_or(POSITIONS);
            let expected = format!("at most encoder.max_positions, {most}");
            check::require("pretrain.max_length", length <= most, length, &expected)?;
        }
        // Whether the counts fit each other shows before anything is read: with a vocabulary of any size.
        let shape = self.encoder.config(self.tokenizer.vocab_size, 0);
        shape.map_err(|error| ("encoder".into(), error.to_string()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<PretrainRecipe, RecipeError> {
        PretrainRecipe::parse(Path::new("small.toml"), text, &[])
    }

    #[test]
    fn a_size_gives_every_count_and_each_can_be_set_apart() {
        let recipe = parse("[pretrain]\ntexts = [\"a.txt\"]\n[encoder]\nsize = \"tiny\"\nhidden_size = 96\n").unwrap();
        assert_eq!(recipe.name, "small");
        let config = recipe.encoder.config(8000, 0).unwrap();
        assert_eq!((config.layers, config.hidden_size, config.heads, config.intermediate_size), (2, 96, 2, 384));
        assert_eq!((config.vocab_size, config.max_tokens(), config.hidden_dropout), (8000, 512, 0.1));
    }

    #[test]
    fn the_families_keep_their_own_conventions() {
        let shape = |family| EncoderShape { family, ..EncoderShape::default() };
        let roberta = shape(EncoderFamily::Roberta).config(1000, 1).unwrap();
        assert_eq!((roberta.position_offset, roberta.max_tokens(), roberta.type_vocab_size), (2, 512, 1));
        let electra =
            EncoderShape { embedding_size: Some(64), ..shape(EncoderFamily::Electra) }.config(1000, 0).unwrap();
        assert_eq!((electra.embedding_size, electra.hidden_size), (64, 256));
    }

    #[test]
    fn a_recipe_written_out_is_read_back_equal() {
        let recipe = parse("[pretrain]\ntexts = [\"a.txt\"]\n[encoder]\nfamily = \"electra\"\n").unwrap();
        assert_eq!(parse(&recipe.to_toml().unwrap()).unwrap(), recipe);
    }

    #[test]
    fn mistakes_point_at_their_place() {
        for (text, wanted) in [
            ("[pretrain]\n", "pretrain.texts: no texts to learn from"),
            ("[pretrain]\ntexts = [\"a\"]\nmask = 1.0\n", "small.toml:3:8: pretrain.mask: 1 is out of range"),
            ("seed = 1\n[data]\ntrain = \"a\"\n", "small.toml:2:2: [data] is in recipes of `gyeol train`"),
            ("[pretrain]\ntexts = [\"a\"]\nlr = 1.0\n", "unknown key \"pretrain.lr\""),
            (
                "[pretrain]\ntexts = [\"a\"]\n[encoder]\nlike = \"b\"\nlayers = 3\n",
                "small.toml:5:10: encoder.layers: encoder.like",
            ),
            ("[pretrain]\ntexts = [\"a\"]\nmax_length = 600\n", "pretrain.max_length: 600 is out of range"),
            ("[pretrain]\ntexts = [\"a\"]\n[encoder]\nheads = 3\n", "hidden_size 256 is not a multiple of 3 heads"),
            ("[pretrain]\ntexts = [\"a\"]\n[tokenizer]\nvocab_size = 3\n", "tokenizer.vocab_size"),
            ("[pretrain]\ntexts = [\"a\"]\n[encoder]\nsize = \"huge\"\n", "small.toml:4:8: encoder.size"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
