//! Losses of one output and one score a row, which see nothing but the error between them.

/// The sum of `row(output − score)`, which gives a row's loss and its slope, and the gradient of the outputs.
pub(super) fn loss(outputs: &[f32], scores: &[f32], weight: f64, row: impl Fn(f64) -> (f64, f64)) -> (f64, Vec<f32>) {
    let mut total = 0.0;
    let gradient = outputs.iter().zip(scores).map(|(&output, &score)| {
        let (loss, slope) = row(f64::from(output) - f64::from(score));
        total += loss;
        (weight * slope) as f32
    });
    let gradient = gradient.collect();
    (total, gradient)
}
