//! How much the rows of each class count in the loss: `loss.class_weights` with the training rows known.
//!
//! Weights are scaled to mean 1 over the classes that train, so that the learning rate means the same with and without them.

use gyeol_engine::Loss;
use gyeol_engine::config::{ClassWeights, LossConfig};

use crate::prepare::Prepared;
use crate::runs::ClassWeight;
use crate::{Error, Watcher};

/// The weight of each class, named `names` for people; `None` if all count alike by the recipe. `classes` are those of the rows
/// that train. A class that none of them has gets no weight by inverse frequency, and the watcher a warning.
///
/// # Errors
/// If there is not one weight a class.
pub(crate) fn resolve(
    config: &LossConfig,
    names: &[String],
    classes: &[u32],
    watcher: &mut dyn Watcher,
) -> Result<Option<Vec<f64>>, Error> {
    let weights = match &config.class_weights {
        ClassWeights::None => return Ok(None),
        ClassWeights::InverseFrequency => {
            let weights = inverse_frequency(names.len(), classes, config.class_weights_smooth);
            let absent: Vec<&str> =
                names.iter().zip(&weights).filter(|(_, weight)| **weight == 0.0).map(|(name, _)| &**name).collect();
            if !absent.is_empty() {
                let absent = absent.join(", ");
                watcher.warning(&format!("loss.class_weights: no training row is of class {absent}; its weight is 0"));
            }
            weights
        }
        ClassWeights::Explicit(weights) if weights.len() != names.len() => {
            let (given, classes) = (weights.len(), names.len());
            let problem = format!("{given} weights for {classes} classes ({}); give one each", names.join(", "));
            return Err(Error::Setting { key: "loss.class_weights", problem });
        }
        ClassWeights::Explicit(weights) => scaled_to_mean_1(weights.clone()),
    };
    let told: Vec<String> = names.iter().zip(&weights).map(|(name, weight)| format!("{name} {weight:.3}")).collect();
    watcher.note(&format!("class weights: {}", told.join(", ")));
    Ok(Some(weights))
}

/// (1 − β)·inverse frequency + β·uniform, each summing to 1, then scaled to mean 1; 0 for a class that no row has.
fn inverse_frequency(count: usize, classes: &[u32], beta: f64) -> Vec<f64> {
    let mut rows = vec![0u64; count];
    classes.iter().for_each(|&class| rows[class as usize] += 1);
    let inverse = |rows: &u64| if *rows == 0 { 0.0 } else { 1.0 / *rows as f64 };
    let sum: f64 = rows.iter().map(inverse).sum();
    let uniform = 1.0 / rows.iter().filter(|rows| **rows > 0).count() as f64;
    let weight = |rows: &u64| match rows {
        0 => 0.0,
        rows => (1.0 - beta) * inverse(rows) / sum + beta * uniform,
    };
    scaled_to_mean_1(rows.iter().map(weight).collect())
}

/// Scales weights to mean 1 over those that are not 0.
fn scaled_to_mean_1(mut weights: Vec<f64>) -> Vec<f64> {
    let count = weights.iter().filter(|weight| **weight > 0.0).count() as f64;
    let mean = weights.iter().sum::<f64>() / count;
    weights.iter_mut().for_each(|weight| *weight /= mean);
    weights
}

/// The weights a prepared run trains with, in the order of the classes.
pub(crate) fn of(prepared: &Prepared) -> Option<&[f64]> {
    match &prepared.loss {
        Loss::CrossEntropy(targets) | Loss::Focal { targets, .. } => targets.weights.as_deref(),
        _ => None,
    }
}

/// The same with the labels of the table, for the report.
pub(crate) fn by_label(prepared: &Prepared) -> Vec<ClassWeight> {
    let labels = prepared.labels.iter().flat_map(|labels| labels.labels());
    let weights = of(prepared).unwrap_or_default();
    labels.zip(weights).map(|(label, &weight)| ClassWeight { label: label.clone(), weight }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Said(Vec<String>);

    impl Watcher for Said {
        fn note(&mut self, text: &str) {
            self.0.push(text.to_owned());
        }

        fn warning(&mut self, text: &str) {
            self.0.push(format!("warning: {text}"));
        }
    }

    fn resolved(class_weights: ClassWeights, smooth: f64, classes: &[u32]) -> (Result<Vec<f64>, String>, Vec<String>) {
        let config = LossConfig { class_weights, class_weights_smooth: smooth, ..LossConfig::default() };
        let names = ["부정", "보통", "긍정"].map(str::to_owned);
        let mut said = Said::default();
        let weights = resolve(&config, &names, classes, &mut said);
        (weights.map(Option::unwrap_or_default).map_err(|error| error.to_string()), said.0)
    }

    fn close(got: &[f64], want: &[f64]) {
        assert_eq!(got.len(), want.len(), "{got:?}, not {want:?}");
        assert!(got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-12), "{got:?}, not {want:?}");
    }

    const CLASSES: [u32; 7] = [0, 0, 0, 0, 1, 2, 2];

    #[test]
    fn inverse_frequencies_have_mean_1_and_are_told_by_name() {
        let (weights, said) = resolved(ClassWeights::InverseFrequency, 0.0, &CLASSES);
        // 1/4 : 1 : 1/2
        close(&weights.unwrap(), &[3.0 / 7.0, 12.0 / 7.0, 6.0 / 7.0]);
        assert_eq!(said, ["class weights: 부정 0.429, 보통 1.714, 긍정 0.857"]);
    }

    #[test]
    fn smoothing_mixes_in_uniform_weights() {
        let smoothed = |beta| resolved(ClassWeights::InverseFrequency, beta, &CLASSES).0.unwrap();
        close(&smoothed(0.5), &[5.0 / 7.0, 9.5 / 7.0, 6.5 / 7.0]);
        close(&smoothed(1.0), &[1.0; 3]);
    }

    #[test]
    fn a_class_without_training_rows_has_no_weight_and_a_warning() {
        for beta in [0.0, 0.5] {
            let (weights, said) = resolved(ClassWeights::InverseFrequency, beta, &[0, 2]);
            close(&weights.unwrap(), &[1.0, 0.0, 1.0]);
            assert_eq!(said[0], "warning: loss.class_weights: no training row is of class 보통; its weight is 0");
        }
    }

    #[test]
    fn explicit_weights_are_scaled_and_have_to_be_one_a_class() {
        let explicit = |weights: &[f64]| resolved(ClassWeights::Explicit(weights.to_vec()), 0.0, &CLASSES).0;
        close(&explicit(&[1.0, 2.0, 3.0]).unwrap(), &[0.5, 1.0, 1.5]);
        let message = "loss.class_weights: 2 weights for 3 classes (부정, 보통, 긍정); give one each";
        assert_eq!(explicit(&[1.0, 2.0]).unwrap_err(), message);
    }

    #[test]
    fn without_weights_nothing_is_said() {
        assert_eq!(resolved(ClassWeights::None, 0.0, &CLASSES), (Ok(Vec::new()), Vec::new()));
    }
}
