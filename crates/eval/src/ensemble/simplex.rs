//! Weights on the simplex, none negative and 1 together, of the best score that a search finds.
//!
//! Accuracy and F1 are step functions of the weights, without a slope to follow. So weight is moved from one member to another in
//! amounts that shrink, and where no move betters the score, one that betters the log loss (or the root mean squared error) is
//! taken, which leads across the steps. Nothing is drawn at random.

use super::{
    fit_target::{Quality, Target},
    mean::arithmetic,
    weights::normalised,
};

/// The first amount that is moved, and the last.
const AMOUNTS: [f64; 2] = [0.5, 1.0 / 2048.0];

/// How often all pairs are tried with one amount, at the most.
const PASSES: usize = 4;

/// How often the amounts are gone through, at the most: again only if the last time bettered something.
const ROUNDS: usize = 3;

/// The best weights found from any of `starts`.
///
/// `values` are the members' numbers. A pass costs a judgement for each two members, the first having weight; from each start there
/// are [`ROUNDS`] × [`PASSES`] × 11 passes at the most, and about a third of that as a rule.
pub(super) fn search(values: &[&[f32]], target: &Target<'_>, starts: Vec<Vec<f64>>) -> Vec<f64> {
    let found = starts.into_iter().map(|start| climb(values, target, start));
    let best = found.reduce(|one, other| if target.better(other.1, one.1) { other } else { one });
    best.map_or_else(Vec::new, |(weights, _)| normalised(weights))
}

/// Weights that no move betters, from `weights` on, and how good they are.
fn climb(values: &[&[f32]], target: &Target<'_>, mut weights: Vec<f64>) -> (Vec<f64>, Quality) {
    let mut best = target.quality(&single(&arithmetic(values, &weights)));
    for _ in 0..ROUNDS {
        let before = best;
        let mut amount = AMOUNTS[0];
        while amount >= AMOUNTS[1] {
            for _ in 0..PASSES {
                let mut moved = false;
                for from in 0..values.len() {
                    let taken = amount.min(weights[from]);
                    if taken == 0.0 {
                        continue;
                    }
                    let mut left = weights.clone();
                    left[from] -= taken;
                    let sum = arithmetic(values, &left);
                    let others: Vec<usize> = (0..values.len()).filter(|&member| member != from).collect();
                    let found = target.best(others.len(), |candidate, start, out| {
                        let values = &values[others[candidate]][start..start + out.len()];
                        for ((out, sum), &value) in out.iter_mut().zip(&sum[start..]).zip(values) {
                            *out = (sum + taken * f64::from(value)) as f32;
                        }
                    });
                    if let Some((candidate, found)) = found.filter(|(_, found)| target.better(*found, best)) {
                        left[others[candidate]] += taken;
                        (best, weights, moved) = (found, left, true);
                    }
                }
                if !moved {
                    break;
                }
            }
            amount /= 2.0;
        }
        if !target.better(best, before) {
            break;
        }
    }
    (weights, best)
}

/// As predictions are kept: in single precision.
pub(super) fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}
