//! A forest of regression trees over the unit cube (Breiman 2001): bootstrap samples, cuts that reduce the squared error
//! most, leaves of equal targets. What the trees are for is in [`fanova`](super::fanova).

use rand::{RngExt as _, SeedableRng as _, seq::SliceRandom as _};

use crate::{
    samplers::Random,
    space::{Kind, Point},
};

/// As many as Optuna grows.
const TREES: usize = 64;

/// The trees, and how well they predict what they have not seen.
pub(super) struct Forest {
    pub(super) trees: Vec<Tree>,
    explained: Option<f64>,
}

/// One tree; its root is node 0.
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
}

/// A constant, or a cut.
#[derive(Debug, Clone, Copy)]
pub(super) enum Node {
    Leaf {
        value: f64,
    },
    /// Coordinates up to the threshold go to node `lower`, those beyond it to node `upper`.
    Cut {
        dimension: usize,
        threshold: f64,
        lower: usize,
        upper: usize,
    },
}

impl Forest {
    /// Grows the trees on `points`, whose missing coordinates are NaN, and their finite `values`. Leaves hold values in units
    /// of their standard deviation, about their mean.
    pub(super) fn grow(kinds: &[&Kind], points: &[&Point], values: &[f64], seed: u64) -> Self {
        let mut random = Random::seed_from_u64(seed);
        let targets = standardised(values);
        let mut predicted = vec![(0.0, 0usize); targets.len()];
        let trees = (0..TREES).map(|_| {
            let rows = complete(kinds, points, &mut random);
            let mut sample: Vec<usize> = rows.iter().map(|_| random.random_range(0..rows.len())).collect();
            let mut seen = vec![false; rows.len()];
            sample.iter().for_each(|&row| seen[row] = true);
            let mut growth = Growth { kinds, rows: &rows, targets: &targets, random: &mut random, nodes: Vec::new() };
            growth.node(&mut sample);
            let tree = Tree { nodes: growth.nodes };
            for row in (0..rows.len()).filter(|&row| !seen[row]) {
                predicted[row].0 += tree.predict(&rows[row]);
                predicted[row].1 += 1;
            }
            tree
        });
        Self { trees: trees.collect(), explained: explained(&predicted, &targets) }
    }

    /// The out-of-bag R²: 1 less the squared error of predictions by the trees that did not see a row, over the variance.
    pub(super) fn explained(&self) -> Option<f64> {
        self.explained
    }
}

impl Tree {
    fn predict(&self, point: &[f64]) -> f64 {
        let mut at = 0;
        loop {
            match self.nodes[at] {
                Node::Leaf { value } => return value,
                Node::Cut { dimension, threshold, lower, upper } => {
                    at = if point[dimension] <= threshold { lower } else { upper };
                }
            }
        }
    }
}

fn explained(predicted: &[(f64, usize)], targets: &[f64]) -> Option<f64> {
    let known = || predicted.iter().zip(targets).filter(|((_, trees), _)| *trees > 0);
    let rows = known().count() as f64;
    let mean = known().map(|(_, target)| target).sum::<f64>() / rows;
    let spread: f64 = known().map(|(_, target)| (target - mean).powi(2)).sum();
    let error: f64 = known().map(|((sum, trees), target)| (target - sum / *trees as f64).powi(2)).sum();
    (spread > 0.0).then(|| 1.0 - error / spread)
}

/// Less their mean, over their standard deviation; `values` are not all equal. Divided by the largest first, so that no square
/// overflows.
fn standardised(values: &[f64]) -> Vec<f64> {
    let largest = values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    let scaled: Vec<f64> = values.iter().map(|value| value / largest).collect();
    let mean = scaled.iter().sum::<f64>() / scaled.len() as f64;
    let variance = scaled.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / scaled.len() as f64;
    scaled.iter().map(|value| (value - mean) / variance.sqrt()).collect()
}

/// The points with every coordinate in the cube, levels at the middles of their cells, and missing ones drawn from the space.
fn complete(kinds: &[&Kind], points: &[&Point], random: &mut Random) -> Vec<Point> {
    let mut coordinate = |kind: &Kind, coordinate: f64| {
        let inside = if coordinate.is_nan() { random.random() } else { coordinate.clamp(0.0, 1.0) };
        if kind.levels().is_some() { kind.coordinate(kind.level(inside)) } else { inside }
    };
    points
        .iter()
        .map(|point| kinds.iter().zip(*point).map(|(kind, &value)| coordinate(kind, value)).collect())
        .collect()
}

