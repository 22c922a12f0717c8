//! Cross-entropy of the softmax, PyTorch's `CrossEntropyLoss`.

/// −log softmax(outputs)[class]. The log of the sum is taken after subtracting the row's largest output, which keeps
/// the exponentials in range for outputs of any size.
pub(super) fn loss(outputs: &[f32], classes: &[u32], weight: f64) -> (f64, Vec<f32>) {
    let n = outputs.len() / classes.len();
    let mut gradient = Vec::with_capacity(outputs.len());
    let mut total = 0.0;
    for (row, &class) in outputs.chunks_exact(n).zip(classes) {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exponentials: Vec<f64> = row.iter().map(|&x| f64::from(x - max).exp()).collect();
        let sum: f64 = exponentials.iter().sum();
        total += sum.ln() - f64::from(row[class as usize] - max);
        gradient.extend(exponentials.iter().enumerate().map(|(i, e)| {
            let target = if i == class as usize { 1.0 } else { 0.0 };
            (weight * (e / sum - target)) as f32
        }));
    }
    (total, gradient)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::check_gradient;

    #[test]
    fn matches_pytorch() {
        // torch.nn.functional.cross_entropy(torch.tensor([[1., 2., 3.], [-1., 0.5, 100.]]), torch.tensor([0, 2]))
        let (total, gradient) = loss(&[1.0, 2.0, 3.0, -1.0, 0.5, 100.0], &[0, 2], 0.5);
        assert!((total / 2.0 - 1.203_803).abs() < 1e-6, "{total}");
        let want = [-0.454_984_7, 0.122_364_24, 0.332_620_48, 0.0, 0.0, 0.0];
        assert!(gradient.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-6), "{gradient:?}");
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() {
        check_gradient(&[0.3, -0.2, 1.1, 0.0, 2.0, -1.5], |outputs| loss(outputs, &[1, 2], 1.0));
    }
}
