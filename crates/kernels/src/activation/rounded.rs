//! Activations of rounded rows, in one pass through registers: what is read is widened, what is written is rounded, and
//! where that hides the difference a function is approximated.

use super::{Activation, Function, GeluTanh, Relu, Tanh};
use crate::isa::Isa;
use crate::packed::{BLOCK, round_block_plainly, widen};

/// x·Φ(x) to be rounded to bfloat16, which keeps 8 bits: within 2⁻¹³ of its size from -4 on, within 2⁻²⁶ below. The
/// derivative is within 2⁻¹³.
///
/// With a = |x|, x·Φ(x) is max(x, 0) - a·Φ(-a), Φ(-a) the 16th power of a polynomial, and the derivative of a·Φ(-a)
/// another polynomial times Φ(-a): fits of our own, made by `scripts/fit_gelu.py`.
struct RoundedGelu;

impl RoundedGelu {
    /// Where Φ(-a) is as good as 0.
    const END: f32 = 6.0;
    /// Φ(-a)^(1/16) on [0, `END`], highest power first.
    const ROOT: [f32; 6] =
        [-4.491_733_5e-5, 6.810_362_7e-4, -1.342_134_2e-3, -1.786_398_3e-2, -4.771_961e-2, 9.575_984e-1];
    /// 1 - a·φ(a)/Φ(-a) there, accurate where Φ(-a) is large.
    const SLOPE: [f32; 5] = [1.124_128_4e-2, -9.363_083_5e-2, -6.467_482e-1, -7.957_736e-1, 9.999_359e-1];
}

impl Function for RoundedGelu {
    #[inline(always)]
    fn both(x: f32) -> (f32, f32) {
        // Written so that a NaN stays one.
        let a = if x.abs() > Self::END { Self::END } else { x.abs() };
        let positive = if x > 0.0 { x } else { 0.0 };
        let square = |x: f32| x * x;
        let tail = square(square(square(square(polynomial(Self::ROOT, a)))));
        let slope = tail * polynomial(Self::SLOPE, a);
        ((-a).mul_add(tail, positive), if x > 0.0 { 1.0 - slope } else { slope })
    }
}

/// With fused multiplications and additions: every processor with bfloat16 has them.
#[inline(always)]
fn polynomial<const N: usize>(coefficients: [f32; N], x: f32) -> f32 {
    coefficients.into_iter().reduce(|p, coefficient| p.mul_add(x, coefficient)).unwrap_or_default()
}

/// A row of `before` = `x`, `out` = activation(`before`), both rounded: the function is applied to what is kept, as the
/// backward pass will apply it, also where nothing goes back and `before` is none. All of one length.
pub(crate) struct ActivatedRow<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) before: Option<&'a mut [u16]>,
    pub(crate) out: &'a mut [u16],
}

/// A row of `gradient` = `dy` · activation′(`before`), `out` = activation(`before`), both rounded. All of one length.
pub(crate) struct DifferentiatedRow<'a> {
    pub(crate) before: &'a [u16],
    pub(crate) dy: &'a [f32],
    pub(crate) gradient: &'a mut [u16],
    pub(crate) out: &'a mut [u16],
}

/// Computes every row; many in one call, as they are short.
pub(crate) fn activate_rounded_rows<'a>(
    isa: Isa,
    activation: Activation,
    rows: impl Iterator<Item = ActivatedRow<'a>>,
) {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
    fn avx512bf16<'a>(activation: Activation, rows: impl Iterator<Item = ActivatedRow<'a>>) {
        activate(activation, |block| crate::packed::round_block(block), rows);
    }
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Fast::new` has checked that the processor has this instruction set.
        Isa::Avx512Bf16 => unsafe { avx512bf16(activation, rows) },
        _ => activate(activation, round_block_plainly, rows),
    }
}

/// Computes every row; many in one call, as they are short.
pub(crate) fn activation_gradient_rounded_rows<'a>(
    isa: Isa,
    activation: Activation,
    rows: impl Iterator<Item = DifferentiatedRow<'a>>,
) {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
    fn avx512bf16<'a>(activation: Activation, rows: impl Iterator<Item = DifferentiatedRow<'a>>) {
        differentiate(activation, |block| crate::packed::round_block(block), rows);
    }
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Fast::new` has checked that the processor has this instruction set.
        Isa::Avx512Bf16 => unsafe { avx512bf16(activation, rows) },
        _ => differentiate(activation, round_block_plainly, rows),
    }
}

#[inline(always)]
fn activate<'a>(
    activation: Activation,
    round: impl Fn(&[f32; BLOCK]) -> ([u16; BLOCK], [f32; BLOCK]),
    rows: impl Iterator<Item = ActivatedRow<'a>>,
) {
    match activation {
        Activation::Gelu => activate_with::<RoundedGelu>(round, rows),
        Activation::GeluTanh => activate_with::<GeluTanh>(round, rows),
        Activation::Relu => activate_with::<Relu>(round, rows),
        Activation::Tanh => activate_with::<Tanh>(round, rows),
    }
}

