//! The archive `torch.save` writes since 1.6: a zip whose member `data.pkl` describes the tensors and whose stored,
//! uncompressed members `data/0`, `data/1` … are their numbers, so that they can be used where they are mapped.
//!
//! The pickle is read by [`super::pickle`]; nothing of it is executed.

use std::collections::HashMap;
use std::io::Cursor;
use std::path::Path;

use zip::{CompressionMethod, ZipArchive};

use super::HfError;
use super::located::{Located, TensorInfo};
use super::pickle::{self, PickleError};

/// Every tensor of the file whose bytes are `file`.
pub(super) fn locate(path: &Path, file: &[u8]) -> Result<Vec<(String, Located)>, HfError> {
    if !file.starts_with(b"PK\x03\x04") {
        return Err(HfError::file(
            path,
            "not a zip archive: damaged, or saved by PyTorch before 1.6; open the checkpoint with transformers once and \
             save_pretrained() it, which writes model.safetensors",
        ));
    }
    let members = Members::open(path, file)?;
    if let Some((start, end)) = members.find("byteorder")
        && &file[start..end] != b"little"
    {
        return Err(HfError::file(
            path,
            "saved on a big-endian machine; save it as model.safetensors there, which is the same on every machine",
        ));
    }
    let (start, end) = members.require("data.pkl")?;
    if end - start > pickle::MAX_PICKLE_BYTES {
        let problem = format!("its data.pkl of {} bytes is too long for a dictionary of tensors", end - start);
        return Err(HfError::file(path, problem));
    }
    let specs = pickle::read_state_dict(&file[start..end]).map_err(|error| match error {
        PickleError::Refused(what) => HfError::Refused { path: path.to_path_buf(), what },
        other => HfError::file(path, other.to_string()),
    })?;

    let mut tensors = Vec::with_capacity(specs.len());
    for (name, spec) in specs {
        let storage = members.require(&format!("data/{}", spec.storage))?;
        let available = storage.1 - storage.0;
        let located = if available < spec.storage_bytes {
            Err(format!("its storage data/{} has {available} of {} bytes", spec.storage, spec.storage_bytes))
        } else {
            let info = TensorInfo { shape: spec.shape, dtype: spec.dtype };
            Located::strided(info, storage, spec.offset, spec.strides)
        };
        tensors.push((name.clone(), located.map_err(|problem| HfError::tensor(path, &name, problem))?));
    }
    Ok(tensors)
}

/// Where the members of an archive lie in its file, by their name without the archive's leading directory.
struct Members<'a> {
    path: &'a Path,
    ranges: HashMap<String, (usize, usize)>,
}

impl<'a> Members<'a> {
    fn open(path: &'a Path, file: &[u8]) -> Result<Members<'a>, HfError> {
        let damaged = |problem: String| {
            HfError::file(path, format!("damaged or truncated zip archive ({problem}); fetch or save the file again"))
        };
        let mut archive = ZipArchive::new(Cursor::new(file)).map_err(|error| damaged(error.to_string()))?;
        let mut ranges = HashMap::with_capacity(archive.len());
        for number in 0..archive.len() {
            let member = archive.by_index_raw(number).map_err(|error| damaged(error.to_string()))?;
            let name = String::from_utf8_lossy(member.name_raw()).into_owned();
            if member.compression() != CompressionMethod::Stored || member.encrypted() {
                return Err(HfError::file(
                    path,
                    format!("member {name} is compressed or encrypted, which torch.save does not do; save it again"),
                ));
            }
            let range = member.data_start().and_then(|start| {
                let start = usize::try_from(start).ok()?;
                let end = start.checked_add(usize::try_from(member.compressed_size()).ok()?)?;
                (end <= file.len()).then_some((start, end))
            });
            let range = range.ok_or_else(|| damaged(format!("member {name} ends after the file")))?;
            // `archive/data/0` → `data/0`: the leading directory is the name the file had when it was saved.
            let (_, inner) = name.split_once('/').unwrap_or(("", &name));
            if ranges.insert(inner.to_owned(), range).is_some() {
                return Err(damaged(format!("member {name} occurs twice")));
            }
        }
        Ok(Members { path, ranges })
    }

    fn find(&self, name: &str) -> Option<(usize, usize)> {
        self.ranges.get(name).copied()
    }

    fn require(&self, name: &str) -> Result<(usize, usize), HfError> {
        self.find(name).ok_or_else(|| HfError::file(self.path, format!("not a PyTorch checkpoint: no member {name}")))
    }
}
