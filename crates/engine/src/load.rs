//! Weights of a model from a checkpoint or from a seed, and into a checkpoint file.

use std::path::Path;

use crate::config::TokenStart;
use crate::device::{Device, Store};
use crate::hf::{HfError, WeightPrecision, Weights, write_safetensors};
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

/// Tokens the model has beyond those its checkpoint was made with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewTokens {
    /// Rows of the checkpoint's word embedding.
    pub base_rows: usize,
    /// How their rows start.
    pub start: TokenStart,
    /// The tokens.
    pub tokens: Vec<NewToken>,
}

/// A token whose row of the word embedding starts afresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// Its row: beyond the checkpoint's, or one of them that no token had.
    pub id: u32,
    /// Rows of the checkpoint whose mean it starts at; where there are none, the mean of all of them.
    pub pieces: Vec<u32>,
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
        self.load_with_tokens(weights, origin, seed, &NewTokens::default())
    }

    /// [`Model::load`] into a model with new tokens: its word embedding takes the checkpoint's rows, and starts those of
    /// the new tokens as asked. Rows beyond the checkpoint's that no new token has are drawn from `seed`.
    ///
    /// # Errors
    /// As [`Model::load`]; the word embedding must have exactly [`NewTokens::base_rows`] rows.
    ///
    /// # Panics
    /// If a token's row is beyond the model's, or one of its pieces beyond the checkpoint's.
    pub fn load_with_tokens(
        &mut self,
        weights: &Weights,
        origin: &Path,
        seed: u64,
        new: &NewTokens,
    ) -> Result<LoadReport, HfError> {
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
        let words = self.network.embeddings.tables.words.0;
        let vocab_size = self.config().vocab_size;
        let grows = !new.tokens.is_empty() && vocab_size > new.base_rows;
        let fresh_outputs = self.has_other_outputs(|tensor| find(tensor).map(|(shape, _)| shape));
        for tensor in self.network.table.tensors() {
            let found = find(tensor);
            used.extend(found.iter().map(|(_, name)| name.clone()));
            let values = match found {
                Some((shape, name)) if tensor.part == Part::Output && fresh_outputs => {
                    report.resized.push((name, shape));
                    fresh(tensor, self.config().initializer_range, seed)
                }
                Some((_, name)) if tensor.span == words && !new.tokens.is_empty() => {
                    let mut values = fresh(tensor, self.config().initializer_range, seed);
                    let width = tensor.shape[1];
                    // A checkpoint with more rows than the model is refused when it is read, by its shape.
                    let old = (new.base_rows * width).min(values.len());
                    let drawn = values.clone();
                    weights.read_f32(&name, &[new.base_rows, width], &mut values[..old])?;
                    start_tokens(new, width, &mut values, &drawn);
                    values
                }
                // The bias of a decoder, one number a token: 0 for those that are new.
                Some((shape, name)) if grows && tensor.shape == [vocab_size] && shape == [new.base_rows] => {
                    let mut values = vec![0.0; vocab_size];
                    weights.read_f32(&name, &shape, &mut values[..new.base_rows])?;
                    values
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

    /// Takes the encoder's weights of a checkpoint that has exactly them, and leaves the head as it is.
    ///
    /// # Errors
    /// If a tensor of the encoder is missing or has another shape.
    pub fn load_encoder(&mut self, weights: &Weights) -> Result<(), HfError> {
        for tensor in self.network.table.tensors().iter().filter(|tensor| tensor.part == Part::Encoder) {
            let mut values = vec![0.0; tensor.span.len];
            weights.read_f32(&tensor.name, &tensor.shape, &mut values)?;
            self.device.upload(Store::Weights, tensor.span, &values);
        }
        Ok(())
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
        self.save_in(path, WeightPrecision::F32)
    }

    /// [`Model::save`] in a number format.
    ///
    /// # Errors
    /// As [`Model::save`].
    pub fn save_in(&mut self, path: &Path, precision: WeightPrecision) -> Result<(), HfError> {
        self.device.settle();
        let all = self.device.download(Store::Weights);
        let tensors = self.network.table.tensors().iter();
        write_safetensors(path, precision, tensors.map(|t| (&*t.name, &*t.shape, &all[t.span.start..t.span.end()])))
    }
}

/// Starts the rows of new tokens: `values` has the checkpoint's rows, `random` drawn ones.
fn start_tokens(new: &NewTokens, width: usize, values: &mut [f32], random: &[f32]) {
    let row = |id: usize| id * width..(id + 1) * width;
    let start = |token: &NewToken| match new.start {
        TokenStart::Random => random[row(token.id as usize)].to_vec(),
        TokenStart::Mean if token.pieces.is_empty() => mean(values, width, 0..new.base_rows),
        TokenStart::Mean => mean(values, width, token.pieces.iter().map(|&piece| piece as usize)),
    };
    // All of them before the first is written: a row may be one of the checkpoint's.
    let starts: Vec<Vec<f32>> = new.tokens.iter().map(start).collect();
    for (token, start) in new.tokens.iter().zip(starts) {
        values[row(token.id as usize)].copy_from_slice(&start);
    }
}

/// The mean of rows, summed in double precision.
fn mean(values: &[f32], width: usize, rows: impl ExactSizeIterator<Item = usize>) -> Vec<f32> {
    let (mut sums, count) = (vec![0.0f64; width], rows.len());
    for row in rows {
        let values = &values[row * width..(row + 1) * width];
        sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    sums.into_iter().map(|sum| (sum / count as f64) as f32).collect()
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
        write_safetensors(&path, WeightPrecision::F32, tensors)?;
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

    const WORDS: &str = "bert.embeddings.word_embeddings.weight";

    /// The golden checkpoint's word embedding in a model with these new tokens, with what it was; and the width.
    fn words_with(new: &NewTokens, vocab_size: usize) -> Result<(Vec<f32>, Vec<f32>, usize), HfError> {
        let mut config = EncoderConfig::read(&golden()).unwrap();
        let (rows, width) = (config.vocab_size, config.embedding_size);
        config.set_vocab_size(vocab_size);
        let weights = Weights::open(&golden()).unwrap().unwrap();
        let mut old = vec![0.0; rows * width];
        weights.read_f32(WORDS, &[rows, width], &mut old)?;
        let mut model =
            Model::new(Cpu::new(Isa::fastest(), Operands::F32), config, HeadKind::Classification { outputs: 4 }, false)
                .unwrap();
        model.load_with_tokens(&weights, &golden(), 1, new)?;
        let span = model.network.embeddings.tables.words.0;
        Ok((model.download(Store::Weights)[span.start..span.end()].to_vec(), old, width))
    }

    fn rows() -> usize {
        EncoderConfig::read(&golden()).unwrap().vocab_size
    }

    fn tokens(base_rows: usize, start: TokenStart, tokens: &[(usize, &[u32])]) -> NewTokens {
        let tokens = tokens.iter().map(|&(id, pieces)| NewToken { id: id as u32, pieces: pieces.to_vec() }).collect();
        NewTokens { base_rows, start, tokens }
    }

    #[test]
    fn new_tokens_start_at_the_mean_of_what_they_replace_and_old_rows_stay() {
        let rows = rows();
        let new = tokens(rows, TokenStart::Mean, &[(rows, &[3, 5, 3, 3]), (rows + 1, &[])]);
        let (words, old, width) = words_with(&new, rows + 2).unwrap();
        assert_eq!(words[..old.len()], old);
        let at = |row: usize, column: usize| old[row * width + column];
        for column in 0..width {
            let pieces = (3.0 * at(3, column) + at(5, column)) / 4.0;
            assert!((words[rows * width + column] - pieces).abs() < 1e-7);
            let all = (0..rows).map(|row| at(row, column)).sum::<f32>() / rows as f32;
            assert!((words[(rows + 1) * width + column] - all).abs() < 1e-6);
        }
    }

    #[test]
    fn new_tokens_may_start_at_random_and_a_row_no_token_had_may_be_taken() {
        let rows = rows();
        let new = tokens(rows, TokenStart::Random, &[(rows - 1, &[3])]);
        let (words, old, width) = words_with(&new, rows).unwrap();
        let last = (rows - 1) * width;
        assert_eq!(words[..last], old[..last]);
        assert!(words[last..].iter().zip(&old[last..]).all(|(new, old)| new != old));
        assert!(words[last..].iter().all(|value| value.abs() < 0.2));
    }

    #[test]
    fn a_checkpoint_of_another_size_than_announced_is_an_error_also_with_new_tokens() {
        let rows = rows();
        for base_rows in [rows - 1, rows + 1, rows + 5] {
            let new = tokens(base_rows, TokenStart::Mean, &[(rows + 2, &[])]);
            let error = words_with(&new, rows + 3).unwrap_err().to_string();
            assert!(error.contains(WORDS), "{error}");
        }
    }
}
