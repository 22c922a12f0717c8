//! Directories of sentence-transformers to predict with: those of ours, and bi-encoders that others made.

use std::path::Path;

use gyeol_engine::config::HeadChoice;
use gyeol_engine::hf::{EncoderConfig, GYEOL_JSON, GyeolJson, HfError, SentenceTransformer};
use gyeol_engine::{HeadKind, MlpShape};

use super::{Head, own_head};
use crate::Error;

/// The head that `layers` make of the encoder of `config`, and what its outputs are.
///
/// # Errors
/// If `settings` tell of another head, or no settings tell what the outputs of dense layers are.
pub(super) fn head(
    layers: &SentenceTransformer,
    settings: Option<&GyeolJson>,
    config: &EncoderConfig,
    dir: &Path,
) -> Result<(HeadKind, Head), Error> {
    let wrong = |file: &str, key: &str, problem: String| {
        Err(HfError::Key { path: dir.join(file), key: key.to_owned(), problem }.into())
    };
    let pooling = layers.pooling;
    let kind = settings.map_or(HeadChoice::BiEncoder, |settings| settings.head);
    if (kind == HeadChoice::BiEncoder) != layers.dense.is_empty() {
        let dense = layers.dense.len();
        return match settings {
            Some(_) => {
                let problem = format!("\"{}\" does not go with {dense} dense layers (modules.json)", kind.name());
                wrong(GYEOL_JSON, "head", problem)
            }
            None => {
                let problem = "\"Dense\" is not read of directories that were not written here: nothing says what its \
                               outputs are";
                wrong("modules.json", "type", problem.to_owned())
            }
        };
    }
    let (Some(last), Some(settings)) = (layers.dense.last(), settings) else {
        let range = settings.and_then(|settings| settings.score_range);
        return Ok((HeadKind::BiEncoder { pooling }, Head::Similarity { range }));
    };
    let hidden = &layers.dense[..layers.dense.len() - 1];
    let mut width = config.hidden_size;
    let chained = layers.dense.iter().all(|layer| layer.inputs == std::mem::replace(&mut width, layer.outputs));
    let activation = hidden.first().map_or(Some(gyeol_engine::config::HeadActivation::Tanh), |layer| layer.activation);
    let (Some(activation), true) = (activation.filter(|_| last.activation.is_none()), chained) else {
        return wrong("modules.json", "type", "the dense layers do not fit each other or the encoder".to_owned());
    };
    if hidden.iter().any(|layer| layer.activation != Some(activation)) {
        return wrong("modules.json", "type", "the dense layers have different activations".to_owned());
    }
    let widths = hidden.iter().map(|layer| layer.outputs).collect();
    // Nothing drops out of predictions.
    let shape = MlpShape { pooling, widths, activation, dropout: 0.0, outputs: last.outputs };
    Ok((HeadKind::Mlp(shape), own_head(settings, last.outputs, "the last Dense of modules.json", dir)?))
}
