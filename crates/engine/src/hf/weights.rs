//! The tensors of a checkpoint directory, whatever files they are in: one mapped view of them all, read as f32.
//!
//! Looked for in the order `transformers` does: `model.safetensors`, its shards by `model.safetensors.index.json`,
//! `pytorch_model.bin`, its shards by `pytorch_model.bin.index.json`. Which tensors a model wants is not known here.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use memmap2::Mmap;
use serde::Deserialize;

use super::located::{Located, TensorInfo};
use super::{HfError, safetensors, torch_zip};

/// The named tensors of a checkpoint, memory-mapped; dropping it unmaps the files.
///
/// Names are those of today: the `LayerNorm.gamma` and `LayerNorm.beta` of old checkpoints are listed as
/// `LayerNorm.weight` and `LayerNorm.bias`.
#[derive(Debug)]
pub struct Weights {
    files: Vec<Mapped>,
    tensors: BTreeMap<String, Stored>,
}

#[derive(Debug)]
struct Mapped {
    path: PathBuf,
    bytes: Mmap,
}

#[derive(Debug)]
struct Stored {
    /// Index into `Weights::files`.
    file: usize,
    located: Located,
}

/// `*.index.json`; its `metadata` is of no use here.
#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

impl Weights {
    /// Opens the weights of the checkpoint directory `dir`; `None` when it has no weight file.
    ///
    /// # Errors
    /// When a file is damaged, truncated, of a layout that is not read, or a pickle that wants more than tensors; the
    /// error names the file and, where there is one, the tensor.
    pub fn open(dir: &Path) -> Result<Option<Weights>, HfError> {
        for name in ["model.safetensors", "pytorch_model.bin"] {
            let (whole, index) = (dir.join(name), dir.join(format!("{name}.index.json")));
            if is_there(&whole)? {
                return Weights::open_file(&whole).map(Some);
            }
            if is_there(&index)? {
                return Weights::open_shards(dir, &index).map(Some);
            }
        }
        Ok(None)
    }

    /// Opens one weight file: `.safetensors`, or else a `torch.save` archive.
    ///
    /// # Errors
    /// As [`Weights::open`], and when the file is not there.
    pub fn open_file(path: &Path) -> Result<Weights, HfError> {
        let (file, tensors) = read(path)?;
        let mut weights = Weights { files: vec![file], tensors: BTreeMap::new() };
        for (name, located) in tensors {
            weights.insert(name, Stored { file: 0, located })?;
        }
        Ok(weights)
    }

    fn open_shards(dir: &Path, index: &Path) -> Result<Weights, HfError> {
        let text = fs::read(index).map_err(HfError::open(index, || "a link to nothing; fetch the file".to_owned()))?;
        let map: ShardIndex =
            serde_json::from_slice(&text).map_err(|source| HfError::Json { path: index.to_path_buf(), source })?;
        let mut shards: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (tensor, shard) in map.weight_map {
            shards.entry(shard).or_default().push(tensor);
        }
        let mut weights = Weights { files: Vec::with_capacity(shards.len()), tensors: BTreeMap::new() };
        for (shard, names) in shards {
            let path = dir.join(plain_name(index, &shard)?);
            let (file, tensors) = read(&path)?;
            let mut tensors: BTreeMap<_, _> = tensors.into_iter().collect();
            weights.files.push(file);
            for name in names {
                let located = tensors.remove(&name).ok_or_else(|| {
                    let problem = format!("not in the file, though {} says so", index.display());
                    HfError::tensor(&path, &name, problem)
                })?;
                weights.insert(name, Stored { file: weights.files.len() - 1, located })?;
            }
        }
        Ok(weights)
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Shape and element type of a tensor; `None` when there is no such tensor.
    pub fn get(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name).map(|stored| &stored.located.info)
    }

    /// Reads a floating-point tensor (F32, F16, BF16, F64) of shape `expected` into `out`, row-major, as f32.
    ///
    /// # Errors
    /// [`HfError::Tensor`] when there is no such tensor, when it has another shape, when `out` has not as many elements
    /// as the shape says, and when the tensor does not hold floating-point numbers.
    pub fn read_f32(&self, name: &str, expected: &[usize], out: &mut [f32]) -> Result<(), HfError> {
        let Some(stored) = self.tensors.get(name) else {
            let path = self.files.first().map_or(Path::new(""), |file| &file.path);
            return Err(HfError::tensor(path, name, "not there"));
        };
        let file = &self.files[stored.file];
        let shape = &stored.located.info.shape;
        if shape != expected {
            let problem = format!("has shape {shape:?}, but the model's config.json asks for {expected:?}");
            return Err(HfError::tensor(&file.path, name, problem));
        }
        stored.located.read_f32(&file.bytes, out).map_err(|problem| HfError::tensor(&file.path, name, problem))
    }

    /// Takes the tensors of `other` in, `prefix.` before each name.
    pub(super) fn append(&mut self, prefix: &str, other: Weights) -> Result<(), HfError> {
        let first = self.files.len();
        self.files.extend(other.files);
        for (name, Stored { file, located }) in other.tensors {
            self.insert(format!("{prefix}.{name}"), Stored { file: first + file, located })?;
        }
        Ok(())
    }

    fn insert(&mut self, name: String, stored: Stored) -> Result<(), HfError> {
        let name = modern_name(name);
        let file = stored.file;
        match self.tensors.insert(name.clone(), stored) {
            // An old name beside its new one: which is meant is not guessed.
            Some(_) => Err(HfError::tensor(&self.files[file].path, &name, "occurs twice, or under its old name too")),
            None => Ok(()),
        }
    }
}

/// Whether the directory has an entry of that name; a link to nothing counts, and is an error when it is opened.
fn is_there(path: &Path) -> Result<bool, HfError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(HfError::io(path, "read")(error)),
    }
}

/// TensorFlow's names of LayerNorm's parameters, which early checkpoints kept.
fn modern_name(name: String) -> String {
    for (old, new) in [("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")] {
        if let Some(stem) = name.strip_suffix(old) {
            return format!("{stem}{new}");
        }
    }
    name
}

/// A shard's name, which has to be that of a file in the index's own directory.
fn plain_name<'a>(index: &Path, shard: &'a str) -> Result<&'a str, HfError> {
    let mut parts = Path::new(shard).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(only)), None) if only.to_str() == Some(shard) => Ok(shard),
        _ => Err(HfError::key(index, "weight_map", format!("{shard:?} is not the name of a file beside the index"))),
    }
}

fn read(path: &Path) -> Result<(Mapped, Vec<(String, Located)>), HfError> {
    let bytes = map(path)?;
    if bytes.starts_with(b"version https://git-lfs") {
        return Err(HfError::file(
            path,
            "a Git LFS pointer, not the weights themselves; fetch them with `git lfs pull`",
        ));
    }
    let is_safetensors = path.extension().is_some_and(|extension| extension == "safetensors");
    let tensors = if is_safetensors { safetensors::locate(path, &bytes) } else { torch_zip::locate(path, &bytes) }?;
    Ok((Mapped { path: path.to_path_buf(), bytes }, tensors))
}

#[allow(unsafe_code)]
fn map(path: &Path) -> Result<Mmap, HfError> {
    let file = File::open(path)
        .map_err(HfError::open(path, || "the weights are not complete without it; fetch it".to_owned()))?;
    // SAFETY: the map is only ever read. The bytes are taken as they come, so a file changed meanwhile by another
    // process gives other numbers, not undefined values; one cut short ends the process, as everywhere with maps.
    unsafe { Mmap::map(&file) }.map_err(HfError::io(path, "map"))
}
