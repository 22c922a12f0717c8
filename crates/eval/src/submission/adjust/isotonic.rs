//! Isotonic regression by pooling adjacent violators (Ayer et al. 1955), as scikit-learn's `IsotonicRegression` with
//! `out_of_bounds="clip"` has it.

use super::curve::Curve;

/// Rows that share a value.
struct Block {
    /// The lowest and the highest prediction.
    from: f64,
    to: f64,
    sum: f64,
    rows: f64,
}

impl Block {
    fn mean(&self) -> f64 {
        self.sum / self.rows
    }
}

/// The non-decreasing function of the prediction with the least squared error, straight between the blocks.
pub(super) fn fit(predictions: &[f32], truth: &[f32]) -> Curve {
    let mut rows: Vec<(f64, f64)> =
        predictions.iter().zip(truth).map(|(&x, &y)| (f64::from(x), f64::from(y))).collect();
    // Equal predictions in the order of their truth: their sum has the same bits whatever the order of the rows.
    rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut tied: Vec<Block> = Vec::new();
    for (x, y) in rows {
        match tied.last_mut() {
            Some(last) if last.to == x => {
                last.sum += y;
                last.rows += 1.0;
            }
            _ => tied.push(Block { from: x, to: x, sum: y, rows: 1.0 }),
        }
    }
    let mut blocks: Vec<Block> = Vec::new();
    for mut block in tied {
        while let Some(before) = blocks.pop_if(|before| before.mean() >= block.mean()) {
            block =
                Block { from: before.from, to: block.to, sum: before.sum + block.sum, rows: before.rows + block.rows };
        }
        blocks.push(block);
    }
    let ends = |block: &Block| {
        let value = block.mean();
        [Some((block.from, value)), (block.to > block.from).then_some((block.to, value))]
    };
    Curve::through(blocks.iter().flat_map(ends).flatten())
}
