//! What brings an ensemble's predictions nearer to the distribution of the truth, fitted as honestly as the ensemble is.

use std::collections::BTreeSet;

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
    let mut adjusted = vec![0f32; outputs.values().len()];
    for fold in folds.iter().copied().collect::<BTreeSet<u32>>() {
        let (held, rest): (Vec<usize>, Vec<usize>) = (0..folds.len()).partition(|&row| folds[row] == fold);
        let others = valid.select(&rest);
        let of_others = truth.select(&rest);
        let others_folds: Vec<u32> = rest.iter().map(|&row| folds[row]).collect();
        let inner = cross_fitted(method, calibrate, &others, of_others.borrow(), *metric, &others_folds)?;
        let adjustment = Adjustment::fit(kind, &clamped(gathered, inner), of_others.borrow())?;
        let applied = adjustment.apply(&outputs.select(&held))?;
        let width = valid.width();
        for (&row, values) in held.iter().zip(applied.values().chunks_exact(width)) {
            adjusted[row * width..(row + 1) * width].copy_from_slice(values);
        }
    }
    Ok(Adjusted {
        adjustment: Adjustment::fit(kind, outputs, truth)?,
        score: metric.measure(&valid.outputs_from(adjusted), truth)?,
    })
}
