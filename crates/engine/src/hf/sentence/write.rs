//! The files of a sentence-transformers directory but for its weights and its tokenizer, in the words that every release of
//! it since 2.0 reads.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::super::write::{write_encoder_config, write_json};
use super::super::{EncoderConfig, HfError, WeightPrecision, write_safetensors};
use super::{CONFIG, Dense, ENCODER_CONFIG, MODULES, POOLING, SentenceTransformer, WEIGHTS, WHOLE_CONFIG, class};
use crate::config::Pooling;

impl SentenceTransformer {
    /// Writes what opens the directory `dir` as this, the encoder of `config` at its root: `config.json`, the list of modules
    /// and the settings of each.
    ///
    /// # Errors
    /// [`HfError::DiskFull`] or [`HfError::Io`].
    pub fn write(&self, dir: &Path, config: &EncoderConfig) -> Result<(), HfError> {
        write_encoder_config(dir, config)?;
        let dense: Vec<String> = (0..self.dense.len()).map(super::dense_module).collect();
        let modules = [("Transformer", ""), ("Pooling", POOLING)]
            .into_iter()
            .chain(dense.iter().map(|path| ("Dense", path.as_str())))
            .enumerate()
            .map(|(index, (class, path))| {
                let class = format!("sentence_transformers.models.{class}");
                json!({ "idx": index, "name": index.to_string(), "path": path, "type": class })
            });
        write_json(&dir.join(MODULES), &modules.collect::<Vec<_>>())?;
        let encoder = json!({ "max_seq_length": self.max_length, "do_lower_case": false });
        write_json(&dir.join(ENCODER_CONFIG), &encoder)?;
        let whole = json!({ "prompts": {}, "default_prompt_name": null, "similarity_fn_name": "cosine" });
        write_json(&dir.join(WHOLE_CONFIG), &whole)?;
        let is = |pooling| self.pooling == pooling;
        let pooling = json!({
            "word_embedding_dimension": config.hidden_size,
            "pooling_mode_cls_token": is(Pooling::Cls),
            "pooling_mode_mean_tokens": is(Pooling::Mean),
            "pooling_mode_max_tokens": is(Pooling::Max),
            "pooling_mode_mean_sqrt_len_tokens": false,
        });
        write_json(&module(dir, POOLING)?.join(CONFIG), &pooling)?;
        for (path, layer) in dense.iter().zip(&self.dense) {
            let Dense { inputs, outputs, activation } = *layer;
            let settings = json!({
                "in_features": inputs,
                "out_features": outputs,
                "bias": true,
                "activation_function": class(activation),
            });
            write_json(&module(dir, path)?.join(CONFIG), &settings)?;
        }
        Ok(())
    }

    /// Writes the weights of the dense layer `index` into the directory `dir`: `weight` `[outputs, inputs]`, `bias`
    /// `[outputs]`.
    ///
    /// # Errors
    /// [`HfError::Tensor`] when they have another size; [`HfError::DiskFull`] or [`HfError::Io`].
    pub fn write_dense(&self, dir: &Path, index: usize, weight: &[f32], bias: &[f32]) -> Result<(), HfError> {
        let Dense { inputs, outputs, .. } = self.dense[index];
        let path = module(dir, &super::dense_module(index))?.join(WEIGHTS);
        let shapes: [&[usize]; 2] = [&[outputs, inputs], &[outputs]];
        let tensors = [("linear.weight", shapes[0], weight), ("linear.bias", shapes[1], bias)];
        write_safetensors(&path, WeightPrecision::F32, tensors)
    }
}

/// The directory of a module, made if it is not there.
fn module(dir: &Path, name: &str) -> Result<std::path::PathBuf, HfError> {
    let path = dir.join(name);
    fs::create_dir_all(&path).map_err(HfError::io(&path, "create"))?;
    Ok(path)
}
