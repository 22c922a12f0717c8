//! Pearson's linear correlation.

use super::finite;

/// Pearson's r between truth and prediction; `None` with fewer than two rows, when either side is constant, or when a
/// value is not finite.
///
/// SciPy's `pearsonr` gives NaN in those cases. Two passes (means first) keep it accurate when scores are far from 0.
pub fn pearson(truth: &[f32], predicted: &[f32]) -> Option<f64> {
    debug_assert_eq!(truth.len(), predicted.len());
    correlation(truth.iter().map(|&v| v as f64), predicted.iter().map(|&v| v as f64))
}

/// Pearson's r of two equally long sequences; shared with the rank correlation.
pub(super) fn correlation(
    x: impl ExactSizeIterator<Item = f64> + Clone,
    y: impl ExactSizeIterator<Item = f64> + Clone,
) -> Option<f64> {
    let rows = x.len() as f64;
    // Rounding in the mean would make a constant sequence look like it varies a little, so constancy is asked directly.
    if constant(x.clone()) || constant(y.clone()) {
        return None;
    }
    let mean_x = x.clone().sum::<f64>() / rows;
    let mean_y = y.clone().sum::<f64>() / rows;
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in x.zip(y) {
        let (dx, dy) = (x - mean_x, y - mean_y);
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    // The product stays far inside the range of `f64`: the values were `f32`s or ranks. The clamp takes off the last
    // rounding error, which could leave r a hair outside its range.
    finite(xy / (xx * yy).sqrt()).map(|r| r.clamp(-1.0, 1.0))
}

fn constant(mut values: impl Iterator<Item = f64>) -> bool {
    values.next().is_none_or(|first| values.all(|value| value == first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_correlates_fully_and_its_mirror_image_inversely() {
        assert_eq!(pearson(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]), Some(1.0));
        assert_eq!(pearson(&[1.0, 2.0, 3.0], &[6.0, 4.0, 2.0]), Some(-1.0));
    }

    #[test]
    fn a_constant_side_leaves_it_undefined() {
        assert_eq!(pearson(&[1.0, 2.0, 3.0], &[0.1, 0.1, 0.1]), None);
        assert_eq!(pearson(&[0.7, 0.7, 0.7], &[1.0, 2.0, 3.0]), None);
        assert_eq!(pearson(&[1.0], &[2.0]), None);
        assert_eq!(pearson(&[], &[]), None);
    }

    #[test]
    fn nan_leaves_it_undefined() {
        assert_eq!(pearson(&[1.0, 2.0, 3.0], &[1.0, f32::NAN, 2.0]), None);
    }
}
