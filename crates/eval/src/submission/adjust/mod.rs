//! What brings predictions nearer to the distribution of the truth, fitted on rows that no model was trained on.
//!
//! An adjustment is a function of a row: it gives the same for a row in any company. Fitted and scored on the same rows it
//! flatters, so there is [`Adjustment::cross_fitted`].

mod curve;
mod isotonic;
mod prior;
mod quantile;

use gyeol_data::Task;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use curve::Curve;
pub use prior::Prior;

use crate::{EvalError, Outputs, Truth};

/// A fitted adjustment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Adjustment {
    /// Class probabilities times a factor a class: so that classes are predicted as often as they are there.
    Prior(Prior),
    /// Scores by quantile: the score that as many true ones lie below as predictions lie below the prediction.
    Quantile(Curve),
    /// Scores by isotonic regression: the non-decreasing function of the prediction with the least squared error.
    Isotonic(Curve),
}

/// An [`Adjustment`] without what is fitted, as command lines name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdjustmentKind {
    /// [`Adjustment::Prior`].
    Prior,
    /// [`Adjustment::Quantile`].
    Quantile,
    /// [`Adjustment::Isotonic`].
    Isotonic,
}

impl AdjustmentKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Prior, Self::Quantile, Self::Isotonic];

    /// The name on command lines and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prior => "prior",
            Self::Quantile => "quantile",
            Self::Isotonic => "isotonic",
        }
    }

    /// The task of the predictions it is for.
    pub fn task(self) -> Task {
        match self {
            Self::Prior => Task::Classification,
            Self::Quantile | Self::Isotonic => Task::Regression,
        }
    }
}

impl Adjustment {
    /// Fits an adjustment of `kind` to predictions of rows with known truth; the same rows give the same bits.
    ///
    /// # Errors
    /// [`EvalError::TaskMismatch`] if `kind` is for another task or the truth is of another; [`EvalError::Length`] where there is
    /// not one truth a row, or no row.
    pub fn fit(kind: AdjustmentKind, outputs: &Outputs, truth: Truth<'_>) -> Result<Self, EvalError> {
        check_task(kind.task(), outputs)?;
        if truth.len() != outputs.rows() || truth.is_empty() {
            return Err(EvalError::Length { what: "truth", expected: outputs.rows().max(1), found: truth.len() });
        }
        match (kind, truth) {
            (AdjustmentKind::Prior, Truth::Classes(truth)) => Ok(Self::Prior(Prior::fit(outputs, truth)?)),
            (AdjustmentKind::Quantile, Truth::Scores(truth)) => {
                Ok(Self::Quantile(quantile::fit(outputs.values(), truth)))
            }
            (AdjustmentKind::Isotonic, Truth::Scores(truth)) => {
                Ok(Self::Isotonic(isotonic::fit(outputs.values(), truth)))
            }
            (kind, truth) => Err(EvalError::TaskMismatch { predictions: kind.task(), truth: truth.task() }),
        }
    }

    /// Which it is.
    pub fn kind(&self) -> AdjustmentKind {
        match self {
            Self::Prior(_) => AdjustmentKind::Prior,
            Self::Quantile(_) => AdjustmentKind::Quantile,
            Self::Isotonic(_) => AdjustmentKind::Isotonic,
        }
    }

    /// Checks what a file may hold that fitting never gives: lists of numbers that do not fit each other, numbers that are none,
    /// a curve whose knots do not ascend.
    ///
    /// # Errors
    /// [`EvalError::Damaged`], with what is wrong.
    pub fn check(&self) -> Result<(), EvalError> {
        match self {
            Self::Prior(prior) => prior.check(),
            Self::Quantile(curve) | Self::Isotonic(curve) => curve.check(),
        }
    }

    /// The adjusted outputs: probabilities, or scores.
    ///
    /// # Errors
    /// [`EvalError::TaskMismatch`] for outputs of another task; [`EvalError::Unlike`] for other classes than it was fitted to;
    /// those of [`check`](Self::check).
    pub fn apply(&self, outputs: &Outputs) -> Result<Outputs, EvalError> {
        self.check()?;
        check_task(self.kind().task(), outputs)?;
        match self {
            Self::Prior(prior) => prior.apply(outputs),
            Self::Quantile(curve) | Self::Isotonic(curve) => {
                Ok(Outputs::Scores(outputs.values().iter().map(|&score| curve.at(f64::from(score)) as f32).collect()))
            }
        }
    }

    /// The outputs, each row adjusted by what is fitted to the rows of all other folds: what scores such an adjustment
    /// honestly. `folds` has the number of each row's fold, whatever numbers there are; `others` gives the outputs of the rows named,
    /// made without knowing any other row's truth.
    ///
    /// # Errors
    /// As [`Adjustment::fit`]; [`EvalError::Unlike`] if all rows are of one fold; those of `others`.
    pub fn cross_fitted(
        kind: AdjustmentKind,
        outputs: &Outputs,
        truth: Truth<'_>,
        folds: &[u32],
        mut others: impl FnMut(&[usize]) -> Result<Outputs, EvalError>,
    ) -> Result<Outputs, EvalError> {
        if folds.len() != outputs.rows() {
            return Err(EvalError::Length { what: "folds", expected: outputs.rows(), found: folds.len() });
        }
        if truth.len() != outputs.rows() {
            return Err(EvalError::Length { what: "truth", expected: outputs.rows(), found: truth.len() });
        }
        let numbers: BTreeSet<u32> = folds.iter().copied().collect();
        if numbers.len() < 2 {
            return Err(EvalError::Unlike { what: "folds: all rows are of one" });
        }
        let width = outputs.labels().len().max(1);
        let mut adjusted = vec![0f32; outputs.values().len()];
        for fold in numbers {
            let (held, rest): (Vec<usize>, Vec<usize>) = (0..folds.len()).partition(|&row| folds[row] == fold);
            let fitted = Self::fit(kind, &others(&rest)?, truth.select(&rest).borrow())?;
            let own = fitted.apply(&outputs.select(&held))?;
            for (values, row) in own.values().chunks_exact(width).zip(held) {
                adjusted[row * width..(row + 1) * width].copy_from_slice(values);
            }
        }
        Ok(match kind.task() {
            Task::Regression => Outputs::Scores(adjusted),
            _ => Outputs::Probabilities { labels: outputs.labels().to_vec(), values: adjusted },
        })
    }
}

/// Refuses outputs of another task than `expected`.
fn check_task(expected: Task, outputs: &Outputs) -> Result<(), EvalError> {
    if outputs.task() == expected {
        return Ok(());
    }
    Err(EvalError::TaskMismatch { predictions: outputs.task(), truth: expected })
}

#[cfg(test)]
mod tests;
