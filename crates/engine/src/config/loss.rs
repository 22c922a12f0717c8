//! `[loss]`: what training minimises, as a recipe says it. What its values come to for a table, such as the weight of each
//! class, is resolved by the pipeline into a [`Loss`](crate::Loss).

use gyeol_data::Task;
use serde::{Deserialize, Serialize};

/// `[loss]`: what training minimises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossConfig {
    /// The loss; absent: `cross_entropy` for classification, `l2` for regression, `cosine` for a bi-encoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<LossKind>,
    /// Focal: how much rows count less the surer the model is of them, from 0 (not at all).
    pub gamma: f64,
    /// Losses over classes: how much the rows of each class count.
    pub class_weights: ClassWeights,
    /// Inverse frequency: the share of uniform weights mixed in, 0 to 1.
    pub class_weights_smooth: f64,
    /// Losses over classes or score buckets: the share of each target spread evenly over all of them, 0 to below 1.
    pub label_smoothing: f64,
    /// Huber: the error from which on the loss is linear, above 0.
    pub huber_delta: f64,
    /// `cross_entropy` for regression: how many score buckets, at least 2.
    pub buckets: usize,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            kind: None,
            gamma: 2.0,
            class_weights: ClassWeights::None,
            class_weights_smooth: 0.0,
            label_smoothing: 0.0,
            huber_delta: 1.0,
            buckets: 11,
        }
    }
}

impl LossConfig {
    /// The keys, with their table, whose values are not the defaults.
    pub fn set_keys(&self) -> Vec<&'static str> {
        let default = Self::default();
        let keys = [
            ("loss.gamma", self.gamma != default.gamma),
            ("loss.class_weights", self.class_weights != default.class_weights),
            ("loss.class_weights_smooth", self.class_weights_smooth != default.class_weights_smooth),
            ("loss.label_smoothing", self.label_smoothing != default.label_smoothing),
            ("loss.huber_delta", self.huber_delta != default.huber_delta),
            ("loss.buckets", self.buckets != default.buckets),
        ];
        keys.into_iter().filter(|(_, set)| *set).map(|(key, _)| key).collect()
    }
}

/// A loss of the outputs against the targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossKind {
    /// Negative log-likelihood of the softmax: over classes, or for regression over score buckets.
    CrossEntropy,
    /// Cross-entropy in which a row counts the less the surer the model is of it (classification).
    Focal,
    /// Binary cross-entropy of the sigmoids (classification of rows with any number of labels).
    Bce,
    /// Absolute error (regression).
    L1,
    /// Squared error (regression).
    L2,
    /// Squared error that goes on as a line (regression).
    Huber,
    /// The sum of [`LossKind::L1`] and [`LossKind::Huber`] (regression).
    #[serde(rename = "l1+huber")]
    L1Huber,
    /// Squared error of a bi-encoder's cosine against the score on the scale from 0 to 1 (regression).
    Cosine,
}

impl LossKind {
    /// Every loss.
    pub const ALL: [Self; 8] =
        [Self::CrossEntropy, Self::Focal, Self::Bce, Self::L1, Self::L2, Self::Huber, Self::L1Huber, Self::Cosine];

    /// What a recipe calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CrossEntropy => "cross_entropy",
            Self::Focal => "focal",
            Self::Bce => "bce",
            Self::L1 => "l1",
            Self::L2 => "l2",
            Self::Huber => "huber",
            Self::L1Huber => "l1+huber",
            Self::Cosine => "cosine",
        }
    }

    /// The loss of a recipe that names none.
    pub fn default_for(task: Task) -> Self {
        match task {
            Task::Classification => Self::CrossEntropy,
            Task::MultiLabel => Self::Bce,
            Task::Regression => Self::L2,
        }
    }

    /// Whether it is a loss of `task`.
    pub fn applies_to(self, task: Task) -> bool {
        match task {
            Task::Classification => matches!(self, Self::CrossEntropy | Self::Focal),
            Task::MultiLabel => self == Self::Bce,
            Task::Regression => !matches!(self, Self::Focal | Self::Bce),
        }
    }

    /// The keys of [`LossConfig`], with their table, that it reads for `task`.
    pub fn keys(self, task: Task) -> &'static [&'static str] {
        match (self, task) {
            (Self::CrossEntropy, Task::Classification) => {
                &["loss.class_weights", "loss.class_weights_smooth", "loss.label_smoothing"]
            }
            (Self::CrossEntropy, _) => &["loss.label_smoothing", "loss.buckets"],
            (Self::Focal, _) => {
                &["loss.gamma", "loss.class_weights", "loss.class_weights_smooth", "loss.label_smoothing"]
            }
            (Self::Huber | Self::L1Huber, _) => &["loss.huber_delta"],
            (Self::Bce | Self::L1 | Self::L2 | Self::Cosine, _) => &[],
        }
    }
}

/// How much the rows of each class count. Weights are scaled to mean 1 before they are used.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ClassWeights {
    /// Alike.
    #[default]
    None,
    /// By one over the number of training rows of the class.
    InverseFrequency,
    /// By these, in the order of the classes.
    Explicit(Vec<f64>),
}

impl Serialize for ClassWeights {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str("none"),
            Self::InverseFrequency => serializer.serialize_str("inverse_frequency"),
            Self::Explicit(weights) => weights.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ClassWeights {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Word(String),
            Weights(Vec<f64>),
        }
        match Raw::deserialize(deserializer) {
            Ok(Raw::Word(word)) if word == "none" => Ok(Self::None),
            Ok(Raw::Word(word)) if word == "inverse_frequency" => Ok(Self::InverseFrequency),
            Ok(Raw::Weights(weights)) => Ok(Self::Explicit(weights)),
            _ => Err(serde::de::Error::custom(
                "expected \"none\", \"inverse_frequency\" or a list of one weight a class",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read_by_some_loss_and_every_task_has_its_default() {
        let config = LossConfig {
            kind: None,
            gamma: 0.0,
            class_weights: ClassWeights::InverseFrequency,
            class_weights_smooth: 0.5,
            label_smoothing: 0.1,
            huber_delta: 0.5,
            buckets: 6,
        };
        let tasks = [Task::Classification, Task::Regression];
        let read: Vec<&str> =
            LossKind::ALL.into_iter().flat_map(|kind| tasks.map(|task| kind.keys(task))).flatten().copied().collect();
        assert!(config.set_keys().iter().all(|key| read.contains(key)) && config.set_keys().len() == 6);
        assert!(LossConfig::default().set_keys().is_empty());
        assert!(tasks.into_iter().all(|task| LossKind::default_for(task).applies_to(task)));
    }

    #[test]
    fn class_weights_are_a_word_or_a_list_and_are_written_as_they_are_read() {
        for (json, weights) in [
            ("\"none\"", ClassWeights::None),
            ("\"inverse_frequency\"", ClassWeights::InverseFrequency),
            ("[1.0,2.5]", ClassWeights::Explicit(vec![1.0, 2.5])),
        ] {
            assert_eq!(serde_json::from_str::<ClassWeights>(json).unwrap(), weights);
            assert_eq!(serde_json::to_string(&weights).unwrap(), json);
        }
        assert_eq!(serde_json::from_str::<ClassWeights>("[1, 2]").unwrap(), ClassWeights::Explicit(vec![1.0, 2.0]));
        let error = serde_json::from_str::<ClassWeights>("\"balanced\"").unwrap_err().to_string();
        assert!(error.contains("expected \"none\", \"inverse_frequency\" or a list"), "{error}");
    }

    #[test]
    fn the_name_of_a_loss_is_what_a_recipe_says() {
        for kind in LossKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
