//! Further special tokens for a tokeniser, and its files with them.
//!
//! They are listed where transformers looks for those beyond the named ones, `additional_special_tokens` (or the newer
//! `extra_special_tokens`, where a checkpoint has it), and get the ids after the vocabulary. `tokenizer.json` lists them
//! among its `added_tokens`, for programs that read nothing else.

use serde_json::{Map, Value, json};
use tokenizers::Model as _;

use super::Tokeniser;
use super::build::merged_config;
use super::files::{SPECIAL_TOKENS_MAP, TOKENIZER_CONFIG, TOKENIZER_JSON};
use crate::error::{DataError, Result};

const ADDITIONAL: &str = "additional_special_tokens";
const EXTRA: &str = "extra_special_tokens";

impl Tokeniser {
    /// The tokeniser with `tokens` as further special tokens, each one id wherever it stands in a text. Those that are new
    /// get the ids from [`vocab_size`](Self::vocab_size) on, in their order; those the tokeniser has as additional special
    /// tokens keep theirs.
    ///
    /// # Errors
    /// [`DataError::Tokeniser`] if a token is an ordinary entry of the vocabulary or has a role of its own, such as
    /// `[SEP]`; or if the tokeniser splits special tokens.
    pub fn with_special_tokens(mut self, tokens: &[&str]) -> Result<Self> {
        let mut new = Vec::new();
        for &token in tokens {
            if !self.has_special(token)? {
                new.push(token);
            }
        }
        if self.inner.get_encode_special_tokens() {
            let problem = "split_special_tokens is set, so no special token would ever be seen; remove it";
            return Err(self.wrong(TOKENIZER_CONFIG, problem.into()));
        }
        if new.is_empty() {
            return Ok(self);
        }
        let first = self.vocab_size();
        let merged = merged_config(&self.files);
        let filled = |key: &str| merged.get(key).filter(|value| !value.is_null());
        let extra = filled(EXTRA).filter(|value| value.as_array().is_none_or(|list| !list.is_empty()));
        let key = if extra.is_some() { EXTRA } else { ADDITIONAL };
        let mut listed = extra.or_else(|| filled(ADDITIONAL)).cloned().unwrap_or_else(|| json!([]));
        match &mut listed {
            Value::Array(list) => list.extend(new.iter().map(|&token| Value::from(token))),
            Value::Object(table) => table.extend(new.iter().map(|&token| (attribute(token), Value::from(token)))),
            other => return Err(self.wrong(TOKENIZER_CONFIG, format!("{key}: {other} is no list of tokens"))),
        }
        // Where the older file has the key too, it is the one that counts.
        if self.files.special_tokens_map.contains_key(key) {
            self.files.special_tokens_map.insert(key.to_owned(), listed.clone());
        }
        self.files.config.insert(key.to_owned(), listed);
        if let Some(Value::Object(decoder)) = self.files.config.get_mut("added_tokens_decoder") {
            let entries = new.iter().enumerate().map(|(at, token)| ((first + at).to_string(), added(token)));
            decoder.extend(entries);
        }
        self.files.extended = true;
        let extended = Self::new(self.files)?;
        for (at, token) in new.iter().enumerate() {
            if extended.inner.token_to_id(token) != Some((first + at) as u32) {
                let problem = format!("{token} does not get the id {}; ids of its added tokens have gaps", first + at);
                return Err(extended.wrong(TOKENIZER_CONFIG, problem));
            }
        }
        Ok(extended)
    }

    /// The ids of a text without special tokens around it and without unknown ones; none if the text is refused.
    pub fn known_ids(&self, text: &str) -> Vec<u32> {
        let unknown = self.unknown_id();
        let ids = self.inner.encode_fast(text, false).map(|encoding| encoding.get_ids().to_vec()).unwrap_or_default();
        ids.into_iter().filter(|&id| Some(id) != unknown).collect()
    }

    /// The id of a token; `None` if there is no such token.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Whether `token` is an additional special token already.
    fn has_special(&self, token: &str) -> Result<bool> {
        let clash = |what: &str| {
            let problem = format!("{token} is {what} of this tokeniser; give the token of the cleaning another name");
            DataError::Tokeniser { path: self.files.dir.clone(), problem }
        };
        let added = self.inner.get_added_tokens_decoder().into_values().find(|added| added.content == token);
        match added {
            Some(added) if added.special && self.has_role(token) => Err(clash("a token with a role of its own")),
            Some(added) if added.special => Ok(true),
            Some(_) => Err(clash("an ordinary token")),
            None if self.inner.get_model().token_to_id(token).is_some() => Err(clash("an ordinary word")),
            None => Ok(false),
        }
    }

    /// Whether a token is the padding, the mask or the like, or put around texts.
    fn has_role(&self, token: &str) -> bool {
        super::build::named_tokens(&self.files).iter().any(|named| named == token)
            || self
                .inner
                .encode_fast("", true)
                .is_ok_and(|row| self.inner.token_to_id(token).is_some_and(|id| row.get_ids().contains(&id)))
    }

