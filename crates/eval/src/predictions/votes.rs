//! The votes of several models: each has as many as it weighs, all for the class it finds most likely.

use super::combine::check_alike;
use super::{Outputs, Predictions};
use crate::EvalError;

impl Predictions {
    /// The share of the votes that each class of each row has, where each of `parts` votes with the weight of `weights` at its
    /// place; they are positive. The class of most votes is the prediction, of equals the first.
    ///
    /// # Errors
    /// [`EvalError::Unlike`] where they differ in their ids or classes, there are none, or they are not classes of which one
    /// is right.
    ///
    /// # Panics
    /// If there are not as many weights as parts.
    pub fn votes(parts: &[Self], weights: &[f64]) -> Result<Self, EvalError> {
        assert_eq!(parts.len(), weights.len(), "a weight for each");
        let first = parts.first().ok_or(EvalError::Unlike { what: "number: there are none" })?;
        let labels = first.outputs.labels().to_vec();
        let mut votes = vec![0f64; first.outputs.values().len()];
        for (part, weight) in parts.iter().zip(weights) {
            check_alike(first, part)?;
            if part.ids != first.ids {
                return Err(EvalError::Unlike { what: "ids" });
            }
            if !matches!(part.outputs, Outputs::Logits { .. } | Outputs::Probabilities { .. }) {
                return Err(EvalError::Unlike { what: "task: votes are for classes of which one is right" });
            }
            for (votes, class) in votes.chunks_exact_mut(labels.len()).zip(part.outputs.argmax()) {
                votes[class as usize] += weight;
            }
        }
        let all: f64 = weights.iter().sum();
        let values = votes.into_iter().map(|votes| (votes / all) as f32).collect();
        Self::new(first.id_column.clone(), first.ids.clone(), Outputs::Probabilities { labels, values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    fn logits(ids: &[&str], values: &[f32]) -> Predictions {
        let outputs = Outputs::Logits { labels: strings(&["x", "y", "z"]), values: values.to_vec() };
        Predictions::new("id", strings(ids), outputs).unwrap()
    }

    #[test]
    fn the_votes_of_the_heavier_win_however_sure_the_others_are() {
        let parts = [
            logits(&["a", "b"], &[0.1, 0.0, 0.0, 0.0, 9.0, 0.0]),
            logits(&["a", "b"], &[0.0, 9.0, 0.0, 0.0, 9.0, 0.0]),
            logits(&["a", "b"], &[0.0, 9.0, 0.0, 0.0, 0.0, 0.5]),
        ];
        let votes = Predictions::votes(&parts, &[2.5, 1.0, 0.5]).unwrap();
        assert_eq!(votes.outputs().values(), [0.625, 0.375, 0.0, 0.0, 0.875, 0.125]);
        assert_eq!(votes.outputs().argmax(), [0, 1]);
    }

    #[test]
    fn votes_need_the_same_rows_and_classes_of_which_one_is_right() {
        let one = logits(&["a"], &[0.0, 1.0, 2.0]);
        let problem = |parts: &[Predictions]| {
            let weights = vec![1.0; parts.len()];
            Predictions::votes(parts, &weights).unwrap_err().to_string()
        };
        assert!(problem(&[]).contains("there are none"));
        assert!(problem(&[one.clone(), logits(&["b"], &[0.0, 1.0, 2.0])]).contains("differ in their ids"));
        let scores = Predictions::new("id", strings(&["a"]), Outputs::Scores(vec![1.0])).unwrap();
        assert!(problem(&[one.clone(), scores.clone()]).contains("differ in their classes"));
        assert!(problem(&[scores]).contains("one is right"));
        assert!(problem(&[one.independent()]).contains("one is right"));
    }
}
