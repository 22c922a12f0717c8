//! Which points were tried: no sampler suggests one twice while there are others.

use std::collections::HashSet;

use rand::RngExt;

use super::{Observation, Random};
use crate::space::{Dimension, Kind, Point, deactivate};

/// Draws at random before cells are walked through one after another.
const DRAWS: usize = 64;
/// Cells that are walked through at most.
const CELLS: usize = 100_000;

/// The points of a history, as what they stand for: two coordinates in the same cell are one level.
pub(crate) struct Seen<'a> {
    dimensions: &'a [Dimension],
    keys: HashSet<Vec<u64>>,
}

impl<'a> Seen<'a> {
    /// The points of a history, running trials included.
    pub(crate) fn new(dimensions: &'a [Dimension], history: &[Observation]) -> Self {
        let keys = history.iter().map(|observation| key(dimensions, &observation.point)).collect();
        Self { dimensions, keys }
    }

    /// Whether a point with inactive coordinates NaN was tried.
    pub(crate) fn contains(&self, point: &[f64]) -> bool {
        self.keys.contains(&key(self.dimensions, point))
    }

    /// A point at random that was not tried, or any if every one was (as far as can be told in a moment).
    pub(crate) fn fresh(&self, random: &mut Random) -> Point {
        let mut point = uniform(self.dimensions, random);
        for _ in 0..DRAWS {
            if !self.contains(&point) {
                return point;
            }
            point = uniform(self.dimensions, random);
        }
        self.unseen_cell().unwrap_or(point)
    }

    /// The first combination of levels that was not tried, if all dimensions have levels.
    fn unseen_cell(&self) -> Option<Point> {
        let levels: Vec<usize> =
            self.dimensions.iter().map(|dimension| dimension.kind.levels()).collect::<Option<_>>()?;
        let mut cell = vec![0; levels.len()];
        for _ in 0..CELLS {
            let possible = cell.iter().zip(self.dimensions).all(|(level, dimension)| match &dimension.kind {
                Kind::Categorical { probabilities } => probabilities[*level] > 0.0,
                _ => true,
            });
            let mut point: Point =
                cell.iter().zip(self.dimensions).map(|(level, dimension)| dimension.kind.coordinate(*level)).collect();
            deactivate(self.dimensions, &mut point);
            if possible && !self.contains(&point) {
                return Some(point);
            }
            let carry = cell.iter().zip(&levels).position(|(level, levels)| level + 1 < *levels)?;
            cell[..carry].fill(0);
            cell[carry] += 1;
        }
        None
    }
}

/// A point uniform in every coordinate.
pub(crate) fn uniform(dimensions: &[Dimension], random: &mut Random) -> Point {
    let mut point: Point = dimensions.iter().map(|_| random.random()).collect();
    deactivate(dimensions, &mut point);
    point
}

/// What a point stands for. Numbers closer than a billionth of their range are the same.
fn key(dimensions: &[Dimension], point: &[f64]) -> Vec<u64> {
    let part = |(dimension, &coordinate): (&Dimension, &f64)| match &dimension.kind {
        _ if coordinate.is_nan() => u64::MAX,
        Kind::Continuous => (coordinate * 1e9).round() as u64,
        kind => kind.level(coordinate) as u64,
    };
    dimensions.iter().zip(point).map(part).collect()
}
