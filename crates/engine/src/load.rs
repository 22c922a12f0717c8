//! Weights of a model from a checkpoint or from a seed, and into a checkpoint file.

use std::path::Path;

use crate::device::{Device, Store};
use crate::hf::{HfError, Weights, write_safetensors};
use crate::model::Model;
use crate::models;
use crate::params::{Part, Role, Tensor};
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
        let find = |tensor: &Tensor| {
            let bare = tensor.name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'));
            let names = [Some(tensor.name.as_str()), bare];
            names
                .into_iter()
                .flatten()
                .find_map(|name| weights.get(name).map(|info| (info.shape.clone(), name.to_owned())))
        };
        let fresh_outputs = self.has_other_outputs(|tensor| find(tensor).map(|(shape, _)| shape));
        for tensor in self.network.table.tensors() {
            let found = find(tensor);
            used.extend(found.iter().map(|(_, name)| name.clone()));
            let values = match found {
                Some((shape, name)) if tensor.part == Part::Output && fresh_outputs => {
                    report.resized.push((name, shape));
                    fresh(tensor, self.config().initializer_range, seed)
                }
                Some((_, name)) => {
                    let mut values = vec![0.0; tensor.span.len];
                    weights.read_f32(&name, &tensor.shape, &mut values)?;
                    values
                }
                None if tensor.part != Part::Encoder => {
                    report.initialised.push(tensor.name.clone());
                    fresh(tensor, self.config().initializer_range, seed)
                }
                None => return Err(missing(tensor, weights, origin)),
            };
            self.device.upload(Store::Weights, tensor.span, &values);
        }
        report.unexpected = weights
            .names()
            .filter(|name| !used.contains(*name) && !BUFFERS.iter().any(|buffer| name.ends_with(buffer)))
            .map(str::to_owned)
            .collect();
        report.unexpected.sort_unstable();
        Ok(report)
    }

    /// Whether the checkpoint's output layer is a sound one for another number of labels: every tensor of it is there and
    /// has another first dimension, the same for all. Then all of it starts fresh; anything else that does not fit is
    /// an error of the tensor.
    fn has_other_outputs(&self, shape_of: impl Fn(&Tensor) -> Option<Vec<usize>>) -> bool {
        let outputs = self.network.table.tensors().iter().filter(|tensor| tensor.part == Part::Output);
        let counts: Option<Vec<usize>> = outputs
            .map(|tensor| {
                let shape = shape_of(tensor)?;
                let alike = shape.len() == tensor.shape.len() && shape[1..] == tensor.shape[1..];
                (alike && shape[0] != tensor.shape[0]).then(|| shape[0])
            })
            .collect();
        counts.is_some_and(|counts| counts.iter().all(|count| *count == counts[0]))
    }

    /// Writes every tensor to a safetensors file, under the names `transformers` gives them.
    ///
    /// # Errors
    /// If the file cannot be written; one that was there stays.
    pub fn save(&mut self, path: &Path) -> Result<(), HfError> {
        self.device.settle();
        let all = self.device.download(Store::Weights);
        let tensors = self.network.table.tensors().iter();
        write_safetensors(path, tensors.map(|t| (&*t.name, &*t.shape, &all[t.span.start..t.span.end()])))
    }
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use gyeol_kernels::{Isa, Operands};

    use super::*;
    use crate::device::Cpu;
    use crate::heads::HeadKind;
    use crate::hf::EncoderConfig;

    fn golden() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/bert_cls")
    }

    fn model(outputs: usize) -> Model<Cpu> {
        let (device, config) = (Cpu::new(Isa::fastest(), Operands::F32), EncoderConfig::read(&golden()).unwrap());
        Model::new(device, config, HeadKind::Classification { outputs }, false).unwrap()
    }

    /// Loads the golden checkpoint with the shapes of some tensors changed into a model of four outputs.
    fn load_with(changes: &[(&str, &[usize])]) -> Result<LoadReport, HfError> {
        let mut source = model(4);
        source.load(&Weights::open(&golden()).unwrap().unwrap(), &golden(), 0)?;
        let zeros = vec![0.0; 1 << 16];
        let all = source.download(Store::Weights).into_owned();
        let tensors: Vec<(&str, &[usize], &[f32])> = source
            .table()
            .tensors()
            .iter()
            .map(|tensor| match changes.iter().find(|(name, _)| *name == tensor.name) {
                Some((name, shape)) => (*name, *shape, &zeros[..shape.iter().product()]),
                None => (&*tensor.name, &*tensor.shape, &all[tensor.span.start..tensor.span.end()]),
            })
            .collect();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.safetensors");
        write_safetensors(&path, tensors)?;
        model(4).load(&Weights::open_file(&path)?, &path, 0)
    }

    #[test]
    fn an_output_layer_for_another_number_of_labels_starts_fresh_as_a_whole() {
        let report = load_with(&[("classifier.weight", &[7, 24]), ("classifier.bias", &[7])]).unwrap();
        let names: Vec<&str> = report.resized.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["classifier.weight", "classifier.bias"]);
    }

    #[test]
    fn any_other_shape_that_does_not_fit_is_an_error_that_names_the_tensor() {
        for (name, shape) in [
            ("bert.pooler.dense.weight", &[12, 24][..]),
            ("bert.pooler.dense.bias", &[12]),
            ("classifier.weight", &[4, 12]),
            ("classifier.bias", &[7]),
            ("bert.embeddings.LayerNorm.weight", &[23]),
        ] {
            let error = load_with(&[(name, shape)]).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