/// A tree while it grows.
struct Growth<'a> {
    kinds: &'a [&'a Kind],
    rows: &'a [Point],
    targets: &'a [f64],
    random: &'a mut Random,
    nodes: Vec<Node>,
}

/// Where to cut.
struct Cut {
    dimension: usize,
    threshold: f64,
    /// What the two sides' squared sums over their sizes add up to: the larger, the smaller the squared error.
    fit: f64,
}

impl Growth<'_> {
    /// Makes a node of the rows of `sample`, which it reorders, and all nodes below; returns its index.
    fn node(&mut self, sample: &mut [usize]) -> usize {
        let at = self.nodes.len();
        let value = sample.iter().map(|&row| self.targets[row]).sum::<f64>() / sample.len() as f64;
        self.nodes.push(Node::Leaf { value });
        let pure = sample.iter().all(|&row| self.targets[row] == self.targets[sample[0]]);
        let Some(Cut { dimension, threshold, .. }) = (if pure { None } else { self.best_cut(sample) }) else {
            return at;
        };
        sample.sort_by(|&a, &b| self.rows[a][dimension].total_cmp(&self.rows[b][dimension]));
        let below = sample.partition_point(|&row| self.rows[row][dimension] <= threshold);
        let (lower, upper) = sample.split_at_mut(below);
        let (lower, upper) = (self.node(lower), self.node(upper));
        self.nodes[at] = Node::Cut { dimension, threshold, lower, upper };
        at
    }

    /// The best cut of all dimensions, `None` where all rows are at one point. Dimensions are tried in random order, because
    /// small nodes can often be cut equally well along several, and none should win by its place.
    fn best_cut(&mut self, sample: &mut [usize]) -> Option<Cut> {
        let mut order: Vec<usize> = (0..self.kinds.len()).collect();
        order.shuffle(self.random);
        let total: f64 = sample.iter().map(|&row| self.targets[row]).sum();
        let mut best: Option<Cut> = None;
        for dimension in order {
            let coordinate = |row: usize| self.rows[row][dimension];
            sample.sort_by(|&a, &b| coordinate(a).total_cmp(&coordinate(b)));
            let mut sum = 0.0;
            for below in 1..sample.len() {
                sum += self.targets[sample[below - 1]];
                let [last, next] = [coordinate(sample[below - 1]), coordinate(sample[below])];
                if last == next {
                    continue;
                }
                let fit = sum * sum / below as f64 + (total - sum).powi(2) / (sample.len() - below) as f64;
                if best.as_ref().is_none_or(|best| fit > best.fit) {
                    best = Some(Cut { dimension, threshold: between(self.kinds[dimension], last, next), fit });
                }
            }
        }
        best
    }
}

/// Where to cut between two neighbours, `low < high`: midway, between levels midway from the end of one's cell to the
/// beginning of the other's. Never at or beyond `high`.
fn between(kind: &Kind, low: f64, high: f64) -> f64 {
    let half_a_cell = |coordinate: f64| match kind {
        Kind::Continuous => 0.0,
        Kind::Ordinal { levels } => 0.5 / *levels as f64,
        Kind::Categorical { probabilities } => probabilities[kind.level(coordinate)] / 2.0,
    };
    let middle = (low + half_a_cell(low)).midpoint(high - half_a_cell(high));
    if middle < high { middle.max(low) } else { low }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_cut_where_their_cells_end() {
        let kind = Kind::Categorical { probabilities: vec![0.7, 0.1, 0.2] };
        let middle = |level| kind.coordinate(level);
        assert!((between(&kind, middle(0), middle(1)) - 0.7).abs() < 1e-12);
        assert!((between(&kind, middle(0), middle(2)) - 0.75).abs() < 1e-12);
        assert!((between(&Kind::Ordinal { levels: 4 }, 0.375, 0.625) - 0.5).abs() < 1e-12);
        assert_eq!(between(&Kind::Continuous, 0.25, 0.5), 0.375);
        assert_eq!(between(&Kind::Continuous, 1.0f64.next_down(), 1.0), 1.0f64.next_down());
    }

    #[test]
    fn a_function_of_boxes_is_learnt() {
        let kind = Kind::Continuous;
        let points: Vec<Point> =
            (0..200u32).map(|at| vec![f64::from(at % 20) / 20.0, f64::from(at / 20) / 10.0]).collect();
        let value = |point: &Point| f64::from(u8::from(point[0] > 0.45 && point[1] > 0.35));
        let values: Vec<f64> = points.iter().map(value).collect();
        let forest = Forest::grow(&[&kind, &kind], &points.iter().collect::<Vec<_>>(), &values, 0);
        assert!(forest.explained().unwrap() > 0.95);
    }
}
