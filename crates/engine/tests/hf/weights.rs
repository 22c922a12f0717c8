//! Weights of every layout, against the numbers PyTorch has.

use std::fs;
use std::path::Path;

use gyeol_engine::hf::{HfError, Weights};
use serde_json::Value;

use crate::{golden, golden_json};

/// Every tensor of `weights` is one of `expected`, and the other way round, to the bit.
fn check(weights: &Weights, expected: &Value) {
    let expected = expected.as_object().unwrap();
    let mut names: Vec<_> = expected.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(weights.names().collect::<Vec<_>>(), names);
    for (name, tensor) in expected {
        let info = weights.get(name).unwrap();
        let shape: Vec<usize> = serde_json::from_value(tensor["shape"].clone()).unwrap();
        assert_eq!(info.shape, shape, "{name}");
        assert_eq!(info.dtype.to_string(), tensor["dtype"].as_str().unwrap(), "{name}");
        let mut out = vec![f32::NAN; shape.iter().product()];
        let result = weights.read_f32(name, &shape, &mut out);
        if tensor["values"].is_null() {
            let message = result.unwrap_err().to_string();
            assert!(message.contains(name) && message.contains("not floating-point numbers"), "{message}");
        } else {
            result.unwrap();
            let values: Vec<f64> = serde_json::from_value(tensor["values"].clone()).unwrap();
            assert_eq!(out, values.into_iter().map(|value| value as f32).collect::<Vec<_>>(), "{name}");
        }
    }
}

fn check_directory(name: &str) {
    let weights = Weights::open(&golden(name)).unwrap().unwrap();
    check(&weights, &golden_json(&format!("{name}/expected.json")));
}

/// The checkpoint directory's files in a directory that may be changed.
fn copy_of(name: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(golden(name)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    dir
}

fn open_error(dir: &Path) -> HfError {
    let error = Weights::open(dir).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    error
}

#[test]
fn a_torch_archive_is_read_with_its_dtypes_views_and_old_names() {
    check_directory("bin");
}

#[test]
fn pickle_protocol_4_gives_the_same_tensors() {
    let weights = Weights::open(&golden("bin_protocol4")).unwrap().unwrap();
    check(&weights, &golden_json("bin/expected.json"));
}

#[test]
fn untyped_storages_are_listed_and_the_rest_of_the_file_is_read() {
    check_directory("bin_untyped");
}

#[test]
fn safetensors_and_shards_of_both_formats_are_read() {
    for name in ["safetensors", "sharded_safetensors", "sharded_bin"] {
        check_directory(name);
    }
}

#[test]
fn safetensors_come_before_a_pickle_in_the_same_directory() {
    let dir = copy_of("safetensors");
    fs::write(dir.path().join("pytorch_model.bin"), "never looked at").unwrap();
    check(&Weights::open(dir.path()).unwrap().unwrap(), &golden_json("safetensors/expected.json"));
}

#[test]
fn a_directory_without_weights_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Weights::open(dir.path()).unwrap().is_none());
}

#[test]
fn a_wrong_shape_names_file_tensor_and_both_shapes() {
    let weights = Weights::open(&golden("safetensors")).unwrap().unwrap();
    let message = weights.read_f32("embeddings.weight", &[7, 3], &mut [0.0; 21]).unwrap_err().to_string();
    assert!(
        message.ends_with(
            "model.safetensors: tensor \"embeddings.weight\": has shape [5, 3], but the model's config.json asks for \
             [7, 3]"
        ),
        "{message}"
    );
    assert!(weights.read_f32("embeddings.weight", &[5, 3], &mut [0.0; 14]).is_err());
    let message = weights.read_f32("nowhere", &[1], &mut [0.0]).unwrap_err().to_string();
    assert!(message.contains("\"nowhere\": not there"), "{message}");
}

#[test]
fn a_shard_index_cannot_name_files_elsewhere() {
    for shard in ["../model.safetensors", "/etc/passwd", "sub/model.safetensors", "..", ".", "", "./x.safetensors"] {
        let dir = tempfile::tempdir().unwrap();
        let index = serde_json::json!({ "weight_map": { "w": shard } }).to_string();
        fs::write(dir.path().join("model.safetensors.index.json"), index).unwrap();
        let message = open_error(dir.path()).to_string();
        assert!(message.contains("weight_map") && message.contains("beside the index"), "{shard}: {message}");
    }
}

#[test]
fn a_missing_shard_and_a_missing_tensor_are_named() {
    let dir = copy_of("sharded_safetensors");
    fs::remove_file(dir.path().join("model-00002-of-00002.safetensors")).unwrap();
    let error = open_error(dir.path());
    assert!(matches!(error, HfError::Missing { .. }), "{error:?}");
    assert!(error.to_string().contains("model-00002-of-00002.safetensors"), "{error}");

    let dir = copy_of("sharded_safetensors");
    let index = dir.path().join("model.safetensors.index.json");
    let text = fs::read_to_string(&index).unwrap().replace("\"half\"", "\"third\"");
    fs::write(&index, text).unwrap();
    let error = open_error(dir.path());
    assert!(matches!(&error, HfError::Tensor { tensor, .. } if tensor == "third"), "{error:?}");
}

#[test]
fn a_git_lfs_pointer_is_recognised() {
    let dir = tempfile::tempdir().unwrap();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n";
    for name in ["pytorch_model.bin", "model.safetensors"] {
        fs::write(dir.path().join(name), pointer).unwrap();
        assert!(open_error(dir.path()).to_string().contains("git lfs pull"));
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_weights_that_are_gone_is_an_error_not_an_absence() {
    for name in ["model.safetensors", "pytorch_model.bin.index.json"] {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("gone", dir.path().join(name)).unwrap();
        let error = open_error(dir.path());
        assert!(matches!(error, HfError::Missing { .. }) && error.to_string().contains(name), "{error:?}");
    }
}
