//! A Gaussian process over the space, and the point where it expects the largest improvement (Jones, Schonlau & Welch 1998).
//!
//! A trial that failed counts as the worst value there is. One that is running is believed to come out as the model expects
//! (the kriging believer of Ginsbourger, Le Riche & Carraro 2010), which leaves nothing to be gained where it is.

mod acquisition;
mod improvement;
mod inputs;
mod kernel;
mod likelihood;
mod model;
mod prior;
mod warp;

use self::{acquisition::Acquisition, inputs::Inputs, model::Model};
use super::{Observation, Outcome, Random, Sampler, Sobol, seen::Seen};
use crate::space::{Dimension, Point};

/// The model sees at most so many finished trials: the better half of them are the best, the others are the latest.
const OBSERVATIONS: usize = 256;
/// The acquisition is searched around so many of the best trials.
const CENTRES: usize = 3;

/// A Gaussian process with expected improvement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gp {
    start: Sobol,
}

impl Gp {
    /// Begins with the points of [`Sobol`] of this seed.
    pub fn new(seed: u64) -> Self {
        Self { start: Sobol::new(seed) }
    }
}

/// Trials before the model is asked: one more than there are dimensions, within bounds.
fn start_up(dimensions: usize) -> usize {
    (dimensions + 1).clamp(3, 10)
}

impl Sampler for Gp {
    fn suggest(&self, dimensions: &[Dimension], history: &[Observation], random: &mut Random) -> Point {
        let values = finished(history);
        let measured = history.iter().any(|observation| matches!(observation.outcome, Outcome::Value(_)));
        if history.len() < start_up(dimensions.len()) || values.len() < 2 || !measured {
            return self.start.suggest(dimensions, history, random);
        }
        let inputs = Inputs { dimensions };
        let seen = Seen::new(dimensions, history);
        let kept = select(&values);
        let rows: Vec<Vec<f64>> = kept.iter().map(|(point, _)| inputs.encode(point)).collect();
        let targets = warp::warped(&kept.iter().map(|(_, value)| *value).collect::<Vec<_>>());
        let model = Model::fit(rows.clone(), inputs.nominal(), &targets);
        let best = targets.iter().copied().fold(f64::INFINITY, f64::min);

        let pending: Vec<Vec<f64>> = history
            .iter()
            .filter(|observation| observation.outcome == Outcome::Pending)
            .map(|observation| inputs.encode(&observation.point))
            .collect();
        let model = if pending.is_empty() {
            model
        } else {
            let believed: Vec<f64> = pending.iter().map(|row| model.posterior(row).0).collect();
            model.with([rows, pending].concat(), &[targets.clone(), believed].concat())
        };
        let mut order: Vec<usize> = (0..kept.len()).collect();
        order.sort_by(|&a, &b| targets[a].total_cmp(&targets[b]));
        let centres: Vec<Point> = order.iter().take(CENTRES).map(|&index| kept[index].0.clone()).collect();
        Acquisition { model: &model, best, inputs }
            .maximize(&centres, &seen, random)
            .unwrap_or_else(|| seen.fresh(random))
    }
}

/// Finished trials; those that failed have the worst value there is.
fn finished(history: &[Observation]) -> Vec<(&Point, f64)> {
    let worst = history
        .iter()
        .filter_map(|observation| match observation.outcome {
            Outcome::Value(value) => Some(value),
            _ => None,
        })
        .fold(f64::NEG_INFINITY, f64::max);
    history
        .iter()
        .filter_map(|observation| match observation.outcome {
            Outcome::Value(value) => Some((&observation.point, value)),
            Outcome::Failed => Some((&observation.point, worst)),
            Outcome::Pending => None,
        })
        .collect()
}

/// The trials that the model sees.
fn select<'a>(values: &[(&'a Point, f64)]) -> Vec<(&'a Point, f64)> {
    if values.len() <= OBSERVATIONS {
        return values.to_vec();
    }
    let mut best: Vec<usize> = (0..values.len()).collect();
    best.sort_by(|&a, &b| values[a].1.total_cmp(&values[b].1));
    let mut kept = vec![false; values.len()];
    best[..OBSERVATIONS / 2].iter().for_each(|&index| kept[index] = true);
    let latest = (0..values.len()).rev().filter(|&index| !kept[index]).take(OBSERVATIONS / 2).collect::<Vec<_>>();
    latest.into_iter().for_each(|index| kept[index] = true);
    values.iter().zip(kept).filter(|(_, kept)| *kept).map(|(value, _)| *value).collect()
}

#[cfg(test)]
mod tests;
