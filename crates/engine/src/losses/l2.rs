//! Squared error, PyTorch's `MSELoss`.

/// (output − score)².
pub(super) fn loss(outputs: &[f32], scores: &[f32], weight: f64) -> (f64, Vec<f32>) {
    let mut total = 0.0;
    let gradient = outputs.iter().zip(scores).map(|(&output, &score)| {
        let error = f64::from(output) - f64::from(score);
        total += error * error;
        (weight * 2.0 * error) as f32
    });
    let gradient = gradient.collect();
    (total, gradient)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::check_gradient;

    #[test]
    fn matches_pytorch() {
        // torch.nn.functional.mse_loss(torch.tensor([1., 2., -3.]), torch.tensor([0., 2.5, 1.])) = 5.75
        let (total, gradient) = loss(&[1.0, 2.0, -3.0], &[0.0, 2.5, 1.0], 1.0 / 3.0);
        assert!((total / 3.0 - 5.75).abs() < 1e-9);
        let want = [0.666_666_7, -0.333_333_34, -2.666_666_7];
        assert!(gradient.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-6), "{gradient:?}");
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() {
        check_gradient(&[0.3, -2.0], |outputs| loss(outputs, &[1.0, 4.0], 1.0));
    }
}
