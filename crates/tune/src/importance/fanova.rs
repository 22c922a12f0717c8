//! The variance of a tree over the unit cube, divided among its dimensions (algorithm 2 of Hutter, Hoos and Leyton-Brown 2014).
//!
//! A tree's leaves are boxes that fill the cube. Its marginal along a dimension is what it predicts on average over all
//! others; the variance of that is the dimension's own. The boxes' edges divide the dimension into cells in which the marginal is
//! constant, so all of this is exact.

use super::forest::{Forest, Node, Tree};

/// The leaves of every tree that varies at all.
pub(super) struct Shares {
    trees: Vec<Leaves>,
}

/// A tree as the boxes it is constant on.
struct Leaves {
    boxes: Vec<Leaf>,
    /// By dimension, where boxes begin and end, from 0 to 1, ascending.
    edges: Vec<Vec<f64>>,
    mean: f64,
    variance: f64,
}

struct Leaf {
    value: f64,
    /// By dimension, from where to where.
    sides: Vec<[f64; 2]>,
    volume: f64,
}

impl Shares {
    /// Reads the leaves off the trees; what does not vary has no shares and is left out.
    pub(super) fn new(forest: &Forest, dimensions: usize) -> Self {
        let trees = forest.trees.iter().map(|tree| Leaves::new(tree, dimensions));
        Self { trees: trees.filter(|tree| tree.variance > 0.0).collect() }
    }

    /// The share of one dimension alone: mean and standard deviation over trees.
    pub(super) fn single(&self, dimension: usize) -> (f64, f64) {
        self.over_trees(|tree| tree.marginal(dimension))
    }

    /// The share of two dimensions together, less what is due to either alone: mean and standard deviation over trees.
    pub(super) fn pair(&self, [a, b]: [usize; 2]) -> (f64, f64) {
        self.over_trees(|tree| (tree.joint_marginal(a, b) - tree.marginal(a) - tree.marginal(b)).max(0.0))
    }

    /// Both are 0 where no tree varies.
    fn over_trees(&self, variance: impl Fn(&Leaves) -> f64) -> (f64, f64) {
        let shares: Vec<f64> = self.trees.iter().map(|tree| variance(tree) / tree.variance).collect();
        let trees = shares.len().max(1) as f64;
        let mean = shares.iter().sum::<f64>() / trees;
        (mean, (shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / trees).sqrt())
    }
}

impl Leaves {
    fn new(tree: &Tree, dimensions: usize) -> Self {
        let mut boxes = Vec::new();
        let mut edges = vec![vec![0.0, 1.0]; dimensions];
        let mut left = vec![(0, vec![[0.0, 1.0]; dimensions])];
        while let Some((node, sides)) = left.pop() {
            match tree.nodes[node] {
                Node::Leaf { value } => {
                    let volume = sides.iter().map(|[from, to]| to - from).product();
                    boxes.push(Leaf { value, sides, volume });
                }
                Node::Cut { dimension, threshold, lower, upper } => {
                    edges[dimension].push(threshold);
                    let mut above = sides.clone();
                    above[dimension][0] = threshold;
                    let mut below = sides;
                    below[dimension][1] = threshold;
                    left.extend([(upper, above), (lower, below)]);
                }
            }
        }
        for edges in &mut edges {
            edges.sort_by(f64::total_cmp);
            edges.dedup();
        }
        let mean = boxes.iter().map(|leaf| leaf.volume * leaf.value).sum::<f64>();
        let variance = boxes.iter().map(|leaf| leaf.volume * (leaf.value - mean).powi(2)).sum();
        Self { boxes, edges, mean, variance }
    }

    /// The variance of the marginal along a dimension.
    fn marginal(&self, dimension: usize) -> f64 {
        let edges = &self.edges[dimension];
        // What each cell adds to the one before it; a box adds to the cells of its side and takes it away behind them.
        let mut steps = vec![0.0; edges.len()];
        for (leaf, [from, to]) in self.cells(dimension) {
            let [start, end] = leaf.sides[dimension];
            let height = leaf.value * share_beside(leaf, &[end - start]);
            steps[from] += height;
            steps[to] -= height;
        }
        let mut height = 0.0;
        let cells = edges.windows(2).zip(&steps).map(|(edge, step)| {
            height += step;
            (edge[1] - edge[0]) * (height - self.mean).powi(2)
        });
        cells.sum()
    }

    /// The variance of the marginal along two dimensions at once.
    fn joint_marginal(&self, a: usize, b: usize) -> f64 {
        let (rows, columns) = (&self.edges[a], &self.edges[b]);
        let mut steps = vec![0.0; rows.len() * columns.len()];
        for ((leaf, [top, bottom]), (_, [from, to])) in self.cells(a).zip(self.cells(b)) {
            let width = |dimension: usize| leaf.sides[dimension][1] - leaf.sides[dimension][0];
            let height = leaf.value * share_beside(leaf, &[width(a), width(b)]);
            for (row, sign) in [(top, 1.0), (bottom, -1.0)] {
                steps[row * columns.len() + from] += sign * height;
                steps[row * columns.len() + to] -= sign * height;
            }
        }
        let mut variance = 0.0;
        let mut heights = vec![0.0; columns.len()];
        for (row, side) in rows.windows(2).enumerate() {
            let mut step = 0.0;
            for (column, other) in columns.windows(2).enumerate() {
                step += steps[row * columns.len() + column];
                heights[column] += step;
                variance += (side[1] - side[0]) * (other[1] - other[0]) * (heights[column] - self.mean).powi(2);
            }
        }
        variance
    }

    /// Each leaf with the cells of a dimension it spans: the first, and the first beyond.
    fn cells(&self, dimension: usize) -> impl Iterator<Item = (&Leaf, [usize; 2])> {
        let edges = &self.edges[dimension];
        let cell = |edge: f64| edges.partition_point(|other| *other < edge);
        self.boxes.iter().map(move |leaf| (leaf, leaf.sides[dimension].map(cell)))
    }
}

/// The volume of a leaf over the dimensions other than those it is so wide in; 0 for one without volume.
fn share_beside(leaf: &Leaf, widths: &[f64]) -> f64 {
    if leaf.volume > 0.0 { leaf.volume / widths.iter().product::<f64>() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 where both coordinates are beyond a half, else 0.
    fn corner() -> Leaves {
        let cut = |dimension, lower, upper| Node::Cut { dimension, threshold: 0.5, lower, upper };
        let leaf = |value| Node::Leaf { value };
        Leaves::new(&Tree { nodes: vec![cut(0, 1, 2), leaf(0.0), cut(1, 3, 4), leaf(0.0), leaf(1.0)] }, 3)
    }

    #[test]
    fn the_variance_of_a_corner_is_divided_by_hand_the_same() {
        let tree = corner();
        assert_eq!((tree.mean, tree.variance), (0.25, 0.1875));
        assert_eq!([0, 1, 2].map(|dimension| tree.marginal(dimension)), [0.0625, 0.0625, 0.0]);
        assert_eq!(tree.joint_marginal(0, 1), 0.1875);
        assert_eq!(tree.joint_marginal(1, 2), 0.0625);
        let shares = Shares { trees: vec![tree] };
        assert_eq!(shares.pair([0, 1]), (1.0 / 3.0, 0.0));
    }
}
