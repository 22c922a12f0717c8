//! Products of whole numbers: how the operands of a linear layer become integers, so that products and sums of them are exact.
//!
//! Every row of activations is multiplied by a power of two and every output of a weight by a factor of its own, and rounded to
//! at most 8,191 in magnitude. That is 14 bits with the sign: a bfloat16 has eight, and of a row of them all that are not below
//! a 32nd of the largest stay as they are. Sums in 32 bits wrap around, which takes nothing from a result that fits at the end;
//! that it does is a matter of norms, |a·b| ≤ ‖a‖·‖b‖, each of which is kept below 2^15.5.
//!
//! As nothing is rounded in between, a product may be put together in any way to the same bits: over any rows, by any number
//! of threads, and by fewer multiplications ([`crate::strassen`], two levels of it: the sums of four operands fit 16 bits).

use crate::kernels::Linear;
use crate::packed::PANEL;

/// The largest magnitude of an operand.
pub(crate) const LARGEST: f32 = 8191.0;

/// The largest norm of a row of operands before they are rounded: 2^15.5 less what rounding adds, half of √8192 at most.
const NORM: f64 = 46_200.0;

/// Numbers whose squares are summed apart, and then one after the other.
pub(crate) const LANES: usize = 32;

impl Linear {
    /// Whether its products are of whole numbers where only inference is meant: that takes quarters in whole panels, and pays
    /// from some hundred features on. The widest layers, decoders over a vocabulary, see few rows and are kept as they are.
    pub(crate) fn uses_fixed(self) -> bool {
        [self.inputs, self.outputs].iter().all(|width| width.is_multiple_of(4 * PANEL) && (384..=8192).contains(width))
    }
}

/// What a row of activations in bfloat16 is multiplied by, and its inverse; zero and NaN for a row that is not finite, so
/// that what comes of it is NaN. `largest` is the largest of its magnitudes, `squares` the sums of the squares of every
/// [`LANES`]th of its `len` numbers.
pub(crate) fn row_factor(largest: f32, squares: &[f32; LANES], len: usize) -> [f32; 2] {
    if !largest.is_finite() {
        return [0.0, f32::NAN];
    }
    let squares: f64 = squares.iter().map(|&sum| f64::from(sum)).sum();
    // Squares of numbers far from one are no numbers in single precision.
    let bounded = (1e-12..1e12).contains(&largest);
    let squares = if bounded { squares } else { len as f64 * f64::from(largest).powi(2) };
    let of_norm = exponent(NORM / squares.sqrt());
    let power = (12 - exponent(f64::from(largest))).min(of_norm).clamp(-126, 126);
    [power, -power].map(|power| f32::from_bits(((power + 127) as u32) << 23))
}

/// ⌊log₂ x⌋, and what is no number is as large as any.
fn exponent(x: f64) -> i32 {
    (x.to_bits() >> 52) as i32 - 1023
}

/// What an output's weights are multiplied by, and its inverse.
pub(crate) fn output_factor(weights: &[f32]) -> [f32; 2] {
    let largest =
        weights.iter().fold(0f32, |largest, w| if w.abs() > largest || w.is_nan() { w.abs() } else { largest });
    let norm = weights.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>().sqrt();
    if largest == 0.0 {
        return [1.0; 2];
    }
    let factor = (f64::from(LARGEST) / f64::from(largest)).min(NORM / norm) as f32;
    let inverse = 1.0 / factor;
    if factor.is_finite() && inverse.is_finite() { [factor, inverse] } else { [0.0, f32::NAN] }
}

/// The operand that comes of a number and the factor of its row or output.
pub(crate) fn whole(x: f32, factor: f32) -> i16 {
    // A NaN becomes zero.
    (x * factor).round_ties_even().clamp(-LARGEST, LARGEST) as i16
}
