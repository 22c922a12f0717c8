//! The members' predictions of a table as the ensemble's.

use gyeol_eval::{EvalError, Outputs, Predictions, ensemble::Aligned};

use super::target::{Ensemble, missing};
use crate::{Error, Watcher};

impl Ensemble {
    /// The ensemble's predictions of what its members predicted, in their order: predictions, or why there are none. Scores are
    /// brought into their range. With `allow_missing`, members without predictions are left out and the weights of the
    /// others renormalised; where none has any, neither has the ensemble.
    ///
    /// # Errors
    /// If a member has no predictions and is not to be left out, or has other rows or labels.
    pub(super) fn combine(
        &self,
        members: Vec<Result<Predictions, String>>,
        allow_missing: bool,
        watcher: &mut dyn Watcher,
    ) -> Result<Result<Predictions, String>, Error> {
        let (mut there, mut gone, mut reason) = (Vec::new(), Vec::new(), None);
        for (at, (member, predictions)) in self.saved.members.iter().zip(members).enumerate() {
            match predictions {
                Ok(predictions) => {
                    let predictions = relabelled(&predictions, &member.name, &member.renamed, &self.saved.labels)?;
                    there.push((member.name.clone(), predictions));
                }
                Err(problem) if !allow_missing => return Err(missing(&self.name, &member.name, &problem)),
                Err(problem) => {
                    watcher.warning(&format!(
                        "ensemble {}: member {} is left out, and the weights of the others are renormalised: {problem}",
                        self.name, member.name
                    ));
                    gone.push(at);
                    reason.get_or_insert(problem);
                }
            }
        }
        let Some((_, first)) = there.first() else {
            let problem = reason.unwrap_or_else(|| "it has none".to_owned());
            return Ok(Err(format!("none of its members can predict: {problem}")));
        };
        let ids = first.ids().to_vec();
        let members: Vec<(String, &Predictions)> =
            there.iter().map(|(name, predictions)| (name.clone(), predictions)).collect();
        let aligned = Aligned::new(&members, &ids)?;
        let saved = &self.saved;
        let outputs = match gone.as_slice() {
            [] => saved.fitted.combine(&aligned)?,
            gone => saved.fitted.without(gone)?.combine(&aligned)?,
        };
        let mut predictions = Predictions::new(first.id_column(), ids, outputs)?;
        if let Some(range) = saved.score_range {
            predictions.clamp_scores(range);
        }
        Ok(Ok(predictions))
    }
}

/// Probabilities whose columns are `labels`, in that order, where `renamed` says what a label of `member` is called here (theirs,
/// ours); scores stay as they are. What was fitted may depend on the order.
fn relabelled(
    predictions: &Predictions,
    member: &str,
    renamed: &[(String, String)],
    labels: &[String],
) -> Result<Predictions, EvalError> {
    let outputs = predictions.outputs();
    if outputs.labels().is_empty() {
        return Ok(predictions.clone());
    }
    let ours = |label: &String| -> String {
        renamed.iter().find(|(theirs, _)| theirs == label).map_or(label, |(_, ours)| ours).clone()
    };
    let theirs: Vec<String> = outputs.labels().iter().map(ours).collect();
    let columns: Option<Vec<usize>> =
        labels.iter().map(|label| theirs.iter().position(|other| other == label)).collect();
    let Some(columns) = columns.filter(|columns| columns.len() == theirs.len()) else {
        let problem = format!("its classes are {}; those of the ensemble are {}", theirs.join(", "), labels.join(", "));
        return Err(EvalError::Member { member: member.to_owned(), problem });
    };
    let numbers = outputs.probabilities();
    let values = numbers.chunks_exact(theirs.len()).flat_map(|row| columns.iter().map(|&column| row[column])).collect();
    let labels = labels.to_vec();
    let outputs = match outputs {
        Outputs::IndependentLogits { .. } | Outputs::IndependentProbabilities { .. } => {
            Outputs::IndependentProbabilities { labels, values }
        }
        Outputs::Logits { .. } | Outputs::Probabilities { .. } | Outputs::Scores(_) => {
            Outputs::Probabilities { labels, values }
        }
    };
    Predictions::new(predictions.id_column(), predictions.ids().to_vec(), outputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn labels_get_the_names_and_the_order_of_the_ensemble() {
        let outputs = Outputs::Probabilities { labels: strings(&["x", "1"]), values: vec![0.1, 0.9, 0.7, 0.3] };
        let predictions = Predictions::new("id", strings(&["a", "b"]), outputs).unwrap();
        let renamed = [("1".to_owned(), "y".to_owned())];
        let ours = relabelled(&predictions, "m", &renamed, &strings(&["y", "x"])).unwrap();
        assert_eq!(ours.outputs().labels(), ["y", "x"]);
        assert_eq!(ours.outputs().values(), [0.9, 0.1, 0.3, 0.7]);
        for labels in [&["x", "z"][..], &["x"], &["x", "y", "z"]] {
            let error = relabelled(&predictions, "m", &renamed, &strings(labels)).unwrap_err().to_string();
            assert!(error.starts_with("member m: its classes are x, y; those of the ensemble are x"), "{error}");
        }
    }

    #[test]
    fn labels_that_are_exchanged_are_told_apart() {
        let outputs = Outputs::Logits { labels: strings(&["0", "1"]), values: vec![0.0, 1e9] };
        let predictions = Predictions::new("id", strings(&["a"]), outputs).unwrap();
        let renamed = [("0", "1"), ("1", "0")].map(|(theirs, ours)| (theirs.to_owned(), ours.to_owned()));
        let ours = relabelled(&predictions, "m", &renamed, &strings(&["0", "1"])).unwrap();
        assert_eq!(ours.outputs().values(), [1.0, 0.0]);
    }
}
