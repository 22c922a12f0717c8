//! The models a run starts from: found, read, and fitted out with the recipe's head, dropout, frozen layers and special tokens.
//!
//! There is one, or with `model.members` several that are trained together, each with its own tokeniser.

use std::path::PathBuf;

use gyeol_data::{Cleaner, Task, Tokeniser};
use gyeol_engine::config::Init;
use gyeol_engine::hf::{EncoderConfig, SentenceDirectory};
use gyeol_engine::{HeadKind, NewTokens};

use crate::hub::{self, HubError, HubOptions};
use crate::prepare::{check_length, check_vocabulary};
use crate::recipe::Recipe;
use crate::refit::Refit;
use crate::{Error, cleaning, head};

/// A model to start from.
#[derive(Debug)]
pub struct Base {
    /// Its directory.
    pub dir: PathBuf,
    /// Its configuration, with the recipe's dropout.
    pub config: EncoderConfig,
    /// The head on it.
    pub head: HeadKind,
    /// How many of its lower layers are kept as they are.
    pub frozen: usize,
    /// Its tokeniser, with the special tokens of the cleaning.
    pub tokeniser: Tokeniser,
    /// The tokens of the tokeniser that it does not have.
    pub new_tokens: NewTokens,
    /// Fingerprint of its own tokeniser.
    pub(crate) own_tokeniser: String,
}

/// What bases are opened for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purpose<'a> {
    pub(crate) task: Task,
    /// One a class, or one score.
    pub(crate) outputs: usize,
    pub(crate) cleaner: Option<&'a Cleaner>,
    /// The run that is fitted again, which may have the model to start from.
    pub(crate) refit: Option<&'a Refit>,
    pub(crate) hub: &'a HubOptions,
}

impl Base {
    /// The bases that `recipe` names, whose `[head]` and `model.join` get what is absent filled in; a key of the head in which
    /// the bases differ stays absent, as it is each one's own.
    ///
    /// # Errors
    /// If one cannot be found, or does not fit the recipe.
    pub(crate) fn open_all(recipe: &mut Recipe, purpose: Purpose<'_>) -> Result<Vec<Self>, Error> {
        let key = if recipe.model.members.is_some() { "model.members" } else { "model.base" };
        let weights = recipe.model.init == Init::Pretrained;
        let options = HubOptions { weights, ..purpose.hub.clone() };
        let (mut bases, mut heads) = (Vec::new(), Vec::new());
        for (index, name) in recipe.model.bases().iter().enumerate() {
            let dir = match purpose.refit.and_then(|refit| refit.model(index)) {
                Some(model) => model,
                None => hub::resolve(name, &options).map_err(|error| of_key(key, error))?,
            };
            let (dir, base_pooling) = SentenceDirectory::encoder_of(&dir)?;
            let mut config = EncoderConfig::read(&dir)?;
            if let Some(p) = recipe.model.dropout {
                config.set_dropout(p);
            }
            let frozen = recipe.model.freeze_layers.of(config.layers);
            let frozen =
                frozen.map_err(|error| Error::Setting { key: "model.freeze_layers", problem: error.to_string() })?;
            let Purpose { task, outputs, .. } = purpose;
            let mut wanted = recipe.head.clone();
            let setting = head::Setting { task, outputs, base_pooling, frozen };
            let head = head::resolve(&mut wanted, &mut config, setting)?;
            heads.push(wanted);
            let tokeniser = Tokeniser::open(&dir)?;
            check_vocabulary(key, &config, &tokeniser, name)?;
            check_length("model.max_length", recipe.model.max_length, &config)?;
            let own_tokeniser = tokeniser.fingerprint().to_owned();
            let (tokeniser, new_tokens) = match purpose.cleaner {
                Some(cleaner) => cleaning::add_tokens(cleaner, tokeniser, &mut config, recipe.model.new_tokens)?,
                None => (tokeniser, NewTokens::default()),
            };
            bases.push(Self { dir, config, head, frozen, tokeniser, new_tokens, own_tokeniser });
        }
        if heads.windows(2).all(|pair| pair[0] == pair[1]) {
            recipe.head.clone_from(&heads[0]);
        }
        if recipe.model.members.is_some() {
            recipe.model.join.get_or_insert_default();
        }
        Ok(bases)
    }

    /// Whether some of it is kept that has tokens which start afresh.
    pub(crate) fn freezes_new_tokens(&self) -> bool {
        self.frozen > 0 && !self.new_tokens.tokens.is_empty()
    }
}

/// The hub speaks of `model.base`; the name may be one of another key.
fn of_key(key: &'static str, error: HubError) -> Error {
    match error.to_string().strip_prefix("model.base: ") {
        Some(problem) if key != "model.base" && error.is_user_error() => {
            Error::Setting { key, problem: problem.to_owned() }
        }
        _ => error.into(),
    }
}
