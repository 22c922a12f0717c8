//! What brings an ensemble's predictions nearer to the distribution of the truth, fitted as honestly as the ensemble is.

use gyeol_eval::{
    Outputs,
    ensemble::{Method, cross_fitted},
    submission::{Adjustment, AdjustmentKind},
};

use super::{Gathered, compare::clamped};
use crate::Error;
use crate::train::truth;

/// An adjustment of an ensemble's predictions, and what it is worth.
#[derive(Debug, Clone)]
pub struct Adjusted {
    /// Fitted to the cross-validated predictions of all rows.
    pub adjustment: Adjustment,
    /// The score by the declared metric of predictions adjusted by what was fitted to the rows of other folds.
    pub score: Option<f64>,
}

/// Fits an adjustment of `kind` to `outputs`, the cross-validated predictions of the rows of `gathered` by an ensemble of `method`. For its
/// score each fold is adjusted by what was fitted to the cross-validated predictions of an ensemble of the other folds alone.
///
/// # Errors
/// If the adjustment is for another task, or there are fewer than three folds, of which two are left.
pub fn adjust(
    gathered: &Gathered,
    (method, calibrate): (Method, bool),
    outputs: &Outputs,
    kind: AdjustmentKind,
) -> Result<Adjusted, Error> {
    let Gathered { valid, metric, folds, .. } = gathered;
    let truth = truth(&gathered.truth);
    let adjusted = Adjustment::cross_fitted(kind, outputs, truth, folds, |rest| {
        let (others, of_others) = (valid.select(rest), truth.select(rest));
        let folds: Vec<u32> = rest.iter().map(|&row| folds[row]).collect();
        let outputs = cross_fitted(method, calibrate, &others, of_others.borrow(), *metric, &folds)?;
        Ok(clamped(gathered, outputs))
    })?;
    Ok(Adjusted { adjustment: Adjustment::fit(kind, outputs, truth)?, score: metric.measure(&adjusted, truth)? })
}
