//! What brings an ensemble's predictions nearer to the distribution of the truth, fitted as honestly as the ensemble is.

use gyeol_eval::{
    Outputs,
    submission::{Adjustment, AdjustmentKind},
};

use super::Gathered;
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

/// Fits an adjustment of `kind` to `outputs`, the ensemble's cross-validated predictions of the rows of `gathered`.
///
/// # Errors
/// If the adjustment is for another task.
pub fn adjust(gathered: &Gathered, outputs: &Outputs, kind: AdjustmentKind) -> Result<Adjusted, Error> {
    let truth = truth(&gathered.truth);
    let adjusted = Adjustment::cross_fitted(kind, outputs, truth, &gathered.folds)?;
    Ok(Adjusted {
        adjustment: Adjustment::fit(kind, outputs, truth)?,
        score: gathered.metric.measure(&adjusted, truth)?,
    })
}
