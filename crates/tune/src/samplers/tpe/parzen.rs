//! A mixture of kernels, one around each observation and a wide one of the prior (Bergstra et al. 2011; bandwidths as in
//! Optuna, whose choices Watanabe 2023 examines, <https://arxiv.org/abs/2304.11127>).
//!
//! The mixture is over whole points, so it sees which values went together: a point is drawn by choosing one observation and
//! moving away from it in every dimension.

use rand::RngExt;

use crate::{
    samplers::{
        Random,
        normal::{LOG_SQRT_TAU, cumulative, draw},
    },
    space::{Dimension, Kind, Point, deactivate},
};

/// A density over points.
#[derive(Debug, Clone)]
pub(crate) struct Parzen<'a> {
    dimensions: &'a [Dimension],
    /// The logarithm of the weight of each component; the last one is the prior.
    log_weights: Vec<f64>,
    /// A component's kernel in each dimension.
    components: Vec<Vec<Component>>,
}

/// The kernel of one component in one dimension.
#[derive(Debug, Clone, PartialEq)]
enum Component {
    /// A normal distribution cut off at 0 and 1; `log_mass` is what lies between them.
    Number { mean: f64, deviation: f64, log_mass: f64 },
    /// The same, of which a cell holds what lies in it.
    Level { mean: f64, deviation: f64, levels: usize, log_mass: f64 },
    /// A probability for each choice.
    Choice { probabilities: Vec<f64> },
}

impl<'a> Parzen<'a> {
    /// Around points, each with a weight. The prior weighs 1.
    pub(crate) fn new(dimensions: &'a [Dimension], points: &[&Point], weights: &[f64]) -> Self {
        let total = weights.iter().sum::<f64>() + 1.0;
        let log_weights = weights.iter().chain([&1.0]).map(|weight| (weight / total).ln()).collect();
        let mut components = vec![Vec::with_capacity(dimensions.len()); points.len() + 1];
        for (index, dimension) in dimensions.iter().enumerate() {
            let coordinates: Vec<f64> = points.iter().map(|point| point[index]).collect();
            let kernels = kernels(&dimension.kind, &coordinates);
            components.iter_mut().zip(kernels).for_each(|(component, kernel)| component.push(kernel));
        }
        Self { dimensions, log_weights, components }
    }

    /// A point at random, inactive coordinates NaN.
    pub(crate) fn draw(&self, random: &mut Random) -> Point {
        let mut left: f64 = random.random();
        let chosen = self.log_weights.iter().position(|weight| {
            left -= weight.exp();
            left < 0.0
        });
        let component = &self.components[chosen.unwrap_or(self.components.len() - 1)];
        let mut point: Point = component
            .iter()
            .zip(self.dimensions)
            .map(|(component, dimension)| component.draw(&dimension.kind, random))
            .collect();
        deactivate(self.dimensions, &mut point);
        point
    }

    /// The logarithm of the density of a point in its active dimensions: by length in numbers, by count in levels and choices.
    pub(crate) fn log_density(&self, point: &[f64]) -> f64 {
        let terms: Vec<f64> = self
            .components
            .iter()
            .zip(&self.log_weights)
            .map(|(component, weight)| {
                let active = component.iter().zip(self.dimensions).zip(point).filter(|(_, x)| !x.is_nan());
                weight
                    + active.map(|((component, dimension), x)| component.log_density(&dimension.kind, *x)).sum::<f64>()
            })
            .collect();
        let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        largest + terms.iter().map(|term| (term - largest).exp()).sum::<f64>().ln()
    }
}

/// The kernels around coordinates, then the prior's. One that was inactive says nothing: its kernel is the prior's.
fn kernels(kind: &Kind, coordinates: &[f64]) -> Vec<Component> {
    match kind {
        Kind::Categorical { probabilities } => {
            let prior = Component::Choice { probabilities: probabilities.clone() };
            // The prior counts as one observation shared among the kernels.
            let share = 1.0 / (coordinates.len() as f64 + 1.0);
            let around = |coordinate: &f64| {
                if coordinate.is_nan() {
                    return prior.clone();
                }
                let mut weights: Vec<f64> = probabilities.iter().map(|probability| probability * share).collect();
                weights[kind.level(*coordinate)] += 1.0;
                weights.iter_mut().for_each(|weight| *weight /= 1.0 + share);
                Component::Choice { probabilities: weights }
            };
            coordinates.iter().map(around).chain([prior.clone()]).collect()
        }
        Kind::Continuous | Kind::Ordinal { .. } => {
            let levels = kind.levels();
            let prior = Component::number(0.5, 1.0, levels);
            let means: Vec<f64> = match levels {
                Some(_) => {
                    coordinates.iter().map(|x| if x.is_nan() { *x } else { kind.coordinate(kind.level(*x)) }).collect()
                }
                None => coordinates.to_vec(),
            };
            let around = |(mean, deviation): (&f64, f64)| {
                if mean.is_nan() { prior.clone() } else { Component::number(*mean, deviation, levels) }
            };
            means.iter().zip(bandwidths(&means)).map(around).chain([prior.clone()]).collect()
        }
    }
}

