//! Fitting an ensemble, and predicting each row by one that was fitted without it.
//!
//! An ensemble whose weights were fitted to some rows looks better on those rows than it is. What is reported of it is therefore the
//! score of its cross-fitted predictions: each fold's rows are predicted by an ensemble fitted on the other folds. The members have not
//! seen these rows either, as their predictions are of a holdout or out of fold.

use std::collections::BTreeSet;

use super::{Aligned, Fitted, Method, temperature};
use crate::{EvalError, Metric, Outputs, Truth, metrics::check};

/// Fits `method` to the rows of `members`, whose truth is `truth`: if `calibrate`, first a temperature for each member, then the
/// method to the members divided by theirs.
///
/// Rows are taken in the order of their ids, so that the order they come in changes no bit.
///
/// # Errors
/// If the method or the metric is not for this task, or the truth not of these rows; [`EvalError::NoProbabilities`] if scores were to be
/// calibrated; [`EvalError::Member`] for a member with a number that is not finite, if anything is fitted.
pub fn fit(
    method: Method,
    calibrate: bool,
    members: &Aligned,
    truth: Truth<'_>,
    metric: Metric,
) -> Result<Fitted, EvalError> {
    check(&members.outputs(0), truth)?;
    let mut rows: Vec<usize> = (0..members.rows()).collect();
    rows.sort_by_key(|&row| &members.ids()[row]);
    fit_rows(method, calibrate, members, truth, metric, &rows)
}

/// The same to the given rows alone, in the given order.
fn fit_rows(
    method: Method,
    calibrate: bool,
    members: &Aligned,
    truth: Truth<'_>,
    metric: Metric,
    rows: &[usize],
) -> Result<Fitted, EvalError> {
    let truth = truth.select(rows);
    let members = members.select(rows);
    if calibrate || method.kind().is_fitted() {
        members.check_finite()?;
    }
    if !calibrate {
        return Fitted::new(method, &members, truth.borrow(), metric);
    }
    if matches!(truth.borrow(), Truth::Scores(_)) {
        return Err(EvalError::NoProbabilities);
    }
    let temperatures = temperature::fit_members(&members, truth.borrow());
    let scaled = temperature::scaled_members(&members, &temperatures);
    Ok(Fitted { temperatures, ..Fitted::new(method, &scaled, truth.borrow(), metric)? })
}

/// The predictions of all rows in their order, those of each fold by an ensemble that was [fitted](fit) on the rows of the others. For a
/// method that fits nothing, without temperatures, they are simply the combined ones.
///
/// `folds` says of each row in which it is; the numbers are names, of which there are two or more. Rows that belong together, such
/// as paraphrases, are in one fold.
///
/// # Errors
/// As [`fit`]; [`EvalError::Folds`] where all rows are in one fold, and [`EvalError::Length`] where there is not one number a row.
pub fn cross_fitted(
    method: Method,
    calibrate: bool,
    members: &Aligned,
    truth: Truth<'_>,
    metric: Metric,
    folds: &[u32],
) -> Result<Outputs, EvalError> {
    check(&members.outputs(0), truth)?;
    if folds.len() != members.rows() {
        return Err(EvalError::Length { what: "folds", expected: members.rows(), found: folds.len() });
    }
    if !calibrate && !method.kind().is_fitted() {
        return Fitted::new(method, members, truth, metric)?.combine(members);
    }
    let names: BTreeSet<u32> = folds.iter().copied().collect();
    if names.len() < 2 {
        let problem = "all rows are in one fold, which leaves none to fit to; there have to be two or more".to_owned();
        return Err(EvalError::Folds { problem });
    }
    let mut order: Vec<usize> = (0..members.rows()).collect();
    order.sort_by_key(|&row| &members.ids()[row]);
    let width = members.width();
    let mut values = vec![0f32; members.rows() * width];
    for fold in names {
        let (held, rest): (Vec<usize>, Vec<usize>) = order.iter().partition(|&&row| folds[row] == fold);
        let fitted = fit_rows(method, calibrate, members, truth, metric, &rest)?;
        let outputs = fitted.combine(&members.select(&held))?;
        for (&row, predicted) in held.iter().zip(outputs.values().chunks_exact(width)) {
            values[row * width..(row + 1) * width].copy_from_slice(predicted);
        }
    }
    Ok(members.outputs_from(values))
}

#[cfg(test)]
mod tests;
