//! The ways to combine members, by name and with their settings.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{EvalError, Task};

/// A way to combine members, with its settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Method {
    /// The mean of probabilities, or of scores.
    Soft,
    /// The mean of logits, which is the normalised geometric mean of probabilities, none taken for less than 1.2e-7. Classes
    /// and label sets only.
    Geometric,
    /// Each member has a vote for each row: the class most have, the shares of the votes being the probabilities. A tie goes
    /// to the class with the larger mean probability among the tied. Classes and label sets only.
    Hard,
    /// The mean weighted by each member's score by the metric: scores divided by their sum, or, where a smaller value is
    /// better, their inverses. A score that is undefined, or not above 0 where larger is better, has no weight; where none
    /// has, all have the same.
    Weighted,
    /// The same with weights `exp((score − best) / temperature)`, normalised: in units of the metric, a member that is worse by
    /// `temperature` counts 1/e.
    Sharpened {
        /// Above 0.
        temperature: f64,
    },
    /// The mean of ranks, each member's among its own predictions, put back on the scale of the truth. Regression only.
    Rank,
    /// The range of the truth is cut into equal buckets, and each member votes for that of its score; the mean of the scores
    /// in the winning one, of several the nearest to the mean of all members. Regression only.
    Buckets {
        /// How many, 2 or more.
        buckets: usize,
    },
    /// Members picked one after another, again and again, from the best on, each time the one whose addition to the mean has
    /// the best score (Caruana et al. 2004, <https://doi.org/10.1145/1015330.1015432>). The picks up to the best mean
    /// count, and weights are their shares. Equal scores are decided by the log loss or the root mean squared error.
    Greedy {
        /// How many picks, 1 or more.
        steps: usize,
    },
    /// The weights, none negative and 1 together, of the best score by the metric that a search finds. Equal scores are
    /// decided by the log loss or the root mean squared error.
    Simplex,
    /// A linear model over the members' outputs: multinomial logistic, or ridge for regression, its penalty chosen by
    /// cross-validation within the rows it is fitted to.
    Stacked,
}

/// A [`Method`] without its settings, as command lines name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MethodKind {
    /// [`Method::Soft`].
    Soft,
    /// [`Method::Geometric`].
    Geometric,
    /// [`Method::Hard`].
    Hard,
    /// [`Method::Weighted`].
    Weighted,
    /// [`Method::Sharpened`].
    Sharpened,
    /// [`Method::Rank`].
    Rank,
    /// [`Method::Buckets`].
    Buckets,
    /// [`Method::Greedy`].
    Greedy,
    /// [`Method::Simplex`].
    Simplex,
    /// [`Method::Stacked`].
    Stacked,
}

impl MethodKind {
    /// Every kind, in the order tables list them.
    pub const ALL: [Self; 10] = [
        Self::Soft,
        Self::Geometric,
        Self::Hard,
        Self::Weighted,
        Self::Sharpened,
        Self::Rank,
        Self::Buckets,
        Self::Greedy,
        Self::Simplex,
        Self::Stacked,
    ];

    /// The name on command lines and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Soft => "soft",
            Self::Geometric => "geometric",
            Self::Hard => "hard",
            Self::Weighted => "weighted",
            Self::Sharpened => "sharpened",
            Self::Rank => "rank",
            Self::Buckets => "buckets",
            Self::Greedy => "greedy",
            Self::Simplex => "simplex",
            Self::Stacked => "stacked",
        }
    }

    /// Whether predictions of `task` can be combined so.
    pub fn applies_to(self, task: Task) -> bool {
        match self {
            Self::Geometric | Self::Hard => task != Task::Regression,
            Self::Rank | Self::Buckets => task == Task::Regression,
            Self::Soft | Self::Weighted | Self::Sharpened | Self::Greedy | Self::Simplex | Self::Stacked => true,
        }
    }

    /// Whether anything is fitted to labelled rows, so that a score on those rows flatters.
    pub fn is_fitted(self) -> bool {
        !matches!(self, Self::Soft | Self::Geometric | Self::Hard)
    }
}

impl Method {
    /// Which it is.
    pub fn kind(&self) -> MethodKind {
        match self {
            Self::Soft => MethodKind::Soft,
            Self::Geometric => MethodKind::Geometric,
            Self::Hard => MethodKind::Hard,
            Self::Weighted => MethodKind::Weighted,
            Self::Sharpened { .. } => MethodKind::Sharpened,
            Self::Rank => MethodKind::Rank,
            Self::Buckets { .. } => MethodKind::Buckets,
            Self::Greedy { .. } => MethodKind::Greedy,
            Self::Simplex => MethodKind::Simplex,
            Self::Stacked => MethodKind::Stacked,
        }
    }

    /// Checks that predictions of `task` can be combined so, and that the settings are in their ranges.
    ///
    /// # Errors
    /// [`EvalError::MethodNotForTask`] and [`EvalError::MethodSetting`].
    pub fn check(&self, task: Task) -> Result<(), EvalError> {
        let method = self.kind();
        if !method.applies_to(task) {
            return Err(EvalError::MethodNotForTask { method, task });
        }
        let wrong = |setting, value, expected| Err(EvalError::MethodSetting { method, setting, value, expected });
        match *self {
            Self::Sharpened { temperature } if !(temperature > 0.0 && temperature.is_finite()) => {
                wrong("temperature", temperature.to_string(), "a number above 0")
            }
            Self::Buckets { buckets } if buckets < 2 => wrong("buckets", buckets.to_string(), "2 or more"),
            Self::Greedy { steps: 0 } => wrong("steps", "0".to_owned(), "1 or more"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for MethodKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_of_another_task_is_refused_by_name() {
        let error = Method::Rank.check(Task::Classification).unwrap_err();
        assert!(error.is_user_error());
        assert_eq!(
            error.to_string(),
            "ensemble method `rank` does not apply to classification; choose one of: soft, geometric, hard, weighted, \
             sharpened, greedy, simplex, stacked"
        );
    }

    #[test]
    fn a_setting_beyond_its_range_is_refused_by_name() {
        let error = |method: Method| method.check(Task::Regression).unwrap_err().to_string();
        let temperature = error(Method::Sharpened { temperature: f64::NAN });
        assert_eq!(temperature, "ensemble method `sharpened`: temperature is NaN; it has to be a number above 0");
        let buckets = error(Method::Buckets { buckets: 1 });
        assert_eq!(buckets, "ensemble method `buckets`: buckets is 1; it has to be 2 or more");
        let steps = error(Method::Greedy { steps: 0 });
        assert_eq!(steps, "ensemble method `greedy`: steps is 0; it has to be 1 or more");
    }
}
