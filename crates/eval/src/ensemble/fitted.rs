//! A way to combine members with all that was fitted: what is saved, and applied to rows nobody knows the truth of.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    Aligned, Method, Quantiles, Ranks, Stack,
    buckets::{self, Scale},
    fit, mean, rank,
    simplex::single,
    temperature, vote,
};
use crate::{EvalError, Metric, Outputs, Task, Truth};

/// Weights come to 1 but for this much.
const TOLERANCE: f64 = 1e-6;

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

/// How the members' predictions of a row become one. Weights are one a member, from 0, 1 together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Rule {
    /// The weighted mean of probabilities, or of scores.
    Mean {
        /// The members' weights.
        weights: Vec<f64>,
    },
    /// The softmax of the weighted mean of log-probabilities; of label sets the sigmoid of the mean logit. No probability counts as
    /// less than 1.2e-7 (`f32::EPSILON`), and none of a label as nearer to 1.
    Geometric {
        /// The members' weights.
        weights: Vec<f64>,
    },
    /// A vote a member, for its likeliest class or for each label of at least one half; probabilities are the shares of votes.
    Hard {
        /// The weights of the votes.
        weights: Vec<f64>,
    },
    /// The weighted mean of ranks, and the score that has this rank among the truth of the rows it was fitted to.
    Rank {
        /// The members' weights.
        weights: Vec<f64>,
        /// A member each: the ranks of its scores.
        ranks: Vec<Ranks>,
        /// The distribution of the truth.
        truth: Quantiles,
    },
    /// The weighted mean of the scores in the bucket with the most votes, one a member.
    Buckets {
        /// The weights of the votes.
        weights: Vec<f64>,
        /// Lowest and highest truth of the rows it was fitted to. Scores beyond them are in the outermost buckets.
        range: [f64; 2],
        /// In how many equal parts the range is cut.
        buckets: usize,
    },
    /// A linear model over the members' outputs.
    Stacked(Stack),
}

impl Fitted {
    /// Fits `method` to the rows of `members`, whose truth is `truth`. Neither the order of the rows nor that of the members makes
    /// a difference; of equally good members greedy selection takes the one whose name comes first.
    ///
    /// # Errors
    /// If the method or the metric is not for this task (the training loss is for none), a setting is out of its range, the
    /// truth is not of these rows, or a member has no finite score to be ranked by.
    pub fn new(method: Method, members: &Aligned, truth: Truth<'_>, metric: Metric) -> Result<Self, EvalError> {
        let rule = fit::fit(method, members, truth, metric)?;
        Ok(Self { members: members.members().to_vec(), method, temperatures: Vec::new(), rule })
    }

    /// The members' weights, where it has one number for each.
    pub fn weights(&self) -> Option<&[f64]> {
        self.rule.weights()
    }

    /// The combined predictions of the rows of `members`, which are those it was fitted with.
    ///
    /// # Errors
    /// [`EvalError::Unlike`] for other members or predictions of another task; those of [`check`](Self::check).
    pub fn combine(&self, members: &Aligned) -> Result<Outputs, EvalError> {
        let members = self.ready(members)?;
        let members = members.as_ref();
        let values = match &self.rule {
            Rule::Mean { weights } => single(&mean::arithmetic(members.all(), weights)),
            Rule::Geometric { weights } => single(&mean::geometric(members, weights)),
            Rule::Hard { weights } => vote::count(members, weights).shares,
            Rule::Rank { weights, ranks, truth } => single(&rank::combine(members, weights, ranks, truth)),
            Rule::Buckets { weights, range, buckets } => {
                single(&buckets::count(members, weights, scale(*range, *buckets)).scores)
            }
            Rule::Stacked(stack) => stack.combine(members),
        };
        Ok(members.outputs_from(values))
    }

    /// How many decisions on the rows of `members` were ties between equally many votes: rows; of label sets, rows and labels.
    /// `None` where nobody votes.
    ///
    /// # Errors
    /// As [`combine`](Self::combine).
    pub fn ties(&self, members: &Aligned) -> Result<Option<usize>, EvalError> {
        let members = self.ready(members)?;
        Ok(match &self.rule {
            Rule::Hard { weights } => Some(vote::count(&members, weights).ties),
            Rule::Buckets { weights, range, buckets } => {
                Some(buckets::count(&members, weights, scale(*range, *buckets)).ties)
            }
            Rule::Mean { .. } | Rule::Geometric { .. } | Rule::Rank { .. } | Rule::Stacked(_) => None,
        })
    }

