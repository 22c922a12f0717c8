//! Which keys a recipe has, and the error for one it does not have; and values that only a later version has.

use gyeol_data::{CleanConfig, DataConfig};
use gyeol_engine::config::{LossConfig, LossKind, ModelConfig, Schedule, TrainConfig};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Recipe, RecipeError, fields::names, source::Source};
use crate::nearest::nearest;

/// Tables and keys the guide describes that this version does not have yet: told apart from slips of the pen.
const LATER: [&str; 12] = [
    "head",
    "adapt",
    "swa",
    "sample",
    "folds",
    "train.layer_decay",
    "train.ema",
    "loss.gamma",
    "loss.class_weights",
    "loss.class_weights_smooth",
    "loss.label_smoothing",
    "loss.huber_delta",
];

/// The same of values.
const LATER_VALUES: [(&str, &str); 8] = [
    ("train.schedule", "polynomial"),
    ("train.schedule", "cosine_restarts"),
    ("loss.kind", "focal"),
    ("loss.kind", "bce"),
    ("loss.kind", "l1"),
    ("loss.kind", "huber"),
    ("loss.kind", "l1+huber"),
    ("loss.kind", "cosine"),
];

/// The keys of a recipe's top (`""`) or of one of its tables; `None` for a table it does not have.
pub(super) fn known(table: &str) -> Option<&'static [&'static str]> {
    Some(match table {
        "" => names::<Recipe>(),
        "data" => names::<DataConfig>(),
        "clean" => names::<CleanConfig>(),
        "model" => names::<ModelConfig>(),
        "train" => names::<TrainConfig>(),
        "loss" => names::<LossConfig>(),
        _ => return None,
    })
}

/// The values a key of [`LATER_VALUES`] may have now.
fn known_values(key: &str) -> &'static [&'static str] {
    match key {
        "train.schedule" => names::<Schedule>(),
        _ => names::<LossKind>(),
    }
}

/// Refuses the first key, in the order of writing, that no config struct reads, and any value of a later version.
pub(super) fn check(document: &DeTable<'_>, source: &Source) -> Result<(), RecipeError> {
    for (key, value) in document {
        check_key("", key, source)?;
        if let DeValue::Table(table) = value.get_ref() {
            for (key_in_table, value) in table {
                check_key(key.get_ref(), key_in_table, source)?;
                check_value(&format!("{}.{}", key.get_ref(), key_in_table.get_ref()), value, source)?;
            }
        }
    }
    Ok(())
}

fn check_key(table: &str, key: &Spanned<std::borrow::Cow<'_, str>>, source: &Source) -> Result<(), RecipeError> {
    let name: &str = key.get_ref();
    // A table of no struct is a value where none belongs: reading it says what is expected.
    let Some(known) = known(table) else { return Ok(()) };
    if known.contains(&name) {
        return Ok(());
    }
    let key_path = if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") };
    let at = source.place(key.span().start);
    if LATER.contains(&key_path.as_str()) {
        return Err(RecipeError::Later { at, key: key_path });
    }
    let elsewhere = || {
        ["", "data", "clean", "model", "train", "loss"]
            .into_iter()
            .find(|other| known_contains(other, name))
            .map(|other| if other.is_empty() { name.to_owned() } else { format!("{other}.{name}") })
    };
    let suggestion = nearest(name, known.iter().copied()).map(str::to_owned).or_else(elsewhere);
    Err(RecipeError::UnknownKey { at, key: key_path, suggestion, known })
}

fn check_value(key: &str, value: &Spanned<DeValue<'_>>, source: &Source) -> Result<(), RecipeError> {
    let Some(word) = value.get_ref().as_str() else { return Ok(()) };
    match LATER_VALUES.into_iter().find(|&later| later == (key, word)) {
        Some((key, value_later)) => Err(RecipeError::LaterValue {
            at: source.place(value.span().start),
            key,
            value: value_later,
            known: known_values(key),
        }),
        None => Ok(()),
    }
}

fn known_contains(table: &str, name: &str) -> bool {
    known(table).is_some_and(|keys| keys.contains(&name))
}
