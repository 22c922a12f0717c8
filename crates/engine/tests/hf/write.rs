//! Directories that are written: their `config.json`, weights, and `gyeol.json`.

use std::fs;
use std::path::Path;

use gyeol_data::Task;
use gyeol_engine::hf::{
    EncoderConfig, GYEOL_JSON, GyeolJson, HfError, ProblemType, WeightPrecision, Weights, write_config,
    write_directory, write_masked_lm_config, write_safetensors,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::golden_json;

fn base() -> EncoderConfig {
    let keys = golden_json("bert_config.json").as_object().unwrap().clone();
    EncoderConfig::from_json(keys, Path::new("config.json")).unwrap()
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn the_written_config_describes_the_new_head_and_keeps_unknown_keys() {
    let dir = tempfile::tempdir().unwrap();
    write_config(dir.path(), &base(), ProblemType::SingleLabelClassification, &texts(&["0", "나쁨"])).unwrap();
    let config = read_json(&dir.path().join("config.json"));
    assert_eq!(config["architectures"], json!(["BertForSequenceClassification"]));
    assert_eq!(config["id2label"], json!({ "0": "0", "1": "나쁨" }));
    assert_eq!(config["label2id"], json!({ "0": 0, "나쁨": 1 }));
    assert_eq!(config["problem_type"], json!("single_label_classification"));
    assert_eq!(config["dtype"], json!("float32"));
    assert_eq!(config["my_own_key"], json!({ "kept": true }));
    assert_eq!(config["classifier_dropout"], json!(0.25));
    for stale in ["_name_or_path", "num_labels", "transformers_version", "torch_dtype"] {
        assert!(config.get(stale).is_none(), "{stale}");
    }
    assert_eq!(EncoderConfig::read(dir.path()).unwrap().labels, ["0", "나쁨"]);
}

#[test]
fn a_masked_language_model_says_nothing_of_labels() {
    let dir = tempfile::tempdir().unwrap();
    write_masked_lm_config(dir.path(), &base(), WeightPrecision::Bf16).unwrap();
    let config = read_json(&dir.path().join("config.json"));
    assert_eq!(config["architectures"], json!(["BertForMaskedLM"]));
    assert_eq!(config["dtype"], json!("bfloat16"));
    assert_eq!(config["my_own_key"], json!({ "kept": true }));
    for absent in ["id2label", "label2id", "problem_type", "classifier_dropout", "num_labels"] {
        assert!(config.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn weights_in_bfloat16_are_rounded_to_the_nearest() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    // The last lies half way between two, of which the even one is taken.
    let tensors: [(&str, &[usize], &[f32]); 1] = [("a", &[3], &[1.0, -3.137, 1.0 + 1.0 / 256.0])];
    write_safetensors(&path, WeightPrecision::Bf16, tensors).unwrap();
    let weights = Weights::open_file(&path).unwrap();
    let mut read = [0.0; 3];
    weights.read_f32("a", &[3], &mut read).unwrap();
    assert_eq!(read, [1.0, -3.140_625, 1.0]);
    assert_eq!(fs::metadata(&path).unwrap().len() % 8, 6, "two bytes a number");
}

#[test]
fn changed_dropout_is_written_as_short_as_it_was_given() {
    let mut base = base();
    base.set_dropout(0.1);
    let dir = tempfile::tempdir().unwrap();
    write_config(dir.path(), &base, ProblemType::Regression, &texts(&["LABEL_0"])).unwrap();
    let config = read_json(&dir.path().join("config.json"));
    for key in ["hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"] {
        assert_eq!(config[key].to_string(), "0.1", "{key}");
    }
    assert_eq!(config["problem_type"], json!("regression"));
    let read = EncoderConfig::read(dir.path()).unwrap();
    assert_eq!((read.hidden_dropout, read.classifier_dropout, read.num_labels()), (0.1, 0.1, 1));
}

#[test]
fn the_safetensors_header_is_aligned_and_says_pytorch() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let tensors: [(&str, &[usize], &[f32]); 2] = [("b", &[], &[1.0]), ("a", &[2, 1], &[2.0, -0.0])];
    write_safetensors(&path, WeightPrecision::F32, tensors).unwrap();
    let bytes = fs::read(&path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    assert_eq!(length % 8, 0);
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    assert_eq!(header["__metadata__"], json!({ "format": "pt" }));
    assert_eq!(header["a"], json!({ "dtype": "F32", "shape": [2, 1], "data_offsets": [4, 12] }));
    assert_eq!(bytes.len(), 8 + length + 12);
}

#[test]
fn tensors_that_do_not_fit_their_shape_or_share_a_name_are_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let wrong: [(&str, &[usize], &[f32]); 1] = [("w", &[2, 2], &[1.0; 3])];
    let error = write_safetensors(&path, WeightPrecision::F32, wrong).unwrap_err();
    assert!(error.to_string().contains("\"w\": 3 numbers do not fill shape [2, 2]"), "{error}");
    let twice: [(&str, &[usize], &[f32]); 2] = [("w", &[1], &[1.0]), ("w", &[1], &[2.0])];
    assert!(matches!(write_safetensors(&path, WeightPrecision::F32, twice), Err(HfError::Tensor { .. })));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_whole_directory_is_replaced_by_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("model");
    for value in [1.0f32, 2.0] {
        write_directory(&target, |staging| {
            write_config(staging, &base(), ProblemType::Regression, &texts(&["LABEL_0"]))?;
            let tensors: [(&str, &[usize], &[f32]); 1] = [("w", &[1], &[value])];
            write_safetensors(&staging.join("model.safetensors"), WeightPrecision::F32, tensors)?;
            GyeolJson::new(Task::Regression, "review", 128).write(staging)
        })
        .unwrap();
        let mut out = [0.0];
        Weights::open(&target).unwrap().unwrap().read_f32("w", &[1], &mut out).unwrap();
        assert_eq!(out, [value]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}

#[test]
fn gyeol_json_comes_back_as_written_and_keeps_keys_of_later_versions() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(GyeolJson::read(dir.path()).unwrap(), None);
    let mut settings = GyeolJson {
        id: Some("ID".to_owned()),
        label: Some("label".to_owned()),
        labels: texts(&["0", "1"]),
        label_names: Some(texts(&["부정", "긍정"])),
        ..GyeolJson::new(Task::Classification, "review", 128)
    };
    settings.other.insert("later".to_owned(), json!([1, 2]));
    settings.write(dir.path()).unwrap();
    assert_eq!(GyeolJson::read(dir.path()).unwrap(), Some(settings));
}

#[test]
fn a_model_of_label_sets_is_refused_by_versions_that_do_not_know_them() {
    let dir = tempfile::tempdir().unwrap();
    let settings =
        GyeolJson { labels: texts(&["욕설", "차별"]), ..GyeolJson::new(Task::MultiLabel, "review", 128) };
    assert_eq!(settings.format, 3);
    settings.write(dir.path()).unwrap();
    let written = fs::read_to_string(dir.path().join(GYEOL_JSON)).unwrap();
    assert!(written.contains(r#""task": "multi-label""#), "{written}");
    assert_eq!(GyeolJson::read(dir.path()).unwrap(), Some(settings));
}

#[test]
fn a_newer_or_damaged_gyeol_json_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(GYEOL_JSON);
    fs::write(&path, r#"{"format": 5, "something": "else"}"#).unwrap();
    let error = GyeolJson::read(dir.path()).unwrap_err();
    assert!(error.to_string().contains("gyeol.json: format: 5 is newer than 4"), "{error}");
    fs::write(&path, r#"{"format": 1, "task": "regression", "max_length": 8}"#).unwrap();
    let error = GyeolJson::read(dir.path()).unwrap_err();
    assert!(error.to_string().contains("missing field `text`"), "{error}");
    assert_eq!(error.exit_code(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn written_tensors_are_read_back_to_the_bit(
        tensors in prop::collection::btree_map("[a-z가-힣.\"\\\\]{0,12}", prop::collection::vec(any::<u32>(), 0..40), 0..6),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.safetensors");
        let tensors: Vec<_> = tensors
            .into_iter()
            .map(|(name, bits)| (name, [1, bits.len()], bits.into_iter().map(f32::from_bits).collect::<Vec<_>>()))
            .collect();
        let borrowed = tensors.iter().map(|(name, shape, values)| (name.as_str(), &shape[..], &values[..]));
        write_safetensors(&path, WeightPrecision::F32, borrowed).unwrap();
        let weights = Weights::open_file(&path).unwrap();
        prop_assert_eq!(weights.names().count(), tensors.len());
        for (name, shape, values) in &tensors {
            let mut out = vec![0.0; values.len()];
            weights.read_f32(name, shape, &mut out).unwrap();
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&out), bits(values));
        }
    }
}