    /// The same without the members `gone` (indices from 0), the others' weights being divided by their sum.
    ///
    /// # Errors
    /// [`EvalError::Without`] if all weight was on members that are gone; those of [`check`](Self::check).
    pub fn without(&self, gone: &[usize]) -> Result<Self, EvalError> {
        self.check()?;
        fn kept<T: Clone>(all: &[T], gone: &[usize]) -> Vec<T> {
            all.iter()
                .enumerate()
                .filter(|(member, _)| !gone.contains(member))
                .map(|(_, value)| value.clone())
                .collect()
        }
        let mut rest = Self {
            members: kept(&self.members, gone),
            method: self.method,
            temperatures: kept(&self.temperatures, gone),
            rule: self.rule.clone(),
        };
        if let Rule::Rank { ranks, .. } = &mut rest.rule {
            *ranks = kept(ranks, gone);
        }
        let Some(weights) = rest.rule.weights_mut() else {
            return Err(EvalError::Without { problem: "a linear model needs the outputs of all" });
        };
        *weights = kept(weights, gone);
        let sum: f64 = weights.iter().sum();
        if sum <= 0.0 {
            return Err(EvalError::Without { problem: "all the weight is on them" });
        }
        weights.iter_mut().for_each(|weight| *weight /= sum);
        Ok(rest)
    }

    /// Checks what a file may hold that fitting never gives: other counts of numbers than of members, weights or temperatures
    /// that are none, distributions out of order.
    ///
    /// # Errors
    /// [`EvalError::Damaged`], with what is wrong.
    pub fn check(&self) -> Result<(), EvalError> {
        let wrong = |problem: String| Err(EvalError::Damaged { what: "rule", problem });
        let count = self.members.len();
        if let Some(weights) = self.rule.weights() {
            if weights.len() != count {
                return wrong(format!("it has {} weights for {count} members", weights.len()));
            }
            if let Some(weight) = weights.iter().find(|weight| !(0.0..=1.0 + TOLERANCE).contains(*weight)) {
                return wrong(format!("a weight is {weight}"));
            }
            let sum: f64 = weights.iter().sum();
            if (sum - 1.0).abs() > TOLERANCE {
                return wrong(format!("its weights come to {sum}, not 1"));
            }
        }
        if !self.temperatures.is_empty() && self.temperatures.len() != count {
            return wrong(format!("it has {} temperatures for {count} members", self.temperatures.len()));
        }
        if let Some(temperature) = self.temperatures.iter().find(|t| !(t.is_finite() && **t > 0.0)) {
            return wrong(format!("a temperature is {temperature}"));
        }
        match &self.rule {
            // Against the rows it is to combine, where it is used.
            Rule::Stacked(_) => Ok(()),
            Rule::Mean { .. } | Rule::Geometric { .. } | Rule::Hard { .. } => Ok(()),
            Rule::Rank { ranks, .. } if ranks.len() != count => {
                wrong(format!("it has the ranks of {} members, not of {count}", ranks.len()))
            }
            Rule::Rank { ranks, truth, .. } if truth.is_sound() && ranks.iter().all(Ranks::is_sound) => Ok(()),
            Rule::Rank { .. } => wrong("its ranks are out of order".to_owned()),
            Rule::Buckets { range: [low, high], buckets, .. } => {
                if *buckets > 0 && low.is_finite() && high.is_finite() && low <= high {
                    return Ok(());
                }
                wrong(format!("it has {buckets} buckets from {low} to {high}"))
            }
        }
    }

    /// `members` as the rule takes them, once everything is checked.
    fn ready<'a>(&self, members: &'a Aligned) -> Result<Cow<'a, Aligned>, EvalError> {
        self.check()?;
        if members.members() != self.members {
            return Err(EvalError::Unlike { what: "members" });
        }
        if !self.rule.applies_to(members.task()) {
            return Err(EvalError::Unlike { what: "task" });
        }
        if let Rule::Stacked(stack) = &self.rule {
            stack.check(members.members().len(), members.width())?;
        }
        Ok(temperature::scaled_members(members, &self.temperatures))
    }
}

impl Rule {
    fn weights(&self) -> Option<&[f64]> {
        match self {
            Self::Mean { weights }
            | Self::Geometric { weights }
            | Self::Hard { weights }
            | Self::Rank { weights, .. }
            | Self::Buckets { weights, .. } => Some(weights),
            Self::Stacked(_) => None,
        }
    }

    fn weights_mut(&mut self) -> Option<&mut Vec<f64>> {
        match self {
            Self::Mean { weights }
            | Self::Geometric { weights }
            | Self::Hard { weights }
            | Self::Rank { weights, .. }
            | Self::Buckets { weights, .. } => Some(weights),
            Self::Stacked(_) => None,
        }
    }

    /// Whether predictions of `task` can be combined so.
    fn applies_to(&self, task: Task) -> bool {
        match self {
            Self::Mean { .. } | Self::Stacked(_) => true,
            Self::Geometric { .. } | Self::Hard { .. } => task != Task::Regression,
            Self::Rank { .. } | Self::Buckets { .. } => task == Task::Regression,
        }
    }
}

fn scale([low, high]: [f64; 2], buckets: usize) -> Scale {
    Scale { low, high, buckets }
}
