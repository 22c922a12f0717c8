//! `config.json`: defaults, kept keys, and values that are refused.

use std::path::Path;

use gyeol_engine::hf::{Activation, EncoderConfig, Family, HfError, ProblemType};
use serde_json::{Map, Value, json};

use crate::golden_json;

fn parse(value: &Value) -> Result<EncoderConfig, HfError> {
    EncoderConfig::from_json(value.as_object().unwrap().clone(), Path::new("base/config.json"))
}

/// The message of the error for a BERT with `extra` keys.
fn refusal(extra: Value) -> String {
    let mut keys: Map<String, Value> = Map::from_iter([("model_type".to_owned(), json!("bert"))]);
    keys.extend(extra.as_object().unwrap().clone());
    let error = parse(&Value::Object(keys)).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    error.to_string()
}

#[test]
fn absent_keys_take_the_defaults_of_transformers() {
    for (kind, expected) in golden_json("config_defaults.json").as_object().unwrap() {
        let config = parse(&json!({ "model_type": kind })).unwrap();
        let size = |key: &str| expected[key].as_u64().unwrap() as usize;
        let real = |key: &str| expected[key].as_f64().unwrap() as f32;
        assert_eq!(config.vocab_size, size("vocab_size"), "{kind}");
        assert_eq!(config.hidden_size, size("hidden_size"), "{kind}");
        let width = expected.get("embedding_size").and_then(Value::as_u64).unwrap_or(size("hidden_size") as u64);
        assert_eq!(config.embedding_size, width as usize, "{kind}");
        assert_eq!(config.layers, size("num_hidden_layers"), "{kind}");
        assert_eq!(config.heads, size("num_attention_heads"), "{kind}");
        assert_eq!(config.intermediate_size, size("intermediate_size"), "{kind}");
        assert_eq!(config.max_position_embeddings, size("max_position_embeddings"), "{kind}");
        assert_eq!(config.type_vocab_size, size("type_vocab_size"), "{kind}");
        assert_eq!(config.pad_token_id, size("pad_token_id"), "{kind}");
        assert_eq!(config.num_labels(), size("num_labels"), "{kind}");
        assert_eq!(config.layer_norm_eps, real("layer_norm_eps"), "{kind}");
        assert_eq!(config.hidden_dropout, real("hidden_dropout_prob"), "{kind}");
        assert_eq!(config.classifier_dropout, real("hidden_dropout_prob"), "{kind}");
        assert_eq!(config.attention_dropout, real("attention_probs_dropout_prob"), "{kind}");
        assert_eq!(config.initializer_range, real("initializer_range"), "{kind}");
        assert_eq!(config.activation, Activation::Gelu, "{kind}");
    }
}

#[test]
fn roberta_positions_start_after_the_padding_token() {
    let config =
        parse(&json!({ "model_type": "xlm-roberta", "pad_token_id": 3, "max_position_embeddings": 20 })).unwrap();
    assert_eq!((config.family, config.position_offset, config.max_tokens()), (Family::Roberta, 4, 16));
    let config = parse(&json!({ "model_type": "bert", "pad_token_id": 3 })).unwrap();
    assert_eq!((config.family, config.position_offset, config.max_tokens()), (Family::Bert, 0, 512));
}

#[test]
fn parameters_are_counted_as_transformers_counts_them() {
    let golden = golden_json("electra_config.json");
    assert_eq!(parse(&golden).unwrap().parameter_count(), golden["parameters"].as_u64().unwrap());
}

#[test]
fn a_classifier_written_by_transformers_is_read_with_its_labels() {
    let config = parse(&golden_json("bert_config.json")).unwrap();
    assert_eq!(config.labels, ["부정", "긍정", "중립"]);
    assert_eq!(config.problem_type, Some(ProblemType::SingleLabelClassification));
    assert_eq!((config.classifier_dropout, config.hidden_dropout), (0.25, 0.1));
    assert_eq!(config.activation, Activation::GeluNew);
    assert_eq!(config.raw()["my_own_key"], json!({ "kept": true }));
}

#[test]
fn labels_come_in_the_order_of_their_ids_whatever_the_order_of_the_file() {
    let config = parse(&json!({ "model_type": "bert", "id2label": { "1": "b", "10": "k", "0": "a", "2": "c", "3": "d",
        "4": "e", "5": "f", "6": "g", "7": "h", "8": "i", "9": 9 } }));
    assert_eq!(config.unwrap().labels.concat(), "abcdefghi9k");
}

