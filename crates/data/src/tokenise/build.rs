//! A tokeniser made of its files in the order of precedence transformers 5 has (`TokenizersBackend`, `BertTokenizer`,
//! `RobertaTokenizer`): the class decides the pipeline, the files the vocabulary and the added tokens.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokenizers::{AddedToken, PostProcessorWrapper, Tokenizer, TruncationDirection};

use super::files::{Class, Files, TOKENIZER_CONFIG, TOKENIZER_JSON, Vocabulary};
use crate::error::{DataError, Result};

/// The special tokens with a name, in transformers' order.
const NAMED: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// A tokeniser without padding or truncation of its own, and what it needs to be run.
pub(super) struct Built {
    pub(super) inner: Tokenizer,
    pub(super) truncation: TruncationDirection,
    pub(super) segments: bool,
}

/// Makes the tokeniser.
pub(super) fn build(files: &Files) -> Result<Built> {
    let builder = Builder { files, config: merged_config(files) };
    let mut inner: Tokenizer = builder.parse(TOKENIZER_JSON, builder.definition()?)?;
    inner.with_padding(None);
    builder.add_tokens(&mut inner)?;
    if let Some(processor) = builder.post_processor(&inner)? {
        inner.with_post_processor(Some(processor));
    }
    let truncation = builder.truncation_side(&inner)?;
    // Only the direction of a stored truncation counts; what it does is done in `encode`, at the recipe's length.
    inner
        .with_truncation(None)
        .map_err(|error| DataError::Tokeniser { path: files.dir.clone(), problem: error.to_string() })?;
    inner.set_encode_special_tokens(builder.flag("split_special_tokens", false));
    Ok(Built { truncation, segments: builder.segments(), inner })
}

/// The mask token: as configured, or the default of the class; in no vocabulary yet, perhaps.
pub(super) fn mask_token(files: &Files) -> Option<String> {
    Builder { files, config: merged_config(files) }.named("mask_token")
}

/// `tokenizer_config.json`, overlaid by the older `special_tokens_map.json` unless it lists its tokens itself.
fn merged_config(files: &Files) -> Map<String, Value> {
    let mut config = files.config.clone();
    if !config.contains_key("added_tokens_decoder") {
        config.extend(files.special_tokens_map.clone());
    }
    config
}

struct Builder<'a> {
    files: &'a Files,
    config: Map<String, Value>,
}

