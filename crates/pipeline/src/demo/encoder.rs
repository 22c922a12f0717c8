//! The small Korean encoder that comes with the program, `encoders/ko-reviews`: its README says what it learnt from.

use std::path::Path;

use super::files::put;
use crate::Error;

/// Its files, by name.
const FILES: [(&str, &[u8]); 4] = [
    ("config.json", include_bytes!("../../../../encoders/ko-reviews/config.json")),
    ("model.safetensors", include_bytes!("../../../../encoders/ko-reviews/model.safetensors")),
    ("tokenizer.json", include_bytes!("../../../../encoders/ko-reviews/tokenizer.json")),
    ("tokenizer_config.json", include_bytes!("../../../../encoders/ko-reviews/tokenizer_config.json")),
];

/// Writes the checkpoint directory `dir`.
///
/// # Errors
/// If a file cannot be written.
pub(super) fn write(dir: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(dir).map_err(|source| Error::Io { path: dir.to_owned(), action: "create", source })?;
    FILES.iter().try_for_each(|(name, bytes)| put(&dir.join(name), bytes))
}
