//! Ids and segments of awkward texts agree with transformers' `AutoTokenizer` (`golden/make_tokeniser.py`).

use std::path::{Path, PathBuf};

use gyeol_data::{Tokenised, Tokeniser};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tokeniser")
}

fn expected() -> Value {
    serde_json::from_str(&std::fs::read_to_string(root().join("expected.json")).unwrap()).unwrap()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn check(name: &str, rows: &Tokenised, texts: &[String], golden: &Value) {
    assert_eq!(rows.len(), texts.len());
    for (row, text) in texts.iter().enumerate() {
        let (ids, segments) = rows.row(row);
        let wanted: Vec<u32> =
            golden["ids"][row].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
        assert_eq!(ids, wanted, "{name}: {text:?}");
        let segments: String = segments.iter().map(u8::to_string).collect();
        match golden["segments"][row].as_str() {
            Some(wanted) => assert_eq!(segments, wanted, "{name}: {text:?}"),
            None => assert!(segments.chars().all(|segment| segment == '0'), "{name}: {text:?}"),
        }
    }
}

fn check_all(name: &str, tokeniser: &Tokeniser, all: &Value) {
    let golden = &all["tokenisers"][name];
    let texts = strings(&all["texts"]);
    let pairs: Vec<String> = all["pairs"].as_array().unwrap().iter().map(|pair| strings(pair)[1].clone()).collect();
    assert_eq!(tokeniser.vocab_size() as u64, golden["vocab_size"].as_u64().unwrap(), "{name}");
    for (at, length) in all["lengths"].as_array().unwrap().iter().enumerate() {
        let length = length.as_u64().unwrap() as usize;
        let singles = tokeniser.encode_rows(&texts, None, length).unwrap();
        check(name, &singles, &texts, &golden["singles"][at]);
        let both = tokeniser.encode_rows(&texts, Some(&pairs), length).unwrap();
        check(name, &both, &texts, &golden["pairs"][at]);
    }
}

#[test]
fn every_kind_of_directory_gives_the_ids_of_transformers() {
    let all = expected();
    let names: Vec<&String> = all["tokenisers"].as_object().unwrap().keys().collect();
    assert_eq!(names.len(), 9);
    for name in names {
        check_all(name, &Tokeniser::open(&root().join(name)).unwrap(), &all);
    }
}

#[test]
fn saved_files_open_to_the_same_tokeniser() {
    let all = expected();
    for name in all["tokenisers"].as_object().unwrap().keys() {
        let tokeniser = Tokeniser::open(&root().join(name)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        tokeniser.save_files(dir.path()).unwrap();
        assert!(dir.path().join("tokenizer.json").is_file(), "{name}");
        let saved = Tokeniser::open(dir.path()).unwrap();
        assert_eq!(saved.fingerprint(), tokeniser.fingerprint(), "{name}");
        check_all(name, &saved, &all);
    }
}

#[test]
fn masking_knows_the_vocabularies_as_transformers_does() {
    let all = expected();
    for (name, golden) in all["tokenisers"].as_object().unwrap() {
        let tokeniser = Tokeniser::open(&root().join(name)).unwrap();
        let vocabulary = tokeniser.masking().unwrap();
        let golden = &golden["masking"];
        let ids = |flags: &[bool]| (0..flags.len() as u64).filter(|&id| flags[id as usize]).collect::<Vec<u64>>();
        let wanted =
            |key: &str| golden[key].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect::<Vec<_>>();
        assert_eq!(u64::from(vocabulary.mask), golden["mask"].as_u64().unwrap(), "{name}");
        assert_eq!(ids(&vocabulary.special), wanted("special"), "{name}");
        assert_eq!(ids(&vocabulary.continues), wanted("continues"), "{name}");
        assert_eq!(
            (vocabulary.special.len(), vocabulary.continues.len()),
            (tokeniser.vocab_size(), tokeniser.vocab_size())
        );
    }
}