/// The larger distance to a neighbour, within bounds that grow narrower with the number of observations; 1 for NaN.
fn bandwidths(means: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..means.len()).filter(|&index| !means[index].is_nan()).collect();
    order.sort_by(|&a, &b| means[a].total_cmp(&means[b]));
    let narrowest = 1.0 / (order.len() as f64 + 2.0).min(100.0);
    let mut bandwidths = vec![1.0; means.len()];
    let last = order.len().saturating_sub(1);
    for (place, &index) in order.iter().enumerate() {
        let below = (place > 0).then(|| means[index] - means[order[place - 1]]);
        let above = (place < last).then(|| means[order[place + 1]] - means[index]);
        // The ends of the range count as neighbours only of an observation that has no other.
        let widest = match (below, above) {
            (Some(below), Some(above)) => below.max(above),
            (Some(distance), None) | (None, Some(distance)) => distance,
            (None, None) => means[index].max(1.0 - means[index]),
        };
        bandwidths[index] = widest.clamp(narrowest, 1.0);
    }
    bandwidths
}

impl Component {
    fn number(mean: f64, deviation: f64, levels: Option<usize>) -> Self {
        let log_mass = mass(mean, deviation, 0.0, 1.0).ln();
        match levels {
            None => Self::Number { mean, deviation, log_mass },
            Some(levels) => Self::Level { mean, deviation, levels, log_mass },
        }
    }

    /// A coordinate at random; of a level or choice the middle of its cell.
    fn draw(&self, kind: &Kind, random: &mut Random) -> f64 {
        match self {
            Self::Number { mean, deviation, .. } => between(*mean, *deviation, random),
            Self::Level { mean, deviation, .. } => kind.coordinate(kind.level(between(*mean, *deviation, random))),
            Self::Choice { probabilities } => {
                let drawn = Kind::Categorical { probabilities: probabilities.clone() }.level(random.random());
                kind.coordinate(drawn)
            }
        }
    }

    fn log_density(&self, kind: &Kind, x: f64) -> f64 {
        match self {
            Self::Number { mean, deviation, log_mass } => {
                let z = (x - mean) / deviation;
                -0.5 * z * z - LOG_SQRT_TAU - deviation.ln() - log_mass
            }
            Self::Level { mean, deviation, levels, log_mass } => {
                let (level, width) = (kind.level(x) as f64, 1.0 / *levels as f64);
                mass(*mean, *deviation, level * width, (level + 1.0) * width).max(f64::MIN_POSITIVE).ln() - log_mass
            }
            Self::Choice { probabilities } => probabilities[kind.level(x)].ln(),
        }
    }
}

/// What a normal distribution has between two numbers.
fn mass(mean: f64, deviation: f64, low: f64, high: f64) -> f64 {
    let (low, high) = ((low - mean) / deviation, (high - mean) / deviation);
    // In the upper tail the difference of two numbers near 1 would be noise.
    if low > 0.0 { cumulative(-low) - cumulative(-high) } else { cumulative(high) - cumulative(low) }
}

/// A number of a normal distribution, drawn again until it lies between 0 and 1. Its mean does, so one draw in three will.
fn between(mean: f64, deviation: f64, random: &mut Random) -> f64 {
    loop {
        let drawn = mean + deviation * draw(random);
        if (0.0..=1.0).contains(&drawn) {
            return drawn;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samplers::golden::{assert_close, golden};
    use rand::SeedableRng;

    fn dimensions() -> Vec<Dimension> {
        let always = |kind| Dimension { kind, conditions: Vec::new() };
        let probabilities = vec![0.2, 0.3, 0.5];
        [Kind::Continuous, Kind::Ordinal { levels: 4 }, Kind::Categorical { probabilities }].map(always).to_vec()
    }

    /// Levels 1 and 3 of four, choices 1 and 0 of three.
    fn points() -> [Point; 2] {
        [vec![0.2, 0.375, 0.35], vec![0.7, 0.875, 0.1]]
    }

    #[test]
    fn the_density_is_that_of_scipy_s_distributions() {
        let (dimensions, points) = (dimensions(), points());
        let parzen = Parzen::new(&dimensions, &points.each_ref(), &[1.0, 0.5]);
        for [number, level, choice, expected] in golden().parzen {
            let coordinate = |index: usize, level: f64| dimensions[index].kind.coordinate(level as usize);
            let point = [number, coordinate(1, level), coordinate(2, choice)];
            assert_close(parzen.log_density(&point), expected, 1e-10);
        }
    }

    #[test]
    fn points_are_drawn_as_often_as_they_are_dense() {
        let (dimensions, points) = (dimensions(), points());
        let parzen = Parzen::new(&dimensions, &points.each_ref(), &[1.0, 0.5]);
        let mut random = Random::seed_from_u64(1);
        // The mean of 1/density over draws is the volume of the space: 1 by 4 levels by 3 choices.
        let draws = 20_000;
        let volume = (0..draws).map(|_| (-parzen.log_density(&parzen.draw(&mut random))).exp()).sum::<f64>();
        assert_close(volume / f64::from(draws), 12.0, 0.03);
    }
}
