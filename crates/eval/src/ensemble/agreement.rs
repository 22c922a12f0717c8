//! How alike members are: a member that errs where the others err adds nothing to them, however good it is.

use gyeol_data::{LabelSets, Task};
use rayon::prelude::*;
use serde::Serialize;

use super::Aligned;
use crate::{EvalError, Truth, metrics, metrics::check};

/// Two symmetric matrices, `[members][members]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// The share of rows that two members predict alike: the same class, or the same set of labels; 0 to 1. Of scores Pearson's
    /// correlation; −1 to 1, undefined where a member's are all equal.
    pub agreement: Vec<Vec<Option<f64>>>,
    /// Pearson's correlation of two members' errors, −1 to 1: of being wrong (0 or 1 a row), or of residuals. Undefined where a
    /// member is wrong by the same in all rows, such as never.
    pub error_correlation: Vec<Vec<Option<f64>>>,
}

/// Compares every two of `members` on rows whose truth is `truth`.
///
/// # Errors
/// If the truth is not of these rows.
pub fn agreement(members: &Aligned, truth: Truth<'_>) -> Result<Agreement, EvalError> {
    check(&members.outputs(0), truth)?;
    let count = members.members().len();
    let predicted: Vec<Predicted> = (0..count).into_par_iter().map(|member| Predicted::of(members, member)).collect();
    let errors: Vec<Vec<f32>> = predicted.par_iter().map(|predicted| predicted.errors(truth)).collect();
    Ok(Agreement {
        agreement: symmetric(count, |one, other| predicted[one].alike(&predicted[other])),
        error_correlation: symmetric(count, |one, other| metrics::pearson(&errors[one], &errors[other])),
    })
}

/// What a member predicts.
enum Predicted {
    Classes(Vec<u32>),
    Sets(LabelSets),
    Scores(Vec<f32>),
}

impl Predicted {
    fn of(members: &Aligned, member: usize) -> Self {
        let outputs = members.outputs(member);
        match members.task() {
            Task::Classification => Self::Classes(outputs.argmax()),
            Task::MultiLabel => Self::Sets(outputs.label_sets()),
            Task::Regression => Self::Scores(outputs.values().to_vec()),
        }
    }

    /// The share of rows that are predicted alike, or the correlation of scores.
    fn alike(&self, other: &Self) -> Option<f64> {
        match (self, other) {
            (Self::Classes(one), Self::Classes(other)) => metrics::accuracy(one, other),
            (Self::Sets(one), Self::Sets(other)) => metrics::exact_match(one, other),
            (Self::Scores(one), Self::Scores(other)) => metrics::pearson(one, other),
            _ => None,
        }
    }

    /// Of each row 1 if it is wrong, or its residual.
    fn errors(&self, truth: Truth<'_>) -> Vec<f32> {
        let wrong = |is: bool| if is { 1.0 } else { 0.0 };
        match (self, truth) {
            (Self::Classes(classes), Truth::Classes(truth)) => {
                classes.iter().zip(truth).map(|(predicted, class)| wrong(predicted != class)).collect()
            }
            (Self::Sets(sets), Truth::Sets(truth)) => {
                sets.iter().zip(truth.iter()).map(|(predicted, set)| wrong(predicted != set)).collect()
            }
            (Self::Scores(scores), Truth::Scores(truth)) => {
                scores.iter().zip(truth).map(|(predicted, score)| predicted - score).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// The matrix of a function of two members that does not mind their order.
fn symmetric(count: usize, value: impl Fn(usize, usize) -> Option<f64> + Sync) -> Vec<Vec<Option<f64>>> {
    let lower: Vec<Vec<Option<f64>>> =
        (0..count).into_par_iter().map(|one| (0..=one).map(|other| value(one, other)).collect()).collect();
    (0..count).map(|one| (0..count).map(|other| lower[one.max(other)][one.min(other)]).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ensemble::golden::{aligned, check_all, golden, sets};

    fn numbers(matrix: &[Vec<Option<f64>>]) -> Vec<Vec<f64>> {
        matrix.iter().map(|row| row.iter().map(|value| value.expect("defined")).collect()).collect()
    }

    #[test]
    fn classes_and_scores_are_numpys() {
        let classes = golden().classes;
        let members = aligned(Task::Classification, 4, &classes.members);
        let found = agreement(&members, Truth::Classes(&classes.truth)).unwrap();
        check_all("agreement", &numbers(&found.agreement), &classes.agreement, 1e-12);
        check_all("errors", &numbers(&found.error_correlation), &classes.error_correlation, 1e-12);
        let scores = golden().scores;
        let members = aligned(Task::Regression, 1, &scores.members);
        let found = agreement(&members, Truth::Scores(&scores.truth)).unwrap();
        check_all("agreement", &numbers(&found.agreement), &scores.agreement, 1e-12);
        check_all("errors", &numbers(&found.error_correlation), &scores.error_correlation, 1e-6);
    }

    #[test]
    fn label_sets_agree_as_a_whole() {
        let members = aligned(Task::MultiLabel, 2, &[vec![0.9, 0.1, 0.2, 0.8], vec![0.8, 0.2, 0.9, 0.8]]);
        let found = agreement(&members, Truth::Sets(&sets(2, &[vec![0], vec![1]]))).unwrap();
        assert_eq!(found.agreement, [[Some(1.0), Some(0.5)], [Some(0.5), Some(1.0)]]);
        // The first is never wrong, so nothing goes along with its errors.
        assert_eq!(found.error_correlation, [[None, None], [None, Some(1.0)]]);
    }

    #[test]
    fn a_truth_of_other_rows_is_refused() {
        let members = aligned(Task::Regression, 1, &[vec![1.0, 2.0]]);
        assert!(agreement(&members, Truth::Scores(&[1.0])).is_err());
    }
}
