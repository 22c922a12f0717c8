//! Typed reading of one JSON object's keys, with errors that name file, key and value.

use std::path::Path;

use serde_json::{Map, Value};

use super::HfError;

/// The keys of the object read from `path`. A key that is `null` counts as absent, as it does in Python.
pub(super) struct Keys<'a> {
    pub(super) path: &'a Path,
    pub(super) map: &'a Map<String, Value>,
}

impl<'a> Keys<'a> {
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// A whole number of at least `least`.
    pub(super) fn size(&self, key: &str, least: usize, default: usize) -> Result<usize, HfError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
            .filter(|number| *number >= least)
            .ok_or_else(|| self.wrong(key, value, &format!("a whole number ≥ {least}")))
    }

    /// A finite number of at least 0.
    pub(super) fn real(&self, key: &str, default: f32) -> Result<f32, HfError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value
            .as_f64()
            .map(|number| number as f32)
            .filter(|number| number.is_finite() && *number >= 0.0)
            .ok_or_else(|| self.wrong(key, value, "a number ≥ 0"))
    }

    /// A probability below 1; absent: `None`.
    pub(super) fn probability(&self, key: &str) -> Result<Option<f32>, HfError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number = value.as_f64().map(|number| number as f32).filter(|number| (0.0..1.0).contains(number));
        number.map(Some).ok_or_else(|| self.wrong(key, value, "a probability, 0 ≤ p < 1"))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, HfError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| self.wrong(key, value, "a text"))
    }

    pub(super) fn flag(&self, key: &str) -> Result<bool, HfError> {
        let Some(value) = self.get(key) else { return Ok(false) };
        value.as_bool().ok_or_else(|| self.wrong(key, value, "true or false"))
    }

    /// The error for a `value` that is not `wanted`.
    pub(super) fn wrong(&self, key: &str, value: &Value, wanted: &str) -> HfError {
        let mut shown = value.to_string();
        if let Some((cut, _)) = shown.char_indices().nth(80) {
            shown.truncate(cut);
            shown.push('…');
        }
        HfError::key(self.path, key, format!("{shown} is not {wanted}"))
    }
}
