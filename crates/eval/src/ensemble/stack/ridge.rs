//! Ridge regression on the members' scores.

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

use super::{PENALTIES, Parts, Stack};
use crate::ensemble::Aligned;

/// Chooses the penalty and fits with it.
pub(super) fn fit(members: &Aligned, truth: &[f32], parts: &Parts) -> Stack {
    let count = members.members().len();
    let row = |&row: &usize| (0..count).map(move |member| f64::from(members.values(member)[row]));
    let scores = DMatrix::from_row_iterator(parts.rows.len(), count, parts.rows.iter().flat_map(row));
    let truth = DVector::from_iterator(parts.rows.len(), parts.rows.iter().map(|&row| f64::from(truth[row])));
    let scale = mean_variance(&scores);

    let losses: Vec<Vec<f64>> = (0..parts.count())
        .into_par_iter()
        .map(|part| {
            let held = parts.held_out(part);
            let rest = Problem::new(
                &scores.clone().remove_rows(held.start, held.len()),
                &truth.clone().remove_rows(held.start, held.len()),
            );
            let (scores, truth) = (scores.rows_range(held.clone()), truth.rows_range(held));
            PENALTIES
                .iter()
                .map(|penalty| {
                    let (weights, intercept) = rest.solve(penalty * scale);
                    (scores * weights - truth).add_scalar(intercept).norm_squared()
                })
                .collect()
        })
        .collect();
    let penalty = PENALTIES[Parts::choose(&losses)];

    let (weights, intercept) = Problem::new(&scores, &truth).solve(penalty * scale);
    Stack { penalty, weights: weights.iter().map(|&weight| vec![weight]).collect(), intercepts: vec![intercept] }
}

/// The mean of the columns' variances.
fn mean_variance(scores: &DMatrix<f64>) -> f64 {
    scores.column_iter().map(|column| column.variance()).sum::<f64>() / scores.ncols() as f64
}

/// What a fit needs to know of the rows: means, and moments about them.
struct Problem {
    means: DVector<f64>,
    truth_mean: f64,
    /// Covariances of members.
    covariance: DMatrix<f64>,
    /// Covariances of members with what their plain mean leaves of the truth.
    with_rest: DVector<f64>,
}

impl Problem {
    fn new(scores: &DMatrix<f64>, truth: &DVector<f64>) -> Self {
        let rows = (scores.nrows() as f64).max(1.0);
        let (means, truth_mean) = (scores.row_sum().transpose() / rows, truth.sum() / rows);
        let mut centred = scores.clone();
        centred.column_iter_mut().zip(means.iter()).for_each(|(mut column, mean)| column.add_scalar_mut(-mean));
        let rest = truth.add_scalar(-truth_mean) - centred.column_mean();
        Self { means, truth_mean, covariance: centred.tr_mul(&centred) / rows, with_rest: centred.tr_mul(&rest) / rows }
    }

    /// The weights and the intercept of the smallest mean squared error plus `penalty` times the squared deviations of the weights from
    /// 1 / members. Equal weights where members do not vary.
    fn solve(&self, penalty: f64) -> (DVector<f64>, f64) {
        let count = self.means.len();
        let equal = DVector::from_element(count, 1.0 / count as f64);
        let penalised = &self.covariance + DMatrix::identity(count, count) * penalty;
        let weights = match penalised.cholesky() {
            Some(factor) => equal + factor.solve(&self.with_rest),
            None => equal,
        };
        let intercept = self.truth_mean - weights.dot(&self.means);
        (weights, intercept)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The deviations of the weights from 1 / members, and the intercept, without any choice of a penalty.
    pub(in super::super) fn solve(scores: &[Vec<f64>], truth: &[f64], penalty: f64) -> (Vec<f64>, f64) {
        let matrix = DMatrix::from_fn(truth.len(), scores.len(), |row, member| scores[member][row]);
        let problem = Problem::new(&matrix, &DVector::from_column_slice(truth));
        let (weights, intercept) = problem.solve(penalty);
        (weights.iter().copied().collect(), intercept)
    }
}
