//! `guard`: a bound on a second metric of the checkpoint that is chosen, as in `"log_loss <= 1.2 * best"`.

use std::fmt;
use std::str::FromStr;

use gyeol_engine::{Guard, Limit, Side};
use gyeol_eval::Metric;
use serde::{Deserialize, Serialize};

/// The metric, and what it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GuardRule {
    /// The metric.
    pub metric: Metric,
    /// What it has to be.
    pub guard: Guard,
}

/// Not a guard, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoGuard(String);

impl fmt::Display for NoGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; write one such as \"log_loss <= 1.2 * best\" or \"macro_f1 >= 0.5\"", self.0)
    }
}

impl std::error::Error for NoGuard {}

impl FromStr for GuardRule {
    type Err = NoGuard;

    fn from_str(text: &str) -> Result<Self, NoGuard> {
        let (metric, side, limit) = match (text.split_once("<="), text.split_once(">=")) {
            (Some((metric, limit)), None) => (metric, Side::AtMost, limit),
            (None, Some((metric, limit))) => (metric, Side::AtLeast, limit),
            _ => return Err(NoGuard(format!("{text:?} has no <= or >= between a metric and its limit"))),
        };
        let metric: Metric =
            metric.trim().parse().map_err(|error: gyeol_eval::EvalError| NoGuard(error.to_string()))?;
        let fitting = if metric.higher_is_better() { Side::AtLeast } else { Side::AtMost };
        if side != fitting {
            let (better, sign) = if fitting == Side::AtLeast { ("higher", ">=") } else { ("lower", "<=") };
            return Err(NoGuard(format!("of {metric} {better} is better, so that its limit needs {sign}")));
        }
        let parts: Vec<&str> = limit.split('*').map(str::trim).collect();
        let number = |word: &str| word.parse::<f64>().ok().filter(|number| number.is_finite());
        let limit = match parts[..] {
            ["best"] => Some(Limit::OfBest(1.0)),
            [word] => number(word).map(Limit::Absolute),
            [word, "best"] | ["best", word] => number(word).filter(|factor| *factor > 0.0).map(Limit::OfBest),
            _ => None,
        };
        let limit =
            limit.ok_or_else(|| NoGuard(format!("{:?} is neither a number nor one times best", limit_of(text))))?;
        Ok(Self { metric, guard: Guard { side, limit } })
    }
}

/// What stands behind the sign.
fn limit_of(text: &str) -> &str {
    text.split_once('=').map_or(text, |(_, limit)| limit.trim())
}

impl fmt::Display for GuardRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.guard.side == Side::AtMost { "<=" } else { ">=" };
        match self.guard.limit {
            Limit::Absolute(limit) => write!(f, "{} {sign} {limit}", self.metric),
            Limit::OfBest(factor) => write!(f, "{} {sign} {factor} * best", self.metric),
        }
    }
}

impl TryFrom<String> for GuardRule {
    type Error = NoGuard;

    fn try_from(text: String) -> Result<Self, NoGuard> {
        text.parse()
    }
}

impl From<GuardRule> for String {
    fn from(rule: GuardRule) -> String {
        rule.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_reads_as_it_is_written() {
        for (text, written) in [
            ("log_loss<=1.2*best", "log_loss <= 1.2 * best"),
            (" log_loss  <= best * 1.2", "log_loss <= 1.2 * best"),
            ("rmse <= best", "rmse <= 1 * best"),
            ("macro_f1 >= 0.5", "macro_f1 >= 0.5"),
        ] {
            let rule: GuardRule = text.parse().unwrap();
            assert_eq!(rule.to_string(), written);
            assert_eq!(written.parse(), Ok(rule));
        }
    }

    #[test]
    fn what_is_no_guard_says_why() {
        for (text, why) in [
            ("log_loss", "no <= or >="),
            ("log_loss < 1", "no <= or >="),
            ("los <= 1", "los"),
            ("accuracy <= 0.9", "of accuracy higher is better, so that its limit needs >="),
            ("log_loss >= 1", "needs <="),
            ("log_loss <= much", "\"much\" is neither a number nor one times best"),
            ("log_loss <= -1 * best", "neither a number"),
            ("log_loss <= 1 * 2 * best", "neither a number"),
            ("log_loss <= NaN", "neither a number"),
        ] {
            let error = text.parse::<GuardRule>().unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("write one such as"), "{text}: {error}");
        }
    }
}
