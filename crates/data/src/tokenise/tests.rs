//! Opening, encoding and fingerprints on the tiny tokenisers of `tests/golden`; ids are compared in `tests/`.

use std::path::PathBuf;

use super::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tokeniser").join(name)
}

fn open(name: &str) -> Tokeniser {
    Tokeniser::open(&fixture(name)).unwrap()
}

fn message(dir: &Path) -> String {
    let error = Tokeniser::open(dir).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    error.to_string()
}

#[test]
fn a_length_without_room_for_text_is_refused_for_singles_and_pairs() {
    let tokeniser = open("bert-lower");
    let texts = vec!["정말".to_owned()];
    let error = tokeniser.encode_rows(&texts, None, 2).unwrap_err().to_string();
    assert_eq!(error, "model.max_length: 2 leaves no room beside 2 special tokens; use at least 3");
    assert_eq!(tokeniser.encode_rows(&texts, None, 3).unwrap().length(0), 3);
    assert!(matches!(
        tokeniser.encode_rows(&texts, Some(&texts), 3),
        Err(DataError::MaxLength { special: 3, least: 4, .. })
    ));
}

#[test]
fn cut_rows_are_counted_and_empty_ones_keep_their_place() {
    let texts: Vec<String> = vec!["".into(), "영화 영화 영화 영화 영화 영화".into(), "영".into()];
    let rows = open("bert-lower").encode_rows(&texts, None, 5).unwrap();
    assert_eq!((rows.len(), rows.truncated(), rows.length(0), rows.length(1)), (3, 1, 2, 5));
}

#[test]
fn two_texts_apart_are_what_each_is_alone() {
    let texts = ["영화".to_owned(), String::new(), "정말 영화 영화 영화 영화".to_owned()];
    let others = ["정말 영화".to_owned(), "영화".to_owned(), "영".to_owned()];
    let tokeniser = open("bert-lower");
    let rows = tokeniser.encode_apart(&texts, &others, 5).unwrap().in_twos();
    assert_eq!((rows.len(), rows.truncated()), (3, 2));
    let alone = [&texts, &others].map(|texts| tokeniser.encode_rows(texts, None, 5).unwrap());
    for row in 0..3 {
        assert_eq!(rows.row(row).0, [alone[0].row(row).0, alone[1].row(row).0].concat());
        assert_eq!(rows.length(row), alone[0].length(row) + alone[1].length(row));
    }
}

#[test]
fn a_megabyte_of_text_in_both_places_is_cut_without_keeping_the_rest() {
    let long = vec!["정말 재미있는 영화 ".repeat(40_000)];
    assert!(long[0].len() > 1_000_000);
    let rows = open("bert-lower").encode_rows(&long, Some(&long), 128).unwrap();
    assert_eq!((rows.length(0), rows.truncated()), (128, 1));
}

#[test]
fn rows_do_not_depend_on_their_neighbours_or_the_number_of_threads() {
    let tokeniser = open("roberta");
    let texts: Vec<String> = (0..300).map(|row| format!("영화 {row} {}", "ㅋ".repeat(row % 7))).collect();
    let together = tokeniser.encode_rows(&texts, None, 16).unwrap();
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let serial = alone.install(|| tokeniser.encode_rows(&texts, None, 16)).unwrap();
    for (row, text) in texts.iter().enumerate() {
        let one = tokeniser.encode_rows(std::slice::from_ref(text), None, 16).unwrap();
        assert_eq!(together.row(row), one.row(0));
        assert_eq!(together.row(row), serial.row(row));
    }
}

#[test]
fn directories_without_a_usable_tokeniser_say_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    assert!(message(dir.path()).contains("tokenizer.json, vocab.txt, or vocab.json with merges.txt is needed"));
    fs::write(dir.path().join("tokenizer.json"), "{ broken").unwrap();
    assert!(message(dir.path()).contains("tokenizer.json: not a JSON object"));
    fs::write(dir.path().join("tokenizer.json"), r#"{"version": "1.0", "model": {"type": "WordPiece"}}"#).unwrap();
    assert!(message(dir.path()).contains("tokenizer.json: "));
}

#[test]
fn a_tokeniser_without_special_tokens_is_no_encoders() {
    let dir = tempfile::tempdir().unwrap();
    let mut json: serde_json::Value =
        serde_json::from_slice(&fs::read(fixture("generic").join("tokenizer.json")).unwrap()).unwrap();
    json["post_processor"] = serde_json::Value::Null;
    fs::write(dir.path().join("tokenizer.json"), json.to_string()).unwrap();
    assert!(message(dir.path()).contains("an encoder needs one"));
}

#[test]
fn settings_that_change_ids_change_the_fingerprint() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["vocab.txt", "config.json"] {
        fs::copy(fixture("bert-lower").join(name), dir.path().join(name)).unwrap();
    }
    let fingerprint = |config: &str| {
        fs::write(dir.path().join(TOKENIZER_CONFIG), config).unwrap();
        Tokeniser::open(dir.path()).unwrap().fingerprint().to_owned()
    };
    let base = fingerprint("{}");
    assert_eq!(base, open("bert-lower").fingerprint());
    assert_eq!(base, fingerprint(r#"{"model_max_length": 512}"#));
    for config in [
        r#"{"do_lower_case": false}"#,
        r#"{"truncation_side": "left"}"#,
        r#"{"model_input_names": ["input_ids"]}"#,
        r#"{"additional_special_tokens": ["[LAUGH]"]}"#,
    ] {
        assert_ne!(base, fingerprint(config), "{config}");
    }
    fs::write(dir.path().join(TOKENIZER_CONFIG), r#"{"truncation_side": "up"}"#).unwrap();
    assert!(message(dir.path()).contains("truncation_side is \"up\""));
}

#[test]
fn a_vocabulary_without_a_mask_token_names_its_directory() {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(fixture("generic").join(TOKENIZER_JSON), dir.path().join(TOKENIZER_JSON)).unwrap();
    let error = Tokeniser::open(dir.path()).unwrap().masking().unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert_eq!(
        error.to_string(),
        format!(
            "{}: no mask token (mask_token in tokenizer_config.json), which masked-LM training needs",
            dir.path().display()
        )
    );
}

#[test]
fn ids_no_token_has_are_never_drawn() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n영화\n##영화\n영화\n").unwrap();
    let vocabulary = Tokeniser::open(dir.path()).unwrap().masking().unwrap();
    assert_eq!(vocabulary.special, [true, true, true, true, true, true, false, false]);
    assert_eq!(vocabulary.continues, [false, false, false, false, false, false, true, false]);
}