    /// The file `name`, whose contents were `bytes`, with the special tokens given.
    pub(super) fn with_added_tokens(&self, name: &str, bytes: Vec<u8>) -> Result<Vec<u8>> {
        let mut object: Map<String, Value> = match name {
            TOKENIZER_JSON | TOKENIZER_CONFIG | SPECIAL_TOKENS_MAP => serde_json::from_slice(&bytes)
                .map_err(|error| self.wrong(name, format!("not a JSON object: {error}")))?,
            _ => return Ok(bytes),
        };
        match name {
            TOKENIZER_JSON => self.list_added_tokens(&mut object),
            TOKENIZER_CONFIG => object.extend(self.files.config.clone()),
            _ => object.extend(self.files.special_tokens_map.clone()),
        }
        let mut bytes = serde_json::to_vec_pretty(&object).map_err(|error| self.wrong(name, error.to_string()))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Appends to `added_tokens` those that are not there, under the ids they have.
    fn list_added_tokens(&self, definition: &mut Map<String, Value>) {
        let listed = definition.entry("added_tokens").or_insert_with(|| json!([]));
        let Value::Array(listed) = listed else { return };
        let mut tokens: Vec<(u32, tokenizers::AddedToken)> =
            self.inner.get_added_tokens_decoder().into_iter().collect();
        tokens.sort_unstable_by_key(|(id, _)| *id);
        for (id, token) in tokens {
            if listed.iter().all(|other| other["content"] != token.content.as_str()) {
                listed.push(json!({
                    "id": id, "content": token.content, "single_word": token.single_word, "lstrip": token.lstrip,
                    "rstrip": token.rstrip, "normalized": token.normalized, "special": token.special,
                }));
            }
        }
    }

    fn wrong(&self, file: &str, problem: String) -> DataError {
        DataError::Tokeniser { path: self.files.dir.join(file), problem }
    }
}

/// The key of a token where special tokens are a table of names: `[LAUGH]` → `laugh_token`.
fn attribute(token: &str) -> String {
    let name: String = token.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    format!("{}_token", name.to_lowercase())
}

/// A special token as `added_tokens_decoder` lists it.
fn added(token: &str) -> Value {
    json!({
        "content": token, "lstrip": false, "normalized": false, "rstrip": false, "single_word": false, "special": true,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    const NAMES: [&str; 8] =
        ["bert-cased", "bert-json", "bert-lower", "electra", "generic", "klue", "roberta", "roberta-files"];

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tokeniser").join(name)
    }

    fn open(name: &str) -> Tokeniser {
        Tokeniser::open(&fixture(name)).unwrap()
    }

    fn ids(tokeniser: &Tokeniser, text: &str) -> Vec<u32> {
        tokeniser.encode_rows(&[text.to_owned()], None, 64).unwrap().row(0).0.to_vec()
    }

    #[test]
    fn new_tokens_get_the_ids_after_the_vocabulary_and_a_saved_directory_gives_them_again() {
        for name in NAMES {
            let size = open(name).vocab_size();
            let extended = open(name).with_special_tokens(&["[WOW]", "[RIBBON]"]).unwrap();
            assert_eq!(extended.vocab_size(), size + 2, "{name}");
            assert_ne!(extended.fingerprint(), open(name).fingerprint(), "{name}");
            let row = ids(&extended, "[RIBBON] 영화[WOW]");
            assert_eq!(row.iter().filter(|&&id| id as usize >= size).count(), 2, "{name}: {row:?}");
            let (ribbon, wow) = (size as u32 + 1, size as u32);
            assert!(row.contains(&ribbon) && row.contains(&wow), "{name}");
            let dir = tempfile::tempdir().unwrap();
            extended.save_files(dir.path()).unwrap();
            fs::copy(fixture(name).join("config.json"), dir.path().join("config.json")).unwrap();
            let saved = Tokeniser::open(dir.path()).unwrap();
            assert_eq!(ids(&saved, "[RIBBON] 영화[WOW] 정말"), ids(&extended, "[RIBBON] 영화[WOW] 정말"), "{name}");
            assert_eq!(saved.fingerprint(), extended.fingerprint(), "{name}");
            let again = saved.with_special_tokens(&["[RIBBON]", "[WOW]"]).unwrap();
            assert_eq!(again.fingerprint(), extended.fingerprint(), "{name}");
        }
    }

    #[test]
    fn texts_without_the_tokens_keep_their_ids() {
        for name in NAMES {
            let extended = open(name).with_special_tokens(&["[WOW]"]).unwrap();
            for text in ["정말 재미있는 영화 [UNK] wow", "[LAUGH] 웃음[CRY]", "<s>본문</s>"] {
                assert_eq!(ids(&extended, text), ids(&open(name), text), "{name}: {text}");
            }
        }
    }

    #[test]
    fn a_special_token_that_is_there_is_used_again() {
        let before = open("bert-cased");
        let laugh = before.token_id("[LAUGH]").unwrap();
        let extended = open("bert-cased").with_special_tokens(&["[STAR]", "[LAUGH]"]).unwrap();
        assert_eq!(extended.token_id("[LAUGH]"), Some(laugh));
        assert_eq!(extended.token_id("[STAR]"), Some(before.vocab_size() as u32));
    }

    #[test]
    fn a_clash_with_the_vocabulary_or_a_role_is_an_error_that_names_the_token() {
        for (name, token, what) in [
            ("bert-cased", "[SEP]", "a token with a role"),
            ("generic", "[MASK]", "a token with a role"),
            ("bert-cased", "영화", "an ordinary word"),
            ("klue", "노잼", "an ordinary token"),
        ] {
            let error = open(name).with_special_tokens(&[token]).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            let error = error.to_string();
            assert!(error.contains(token) && error.contains(what), "{name}: {error}");
        }
    }

    #[test]
    fn unknown_pieces_are_left_out() {
        let tokeniser = open("bert-cased");
        assert!(tokeniser.known_ids("뀼").is_empty());
        assert_eq!(tokeniser.known_ids("정말 뀼 정말").len(), 2 * tokeniser.known_ids("정말").len());
    }
}
