//! Rank correlation.

/// Spearman's correlation over the rows where `x` is not NaN; ties have the mean of their ranks. `None` where either side is
/// constant or there are fewer than three rows.
pub(super) fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    let (x, y): (Vec<f64>, Vec<f64>) = x.iter().zip(y).filter(|(x, _)| !x.is_nan()).unzip();
    if x.len() < 3 {
        return None;
    }
    let (x, y) = (centred_ranks(&x), centred_ranks(&y));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let scale = (product(&x, &x) * product(&y, &y)).sqrt();
    (scale > 0.0).then(|| (product(&x, &y) / scale).clamp(-1.0, 1.0))
}

/// Each value's rank less the mean of all ranks.
fn centred_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = start as f64 + (tied.len() as f64 - values.len() as f64) / 2.0;
        for &index in tied {
            ranks[index] = rank;
        }
        start += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sees_order_alone() {
        let x = [1.0, 2.0, 3.0, 4.0, f64::NAN];
        assert_eq!(spearman(&x, &[1.0, 10.0, 11.0, 1e9, 0.0]), Some(1.0));
        assert_eq!(spearman(&x, &[4.0, 3.0, 2.0, -7.0, 9.0]), Some(-1.0));
    }

    #[test]
    fn there_is_none_without_variation() {
        assert_eq!(spearman(&[0.5; 4], &[1.0, 2.0, 3.0, 4.0]), None);
        assert_eq!(spearman(&[1.0, 2.0, f64::NAN], &[1.0, 2.0, 3.0]), None);
    }
}