#[test]
fn an_unknown_model_type_is_named_with_those_supported() {
    let error = parse(&json!({ "model_type": "deberta-v2" })).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert_eq!(
        error.to_string(),
        "base/config.json: model_type \"deberta-v2\" is not supported; supported: bert, roberta, xlm-roberta, \
         camembert, electra"
    );
    let error = parse(&json!({})).unwrap_err().to_string();
    assert!(error.starts_with("base/config.json: model_type: absent"), "{error}");
}

#[test]
fn what_cannot_be_computed_is_refused_by_key() {
    let cases = [
        (json!({ "position_embedding_type": "relative_key" }), "position_embedding_type"),
        (json!({ "is_decoder": true }), "is_decoder"),
        (json!({ "pruned_heads": { "0": [1] } }), "pruned_heads"),
        (json!({ "hidden_act": "swish" }), "hidden_act"),
        (json!({ "hidden_size": 10, "num_attention_heads": 3 }), "num_attention_heads"),
        (json!({ "hidden_size": 0 }), "hidden_size"),
        (json!({ "hidden_size": "768" }), "hidden_size"),
        (json!({ "num_hidden_layers": -1 }), "num_hidden_layers"),
        (json!({ "vocab_size": 1.5 }), "vocab_size"),
        (json!({ "pad_token_id": 99, "vocab_size": 99 }), "pad_token_id"),
        (json!({ "hidden_dropout_prob": 1.0 }), "hidden_dropout_prob"),
        (json!({ "layer_norm_eps": -1e-12 }), "layer_norm_eps"),
        (json!({ "id2label": ["a", "b"] }), "id2label"),
        (json!({ "id2label": { "0": "a", "2": "b" } }), "id2label.2"),
        (json!({ "id2label": { "0": "a", "00": "b" } }), "id2label.00"),
        (json!({ "num_labels": 1_000_000_000_000_u64 }), "num_labels"),
        (json!({ "problem_type": "ranking" }), "problem_type"),
    ];
    for (extra, key) in cases {
        let message = refusal(extra);
        assert!(message.starts_with(&format!("base/config.json: {key}: ")), "{message}");
    }
}

#[test]
fn absurd_sizes_are_refused_without_overflow() {
    for key in ["vocab_size", "hidden_size", "intermediate_size", "max_position_embeddings"] {
        let message = refusal(json!({ key: u64::MAX, "num_attention_heads": 1 }));
        assert!(message.contains("parameters"), "{key}: {message}");
    }
    let all = refusal(json!({ "vocab_size": u64::MAX, "hidden_size": u64::MAX, "num_attention_heads": 1,
        "num_hidden_layers": 1024, "intermediate_size": u64::MAX, "type_vocab_size": u64::MAX }));
    assert!(all.contains("parameters"), "{all}");
    // Each of these layers is next to nothing, and the names of all would fill any memory.
    for layers in [1025, 1_000_000_000, u64::MAX] {
        let message = refusal(json!({ "hidden_size": 1, "intermediate_size": 1, "num_attention_heads": 1,
            "num_hidden_layers": layers }));
        assert!(message.contains("num_hidden_layers: ") && message.contains("more than 1024"), "{message}");
    }
}

#[test]
fn a_long_wrong_value_is_shown_shortened() {
    let message = refusal(json!({ "hidden_size": "가".repeat(1000) }));
    assert!(message.chars().count() < 200, "{message}");
}

#[test]
fn a_directory_without_config_says_what_is_expected() {
    let dir = tempfile::tempdir().unwrap();
    let error = EncoderConfig::read(dir.path()).unwrap_err();
    assert!(matches!(error, HfError::Missing { .. }) && error.exit_code() == 2, "{error:?}");
    std::fs::write(dir.path().join("config.json"), "{\n\"model_type\": }").unwrap();
    let error = EncoderConfig::read(dir.path()).unwrap_err();
    assert!(matches!(error, HfError::Json { .. }) && error.to_string().contains("line 2"), "{error}");
    std::fs::write(dir.path().join("config.json"), "[1]").unwrap();
    assert_eq!(EncoderConfig::read(dir.path()).unwrap_err().exit_code(), 2);
}
