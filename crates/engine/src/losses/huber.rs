//! Huber's loss, PyTorch's `HuberLoss`: half the square of an error up to δ, and from there on its tangent, so that rows far
//! off do not rule the gradient.

/// error²/2 up to `delta`, then delta·(|error| − delta/2), and its slope.
pub(super) fn row(error: f64, delta: f64) -> (f64, f64) {
    let size = error.abs();
    if size <= delta { (0.5 * error * error, error) } else { (delta * (size - 0.5 * delta), delta * error.signum()) }
}
