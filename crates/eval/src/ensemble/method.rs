//! The ways to combine members, by name and with their settings.

use serde::{Deserialize, Serialize};

use crate::Task;

/// A way to combine members, with its settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Method {
    /// The mean of probabilities, or of scores.
    Soft,
    /// The mean of logits, which is the normalised geometric mean of probabilities. Classes and label sets only.
    Geometric,
    /// Each member has a vote for each row: the class most have. A tie goes to the class with the larger mean probability
    /// among the tied. Classes and label sets only.
    Hard,
    /// The mean weighted by each member's score by the metric: scores divided by their sum, or, where a smaller value is
    /// better, their inverses.
    Weighted,
    /// The same with weights `exp((score − best) / temperature)`, normalised: in units of the metric, a member that is worse by
    /// `temperature` counts 1/e.
    Sharpened {
        /// Above 0.
        temperature: f64,
    },
    /// The mean of ranks, each member's among its own predictions, put back on the scale of the truth. Regression only.
    Rank,
    /// Each member votes for a bucket of scores; the mean of the scores in the winning one. Regression only.
    Buckets {
        /// How many, 2 or more.
        buckets: usize,
    },
    /// Members picked one after another, again and again, each time the one that helps the most (Caruana et al. 2004).
    Greedy {
        /// How many picks, 1 or more.
        steps: usize,
    },
    /// The weights, none negative and 1 together, of the best score by the metric.
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
}