// Loops, not `for_each`: its closure would not be compiled for the caller's instruction set.
#[inline(always)]
fn activate_with<'a, F: Function>(
    round: impl Fn(&[f32; BLOCK]) -> ([u16; BLOCK], [f32; BLOCK]),
    rows: impl Iterator<Item = ActivatedRow<'a>>,
) {
    let block = |x: &[f32; BLOCK]| {
        let (before, mut values) = round(x);
        for x in &mut values {
            *x = F::both(*x).0;
        }
        (before, round(&values).0)
    };
    for ActivatedRow { x, before, out } in rows {
        assert_eq!(x.len(), out.len(), "a result an element");
        let (x, last_x) = x.as_chunks();
        let (out, last_out) = out.as_chunks_mut();
        let last_before = match before {
            Some(before) => {
                assert_eq!(before.len(), x.as_flattened().len() + last_x.len(), "two results an element");
                let (before, last_before) = before.as_chunks_mut();
                for ((x, before), out) in x.iter().zip(before).zip(out) {
                    (*before, *out) = block(x);
                }
                last_before
            }
            None => {
                for (x, out) in x.iter().zip(out) {
                    *out = block(x).1;
                }
                &mut []
            }
        };
        if !last_x.is_empty() {
            let (before, out) = block(&padded(last_x));
            last_before.copy_from_slice(&before[..last_before.len()]);
            last_out.copy_from_slice(&out[..last_x.len()]);
        }
    }
}

#[inline(always)]
fn differentiate<'a>(
    activation: Activation,
    round: impl Fn(&[f32; BLOCK]) -> ([u16; BLOCK], [f32; BLOCK]),
    rows: impl Iterator<Item = DifferentiatedRow<'a>>,
) {
    match activation {
        Activation::Gelu => differentiate_with::<RoundedGelu>(round, rows),
        Activation::GeluTanh => differentiate_with::<GeluTanh>(round, rows),
        Activation::Relu => differentiate_with::<Relu>(round, rows),
        Activation::Tanh => differentiate_with::<Tanh>(round, rows),
    }
}

#[inline(always)]
fn differentiate_with<'a, F: Function>(
    round: impl Fn(&[f32; BLOCK]) -> ([u16; BLOCK], [f32; BLOCK]),
    rows: impl Iterator<Item = DifferentiatedRow<'a>>,
) {
    let block = |before: &[u16; BLOCK], dy: &[f32; BLOCK]| {
        let (mut gradient, mut values) = ([0.0; BLOCK], [0.0; BLOCK]);
        for i in 0..BLOCK {
            let (value, slope) = F::both(widen(before[i]));
            (gradient[i], values[i]) = (dy[i] * slope, value);
        }
        (round(&gradient).0, round(&values).0)
    };
    for DifferentiatedRow { before, dy, gradient, out } in rows {
        assert!([dy.len(), gradient.len(), out.len()] == [before.len(); 3], "a gradient and two results an element");
        let (before, last_before) = before.as_chunks();
        let (dy, last_dy) = dy.as_chunks();
        let (gradient, last_gradient) = gradient.as_chunks_mut();
        let (out, last_out) = out.as_chunks_mut();
        for (((before, dy), gradient), out) in before.iter().zip(dy).zip(gradient).zip(out) {
            (*gradient, *out) = block(before, dy);
        }
        if !last_before.is_empty() {
            let (gradient, out) = block(&padded(last_before), &padded(last_dy));
            last_gradient.copy_from_slice(&gradient[..last_before.len()]);
            last_out.copy_from_slice(&out[..last_before.len()]);
        }
    }
}

