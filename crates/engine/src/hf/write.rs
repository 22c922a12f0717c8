//! The files of a checkpoint directory as `transformers` opens them: `config.json` and `model.safetensors`. Putting them
//! into a directory atomically is [`super::write_directory`]'s work; the tokenizer's files are the tokeniser's.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::atomic::write_file;
use super::{EncoderConfig, HfError, ProblemType, WeightPrecision};

/// Keys that are not carried over from the base: where it came from, how it was stored, what it was used for, and code
/// that is not copied with it.
const STALE_KEYS: [&str; 12] = [
    "_name_or_path",
    "name_or_path",
    "_commit_hash",
    "_num_labels",
    "num_labels",
    "auto_map",
    "dtype",
    "finetuning_task",
    "quantization_config",
    "task_specific_params",
    "torch_dtype",
    "transformers_version",
];

/// Numbers converted to bytes at a time: 1 MiB, so that they go past the writer's buffer.
const CHUNK: usize = 256 * 1024;

/// Writes `config.json` into `dir` for a sequence classifier (or regressor) on the encoder `base`, with `labels` in the
/// order of its outputs. Keys of the base that are unknown here are kept.
///
/// # Errors
/// [`HfError::DiskFull`] or [`HfError::Io`].
pub fn write_config(
    dir: &Path,
    base: &EncoderConfig,
    problem_type: ProblemType,
    labels: &[String],
) -> Result<(), HfError> {
    write_json(&dir.join("config.json"), &classifier_config(base, problem_type, labels))
}

/// Writes `config.json` into `dir` for a masked language model on the encoder `base`. What the base says of a classifier's
/// outputs is left out.
///
/// # Errors
/// [`HfError::DiskFull`] or [`HfError::Io`].
pub fn write_masked_lm_config(dir: &Path, base: &EncoderConfig, precision: WeightPrecision) -> Result<(), HfError> {
    write_unlabelled(
        dir,
        base,
        base.model_type.masked_lm_architecture(),
        &[&LABELS[..], &["classifier_dropout"]].concat(),
        precision,
    )
}

/// Writes `config.json` into `dir` for an encoder without a head.
pub(super) fn write_encoder_config(dir: &Path, base: &EncoderConfig) -> Result<(), HfError> {
    // The dropout of a head is the head's own setting where it has one, and else still the base's.
    write_unlabelled(dir, base, base.model_type.encoder_architecture(), &LABELS, WeightPrecision::F32)
}

/// What a configuration says of a classifier's outputs.
const LABELS: [&str; 3] = ["id2label", "label2id", "problem_type"];

/// Writes `config.json` for a model without a classifier, and `without` these keys.
fn write_unlabelled(
    dir: &Path,
    base: &EncoderConfig,
    architecture: &str,
    without: &[&str],
    precision: WeightPrecision,
) -> Result<(), HfError> {
    let mut config = carried_over(base, architecture);
    for key in without {
        config.shift_remove(*key);
    }
    set_dtype(&mut config, precision);
    write_json(&dir.join("config.json"), &config)
}

/// Writes `model.safetensors`-formatted tensors to the file `path`, in the order given, straight from the slices: nothing but
/// the header is copied. In bfloat16 every number is rounded to the nearest. Each item is a name, a shape and as many numbers
/// as the shape says, row-major.
///
/// # Errors
/// [`HfError::Tensor`] when a name occurs twice or a shape does not fit its numbers, before anything is written;
/// [`HfError::DiskFull`] or [`HfError::Io`].
pub fn write_safetensors<'a>(
    path: &Path,
    precision: WeightPrecision,
    tensors: impl IntoIterator<Item = (&'a str, &'a [usize], &'a [f32])>,
) -> Result<(), HfError> {
    let tensors: Vec<_> = tensors.into_iter().collect();
    match precision {
        WeightPrecision::F32 => write_numbers(path, Dtype::F32, &tensors, f32::to_le_bytes),
        WeightPrecision::Bf16 => {
            write_numbers(path, Dtype::BF16, &tensors, |value| half::bf16::from_f32(value).to_le_bytes())
        }
    }
}

