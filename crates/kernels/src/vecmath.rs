//! Elementary functions written without branches, so that a loop over them vectorises.

const LOG2_E: f32 = std::f32::consts::LOG2_E;
// ln 2 in two parts: the first has few enough bits that n·LN2_HIGH is exact for the n that occur.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
// Adding and subtracting 1.5·2^23 rounds to the nearest integer and leaves it in the low mantissa bits.
pub(crate) const ROUND: f32 = 12_582_912.0;

/// Minimax polynomial of (e^r - 1 - r) / r² on [-ln 2 / 2, ln 2 / 2], highest power first (Cephes expf).
pub(crate) const EXP_POLYNOMIAL: [f32; 6] =
    [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

/// e^x within 2 ulp for x in [-87, 88]; clamped to that range outside it.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let [highest, rest @ ..] = EXP_POLYNOMIAL;
    let mut p = highest;
    for coefficient in rest {
        p = p * r + coefficient;
    }
    let e = p * r * r + r + 1.0;
    let power = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32).wrapping_add(127) << 23;
    e * f32::from_bits(power as u32)
}

/// The natural logarithm of a positive, normal, finite x within 2e-7 of 1 or of its size, whichever is larger.
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    // x = m·2ⁿ with m in [√½, √2).
    let n = (x.to_bits() as i32).wrapping_sub(std::f32::consts::FRAC_1_SQRT_2.to_bits() as i32) >> 23;
    let z = f32::from_bits((x.to_bits() as i32).wrapping_sub(n << 23) as u32) - 1.0;
    let n = n as f32;
    // Minimax polynomial of (ln(1 + z) - z + z²/2) / z³ (Cephes logf).
    let mut p = 7.037_683_6e-2;
    for coefficient in [
        -1.151_461e-1,
        1.167_699_9e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_8e-1,
        2.000_071_5e-1,
        -2.499_999_4e-1,
        3.333_333e-1,
    ] {
        p = p * z + coefficient;
    }
    (p * z * z * z + n * LN2_LOW - 0.5 * z * z) + z + n * LN2_HIGH
}

/// The standard normal distribution function Φ(x) and its density φ(x).
///
/// Abramowitz & Stegun 7.1.26 for erfc: both within 2e-7. Of its own size the lower tail is off by 3e-6 at -2, 6e-5 at -3, 5e-4 at -4,
/// 4e-3 at -6 and 2e-2 at -10; below -13 it no longer falls.
#[inline(always)]
pub(crate) fn normal(x: f32) -> (f32, f32) {
    const INV_SQRT_2PI: f32 = 0.398_942_3;
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let bell = exp(-z * z);
    let p = 1.061_405_4;
    let p = p * t - 1.453_152;
    let p = p * t + 1.421_413_7;
    let p = p * t - 0.284_496_74;
    let p = p * t + 0.254_829_6;
    let tail = 0.5 * p * t * bell;
    (if x < 0.0 { tail } else { 1.0 - tail }, bell * INV_SQRT_2PI)
}

/// tanh(x), absolute error below 2e-7.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let e = exp(2.0 * x.abs());
    let t = 1.0 - 2.0 / (e + 1.0);
    if x < 0.0 { -t } else { t }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Activation;
    use crate::reference;

    fn sweep() -> impl Iterator<Item = f32> {
        (-80_000..=80_000).map(|i| i as f32 * 1e-3)
    }

    #[test]
    fn exp_is_within_two_ulp_of_the_standard_library() {
        for x in sweep() {
            let want = f64::from(x).exp();
            let got = f64::from(exp(x));
            assert!((got - want).abs() <= 2.4e-7 * want, "exp({x}) = {got}, want {want}");
        }
        assert!(exp(-1e9) < 1e-37 && exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn ln_agrees_with_the_standard_library() {
        for x in (1..200_000).map(|i| i as f32 * 1e-3).chain(sweep().map(|x| x.exp())) {
            let want = f64::from(x).ln();
            assert!((f64::from(ln(x)) - want).abs() <= 2e-7 * want.abs().max(1.0), "ln({x}) = {}, want {want}", ln(x));
        }
    }

    #[test]
    fn tanh_agrees_with_the_standard_library() {
        for x in sweep() {
            assert!((tanh(x) - x.tanh()).abs() < 2e-7, "tanh({x})");
        }
    }

    #[test]
    fn the_lower_tail_of_normal_is_as_accurate_as_it_says() {
        for x in (-10_000..0).map(|i| i as f32 * 1e-3) {
            // x·Φ(x) of the scalar twin, which is exact.
            let want = f64::from(reference::activate(Activation::Gelu, x)) / f64::from(x);
            let error = (f64::from(normal(x).0) - want).abs() / want;
            let bounds = [(-2.0, 4e-6), (-3.0, 6e-5), (-4.0, 5e-4), (-6.0, 4e-3), (-10.0, 2e-2)];
            let bound = bounds.into_iter().find(|(from, _)| x >= *from).map(|(_, bound)| bound).unwrap();
            assert!(error <= bound, "cdf({x}): {error:e} of {want:e}");
        }
    }

    #[test]
    fn normal_matches_tabulated_values() {
        // scipy.stats.norm: (x, cdf, pdf)
        for (x, cdf, pdf) in [
            (-5.0, 2.866_515_7e-7, 1.486_719_5e-6),
            (-3.0, 1.349_898e-3, 4.431_848_4e-3),
            (-1.0, 0.158_655_25, 0.241_970_72),
            (0.0, 0.5, 0.398_942_3),
            (0.5, 0.691_462_5, 0.352_065_33),
            (2.0, 0.977_249_9, 0.053_990_97),
            (6.0, 1.0, 6.075_883e-9),
        ] {
            let (got_cdf, got_pdf) = normal(x);
            assert!((got_cdf - cdf).abs() < 2e-7, "cdf({x}) = {got_cdf}");
            assert!((got_pdf - pdf).abs() < 1e-7, "pdf({x}) = {got_pdf}");
        }
    }
}