impl Builder<'_> {
    /// The `tokenizer.json` of the class, without added tokens where the class rebuilds it.
    fn definition(&self) -> Result<Value> {
        let (vocabulary, merges) = match &self.files.vocabulary {
            Vocabulary::Json(json) if self.files.class == Class::Generic => return Ok(json.clone()),
            Vocabulary::Json(json) => {
                let vocabulary = json["model"]["vocab"].clone();
                if !vocabulary.is_object() {
                    return Err(self.wrong(TOKENIZER_JSON, "model.vocab is not a table of tokens and ids".into()));
                }
                (vocabulary, json["model"]["merges"].clone())
            }
            Vocabulary::WordPiece(vocabulary) => (vocabulary.clone(), Value::Null),
            Vocabulary::Bpe(vocabulary, merges) => (vocabulary.clone(), Value::Array(merges.clone())),
        };
        // Kept so that its direction is seen; the rest of the stored pipeline is not.
        let truncation = match &self.files.vocabulary {
            Vocabulary::Json(json) => json["truncation"].clone(),
            _ => Value::Null,
        };
        Ok(if self.files.class == Class::Roberta {
            let merges = if merges.is_null() { json!([]) } else { merges };
            let byte_level = json!({
                "type": "ByteLevel", "add_prefix_space": self.flag("add_prefix_space", false),
                "trim_offsets": true, "use_regex": true,
            });
            json!({
                "version": "1.0", "truncation": truncation, "padding": null, "added_tokens": [], "normalizer": null,
                "pre_tokenizer": byte_level, "post_processor": null, "decoder": byte_level,
                "model": {
                    "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
                    "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                    "vocab": vocabulary, "merges": merges,
                },
            })
        } else {
            json!({
                "version": "1.0", "truncation": truncation, "padding": null, "added_tokens": [],
                "normalizer": {
                    "type": "BertNormalizer", "clean_text": true,
                    "handle_chinese_chars": self.flag("tokenize_chinese_chars", true),
                    "strip_accents": self.config.get("strip_accents").and_then(Value::as_bool),
                    "lowercase": self.flag("do_lower_case", true),
                },
                "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": null,
                "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
                "model": {
                    "type": "WordPiece", "unk_token": self.named("unk_token"), "continuing_subword_prefix": "##",
                    "max_input_chars_per_word": 100, "vocab": vocabulary,
                },
            })
        })
    }

    /// Adds the tokens the files list, then the named and extra special tokens that are not among them.
    fn add_tokens(&self, inner: &mut Tokenizer) -> Result<()> {
        let mut tokens = self.listed_tokens()?;
        let named: Vec<String> = NAMED.iter().filter_map(|name| self.named(name)).collect();
        for token in &mut tokens {
            token.special |= named.contains(&token.content);
        }
        let present: Vec<String> = inner.get_added_tokens_decoder().into_values().map(|token| token.content).collect();
        for token in self.special_tokens()? {
            let listed = tokens.iter().any(|other| other.content == token.content);
            if !listed && !present.contains(&token.content) {
                tokens.push(token);
            }
        }
        inner.add_tokens(tokens).map_err(|error| self.wrong(TOKENIZER_CONFIG, error.to_string()))?;
        Ok(())
    }

    /// The tokens of `added_tokens_decoder`, or else of `added_tokens.json` and `tokenizer.json`, by id.
    fn listed_tokens(&self) -> Result<Vec<AddedToken>> {
        let mut listed: Vec<(u64, AddedToken)> = Vec::new();
        if let Some(decoder) = self.config.get("added_tokens_decoder").and_then(Value::as_object) {
            for (id, token) in decoder {
                let wrong =
                    || self.wrong(TOKENIZER_CONFIG, format!("added_tokens_decoder: {id:?}: {token} is no token"));
                listed.push((id.parse().map_err(|_| wrong())?, added_token(token, false).ok_or_else(wrong)?));
            }
        } else {
            let special: Vec<String> = self.special_tokens()?.into_iter().map(|token| token.content).collect();
            for (content, id) in &self.files.added_tokens {
                let wrong = || self.wrong("added_tokens.json", format!("{content:?}: {id} is no id"));
                let token = AddedToken::from(content, special.contains(content));
                listed.push((id.as_u64().ok_or_else(wrong)?, token));
            }
            if let Vocabulary::Json(json) = &self.files.vocabulary {
                for token in json["added_tokens"].as_array().into_iter().flatten() {
                    let wrong = || self.wrong(TOKENIZER_JSON, format!("added_tokens: {token} is no token"));
                    let id = token["id"].as_u64().ok_or_else(wrong)?;
                    listed.retain(|(other, _)| *other != id);
                    listed.push((id, added_token(token, false).ok_or_else(wrong)?));
                }
            }
        }
        listed.sort_by_key(|(id, _)| *id);
        Ok(listed.into_iter().map(|(_, token)| token).collect())
    }

    /// Named special tokens, tokens under keys of the model's own (`…_token`), and the additional special tokens.
    fn special_tokens(&self) -> Result<Vec<AddedToken>> {
        let mut values: Vec<Value> = Vec::new();
        for name in NAMED {
            match self.config.get(name) {
                Some(value) if !value.is_null() => values.push(value.clone()),
                _ => values.extend(self.named(name).map(Value::from)),
            }
        }
        let own = |key: &str, value: &Value| key.ends_with("_token") && value.is_string() && !NAMED.contains(&key);
        values.extend(self.config.iter().filter(|(key, value)| own(key, value)).map(|(_, value)| value.clone()));
        let filled = |key: &str| self.config.get(key).filter(|value| !matches!(value, Value::Null)).cloned();
        let extra = filled("extra_special_tokens").filter(|value| value.as_array().is_none_or(|list| !list.is_empty()));
        match extra.or_else(|| filled("additional_special_tokens")) {
            Some(Value::Array(list)) => values.extend(list),
            Some(Value::Object(table)) => values.extend(table.into_iter().map(|(_, value)| value)),
            _ => {}
        }
        values
            .iter()
            .map(|value| {
                let wrong = || self.wrong(TOKENIZER_CONFIG, format!("{value} is no special token"));
                added_token(value, true).ok_or_else(wrong)
            })
            .collect()
    }

    /// The content of a named special token: as configured, or the default of the class.
    fn named(&self, name: &str) -> Option<String> {
        match self.config.get(name) {
            Some(Value::String(content)) => Some(content.clone()),
            Some(Value::Object(token)) => token.get("content").and_then(Value::as_str).map(str::to_owned),
            Some(_) => None,
            None => {
                let default = match (self.files.class, name) {
                    (Class::Bert, "unk_token") => "[UNK]",
                    (Class::Bert, "sep_token") => "[SEP]",
                    (Class::Bert, "pad_token") => "[PAD]",
                    (Class::Bert, "cls_token") => "[CLS]",
                    (Class::Bert, "mask_token") => "[MASK]",
                    (Class::Roberta, "bos_token" | "cls_token") => "<s>",
                    (Class::Roberta, "eos_token" | "sep_token") => "</s>",
                    (Class::Roberta, "unk_token") => "<unk>",
                    (Class::Roberta, "pad_token") => "<pad>",
                    (Class::Roberta, "mask_token") => "<mask>",
                    _ => return None,
                };
                Some(default.to_owned())
            }
        }
    }

    /// What puts the special tokens around the texts; `None` leaves that of `tokenizer.json`.
    fn post_processor(&self, inner: &Tokenizer) -> Result<Option<PostProcessorWrapper>> {
        if self.files.class == Class::Generic {
            return Ok(None);
        }
        let token = |name: &str| -> Result<(String, u32)> {
            let content = self.named(name);
            content
                .and_then(|content| inner.token_to_id(&content).map(|id| (content, id)))
                .ok_or_else(|| self.wrong(TOKENIZER_CONFIG, format!("{name} is missing")))
        };
        let (cls, sep) = (token("cls_token")?, token("sep_token")?);
        let description = if self.files.class == Class::Roberta {
            json!({
                "type": "RobertaProcessing", "sep": sep, "cls": cls,
                "trim_offsets": self.flag("trim_offsets", true),
                "add_prefix_space": self.flag("add_prefix_space", false),
            })
        } else {
            let special =
                |token: &(String, u32), segment: u8| json!({"SpecialToken": {"id": token.0, "type_id": segment}});
            let text = |id: &str, segment: u8| json!({"Sequence": {"id": id, "type_id": segment}});
            let mut tokens = Map::new();
            for (content, id) in [&cls, &sep] {
                tokens.insert(content.clone(), json!({"id": content, "ids": [id], "tokens": [content]}));
            }
            json!({
                "type": "TemplateProcessing",
                "single": [special(&cls, 0), text("A", 0), special(&sep, 0)],
                "pair": [special(&cls, 0), text("A", 0), special(&sep, 0), text("B", 1), special(&sep, 1)],
                "special_tokens": tokens,
            })
        };
        self.parse(TOKENIZER_CONFIG, description).map(Some)
    }

    /// The side to cut from: as configured, else as `tokenizer.json` cut when it was saved.
    fn truncation_side(&self, inner: &Tokenizer) -> Result<TruncationDirection> {
        match self.config.get("truncation_side").and_then(Value::as_str) {
            Some("right") => Ok(TruncationDirection::Right),
            Some("left") => Ok(TruncationDirection::Left),
            Some(other) => {
                Err(self.wrong(TOKENIZER_CONFIG, format!("truncation_side is {other:?}, not \"right\" or \"left\"")))
            }
            None => Ok(inner.get_truncation().map_or(TruncationDirection::Right, |stored| stored.direction)),
        }
    }

    /// Whether the tokeniser gives the model segment ids (`token_type_ids`).
    fn segments(&self) -> bool {
        match self.config.get("model_input_names").and_then(Value::as_array) {
            Some(names) => names.iter().any(|name| name == "token_type_ids"),
            None => self.files.class == Class::Bert,
        }
    }

    fn flag(&self, key: &str, default: bool) -> bool {
        self.config.get(key).and_then(Value::as_bool).unwrap_or(default)
    }

    fn parse<T: DeserializeOwned>(&self, file: &str, description: Value) -> Result<T> {
        serde_json::from_value(description).map_err(|error| self.wrong(file, error.to_string()))
    }

    fn wrong(&self, file: &str, problem: String) -> DataError {
        DataError::Tokeniser { path: self.files.dir.join(file), problem }
    }
}

/// A token from its content or its table; a table that does not say otherwise makes a token `special` or not.
fn added_token(value: &Value, special: bool) -> Option<AddedToken> {
    let table = match value {
        Value::String(content) => return Some(AddedToken::from(content, special)),
        other => other.as_object()?,
    };
    let flag = |key: &str, default: bool| table.get(key).and_then(Value::as_bool).unwrap_or(default);
    let special = flag("special", special);
    Some(AddedToken {
        content: table.get("content")?.as_str()?.to_owned(),
        single_word: flag("single_word", false),
        lstrip: flag("lstrip", false),
        rstrip: flag("rstrip", false),
        normalized: flag("normalized", !special),
        special,
    })
}
