//! What is written is read back, what others write is read too, and what is not computed here is named.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::super::HfError;
use super::*;

/// A directory with these files.
fn directory(files: &[(&str, Value)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, value) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, value.to_string()).unwrap();
    }
    dir
}

/// `modules.json` of these classes and paths.
fn list(modules: &[(&str, &str)]) -> (&'static str, Value) {
    let module = |(index, (class, path)): (usize, &(&str, &str))| json!({ "idx": index, "name": index.to_string(), "path": path, "type": class });
    (MODULES, modules.iter().enumerate().map(module).collect())
}

const TRANSFORMER: (&str, &str) = ("sentence_transformers.models.Transformer", "");
const POOL: (&str, &str) = ("sentence_transformers.models.Pooling", "1_Pooling");

fn refusal(files: &[(&str, Value)]) -> String {
    let dir = directory(files);
    let error = SentenceDirectory::read(dir.path()).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    error.to_string().replace(&format!("{}/", dir.path().display()), "")
}

#[test]
fn what_is_written_is_read_back() {
    let config =
        super::super::EncoderConfig::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/electra_proj_reg"))
            .unwrap();
    for pooling in [Pooling::Cls, Pooling::Mean, Pooling::Max] {
        let dense = vec![
            Dense { inputs: config.hidden_size, outputs: 5, activation: Some(HeadActivation::Gelu) },
            Dense { inputs: 5, outputs: 2, activation: None },
        ];
        let layers = SentenceTransformer { pooling, dense, max_length: Some(17) };
        let dir = tempfile::tempdir().unwrap();
        layers.write(dir.path(), &config).unwrap();
        layers.write_dense(dir.path(), 1, &[0.5; 10], &[0.25; 2]).unwrap();
        let found = SentenceDirectory::read(dir.path()).unwrap().unwrap();
        assert_eq!((found.layers, found.encoder), (layers, dir.path().to_owned()));
        let written: Value = serde_json::from_slice(&fs::read(dir.path().join(CONFIG)).unwrap()).unwrap();
        assert_eq!(written["architectures"], json!(["ElectraModel"]));
        assert!(written.get("id2label").is_none());
    }
}

#[test]
fn old_and_new_words_for_pooling_are_read_and_the_encoder_may_lie_deeper() {
    let encoder = ("sentence_transformers.base.modules.transformer.Transformer", "0_Transformer");
    let pool = ("sentence_transformers.sentence_transformer.modules.pooling.Pooling", "1_Pooling");
    let normalize = ("sentence_transformers.models.Normalize", "2_Normalize");
    for (words, pooling) in [
        (json!({"embedding_dimension": 8, "pooling_mode": "max", "include_prompt": true}), Pooling::Max),
        (json!({"pooling_mode": ["cls"]}), Pooling::Cls),
        (json!({"pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": false}), Pooling::Mean),
        (json!({"pooling_mode_max_tokens": true}), Pooling::Max),
        (json!({}), Pooling::Mean),
    ] {
        let dir = directory(&[
            list(&[encoder, pool, normalize]),
            ("1_Pooling/config.json", words),
            ("0_Transformer/sentence_roberta_config.json", json!({"max_seq_length": 77})),
            (WHOLE_CONFIG, json!({"similarity_fn_name": "dot", "default_prompt_name": null})),
        ]);
        let found = SentenceDirectory::read(dir.path()).unwrap().unwrap();
        let layers = SentenceTransformer { pooling, dense: Vec::new(), max_length: Some(77) };
        assert_eq!((found.layers, found.encoder), (layers, dir.path().join("0_Transformer")));
        let of = SentenceDirectory::encoder_of(dir.path()).unwrap();
        assert_eq!(of, (dir.path().join("0_Transformer"), Some(pooling)));
    }
}

#[test]
fn the_tokenizer_says_the_length_where_the_module_does_not() {
    for (length, expected) in [(json!(64), Some(64)), (json!(1e30), None), (Value::Null, None)] {
        let dir = directory(&[
            list(&[TRANSFORMER, POOL]),
            ("1_Pooling/config.json", json!({"pooling_mode": "mean"})),
            (ENCODER_CONFIG, json!({"transformer_task": "feature-extraction"})),
            ("tokenizer_config.json", json!({"model_max_length": length})),
        ]);
        assert_eq!(SentenceDirectory::read(dir.path()).unwrap().unwrap().layers.max_length, expected);
    }
}

#[test]
fn a_checkpoint_without_modules_or_with_its_encoder_alone_is_none() {
    for files in [&[][..], &[list(&[TRANSFORMER])]] {
        let dir = directory(files);
        assert!(SentenceDirectory::read(dir.path()).unwrap().is_none());
        assert_eq!(SentenceDirectory::encoder_of(dir.path()).unwrap(), (dir.path().to_owned(), None));
    }
}

