//! A way to combine members with all that was fitted: what is saved, and applied to rows nobody knows the truth of.

use serde::{Deserialize, Serialize};

use super::{Aligned, Method};
use crate::{EvalError, Metric, Outputs, Truth};

/// A method with its fitted numbers. It is a function of a row: the same members' predictions of a row give the same
/// prediction in any company.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// The members, in the order of the numbers.
    pub members: Vec<String>,
    /// The method it is of.
    pub method: Method,
    /// A temperature for each member, which its logits are divided by first; empty: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub temperatures: Vec<f64>,
    /// How rows are combined.
    pub rule: Rule,
}

/// How the members' predictions of a row become one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Rule {
    /// The weighted mean of probabilities, or of scores.
    Mean {
        /// One a member, from 0, 1 together.
        weights: Vec<f64>,
    },
}

impl Fitted {
    /// Fits `method` to the rows of `members`, whose truth is `truth`.
    ///
    /// # Errors
    /// If the method or the metric is not for this task, or the truth not of these rows.
    pub fn new(method: Method, members: &Aligned, truth: Truth<'_>, metric: Metric) -> Result<Self, EvalError> {
        let _ = (truth, metric);
        let count = members.members().len();
        let rule = Rule::Mean { weights: vec![1.0 / count as f64; count] };
        Ok(Self { members: members.members().to_vec(), method, temperatures: Vec::new(), rule })
    }

    /// The members' weights, where it has one number for each.
    pub fn weights(&self) -> Option<&[f64]> {
        match &self.rule {
            Rule::Mean { weights } => Some(weights),
        }
    }

    /// The combined predictions of the rows of `members`, which are those it was fitted with.
    ///
    /// # Errors
    /// [`EvalError::Unlike`] for other members.
    pub fn combine(&self, members: &Aligned) -> Result<Outputs, EvalError> {
        if members.members() != self.members {
            return Err(EvalError::Unlike { what: "members" });
        }
        let Rule::Mean { weights } = &self.rule;
        let mut sums = vec![0f64; members.rows() * members.width()];
        for (values, weight) in members.all().iter().zip(weights) {
            sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum += weight * f64::from(value));
        }
        Ok(members.outputs_from(sums.into_iter().map(|sum| sum as f32).collect()))
    }

    /// The same without the members `gone` (indices from 0), the weights of the others renormalised.
    ///
    /// # Errors
    /// [`EvalError::Unlike`] if none is left, or those left had no weight.
    pub fn without(&self, gone: &[usize]) -> Result<Self, EvalError> {
        let stays = |at: &usize| !gone.contains(at);
        let pick = |values: &[f64]| (0..values.len()).filter(stays).map(|at| values[at]).collect::<Vec<f64>>();
        let Rule::Mean { weights } = &self.rule;
        let left = pick(weights);
        let sum: f64 = left.iter().sum();
        if left.is_empty() || sum <= 0.0 {
            return Err(EvalError::Unlike { what: "members: those left have no weight" });
        }
        Ok(Self {
            members: (0..self.members.len()).filter(stays).map(|at| self.members[at].clone()).collect(),
            method: self.method,
            temperatures: pick(&self.temperatures),
            rule: Rule::Mean { weights: left.into_iter().map(|weight| weight / sum).collect() },
        })
    }
}
