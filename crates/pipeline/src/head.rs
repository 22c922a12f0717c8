//! The head of a run: `[head]` resolved for a base model and a task.

use gyeol_data::Task;
use gyeol_engine::config::{HeadActivation, HeadChoice, HeadConfig, Pooling};
use gyeol_engine::hf::EncoderConfig;
use gyeol_engine::{HeadKind, MlpShape};

use crate::Error;

/// What a head is resolved for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) task: Task,
    /// One a class, or one score.
    pub(crate) outputs: usize,
    /// How the base pools, if it is a directory of sentence-transformers.
    pub(crate) base_pooling: Option<Pooling>,
    /// Layers of the encoder that do not train.
    pub(crate) frozen: usize,
}

/// The head that `head` asks for, with what is absent filled in; the architecture's own has its dropout in `config`.
///
/// # Errors
/// [`Error::Setting`] for a bi-encoder that is to tell classes apart, or that has nothing to train.
pub(crate) fn resolve(head: &mut HeadConfig, config: &mut EncoderConfig, setting: Setting) -> Result<HeadKind, Error> {
    let Setting { task, outputs, base_pooling, frozen } = setting;
    match head.kind {
        HeadChoice::Default => {
            if let Some(p) = head.dropout {
                config.set_classifier_dropout(p);
            }
            Ok(HeadKind::Classification { outputs })
        }
        HeadChoice::Linear | HeadChoice::Mlp => {
            let pooling = *head.pooling.get_or_insert(Pooling::Cls);
            let dropout = *head.dropout.get_or_insert(config.classifier_dropout);
            let mut activation = HeadActivation::Tanh;
            if head.kind == HeadChoice::Mlp {
                activation = *head.activation.get_or_insert(activation);
            }
            Ok(HeadKind::Mlp(MlpShape { pooling, widths: head.widths.clone(), activation, dropout, outputs }))
        }
        HeadChoice::BiEncoder => {
            if task != Task::Regression {
                let problem = "\"bi-encoder\" scores how alike two texts are, which needs data.task = \"regression\"";
                return Err(Error::Setting { key: "head.kind", problem: problem.to_owned() });
            }
            if frozen == config.layers {
                let problem = format!("{frozen} leaves a bi-encoder nothing to train; use at most {}", frozen - 1);
                return Err(Error::Setting { key: "model.freeze_layers", problem });
            }
            let pooling = *head.pooling.get_or_insert(base_pooling.unwrap_or(Pooling::Mean));
            Ok(HeadKind::BiEncoder { pooling })
        }
    }
}
