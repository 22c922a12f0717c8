//! The files of a trained tokeniser, as transformers names and fills them.
//!
//! `tokenizer_config.json` and the vocabulary decide everything for the classes of BERT and RoBERTa. Unigram has no
//! class of its own, so its `tokenizer.json` says it all.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::models::Merged;
use super::{TokenizerConfig, special, steps};
use crate::atomic::write_atomic;
use crate::error::{DataError, Result};
use crate::tokenise::files::{Class, MERGES_TXT, TOKENIZER_CONFIG, TOKENIZER_JSON, VOCAB_JSON, VOCAB_TXT};

/// A trained vocabulary; ids are positions.
pub(super) enum Vocabulary {
    WordPiece(Vec<String>),
    Bpe(Merged),
    /// Pieces and their log probabilities.
    Unigram(Vec<(String, f64)>),
}

/// Writes the files into `dir`, which is made if it is not there.
pub(super) fn write(dir: &Path, config: &TokenizerConfig, vocabulary: &Vocabulary) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(|source| DataError::Write { path: dir.into(), source })?;
    // A tokenizer.json from before would be taken for this one's, should the work end half way.
    let definition = dir.join(TOKENIZER_JSON);
    match std::fs::remove_file(&definition) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            return Err(DataError::Write { path: definition, source });
        }
        _ => {}
    }
    put(dir, TOKENIZER_CONFIG, &pretty(&tokenizer_config(config, vocabulary)))?;
    match vocabulary {
        Vocabulary::WordPiece(tokens) => put(dir, VOCAB_TXT, &lines("", tokens)),
        Vocabulary::Bpe(Merged { vocabulary, merges }) => {
            let ids: Map<String, Value> =
                vocabulary.iter().enumerate().map(|(id, token)| (token.clone(), id.into())).collect();
            put(dir, VOCAB_JSON, &pretty(&Value::Object(ids)))?;
            put(dir, MERGES_TXT, &lines("#version: 0.2\n", merges))
        }
        Vocabulary::Unigram(pieces) => put(dir, TOKENIZER_JSON, &pretty(&unigram(dir, config, pieces)?)),
    }
}

fn tokenizer_config(config: &TokenizerConfig, vocabulary: &Vocabulary) -> Value {
    let special = special(config.kind);
    match vocabulary {
        Vocabulary::WordPiece(_) | Vocabulary::Unigram(_) => {
            let [pad, unk, cls, sep, mask] = special;
            let mut value = json!({
                "pad_token": pad, "unk_token": unk, "cls_token": cls, "sep_token": sep, "mask_token": mask,
                "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
            });
            if matches!(vocabulary, Vocabulary::WordPiece(_)) {
                value["tokenizer_class"] = Class::Bert.name().into();
                value["do_lower_case"] = config.lowercase.into();
                // Stripping accents takes Hangul apart.
                value["strip_accents"] = false.into();
                value["tokenize_chinese_chars"] = true.into();
            } else {
                value["tokenizer_class"] = Class::Generic.name().into();
            }
            value
        }
        Vocabulary::Bpe(_) => {
            let [bos, pad, eos, unk, mask] = special;
            // As RoBERTa's: the mask takes the space before it, as the word it stands for does.
            let mask = json!({
                "__type": "AddedToken", "content": mask, "lstrip": true, "normalized": false, "rstrip": false,
                "single_word": false, "special": true,
            });
            json!({
                "tokenizer_class": Class::Roberta.name(), "add_prefix_space": true, "bos_token": bos,
                "cls_token": bos, "pad_token": pad, "eos_token": eos, "sep_token": eos, "unk_token": unk,
                "mask_token": mask,
            })
        }
    }
}

fn unigram(dir: &Path, config: &TokenizerConfig, pieces: &[(String, f64)]) -> Result<Value> {
    let wrong = |problem: String| DataError::Tokeniser { path: dir.into(), problem };
    let steps = steps(config).map_err(|error| wrong(error.to_string()))?;
    let to_value = |value: serde_json::Result<Value>| value.map_err(|error| wrong(error.to_string()));
    let normalizer = to_value(serde_json::to_value(&steps.normalizer))?;
    let pre_tokenizer = to_value(serde_json::to_value(&steps.pre_tokenizer))?;
    let special = special(config.kind);
    let [_, _, cls, sep, _] = special;
    let id = |token: &str| special.iter().position(|other| *other == token);
    let added = special.iter().enumerate().map(|(id, token)| {
        json!({
            "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            "special": true,
        })
    });
    let token = |token: &str, segment: u8| json!({"SpecialToken": {"id": token, "type_id": segment}});
    let text = |name: &str, segment: u8| json!({"Sequence": {"id": name, "type_id": segment}});
    let about = |token: &str| json!({"id": token, "ids": [id(token)], "tokens": [token]});
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added.collect::<Vec<_>>(),
        "normalizer": normalizer, "pre_tokenizer": pre_tokenizer,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [token(cls, 0), text("A", 0), token(sep, 0)],
            "pair": [token(cls, 0), text("A", 0), token(sep, 0), text("B", 1), token(sep, 1)],
            "special_tokens": {cls: about(cls), sep: about(sep)},
        },
        // The pre-tokeniser undoes itself when text is put together again.
        "decoder": pre_tokenizer,
        "model": {"type": "Unigram", "unk_id": 1, "vocab": pieces, "byte_fallback": false},
    }))
}

fn lines(head: &str, lines: &[String]) -> String {
    let mut text = head.to_owned();
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn put(dir: &Path, name: &str, text: &str) -> Result<()> {
    let path = dir.join(name);
    write_atomic(&path, |out| out.write_all(text.as_bytes())).map_err(|source| DataError::Write { path, source })
}
