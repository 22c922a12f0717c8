//! What cleaning a training does and does not touch.

use std::fs;

use gyeol_engine::Isa;
use gyeol_engine::config::TokenStart;
use tempfile::TempDir;

use super::*;
use crate::Prepared;
use crate::hub::HubOptions;

/// Remembers what was said.
#[derive(Default)]
struct Said {
    notes: Vec<String>,
    warnings: Vec<String>,
}

impl Watcher for Said {
    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    fn warning(&mut self, text: &str) {
        self.warnings.push(text.to_owned());
    }
}

/// A directory with a tiny base model without weights, forty reviews without ids, and a recipe that ends with `clean`.
fn project(clean: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    fs::create_dir(directory.path().join("base")).unwrap();
    let config = r#"{"model_type": "bert", "vocab_size": 12, "hidden_size": 8, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": 16}"#;
    write("base/config.json", config);
    write("base/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n영화\n배우\nㅋㅋ\n;\n[BELL]");
    write("base/tokenizer_config.json", r#"{"tokenizer_class": "BertTokenizer", "do_lower_case": false}"#);
    let row = |row: usize| format!("영화{row} 배우 {}  ,{}\n", "ㅋ".repeat(row % 4), row % 2);
    write("train.csv", &format!("review,label\n{}", (0..40).map(row).collect::<String>()));
    write("mine.txt", "[LAUGH] ㅋ\n[RIBBON] 🎀\n");
    let recipe = format!(
        "[data]\ntrain = \"train.csv\"\ntext = \"review\"\nlabel = \"label\"\nholdout = 0.25\n\
         [model]\nbase = \"base\"\ninit = \"random\"\nmax_length = 8\n{clean}"
    );
    write("recipe.toml", &recipe);
    directory
}

fn prepare(directory: &TempDir, said: &mut Said) -> Result<Prepared, Error> {
    let recipe = Recipe::load(&directory.path().join("recipe.toml"), &[])?;
    let home = directory.path().join("home");
    Prepared::new(recipe, Isa::fastest(), &home, &HubOptions::from_env(), said)
}

#[test]
fn without_the_table_texts_stay_as_they_are() {
    let prepared = prepare(&project(""), &mut Said::default()).unwrap();
    assert!(prepared.cleaner.is_none());
    assert_eq!(prepared.train.examples.texts[1], "영화1 배우 ㅋ  ");
    assert_eq!(prepared.bases[0].new_tokens, NewTokens::default());
}

#[test]
fn ids_split_and_data_fingerprint_do_not_depend_on_cleaning_but_the_text_fingerprint_does() {
    let raw = prepare(&project(""), &mut Said::default()).unwrap();
    let mut said = Said::default();
    let clean = prepare(&project("[clean]\nemoticons = true\n"), &mut said).unwrap();
    assert_eq!(clean.train.examples.texts[0], "영화0 배우");
    assert_eq!(clean.train.examples.texts[1], "영화1 배우 [LAUGH]");
    assert_eq!((&clean.train.rows, &clean.held_out), (&raw.train.rows, &raw.held_out));
    assert_eq!(clean.train.examples.ids, raw.train.examples.ids);
    assert_eq!(clean.data_fingerprint(), raw.data_fingerprint());
    assert_ne!(clean.text_fingerprint(), raw.text_fingerprint());
    let changed = said.notes.iter().find(|note| note.starts_with("cleaning changed 30 of 30 training texts")).unwrap();
    assert!(changed.contains("white_space 30") && changed.contains("emoticons 2"), "{changed}");
}

#[test]
fn rare_words_are_those_of_the_training_rows_alone() {
    let directory = project("[clean]\nrare_words = 100\n");
    let mut said = Said::default();
    let prepared = prepare(&directory, &mut said).unwrap();
    let cleaner = prepared.cleaner.as_ref().unwrap();
    let rare: Vec<&str> = cleaner.rare_words().collect();
    let word = |row: u32| format!("영화{row}");
    assert!(prepared.train.rows.iter().all(|&row| rare.contains(&word(row).as_str())));
    assert!(!prepared.held_out.iter().any(|&row| rare.contains(&word(row).as_str())));
    // Every word of a training row is among the hundred rarest, so nothing is left.
    assert_eq!(
        said.warnings,
        [format!("{}: cleaning left nothing of 30 of 40 texts; they are kept, empty", path(&directory))]
    );
    let recipe = Recipe::load(&directory.path().join("recipe.toml"), &[]).unwrap();
    assert_eq!(fitted_cleaner(&recipe, &mut said).unwrap().as_ref(), Some(cleaner));
}

fn path(directory: &TempDir) -> String {
    directory.path().join("train.csv").display().to_string()
}

#[test]
fn special_tokens_take_the_rows_after_the_tokenisers_and_only_what_is_missing_is_added() {
    let directory = project("[clean]\nemoticons = \"mine.txt\"\n");
    let prepared = prepare(&directory, &mut Said::default()).unwrap();
    // Ten tokens, an embedding of twelve rows: the two new tokens take the rows nobody had.
    assert_eq!(prepared.bases[0].config.vocab_size, 12);
    let new = &prepared.bases[0].new_tokens;
    assert_eq!((new.base_rows, new.start, new.tokens.len()), (12, TokenStart::Mean, 2));
    // ㅋㅋ is in the vocabulary, the ribbon is not.
    assert_eq!(new.tokens[0], NewToken { id: 10, pieces: vec![7] });
    assert_eq!(new.tokens[1], NewToken { id: 11, pieces: vec![] });
    fs::write(directory.path().join("mine.txt"), "[A] ㅋ\n[B] ㅎ\n[C] ;\n").unwrap();
    let prepared = prepare(&directory, &mut Said::default()).unwrap();
    assert_eq!((prepared.bases[0].config.vocab_size, prepared.bases[0].new_tokens.base_rows), (13, 12));
    assert_eq!(prepared.bases[0].config.raw()["vocab_size"], 13);
}

#[test]
fn a_table_that_clashes_with_the_vocabulary_or_is_malformed_is_the_users_to_mend() {
    let directory = project("[clean]\nemoticons = \"mine.txt\"\n");
    fs::write(directory.path().join("mine.txt"), "[BELL] 🔔\n").unwrap();
    let refused = |directory: &TempDir| {
        let error = prepare(directory, &mut Said::default()).unwrap_err();
        assert!(error.is_user_error());
        error.to_string()
    };
    assert!(refused(&directory).contains("[BELL] is an ordinary word of this tokeniser"));
    fs::write(directory.path().join("mine.txt"), "[LAUGH] ㅋ\nCRY ㅠ\n").unwrap();
    assert!(refused(&directory).contains("mine.txt: line 2: \"CRY\" is no name"));
}
