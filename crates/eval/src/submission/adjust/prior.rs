//! Prior correction: a factor a class, so that classes are predicted as often as they are there.

use serde::{Deserialize, Serialize};

use crate::{EvalError, Outputs};

/// A factor for each class: the probability of class c becomes proportional to p_c · f_c.
///
/// With as many predictions of each class wanted as there are rows of it, the logarithms of the factors are the prices of
/// classes in an assignment of rows to classes, each class with as many places as it has rows, that has the largest sum of
/// log-probabilities. They are found by coordinate descent on the dual of that problem: one class after another gets the
/// price at which exactly its places are taken (halfway between the last row that it wins and the first that it does not),
/// until a round changes nothing. Ties between rows can leave a few rows over; of all rounds the factors are kept whose
/// predicted shares have the least total variation from the true ones, and the neutral ones where none are better.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prior {
    /// The classes, as the table labels them.
    pub labels: Vec<String>,
    /// A factor each, above 0; their geometric mean is 1.
    pub factors: Vec<f64>,
}

/// Below this a probability counts as this: a class may be brought back from 0 by no factor there is.
const LEAST: f64 = 1e-30;

/// The most rounds over the classes.
const ROUNDS: usize = 100;

/// How far a class that should win no row, or all, is put from where it would change.
const ASIDE: f64 = 1e-3;

impl Prior {
    /// The factors for rows whose classes are `truth`.
    ///
    /// # Errors
    /// [`EvalError::ClassOutOfRange`].
    pub(super) fn fit(outputs: &Outputs, truth: &[u32]) -> Result<Self, EvalError> {
        let labels = outputs.labels().to_vec();
        let classes = labels.len();
        let mut wanted = vec![0usize; classes];
        for (&class, row) in truth.iter().zip(1..) {
            let out_of_range = EvalError::ClassOutOfRange { row, class, classes };
            *wanted.get_mut(class as usize).ok_or(out_of_range)? += 1;
        }
        let logs: Vec<f64> = outputs.probabilities().iter().map(|&p| f64::from(p).max(LEAST).ln()).collect();
        let mut prices = vec![0.0; classes];
        let mut best = (misplaced(&logs, &prices, &wanted), prices.clone());
        for _ in 0..ROUNDS {
            let before = prices.clone();
            for class in 0..classes {
                prices[class] = price(&logs, &prices, class, wanted[class]);
            }
            let rows = misplaced(&logs, &prices, &wanted);
            if rows < best.0 {
                best = (rows, prices.clone());
            }
            if rows == 0 || prices == before {
                break;
            }
        }
        let mean = best.1.iter().sum::<f64>() / classes.max(1) as f64;
        Ok(Self { labels, factors: best.1.into_iter().map(|price| (price - mean).exp()).collect() })
    }

    /// Checks what a file may hold that fitting never gives: no classes, other counts of factors than of classes, factors that
    /// are none.
    ///
    /// # Errors
    /// [`EvalError::Damaged`], with what is wrong.
    pub(super) fn check(&self) -> Result<(), EvalError> {
        let wrong = |problem: String| Err(EvalError::Damaged { what: "adjustment", problem });
        let (labels, factors) = (self.labels.len(), self.factors.len());
        if labels == 0 || labels != factors {
            return wrong(format!("it has {factors} factors for {labels} classes"));
        }
        match self.factors.iter().find(|factor| !(factor.is_finite() && **factor > 0.0)) {
            Some(factor) => wrong(format!("a factor is {factor}")),
            None => Ok(()),
        }
    }

    /// The corrected probabilities, computed in `f64`.
    pub(super) fn apply(&self, outputs: &Outputs) -> Result<Outputs, EvalError> {
        if outputs.labels() != self.labels {
            return Err(EvalError::Unlike { what: "classes" });
        }
        let mut values = Vec::with_capacity(outputs.values().len());
        for row in outputs.probabilities().chunks_exact(self.factors.len()) {
            let weighted: Vec<f64> = row.iter().zip(&self.factors).map(|(&p, factor)| f64::from(p) * factor).collect();
            let sum: f64 = weighted.iter().sum();
            values.extend(weighted.into_iter().map(|value| (value / sum) as f32));
        }
        Ok(Outputs::Probabilities { labels: self.labels.clone(), values })
    }
}

/// The price at which `class` wins `wanted` rows, given the others' prices.
fn price(logs: &[f64], prices: &[f64], class: usize, wanted: usize) -> f64 {
    let others = |row: &[f64]| {
        let of =
            |(other, (log, price)): (usize, (&f64, &f64))| if other == class { f64::NEG_INFINITY } else { log + price };
        row.iter().zip(prices).enumerate().map(of).fold(f64::NEG_INFINITY, f64::max)
    };
    // What the class has to be given in each row to win it.
    let mut margins: Vec<f64> = logs.chunks_exact(prices.len()).map(|row| others(row) - row[class]).collect();
    match wanted {
        _ if prices.len() < 2 => 0.0,
        0 => margins.iter().copied().fold(f64::INFINITY, f64::min) - ASIDE,
        _ if wanted >= margins.len() => margins.iter().copied().fold(f64::NEG_INFINITY, f64::max) + ASIDE,
        _ => {
            let (won, first_lost, _) = margins.select_nth_unstable_by(wanted, f64::total_cmp);
            let last_won = won.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            0.5 * (last_won + *first_lost)
        }
    }
}

/// How many rows would have to be of another class for as many of each as wanted.
fn misplaced(logs: &[f64], prices: &[f64], wanted: &[usize]) -> usize {
    let mut predicted = vec![0usize; wanted.len()];
    for row in logs.chunks_exact(prices.len().max(1)) {
        let value = |class: usize| row[class] + prices[class];
        let class = (1..row.len()).fold(0, |best, class| if value(class) > value(best) { class } else { best });
        predicted[class] += 1;
    }
    predicted.iter().zip(wanted).map(|(&found, &wanted)| found.saturating_sub(wanted)).sum()
}
