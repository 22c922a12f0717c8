//! Tree-structured Parzen estimators (Bergstra et al. 2011): points that are likelier among the good trials than among the
//! others. It looks at the order of values alone.

mod parzen;

use self::parzen::Parzen;
use super::{Observation, Outcome, Random, Sampler, Sobol, seen::Seen};
use crate::space::{Dimension, Point};

/// Trials before the estimators are asked.
const START_UP: usize = 10;
/// A tenth of the trials are good, but no more than this.
const GOOD: usize = 25;
/// Points drawn from the good ones' density, of which the most telling is suggested.
const CANDIDATES: usize = 24;
/// The latest trials weigh alike; earlier ones less the earlier they are.
const FULL_WEIGHT: usize = 25;

/// Multivariate tree-structured Parzen estimators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tpe {
    start: Sobol,
}

impl Tpe {
    /// Begins with the points of [`Sobol`] of this seed.
    pub fn new(seed: u64) -> Self {
        Self { start: Sobol::new(seed) }
    }
}

impl Sampler for Tpe {
    fn suggest(&self, dimensions: &[Dimension], history: &[Observation], random: &mut Random) -> Point {
        let mut values: Vec<(usize, f64)> = Vec::new();
        for (index, observation) in history.iter().enumerate() {
            if let Outcome::Value(value) = observation.outcome {
                values.push((index, value));
            }
        }
        if history.len() < START_UP || values.is_empty() {
            return self.start.suggest(dimensions, history, random);
        }
        let finished = history.iter().filter(|observation| observation.outcome != Outcome::Pending).count();
        values.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut good = vec![false; history.len()];
        values.iter().take(finished.div_ceil(10).min(GOOD)).for_each(|(index, _)| good[*index] = true);

        // Failed and running trials are not good: what runs is to be kept away from until it is known.
        let side = |wanted: bool| {
            let points: Vec<&Point> = history
                .iter()
                .zip(&good)
                .filter(|(_, good)| **good == wanted)
                .map(|(observation, _)| &observation.point)
                .collect();
            let weights = weights(points.len());
            Parzen::new(dimensions, &points, &weights)
        };
        let (good, others) = (side(true), side(false));
        let seen = Seen::new(dimensions, history);
        let mut best: Option<(f64, Point)> = None;
        for _ in 0..CANDIDATES {
            let point = good.draw(random);
            if seen.contains(&point) {
                continue;
            }
            let score = good.log_density(&point) - others.log_density(&point);
            if best.as_ref().is_none_or(|(best, _)| score > *best) {
                best = Some((score, point));
            }
        }
        best.map_or_else(|| seen.fresh(random), |(_, point)| point)
    }
}

/// A weight for each of `count` trials, the earliest first.
fn weights(count: usize) -> Vec<f64> {
    let ramp = count.saturating_sub(FULL_WEIGHT);
    let least = 1.0 / count.max(1) as f64;
    let rising = |index: usize| least + (1.0 - least) * index as f64 / (ramp.max(2) - 1) as f64;
    (0..count).map(|index| if index < ramp { rising(index) } else { 1.0 }).collect()
}
