//! The names that sweep files have for things, and the recipe's: those of Hugging Face's trainer and of W&B's examples map onto
//! recipe keys, and every recipe key stands for itself.

use std::path::Path;

use gyeol_tune::Value;

use crate::nearest::{did_you_mean, nearest};
use crate::recipe::{Recipe, recipe_keys};

/// What people who come from other tools call the keys of a recipe.
const NAMES: [(&str, &str); 26] = [
    ("learning_rate", "train.learning_rate"),
    ("lr", "train.learning_rate"),
    ("weight_decay", "train.weight_decay"),
    ("warmup_steps", "train.warmup_steps"),
    ("warmup_ratio", "train.warmup_ratio"),
    ("num_train_epochs", "train.epochs"),
    ("epochs", "train.epochs"),
    ("max_steps", "train.max_steps"),
    ("per_device_train_batch_size", "train.batch_size"),
    ("train_batch_size", "train.batch_size"),
    ("batch_size", "train.batch_size"),
    ("per_device_eval_batch_size", "train.eval_batch_size"),
    ("eval_batch_size", "train.eval_batch_size"),
    ("gradient_accumulation_steps", "train.accumulate"),
    ("lr_scheduler_type", SCHEDULE),
    ("max_grad_norm", "train.max_grad_norm"),
    ("early_stopping_patience", "train.patience"),
    ("focal_loss_gamma", "loss.gamma"),
    ("label_smoothing_factor", "loss.label_smoothing"),
    ("alpha_beta_smooth", "loss.class_weights_smooth"),
    ("SWA_K", "swa.checkpoints"),
    ("dropout_rate", "model.dropout"),
    ("dropout", "model.dropout"),
    ("max_length", "model.max_length"),
    ("max_seq_length", "model.max_length"),
    ("num_rare_words_to_remove", "clean.rare_words"),
];

const SCHEDULE: &str = "train.schedule";

/// The transformers library's names of schedules that have another here.
const SCHEDULES: [(&str, &str); 2] =
    [("cosine_with_restarts", "cosine_restarts"), ("constant_with_warmup", "constant")];

/// The recipe key that a parameter sets.
///
/// # Errors
/// What is wrong with the name, and the nearest known one.
pub(super) fn recipe_key(parameter: &str) -> Result<&str, String> {
    if let Some((_, key)) = NAMES.iter().find(|(name, _)| *name == parameter) {
        return Ok(key);
    }
    let keys = recipe_keys();
    if keys.iter().any(|key| key == parameter) {
        return Ok(parameter);
    }
    let known = NAMES.iter().map(|(name, _)| *name).chain(keys.iter().map(String::as_str));
    Err(format!("is no key of a recipe, and no name that stands for one{}", did_you_mean(nearest(parameter, known))))
}

/// The `--set` that gives `key` the value.
///
/// # Errors
/// If a recipe has no place for such a value.
pub(super) fn set(key: &str, value: &Value) -> Result<String, String> {
    let text = match value {
        // A recipe's whole numbers do not take 150.0, and its others take 150.
        Value::Number(number) => match number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 1e15) {
            Some(whole) => format!("{}", whole as i64),
            None => number.to_string(),
        },
        Value::String(text) if key == SCHEDULE => {
            let ours = SCHEDULES.iter().find(|(theirs, _)| theirs == text).map_or(text.as_str(), |(_, ours)| ours);
            toml::Value::from(ours).to_string()
        }
        Value::String(text) => toml::Value::from(text.as_str()).to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Array(_) | Value::Object(_) => {
            let value = toml::Value::try_from(value).map_err(|error| error.to_string())?;
            value.to_string()
        }
        Value::Null => return Err("a recipe has no null; leave the value out".to_owned()),
    };
    Ok(format!("{key}={text}"))
}

/// The value, with a path among the keys that have one taken from the recipe's directory, if there is something of that name.
pub(super) fn from_directory(key: &str, value: &Value, directory: &Path) -> Value {
    const PATHS: [&str; 5] = ["model.base", "data.train", "data.valid", "data.test", "clean.emoticons"];
    let absolute = || {
        let path = directory.join(value.as_str()?);
        path.exists().then(|| path.to_str().map(Value::from))?
    };
    if PATHS.contains(&key) { absolute().unwrap_or_else(|| value.clone()) } else { value.clone() }
}

/// What has to be set beside a parameter for it to do anything, where the recipe does not say otherwise; as (key, value).
///
/// # Errors
/// If the recipe says otherwise, so that the parameter would do nothing.
pub(super) fn companion(
    key: &str,
    recipe: &Recipe,
    varied: &[&str],
) -> Result<Option<(&'static str, &'static str)>, String> {
    use gyeol_engine::config::{ClassWeights, LossKind};
    match key {
        "loss.gamma" if !varied.contains(&"loss.kind") => match recipe.loss.kind {
            Some(LossKind::Focal) => Ok(None),
            None => Ok(Some(("loss.kind", "focal"))),
            Some(other) => Err(format!("does nothing with loss.kind = \"{}\"; use \"focal\"", other.name())),
        },
        "loss.class_weights_smooth" if !varied.contains(&"loss.class_weights") => {
            Ok((recipe.loss.class_weights == ClassWeights::None).then_some(("loss.class_weights", "inverse_frequency")))
        }
        _ => Ok(None),
    }
}

/// The keys that a metric's own value depends on: trials that differ in one of them are not comparable by it.
pub(super) fn inside_of_loss(key: &str) -> bool {
    matches!(
        key,
        "loss.kind"
            | "loss.gamma"
            | "loss.label_smoothing"
            | "loss.class_weights"
            | "loss.class_weights_smooth"
            | "loss.huber_delta"
            | "loss.buckets"
    )
}

/// A metric's name without what other tools put in front: `eval/accuracy`, `eval_accuracy`.
pub(super) fn metric(name: &str) -> &str {
    ["eval/", "eval_", "valid/", "val_"].into_iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_name_stands_for_a_key_there_is() {
        let keys = recipe_keys();
        for (name, key) in NAMES {
            assert!(keys.iter().any(|known| known == key), "{name}: {key}");
            assert_eq!(recipe_key(name), Ok(key));
        }
        assert_eq!(recipe_key("model.base"), Ok("model.base"));
        let wrong = recipe_key("learning_rat").unwrap_err();
        assert!(wrong.contains("did you mean \"learning_rate\"?"), "{wrong}");
    }

    #[test]
    fn values_are_written_as_a_recipe_reads_them() {
        let written = |key, value| set(key, &value).unwrap();
        assert_eq!(written("train.warmup_steps", json!(150.0)), "train.warmup_steps=150");
        let rate = written("train.learning_rate", json!(3.1e-5));
        assert_eq!(rate.strip_prefix("train.learning_rate=").map(str::parse), Some(Ok(3.1e-5)));
        assert_eq!(written("train.schedule", json!("cosine_with_restarts")), "train.schedule=\"cosine_restarts\"");
        assert_eq!(written("train.shuffle", json!(false)), "train.shuffle=false");
        assert_eq!(written("clean.stop_words", json!(["은", "\"는\""])), r#"clean.stop_words=["은", '"는"']"#);
        assert!(set("train.epochs", &Value::Null).is_err());
    }

    #[test]
    fn metrics_of_other_tools_are_known() {
        assert_eq!(metric("eval/accuracy"), "accuracy");
        assert_eq!(metric("eval_loss"), "loss");
        assert_eq!(metric("pearson"), "pearson");
    }
}
