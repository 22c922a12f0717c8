//! Absolute error, PyTorch's `L1Loss`.

/// |error|, and its slope; that of no error is 0.
pub(super) fn row(error: f64) -> (f64, f64) {
    (error.abs(), if error == 0.0 { 0.0 } else { error.signum() })
}
