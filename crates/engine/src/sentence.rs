//! A model with a head over pooled tokens as a sentence-transformers directory: its weights, in the files where that looks for
//! them.

use std::path::Path;

use crate::device::{Device, Store};
use crate::heads::{HeadKind, MlpShape};
use crate::hf::{Dense, HfError, SentenceTransformer, WeightPrecision, dense_module, write_safetensors};
use crate::model::Model;
use crate::models;
use crate::params::{Part, Tensor};

impl HeadKind {
    /// The modules after the encoder that a model with this head is written as, where `transformers` has no class for it;
    /// texts have at most `max_length` tokens.
    pub fn modules(&self, hidden_size: usize, max_length: usize) -> Option<SentenceTransformer> {
        let (pooling, dense) = match self {
            HeadKind::Classification { .. } | HeadKind::MaskedLm => return None,
            HeadKind::BiEncoder { pooling } => (*pooling, Vec::new()),
            HeadKind::Mlp(MlpShape { pooling, widths, activation, outputs, .. }) => {
                let ends = widths.iter().map(|&width| (width, Some(*activation))).chain([(*outputs, None)]);
                let mut inputs = hidden_size;
                let dense = ends.map(|(outputs, activation)| {
                    let layer = Dense { inputs, outputs, activation };
                    inputs = outputs;
                    layer
                });
                (*pooling, dense.collect())
            }
        };
        Some(SentenceTransformer { pooling, dense, max_length: Some(max_length) })
    }
}

impl<D: Device> Model<D> {
    /// Writes a directory that `SentenceTransformer(dir)` opens, but for the tokenizer: `encode` gives the outputs of dense
    /// layers, or the vectors whose cosine is the output of a bi-encoder. Texts have at most `max_length` tokens.
    ///
    /// # Errors
    /// If a file cannot be written.
    ///
    /// # Panics
    /// If `transformers` has a class for the model.
    pub fn save_sentence_transformer(&mut self, dir: &Path, max_length: usize) -> Result<(), HfError> {
        let layers = self.head.modules(self.config().hidden_size, max_length).expect("a head over pooled tokens");
        layers.write(dir, self.config())?;
        self.device.settle();
        let all = self.device.download(Store::Weights);
        let values = |tensor: &Tensor| &all[tensor.span.start..tensor.span.end()];
        let (encoder, head): (Vec<_>, Vec<_>) =
            self.network.table.tensors().iter().partition(|tensor| tensor.part == Part::Encoder);
        // As `save_pretrained` of an encoder without a head names them.
        let prefix = format!("{}.", models::prefix(self.config().family));
        let bare = encoder.into_iter().map(|tensor| {
            let name = tensor.name.strip_prefix(&prefix).unwrap_or(&tensor.name);
            (name, &*tensor.shape, values(tensor))
        });
        write_safetensors(&dir.join("model.safetensors"), WeightPrecision::F32, bare)?;
        for index in 0..layers.dense.len() {
            let find = |kind: &str| {
                let name = format!("{}.linear.{kind}", dense_module(index));
                head.iter().find(|tensor| tensor.name == name).map_or(&[][..], |tensor| values(tensor))
            };
            layers.write_dense(dir, index, find("weight"), find("bias"))?;
        }
        Ok(())
    }
}
