//! Weights of a model from a checkpoint or from a seed, and into a checkpoint file.

use std::path::Path;

use crate::device::{Device, Store};
use crate::hf::{HfError, Weights, write_safetensors};
use crate::model::Model;
use crate::models;
use crate::params::{Role, Tensor};
use crate::random;

/// What a checkpoint did not give, and what it gave beyond need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Tensors of the head that were absent and got fresh weights.
    pub initialised: Vec<String>,
    /// Tensors of the head that were for another number of labels and got fresh weights: name and shape in the file.
    pub resized: Vec<(String, Vec<usize>)>,
    /// Tensors of the checkpoint that the model has no use for.
    pub unexpected: Vec<String>,
}

/// Buffers that old checkpoints carry beside their weights.
const BUFFERS: [&str; 2] = ["embeddings.position_ids", "embeddings.token_type_ids"];

impl<D: Device> Model<D> {
    /// Fresh weights for every tensor, a function of `seed`: normal with the configuration's `initializer_range`, biases
    /// zero, norms one and zero.
    pub fn randomise(&mut self, seed: u64) {
        for tensor in self.network.table.tensors() {
            let values = fresh(tensor, self.config().initializer_range, seed);
            self.device.upload(Store::Weights, tensor.span, &values);
        }
    }

    /// Takes the checkpoint's weights. Tensors of the head it lacks, or has for another number of labels, are drawn from
    /// `seed`.
    ///
    /// # Errors
    /// If a tensor of the encoder is missing, or any tensor has another shape than the configuration says.
    pub fn load(&mut self, weights: &Weights, origin: &Path, seed: u64) -> Result<LoadReport, HfError> {
        let mut report = LoadReport::default();
        let mut used = std::collections::HashSet::new();
        let prefix = models::prefix(self.config().family);
        for tensor in self.network.table.tensors() {
            let bare = tensor.name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'));
            let found = [Some(tensor.name.as_str()), bare]
                .into_iter()
                .flatten()
                .find_map(|name| weights.get(name).map(|info| (name, info)));
            let values = match found {
                Some((name, info)) => {
                    used.insert(name);
                    if tensor.head && other_outputs(&info.shape, &tensor.shape) {
                        report.resized.push((name.to_owned(), info.shape.clone()));
                        fresh(tensor, self.config().initializer_range, seed)
                    } else {
                        let mut values = vec![0.0; tensor.span.len];
                        weights.read_f32(name, &tensor.shape, &mut values)?;
                        values
                    }
                }
                None if tensor.head => {
                    report.initialised.push(tensor.name.clone());
                    fresh(tensor, self.config().initializer_range, seed)
                }
                None => return Err(missing(tensor, weights, origin)),
            };
            self.device.upload(Store::Weights, tensor.span, &values);
        }
        report.unexpected = weights
            .names()
            .filter(|name| !used.contains(name) && !BUFFERS.iter().any(|buffer| name.ends_with(buffer)))
            .map(str::to_owned)
            .collect();
        report.unexpected.sort_unstable();
        Ok(report)
    }

    /// Writes every tensor to a safetensors file, under the names `transformers` gives them.
    ///
    /// # Errors
    /// If the file cannot be written; one that was there stays.
    pub fn save(&self, path: &Path) -> Result<(), HfError> {
        let all = self.device.download(Store::Weights);
        let tensors = self.network.table.tensors().iter();
        write_safetensors(path, tensors.map(|t| (&*t.name, &*t.shape, &all[t.span.start..t.span.end()])))
    }
}

/// Whether two shapes differ in the first dimension alone: a head for another number of labels.
fn other_outputs(found: &[usize], wanted: &[usize]) -> bool {
    found != wanted && found.len() == wanted.len() && found[1..] == wanted[1..]
}

fn missing(tensor: &Tensor, weights: &Weights, origin: &Path) -> HfError {
    let some: Vec<&str> = weights.names().take(3).collect();
    let problem = format!(
        "missing, shape {:?}; the checkpoint holds others ({}, …): does config.json belong to these weights? \
         `model.init = \"random\"` starts without them",
        tensor.shape,
        some.join(", ")
    );
    HfError::tensor(origin, &tensor.name, problem)
}

fn fresh(tensor: &Tensor, deviation: f32, seed: u64) -> Vec<f32> {
    let mut values = vec![0.0; tensor.span.len];
    match tensor.role {
        Role::Weight | Role::Embedding { .. } => {
            random::fill_normal(random::key(seed, &tensor.name), deviation, &mut values);
            if let Role::Embedding { padding_row: Some(row) } = tensor.role {
                let width = tensor.shape[1];
                values[row * width..(row + 1) * width].fill(0.0);
            }
        }
        Role::NormScale => values.fill(1.0),
        Role::Bias | Role::NormShift => {}
    }
    values
}
