//! A bound on a second figure of each checkpoint: of those that break it none is chosen, however well it scores.

/// What a checkpoint's second figure has to be, against the best there was or by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guard {
    /// Which side of the limit is allowed.
    pub side: Side,
    /// The limit.
    pub limit: Limit,
}

/// Which side of a limit is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// At most the limit: lower is better, as of a loss.
    AtMost,
    /// At least the limit: higher is better.
    AtLeast,
}

/// A limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// So much.
    Absolute(f64),
    /// So many times the best of all evaluations so far.
    OfBest(f64),
}

impl Guard {
    /// Whether a checkpoint with `value` may be chosen, when the best of all evaluations is `best`. One whose value is
    /// undefined may not.
    pub fn admits(&self, value: Option<f64>, best: f64) -> bool {
        let Some(value) = value else { return false };
        let limit = match self.limit {
            Limit::Absolute(limit) => limit,
            Limit::OfBest(factor) => factor * best,
        };
        match self.side {
            Side::AtMost => value <= limit,
            Side::AtLeast => value >= limit,
        }
    }

    /// The better of two values, if any is defined.
    pub(super) fn better(&self, a: Option<f64>, b: Option<f64>) -> Option<f64> {
        let better = match self.side {
            Side::AtMost => f64::min,
            Side::AtLeast => f64::max,
        };
        a.into_iter().chain(b).reduce(better)
    }
}

/// What an evaluation came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The declared metric; NaN where it is undefined.
    pub value: f64,
    /// The figure that a [`Guard`] looks at; `None` without one, and where it is undefined.
    pub guarded: Option<f64>,
}

impl From<f64> for Score {
    /// A score without a guarded figure.
    fn from(value: f64) -> Self {
        Self { value, guarded: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_holds_by_itself_or_against_the_best() {
        let below = Guard { side: Side::AtMost, limit: Limit::OfBest(1.2) };
        assert!(below.admits(Some(0.6), 0.5) && !below.admits(Some(0.61), 0.5));
        let above = Guard { side: Side::AtLeast, limit: Limit::Absolute(0.9) };
        assert!(above.admits(Some(0.9), 0.1) && !above.admits(Some(0.89), 0.1));
        assert!(!below.admits(None, 0.5));
        assert_eq!((below.better(None, Some(0.5)), above.better(Some(0.2), Some(0.5))), (Some(0.5), Some(0.5)));
    }
}