/// `values` and zeros after them.
fn padded<T: Copy + Default>(values: &[T]) -> [T; BLOCK] {
    let mut block = [T::default(); BLOCK];
    block[..values.len()].copy_from_slice(values);
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packed::{bf16_bits, round_to_bf16};
    use crate::reference;
    use crate::testing::{isas, random};
    use proptest::prelude::*;

    /// Every number there is in bfloat16.
    fn numbers() -> impl Iterator<Item = f32> {
        (0..=u16::MAX).map(widen).filter(|x| x.is_finite())
    }

    #[test]
    fn gelu_is_far_closer_than_what_rounding_it_loses() {
        for x in numbers() {
            let want = f64::from(reference::activate(Activation::Gelu, x));
            let error = (f64::from(RoundedGelu::both(x).0) - want).abs();
            let bound = if x >= -4.0 { 0.5f64.powi(13) * want.abs() } else { 0.5f64.powi(26) };
            assert!(error <= bound, "gelu({x}): {error:e} off {want:e}");
        }
    }

    #[test]
    fn the_derivative_of_gelu_is_far_closer_than_what_rounding_it_loses() {
        for x in numbers() {
            let (mut want, mut out) = ([1.0], [0.0]);
            // Differences do not tell it far out, where it is constant.
            reference::activation_backward(Activation::Gelu, &[x.clamp(-50.0, 50.0)], &mut want, &mut out);
            let error = (RoundedGelu::both(x).1 - want[0]).abs();
            assert!(error <= 0.5f32.powi(13), "gelu′({x}): {error:e} off {}", want[0]);
        }
    }

    #[test]
    fn gelu_keeps_infinity_and_nan_and_vanishes_below() {
        assert_eq!(RoundedGelu::both(f32::INFINITY), (f32::INFINITY, RoundedGelu::both(20.0).1));
        assert_eq!(round_to_bf16(RoundedGelu::both(20.0).0), 20.0);
        assert_eq!(round_to_bf16(RoundedGelu::both(20.0).1), 1.0);
        let (value, slope) = RoundedGelu::both(f32::NEG_INFINITY);
        assert!(value.abs() < 2e-8 && slope.abs() < 1e-7, "{value:e} {slope:e}");
        let (value, slope) = RoundedGelu::both(f32::NAN);
        assert!(value.is_nan() && slope.is_nan());
    }

    #[test]
    fn a_nan_stays_one() {
        let (x, dy) = ([f32::NAN; 37], [1.0; 37]);
        for (isa, activation) in isas().flat_map(|isa| {
            [Activation::Gelu, Activation::GeluTanh, Activation::Relu, Activation::Tanh]
                .map(|activation| (isa, activation))
        }) {
            let (mut before, mut out) = ([1; 37], [1; 37]);
            let row = ActivatedRow { x: &x, before: Some(&mut before), out: &mut out };
            activate_rounded_rows(isa, activation, std::iter::once(row));
            assert!(out.map(widen).iter().all(|out| out.is_nan()), "{activation:?} on {}", isa.name());
            let (mut gradient, mut again) = ([1; 37], [1; 37]);
            let row = DifferentiatedRow { before: &before, dy: &dy, gradient: &mut gradient, out: &mut again };
            activation_gradient_rounded_rows(isa, activation, std::iter::once(row));
            assert!(again.map(widen).iter().all(|out| out.is_nan()), "{activation:?} on {}", isa.name());
        }
    }

    /// What rounding to bfloat16 may lose, 2⁻⁸ of a value, and a little more.
    const ROUNDING: f32 = 0.0042;

    proptest! {
        #[test]
        fn every_isa_activates_rounded_rows_as_the_scalar_twin(len in 0usize..150, scale in 0f32..10.0, seed: u64) {
            let x: Vec<f32> = random(seed, len).iter().map(|x| x * scale).collect();
            let dy = random(seed ^ 1, len);
            for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu, Activation::Tanh] {
                let kept: Vec<f32> = x.iter().map(|&x| round_to_bf16(x)).collect();
                let (mut want, mut want_out) = (vec![1.0; len], vec![0.0; len]);
                reference::activation_backward(activation, &kept, &mut want, &mut want_out);
                for isa in isas() {
                    let [mut before, mut out, mut gradient, mut again] = [(); 4].map(|()| vec![1u16; len]);
                    let row = ActivatedRow { x: &x, before: Some(&mut before), out: &mut out };
                    activate_rounded_rows(isa, activation, std::iter::once(row));
                    let alone = ActivatedRow { x: &x, before: None, out: &mut again };
                    activate_rounded_rows(isa, activation, std::iter::once(alone));
                    prop_assert_eq!(&out, &again);
                    prop_assert!(before.iter().zip(&x).all(|(&before, &x)| before == bf16_bits(x)), "{}", isa.name());
                    let row = DifferentiatedRow { before: &before, dy: &dy, gradient: &mut gradient, out: &mut again };
                    activation_gradient_rounded_rows(isa, activation, std::iter::once(row));
                    prop_assert_eq!(&out, &again);
                    for i in 0..len {
                        let error = (widen(out[i]) - want_out[i]).abs();
                        let bound = ROUNDING * want_out[i].abs() + 1e-6;
                        prop_assert!(error <= bound, "{}: {:?}({})", isa.name(), activation, kept[i]);
                        // A slope is not accurate in relation to itself where it passes through 0.
                        let error = (widen(gradient[i]) - dy[i] * want[i]).abs();
                        let bound = dy[i].abs() * (ROUNDING * want[i].abs() + 2e-4);
                        prop_assert!(error <= bound, "{}: {:?}′({})", isa.name(), activation, kept[i]);
                    }
                }
            }
        }

        #[test]
        fn every_isa_keeps_any_bits_alike(bits in prop::collection::vec(any::<u32>(), 0..150)) {
            let x: Vec<f32> = bits.iter().map(|&b| f32::from_bits(b)).collect();
            let want: Vec<u16> = x.iter().map(|&x| bf16_bits(x)).collect();
            for isa in isas() {
                let (mut before, mut out) = (vec![1; x.len()], vec![1; x.len()]);
                let row = ActivatedRow { x: &x, before: Some(&mut before), out: &mut out };
                activate_rounded_rows(isa, Activation::Relu, std::iter::once(row));
                prop_assert_eq!(&before, &want, "{}", isa.name());
                for (&out, &before) in out.iter().zip(&want) {
                    let want = reference::activate(Activation::Relu, widen(before));
                    let kept = if want.is_nan() { widen(out).is_nan() } else { out == bf16_bits(want) };
                    prop_assert!(kept, "relu({}) = {} on {}", widen(before), widen(out), isa.name());
                }
            }
        }
    }
}
