//! The directory of models that were trained together: each is a checkpoint directory of its own below it.

use std::path::Path;

use gyeol_engine::Joint;
use gyeol_engine::hf::{GYEOL_JSON, GyeolJson, HfError};

use super::{Member, Predictor};
use crate::{Arithmetic, Error};

/// Loads the models that `settings`, those of the directory `dir`, name.
///
/// # Errors
/// As [`Predictor::open`] of each.
pub(super) fn open(dir: &Path, settings: &GyeolJson, arithmetic: Arithmetic) -> Result<Predictor, Error> {
    let (mut models, mut tokenisers, mut heads) = (Vec::new(), Vec::new(), Vec::new());
    for member in settings.member_directories(dir).into_iter().flatten() {
        let Member { model, tokeniser, head, .. } = Member::open(&member, Some(settings), arithmetic)?;
        models.push(model);
        tokenisers.push(tokeniser);
        heads.push(head);
    }
    // The settings say that all heads are alike.
    let (Some(head), Some(joint)) = (heads.into_iter().next(), settings.joint) else {
        let problem = "0 members predict nothing; copy the whole directory".to_owned();
        return Err(HfError::Key { path: dir.join(GYEOL_JSON), key: "joint".to_owned(), problem }.into());
    };
    let (model, settings) = (Joint::new(models, joint.join), Some(settings.clone()));
    Ok(Predictor { dir: dir.to_owned(), model, tokenisers, settings, max_length: None, head })
}