fn write_numbers<const N: usize>(
    path: &Path,
    dtype: Dtype,
    tensors: &[(&str, &[usize], &[f32])],
    encode: impl Fn(f32) -> [u8; N],
) -> Result<(), HfError> {
    let header = header(path, dtype, tensors)?;
    write_file(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        let mut bytes: Box<[[u8; N]]> = std::iter::repeat_n([0; N], CHUNK).collect();
        for (_, _, values) in tensors {
            for chunk in values.chunks(CHUNK) {
                for (slot, value) in bytes.iter_mut().zip(chunk) {
                    *slot = encode(*value);
                }
                file.write_all(bytes[..chunk.len()].as_flattened())?;
            }
        }
        Ok(())
    })
}

/// Writes `value` as indented JSON.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), HfError> {
    write_file(path, |file: &mut BufWriter<File>| {
        serde_json::to_writer_pretty(&mut *file, value)?;
        file.write_all(b"\n")
    })
}

/// Reads a JSON file; `None` when there is none.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, HfError> {
    match fs::read(path) {
        Ok(text) => {
            serde_json::from_slice(&text).map(Some).map_err(|source| HfError::Json { path: path.to_path_buf(), source })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(HfError::io(path, "read")(error)),
    }
}

fn classifier_config(base: &EncoderConfig, problem_type: ProblemType, labels: &[String]) -> Map<String, Value> {
    let mut config = carried_over(base, base.model_type.classifier_architecture());
    let id2label: Map<_, _> = labels.iter().enumerate().map(|(id, label)| (id.to_string(), json!(label))).collect();
    let label2id: Map<_, _> = labels.iter().enumerate().map(|(id, label)| (label.clone(), json!(id))).collect();
    config.insert("id2label".to_owned(), Value::Object(id2label));
    config.insert("label2id".to_owned(), Value::Object(label2id));
    config.insert("problem_type".to_owned(), json!(problem_type.as_str()));
    set_dtype(&mut config, WeightPrecision::F32);
    config
}

/// The keys of `base` that hold for another model on the same encoder, of the class `architecture`.
fn carried_over(base: &EncoderConfig, architecture: &str) -> Map<String, Value> {
    let mut config = base.raw().clone();
    for key in STALE_KEYS {
        config.shift_remove(key);
    }
    config.insert("architectures".to_owned(), json!([architecture]));
    config
}

/// Says how the weights are stored. transformers before 4.56 reads `torch_dtype`, and takes f32 when it is absent.
fn set_dtype(config: &mut Map<String, Value>, precision: WeightPrecision) {
    config.insert("dtype".to_owned(), json!(precision.torch_name()));
}

/// The JSON header, padded with spaces so that the numbers begin at a multiple of 8 bytes.
fn header(path: &Path, dtype: Dtype, tensors: &[(&str, &[usize], &[f32])]) -> Result<Vec<u8>, HfError> {
    let mut infos: Vec<(String, TensorInfo)> = Vec::with_capacity(tensors.len());
    let mut end = 0;
    let mut seen = HashSet::new();
    for (name, shape, values) in tensors {
        let numel = shape.iter().try_fold(1usize, |product, length| product.checked_mul(*length));
        if numel != Some(values.len()) {
            let problem = format!("{} numbers do not fill shape {shape:?}", values.len());
            return Err(HfError::tensor(path, name, problem));
        }
        if !seen.insert(*name) {
            return Err(HfError::tensor(path, name, "would be written twice"));
        }
        let start = end;
        end += values.len() * (dtype.bitsize() / 8);
        infos.push(((*name).to_owned(), TensorInfo { dtype, shape: shape.to_vec(), data_offsets: (start, end) }));
    }
    // `transformers` refuses files that do not say which framework's tensors they hold.
    let about = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let invalid = |problem: String| HfError::file(path, problem);
    let metadata = Metadata::new(Some(about), infos).map_err(|error| invalid(error.to_string()))?;
    let mut header = serde_json::to_vec(&metadata).map_err(|error| invalid(error.to_string()))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}
