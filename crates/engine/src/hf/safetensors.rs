//! The header of a `.safetensors` file, checked against the bytes that are there.
//!
//! The `safetensors` crate parses the header; the arithmetic on the sizes it promises is done here, so that a short
//! file is told from a damaged one and the tensor that is cut off is named.

use std::path::Path;

use safetensors::tensor::Metadata;

use super::HfError;
use super::located::{Located, TensorInfo};

/// The format's own limit.
const MAX_HEADER_BYTES: usize = 100_000_000;

/// Every tensor of the file whose bytes are `file`.
pub(super) fn locate(path: &Path, file: &[u8]) -> Result<Vec<(String, Located)>, HfError> {
    let damaged = |problem: String| HfError::file(path, format!("{problem}; fetch or save the file again"));
    let Some((length, rest)) = file.split_first_chunk::<8>() else {
        return Err(damaged(format!("{} bytes are too few for a safetensors file; it is truncated", file.len())));
    };
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if length > MAX_HEADER_BYTES {
        return Err(damaged("not a safetensors file: its first 8 bytes are not the length of a header".to_owned()));
    }
    let Some((header, data)) = rest.split_at_checked(length) else {
        return Err(damaged(format!("truncated within its header: {} of {length} bytes are there", rest.len())));
    };
    let metadata: Metadata =
        serde_json::from_slice(header).map_err(|error| damaged(format!("its header cannot be read: {error}")))?;

    let mut tensors = Vec::new();
    for name in metadata.offset_keys() {
        let Some(stored) = metadata.info(&name) else { continue };
        let (start, end) = stored.data_offsets;
        if end > data.len() {
            let problem = format!(
                "the file is truncated: the tensor ends at byte {end} of the data, of which {} are there; fetch or \
                 save the file again",
                data.len()
            );
            return Err(HfError::tensor(path, &name, problem));
        }
        let info = TensorInfo { shape: stored.shape.clone(), dtype: stored.dtype };
        let base = 8 + length;
        let located = Located::contiguous(info, base + start, base + end)
            .map_err(|problem| HfError::tensor(path, &name, problem))?;
        tensors.push((name, located));
    }
    if metadata.data_len() != data.len() {
        let (extra, promised) = (data.len() - metadata.data_len(), metadata.data_len());
        return Err(damaged(format!("{extra} bytes follow the {promised} its header describes")));
    }
    Ok(tensors)
}
