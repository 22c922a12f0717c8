//! Checkpoint directories against files made by PyTorch and transformers (`tests/golden_hf/make.py`), whole and damaged.

mod config;
mod hostile;
mod weights;
mod write;

use std::path::PathBuf;

/// A file or directory of the goldens.
fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden_hf").join(name)
}

/// A golden JSON document.
fn golden_json(name: &str) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(golden(name)).unwrap()).unwrap()
}
