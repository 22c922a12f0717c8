//! Several models' predictions as one: the mean over models that saw the same rows, or the union of models that each saw rows
//! of their own.

use super::{Outputs, Predictions};
use crate::{EvalError, match_ids};

impl Predictions {
    /// The mean of predictions of the same rows, summed in double precision: of probabilities for classes (logits become
    /// probabilities first), of scores for a regression.
    ///
    /// # Errors
    /// [`EvalError::Unlike`] where they differ in their ids or classes, or there are none.
    pub fn mean(parts: &[Self]) -> Result<Self, EvalError> {
        let first = parts.first().ok_or(EvalError::Unlike { what: "number: there are none" })?;
        let mut sums = vec![0f64; first.outputs.values().len()];
        for part in parts {
            check_alike(first, part)?;
            if part.ids != first.ids {
                return Err(EvalError::Unlike { what: "ids" });
            }
            let numbers = part.comparable();
            sums.iter_mut().zip(numbers.outputs.values()).for_each(|(sum, &number)| *sum += f64::from(number));
        }
        let values: Vec<f32> = sums.into_iter().map(|sum| (sum / parts.len() as f64) as f32).collect();
        Self::new(first.id_column.clone(), first.ids.clone(), like(&first.comparable().outputs, values))
    }

    /// Predictions of different rows together, in the order of `ids`: each id is in exactly one of `parts`.
    ///
    /// # Errors
    /// [`EvalError::Unlike`] where they differ in their classes, or together have other ids; [`EvalError::UnknownId`].
    pub fn gather(parts: &[Self], ids: &[String]) -> Result<Self, EvalError> {
        let first = parts.first().ok_or(EvalError::Unlike { what: "number: there are none" })?;
        let (mut found, mut values) = (Vec::new(), Vec::new());
        for part in parts {
            check_alike(first, part)?;
            found.extend_from_slice(&part.ids);
            values.extend_from_slice(part.comparable().outputs.values());
        }
        let matched = match_ids(&found, ids)?;
        let mut place = vec![usize::MAX; ids.len()];
        matched.rows.iter().enumerate().for_each(|(at, &row)| place[row] = at);
        if found.len() != ids.len() || place.contains(&usize::MAX) {
            return Err(EvalError::Unlike { what: "rows: together they are not those of the table" });
        }
        let outputs = like(&first.comparable().outputs, values).select(&place);
        Self::new(first.id_column.clone(), ids.to_vec(), outputs)
    }

    /// With probabilities in the place of logits.
    fn comparable(&self) -> Self {
        let outputs = match &self.outputs {
            Outputs::Logits { labels, .. } => {
                Outputs::Probabilities { labels: labels.clone(), values: self.outputs.probabilities() }
            }
            Outputs::IndependentLogits { labels, .. } => {
                Outputs::IndependentProbabilities { labels: labels.clone(), values: self.outputs.probabilities() }
            }
            other => other.clone(),
        };
        Self { outputs, ..self.clone() }
    }
}

pub(super) fn check_alike(one: &Predictions, other: &Predictions) -> Result<(), EvalError> {
    if one.outputs.task() != other.outputs.task() || one.outputs.labels() != other.outputs.labels() {
        return Err(EvalError::Unlike { what: "classes" });
    }
    Ok(())
}

/// The same outputs with other numbers.
fn like(outputs: &Outputs, values: Vec<f32>) -> Outputs {
    let mut outputs = outputs.clone();
    match &mut outputs {
        Outputs::Logits { values: own, .. }
        | Outputs::Probabilities { values: own, .. }
        | Outputs::IndependentLogits { values: own, .. }
        | Outputs::IndependentProbabilities { values: own, .. }
        | Outputs::Scores(own) => *own = values,
    }
    outputs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    fn scores(ids: &[&str], values: &[f32]) -> Predictions {
        Predictions::new("id", strings(ids), Outputs::Scores(values.to_vec())).unwrap()
    }

    fn logits(labels: &[&str], values: &[f32]) -> Predictions {
        let outputs = Outputs::Logits { labels: strings(labels), values: values.to_vec() };
        Predictions::new("id", strings(&["a"]), outputs).unwrap()
    }

    #[test]
    fn probabilities_and_scores_are_averaged() {
        let third = 0.5f32.ln();
        let mean = Predictions::mean(&[logits(&["x", "y"], &[0.0, 0.0]), logits(&["x", "y"], &[third, 0.0])]).unwrap();
        assert_eq!(mean.outputs().labels(), ["x", "y"]);
        let [x, y] = [mean.outputs().values()[0], mean.outputs().values()[1]];
        assert!((x - 5.0 / 12.0).abs() < 1e-7 && (y - 7.0 / 12.0).abs() < 1e-7, "{x} {y}");
        let mean = Predictions::mean(&[scores(&["a", "b"], &[1.0, 2.0]), scores(&["a", "b"], &[2.0, 5.0])]).unwrap();
        assert_eq!(mean.outputs().values(), [1.5, 3.5]);
    }

    #[test]
    fn rows_of_different_models_come_in_the_order_asked_for() {
        let parts = [scores(&["c", "a"], &[3.0, 1.0]), scores(&["b"], &[2.0])];
        let gathered = Predictions::gather(&parts, &strings(&["a", "b", "c"])).unwrap();
        assert_eq!(gathered, scores(&["a", "b", "c"], &[1.0, 2.0, 3.0]));
    }

    #[test]
    fn predictions_that_do_not_go_together_are_refused() {
        let message = |result: Result<Predictions, EvalError>| result.unwrap_err().to_string();
        let one = scores(&["a"], &[1.0]);
        assert!(message(Predictions::mean(&[one.clone(), scores(&["b"], &[1.0])])).contains("their ids"));
        let classes = [logits(&["x", "y"], &[0.0, 0.0]), logits(&["y", "x"], &[0.0, 0.0])];
        assert!(message(Predictions::mean(&classes)).contains("their classes"));
        assert!(message(Predictions::mean(&[])).contains("there are none"));
        assert!(message(Predictions::gather(std::slice::from_ref(&one), &strings(&["a", "b"]))).contains("rows"));
        assert!(message(Predictions::gather(&[one.clone(), one.clone()], &strings(&["a", "b"]))).contains("rows"));
        assert!(message(Predictions::gather(&[one], &strings(&["b"]))).contains("not in the table"));
    }
}