#[test]
fn a_module_that_is_not_computed_here_is_named() {
    let mean = || ("1_Pooling/config.json", json!({"pooling_mode": "mean"}));
    let cnn = ("sentence_transformers.models.CNN", "2_CNN");
    assert_eq!(
        refusal(&[list(&[TRANSFORMER, POOL, cnn]), mean()]),
        "modules.json: type: \"2_CNN\" (sentence_transformers.models.CNN) is not computed here; Transformer, Pooling, Dense and \
         Normalize are, in this order"
    );
    let own = ("custom.Pooling", "1_Pooling");
    assert!(refusal(&[list(&[TRANSFORMER, own]), mean()]).contains("\"1_Pooling\" (custom.Pooling) is not computed"));
    assert!(refusal(&[list(&[POOL])]).contains("the first module has to be a Transformer"));
    assert!(refusal(&[list(&[POOL, POOL])]).contains("the first module has to be a Transformer"));
    let outside = ("sentence_transformers.models.Pooling", "../1_Pooling");
    assert!(refusal(&[list(&[TRANSFORMER, outside])]).contains("\"../1_Pooling\" is not a directory beside it"));
}

#[test]
fn settings_that_are_not_computed_here_name_their_file_and_key() {
    let with = |pooling: Value, file: &'static str, value: Value| {
        refusal(&[list(&[TRANSFORMER, POOL]), ("1_Pooling/config.json", pooling), (file, value)])
    };
    let mean = || json!({"pooling_mode": "mean"});
    assert_eq!(
        with(json!({"pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true}), "x.json", json!({})),
        "1_Pooling/config.json: pooling_mode: pooling by \"max\" and \"mean\" is not computed here; one of cls, mean, max is"
    );
    assert!(with(json!({"pooling_mode": "lasttoken"}), "x.json", json!({})).contains("\"lasttoken\" is not computed"));
    assert!(with(mean(), WHOLE_CONFIG, json!({"similarity_fn_name": "dot"})).contains("similarity_fn_name: \"dot\""));
    let prompt = json!({"default_prompt_name": "query", "prompts": {"query": "query: "}});
    assert!(with(mean(), WHOLE_CONFIG, prompt).contains("texts would begin with \"query: \""));
    assert!(with(mean(), ENCODER_CONFIG, json!({"do_lower_case": true})).contains("do_lower_case: true"));
    let error = refusal(&[list(&[TRANSFORMER, POOL])]);
    assert!(error.starts_with("1_Pooling/config.json: not found; "), "{error}");
}

#[test]
fn a_dense_layer_that_is_not_computed_here_names_its_key() {
    let with = |dense: Value| {
        let module = ("sentence_transformers.models.Dense", "2_Dense");
        refusal(&[
            list(&[TRANSFORMER, POOL, module]),
            ("1_Pooling/config.json", json!({})),
            ("2_Dense/config.json", dense),
        ])
    };
    assert!(with(json!({"out_features": 2})).starts_with("2_Dense/config.json: in_features: absent"));
    let sizes = |key: &str, value: Value| {
        let mut sizes = json!({"in_features": 4, "out_features": 2});
        sizes[key] = value;
        sizes
    };
    for key in ["in_features", "out_features"] {
        assert!(with(sizes(key, json!(1_048_577))).contains(&format!("{key}: 1048577 is more than 1048576")));
    }
    assert!(with(sizes("bias", json!(false))).contains("bias: false is not computed here"));
    assert!(with(sizes("use_residual", json!(true))).contains("use_residual: true is not computed here"));
    assert!(with(sizes("activation_function", json!("torch.nn.modules.activation.ELU"))).contains("is none of: "));
}

#[test]
fn a_dense_layer_without_weights_says_so() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/bert_cls");
    let config = super::super::EncoderConfig::read(&golden).unwrap();
    let dense = vec![Dense { inputs: 24, outputs: 1, activation: None }];
    let layers = SentenceTransformer { pooling: Pooling::Mean, dense, max_length: None };
    let dir = tempfile::tempdir().unwrap();
    layers.write(dir.path(), &config).unwrap();
    let found = SentenceDirectory::read(dir.path()).unwrap().unwrap();
    assert!(found.weights().unwrap().is_none());
    fs::copy(golden.join(WEIGHTS), dir.path().join(WEIGHTS)).unwrap();
    let error = found.weights().unwrap_err();
    assert!(matches!(error, HfError::Missing { .. }) && error.to_string().contains("2_Dense"), "{error}");
}
