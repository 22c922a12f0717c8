//! Where the expected improvement is largest: many points first, then a local search from the best of them, which climbs in the
//! numbers together and tries the levels of one other dimension after another.

use rand::RngExt;

use super::{improvement::LogImprovement, inputs::Inputs, model::Model};
use crate::{
    samplers::{
        Random, Sobol,
        lbfgs::{Stop, minimize},
        normal,
        seen::Seen,
    },
    space::{Kind, Point, deactivate},
};

/// Points spread over the space.
const SPREAD: usize = 384;
/// Points near each of the best observations.
const NEAR: usize = 32;
/// How many of them a local search starts from.
const STARTS: usize = 6;
/// A dimension with more levels is searched at those nearby and at some spread over it.
const TRIED_LEVELS: usize = 16;
/// Turns of the local search.
const TURNS: usize = 6;

/// What is maximised, over full points: coordinates that conditions make inactive have a value too, which does not matter.
pub(crate) struct Acquisition<'a> {
    pub(crate) model: &'a Model,
    /// The value to improve upon.
    pub(crate) best: f64,
    pub(crate) inputs: Inputs<'a>,
}

impl Acquisition<'_> {
    /// The logarithm of the expected improvement at a point.
    fn at(&self, point: &[f64]) -> f64 {
        let (mean, variance) = self.model.posterior(&self.inputs.encode(point));
        LogImprovement::new(self.best, mean, variance.sqrt()).value
    }

    /// The point that promises most among those not seen; `None` if only seen ones were met. `centres` are good observations.
    pub(crate) fn maximize(&self, centres: &[Point], seen: &Seen<'_>, random: &mut Random) -> Option<Point> {
        let dimensions = self.inputs.dimensions;
        let sequence = Sobol::new(random.random());
        let spread = (0..SPREAD).map(|index| sequence.point(index, dimensions.len()));
        let mut candidates: Vec<Point> = spread.collect();
        for centre in centres {
            candidates.push(self.filled(centre, random));
            for _ in 0..NEAR {
                candidates.push(self.neighbour(centre, random));
            }
        }
        let mut scored: Vec<(f64, Point)> = candidates.into_iter().map(|point| (self.at(&point), point)).collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        let climbed =
            scored.iter().take(STARTS).map(|(value, point)| self.climb(*value, point.clone())).collect::<Vec<_>>();
        let mut found: Vec<(f64, Point)> = climbed.into_iter().chain(scored).collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        found.into_iter().find_map(|(_, mut point)| {
            deactivate(dimensions, &mut point);
            (!seen.contains(&point)).then_some(point)
        })
    }

    /// An observed point with a value where it was inactive.
    fn filled(&self, point: &[f64], random: &mut Random) -> Point {
        point.iter().map(|&coordinate| if coordinate.is_nan() { random.random() } else { coordinate }).collect()
    }

    /// A point that differs from an observed one in a few dimensions.
    fn neighbour(&self, centre: &[f64], random: &mut Random) -> Point {
        let mut point = self.filled(centre, random);
        let chance = (2.0 / point.len() as f64).min(1.0);
        let reach = 10_f64.powf(-2.0 * random.random::<f64>() - 0.3);
        for (coordinate, dimension) in point.iter_mut().zip(self.inputs.dimensions) {
            if random.random::<f64>() >= chance {
                continue;
            }
            *coordinate = match dimension.kind {
                Kind::Categorical { .. } => random.random(),
                Kind::Ordinal { levels } => {
                    let reach = reach.max(1.0 / levels as f64);
                    (*coordinate + reach * normal::draw(random)).clamp(0.0, 1.0)
                }
                Kind::Continuous => (*coordinate + reach * normal::draw(random)).clamp(0.0, 1.0),
            };
        }
        point
    }

    /// A local maximum near a point.
    fn climb(&self, mut value: f64, mut point: Point) -> (f64, Point) {
        let dimensions = self.inputs.dimensions;
        let numbers: Vec<usize> =
            (0..point.len()).filter(|&index| dimensions[index].kind == Kind::Continuous).collect();
        for turn in 0..TURNS {
            let before = value;
            if !numbers.is_empty() {
                value = self.climb_numbers(value, &mut point, &numbers);
            }
            if turn > 0 && value < before + 1e-3 {
                break;
            }
            let moved = self.try_levels(&mut value, &mut point);
            if !moved {
                break;
            }
        }
        (value, point)
    }

    /// Climbs in continuous dimensions.
    fn climb_numbers(&self, value: f64, point: &mut Point, numbers: &[usize]) -> f64 {
        let mut full = point.clone();
        let mut x: Vec<f64> = numbers.iter().map(|&index| full[index]).collect();
        let negative = |x: &[f64], gradient: &mut [f64]| {
            numbers.iter().zip(x).for_each(|(&index, x)| full[index] = *x);
            let slopes = self.model.slopes(&self.inputs.encode(&full));
            let deviation = slopes.variance.sqrt();
            let improvement = LogImprovement::new(self.best, slopes.mean, deviation);
            // An inactive coordinate does not matter, whatever the model says about its place in the middle.
            let mut masked = full.clone();
            deactivate(self.inputs.dimensions, &mut masked);
            for (gradient, &index) in gradient.iter_mut().zip(numbers) {
                let by = improvement.by_mean * slopes.mean_by[index]
                    + improvement.by_deviation * slopes.variance_by[index] / (2.0 * deviation);
                *gradient = if masked[index].is_nan() { 0.0 } else { -by };
            }
            -improvement.value
        };
        let bounds = vec![(0.0, 1.0); x.len()];
        let stop = Stop { iterations: 30, gradient: 1e-3, decrease: 1e-4 };
        let climbed = -minimize(negative, &mut x, &bounds, stop);
        numbers.iter().zip(x).for_each(|(&index, x)| point[index] = x);
        climbed.max(value)
    }

    /// Tries other levels, one dimension after another, and keeps what is better.
    fn try_levels(&self, value: &mut f64, point: &mut Point) -> bool {
        let mut moved = false;
        for (index, dimension) in self.inputs.dimensions.iter().enumerate() {
            let Some(levels) = dimension.kind.levels() else { continue };
            let mut masked = point.clone();
            deactivate(self.inputs.dimensions, &mut masked);
            if masked[index].is_nan() {
                continue;
            }
            let here = dimension.kind.level(point[index]);
            let mut best = None;
            for level in others(here, levels).filter(|&level| possible(&dimension.kind, level)) {
                point[index] = dimension.kind.coordinate(level);
                let there = self.at(point);
                if there > *value {
                    *value = there;
                    best = Some(level);
                }
            }
            point[index] = dimension.kind.coordinate(best.unwrap_or(here));
            moved |= best.is_some();
        }
        moved
    }
}

/// Levels to try besides the one there is: all of few, else the nearest and some spread over the others.
fn others(here: usize, levels: usize) -> impl Iterator<Item = usize> {
    let stride = levels.div_ceil(TRIED_LEVELS);
    (0..levels).filter(move |&level| level != here && (level % stride == 0 || level.abs_diff(here) <= 2))
}

/// Whether a level can be drawn at all.
fn possible(kind: &Kind, level: usize) -> bool {
    match kind {
        Kind::Categorical { probabilities } => probabilities[level] > 0.0,
        Kind::Continuous | Kind::Ordinal { .. } => true,
    }
}
