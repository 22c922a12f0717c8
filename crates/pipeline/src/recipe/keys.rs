//! Which keys a recipe has, and the error for one it does not have.

use gyeol_data::{CleanConfig, DataConfig, FoldsConfig, SampleConfig, TokenizerConfig};
use gyeol_engine::config::{HeadConfig, LossConfig, ModelConfig, SwaConfig, TrainConfig};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::pretraining::{EncoderShape, PretrainRecipe};
use super::{Recipe, RecipeError, fields::names, source::Source};
use crate::boost::BoostConfig;
use crate::masked_lm::{AdaptConfig, PretrainConfig};
use crate::nearest::nearest;
use crate::refit::RefitConfig;
use crate::tuned::TunedConfig;

/// Asks a config struct for its keys.
type Keys = fn() -> &'static [&'static str];

/// The keys of a kind of recipe: those of its top (`""`) first, then of each of its tables.
pub(super) struct Schema {
    /// The command that reads it.
    command: &'static str,
    tables: &'static [(&'static str, Keys)],
}

/// Of [`Recipe`].
pub(super) const RECIPE: Schema = Schema {
    command: "gyeol train",
    tables: &[
        ("", names::<Recipe>),
        ("data", names::<DataConfig>),
        ("clean", names::<CleanConfig>),
        ("model", names::<ModelConfig>),
        ("head", names::<HeadConfig>),
        ("train", names::<TrainConfig>),
        ("loss", names::<LossConfig>),
        ("swa", names::<SwaConfig>),
        ("sample", names::<SampleConfig>),
        ("folds", names::<FoldsConfig>),
        ("boost", names::<BoostConfig>),
        ("refit", names::<RefitConfig>),
        ("tuned", names::<TunedConfig>),
        // Last: a key that several tables have is more often meant for fine-tuning.
        ("adapt", names::<AdaptConfig>),
    ],
};

/// Of [`PretrainRecipe`].
pub(super) const PRETRAINING: Schema = Schema {
    command: "gyeol pretrain",
    tables: &[
        ("", names::<PretrainRecipe>),
        ("pretrain", names::<PretrainConfig>),
        ("tokenizer", names::<TokenizerConfig>),
        ("encoder", names::<EncoderShape>),
    ],
};

/// Every key of a recipe, with its table in front.
pub(crate) fn recipe_keys() -> Vec<String> {
    let tables: Vec<&str> = RECIPE.tables.iter().map(|(table, _)| *table).collect();
    let keys = |(table, names): &(&'static str, Keys)| {
        let keys = names().iter().filter(|key| !(table.is_empty() && tables.contains(key)));
        let prefix = if table.is_empty() { String::new() } else { format!("{table}.") };
        keys.map(|key| format!("{prefix}{key}")).collect::<Vec<_>>()
    };
    RECIPE.tables.iter().flat_map(keys).collect()
}

impl Schema {
    /// The keys of a table; `None` for one that this kind of recipe does not have.
    pub(super) fn known(&self, table: &str) -> Option<&'static [&'static str]> {
        self.tables.iter().find(|(name, _)| *name == table).map(|(_, names)| names())
    }

    /// The table that has the key.
    fn table_of(&self, key: &str) -> Option<&'static str> {
        self.tables.iter().find(|(_, names)| names().contains(&key)).map(|(table, _)| *table)
    }
}

/// Refuses the first key, in the order of writing, that no config struct reads.
pub(super) fn check(document: &DeTable<'_>, source: &Source, schema: &Schema) -> Result<(), RecipeError> {
    // A recipe of the other kind is told as a whole, by the first table that only that kind has.
    let other = [&RECIPE, &PRETRAINING].into_iter().find(|other| other.command != schema.command);
    let of_other = |key: &&Spanned<std::borrow::Cow<'_, str>>| {
        let name: &str = key.get_ref();
        schema.known(name).is_none() && other.is_some_and(|other| other.known(name).is_some())
    };
    if let (Some(key), Some(other)) = (document.keys().find(of_other), other) {
        let (at, key) = (source.place(key.span().start), key.get_ref().to_string());
        return Err(RecipeError::OtherKind { at, key, command: other.command });
    }
    for (key, value) in document {
        check_key("", key, source, schema)?;
        if let DeValue::Table(table) = value.get_ref() {
            for key_in_table in table.keys() {
                check_key(key.get_ref(), key_in_table, source, schema)?;
            }
        }
    }
    Ok(())
}

fn check_key(
    table: &str,
    key: &Spanned<std::borrow::Cow<'_, str>>,
    source: &Source,
    schema: &Schema,
) -> Result<(), RecipeError> {
    let name: &str = key.get_ref();
    // A table of no struct is a value where none belongs: reading it says what is expected.
    let Some(known) = schema.known(table) else { return Ok(()) };
    if known.contains(&name) {
        return Ok(());
    }
    let key_path = if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") };
    let at = source.place(key.span().start);
    let elsewhere = || {
        let table = schema.table_of(name)?;
        Some(if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") })
    };
    let suggestion = nearest(name, known.iter().copied()).map(str::to_owned).or_else(elsewhere);
    Err(RecipeError::UnknownKey { at, key: key_path, suggestion, known })
}
