//! Element-wise activations and their derivatives: of single precision here, of rounded rows in `rounded`.

mod rounded;

use rayon::prelude::*;

use crate::isa::{Isa, multiversion};
use crate::{ELEMENTS_PER_TASK, vecmath};
pub(crate) use rounded::{ActivatedRow, DifferentiatedRow, activate_rounded_rows, activation_gradient_rounded_rows};

/// An element-wise function of a layer's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x·Φ(x) with the exact normal distribution function.
    Gelu,
    /// The tanh approximation of GELU (Hendrycks & Gimpel 2016).
    GeluTanh,
    /// max(x, 0); a NaN stays one.
    Relu,
    /// tanh(x).
    Tanh,
}

/// A function with its derivative, without branches on data, so that loops over it vectorise.
trait Function {
    /// f(x) and f′(x).
    fn both(x: f32) -> (f32, f32);
}

struct Gelu;
struct GeluTanh;
struct Relu;
struct Tanh;

impl Function for Gelu {
    #[inline(always)]
    fn both(x: f32) -> (f32, f32) {
        let (cdf, pdf) = vecmath::normal(x);
        (x * cdf, cdf + x * pdf)
    }
}

impl Function for GeluTanh {
    #[inline(always)]
    fn both(x: f32) -> (f32, f32) {
        const SQRT_2_OVER_PI: f32 = 0.797_884_6;
        const CUBIC: f32 = 0.044_715;
        let t = vecmath::tanh(SQRT_2_OVER_PI * (x + CUBIC * x * x * x));
        let slope = SQRT_2_OVER_PI * (1.0 + 3.0 * CUBIC * x * x);
        (0.5 * x * (1.0 + t), 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * slope)
    }
}

impl Function for Relu {
    #[inline(always)]
    fn both(x: f32) -> (f32, f32) {
        // Written so that a NaN stays one, as it would not with `max`: by it one sees that a run diverged.
        (if x < 0.0 { 0.0 } else { x }, if x <= 0.0 { 0.0 } else { 1.0 })
    }
}

impl Function for Tanh {
    #[inline(always)]
    fn both(x: f32) -> (f32, f32) {
        let t = vecmath::tanh(x);
        (t, 1.0 - t * t)
    }
}

#[inline(always)]
fn apply_to<F: Function>(x: &[f32], out: &mut [f32]) {
    for (x, out) in x.iter().zip(out) {
        *out = F::both(*x).0;
    }
}

#[inline(always)]
fn apply_in_place<F: Function>(x: &mut [f32]) {
    for x in x {
        *x = F::both(*x).0;
    }
}

#[inline(always)]
fn backward<F: Function>(x: &[f32], gradient: &mut [f32], out: &mut [f32]) {
    for ((x, gradient), out) in x.iter().zip(gradient).zip(out) {
        let (value, slope) = F::both(*x);
        *gradient *= slope;
        *out = value;
    }
}

multiversion! {
    /// `out = activation(x)`.
    pub(crate) fn activation_into_row(activation: Activation, x: &[f32], out: &mut [f32]) {
        match activation {
            Activation::Gelu => apply_to::<Gelu>(x, out),
            Activation::GeluTanh => apply_to::<GeluTanh>(x, out),
            Activation::Relu => apply_to::<Relu>(x, out),
            Activation::Tanh => apply_to::<Tanh>(x, out),
        }
    }
}

multiversion! {
    /// `x = activation(x)`.
    pub(crate) fn activate_row(activation: Activation, x: &mut [f32]) {
        match activation {
            Activation::Gelu => apply_in_place::<Gelu>(x),
            Activation::GeluTanh => apply_in_place::<GeluTanh>(x),
            Activation::Relu => apply_in_place::<Relu>(x),
            Activation::Tanh => apply_in_place::<Tanh>(x),
        }
    }
}

multiversion! {
    /// `gradient *= activation′(x)`, and `out = activation(x)`.
    fn activation_gradient_row(activation: Activation, x: &[f32], gradient: &mut [f32], out: &mut [f32]) {
        match activation {
            Activation::Gelu => backward::<Gelu>(x, gradient, out),
            Activation::GeluTanh => backward::<GeluTanh>(x, gradient, out),
            Activation::Relu => backward::<Relu>(x, gradient, out),
            Activation::Tanh => backward::<Tanh>(x, gradient, out),
        }
    }
}

/// `gradient *= activation′(x)`, and recomputes `out = activation(x)` in the same pass. All of one length.
pub(crate) fn activation_backward(isa: Isa, activation: Activation, x: &[f32], gradient: &mut [f32], out: &mut [f32]) {
    assert!(x.len() == gradient.len() && x.len() == out.len(), "one gradient and one output an element");
    x.par_chunks(ELEMENTS_PER_TASK)
        .zip(gradient.par_chunks_mut(ELEMENTS_PER_TASK))
        .zip(out.par_chunks_mut(ELEMENTS_PER_TASK))
        .for_each(|((x, gradient), out)| activation_gradient_row(isa, activation, x, gradient, out));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;
    use crate::testing::{close, isas, random};

    #[test]
    fn every_isa_agrees_with_the_scalar_twin() {
        let x: Vec<f32> = random(1, 40_001).iter().map(|x| x * 8.0).collect();
        let upstream = random(2, x.len());
        for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu, Activation::Tanh] {
            let (mut want, mut want_out) = (upstream.clone(), vec![0.0; x.len()]);
            reference::activation_backward(activation, &x, &mut want, &mut want_out);
            for isa in isas() {
                let (mut got, mut got_out) = (upstream.clone(), vec![0.0; x.len()]);
                activation_backward(isa, activation, &x, &mut got, &mut got_out);
                close(&got, &want, 1e-5).unwrap();
                close(&got_out, &want_out, 1e-6).unwrap();
            }
        }
    }

    #[test]
    fn a_nan_stays_one() {
        let mut x = random(3, 37);
        x.iter_mut().step_by(3).for_each(|x| *x = f32::NAN);
        let is_kept = |out: &[f32]| out.iter().zip(&x).all(|(out, x)| out.is_nan() == x.is_nan());
        for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu, Activation::Tanh] {
            assert!(x.iter().all(|&x| reference::activate(activation, x).is_nan() == x.is_nan()), "{activation:?}");
            for isa in isas() {
                let (mut apart, mut again, mut in_place) = (vec![0.0; x.len()], vec![0.0; x.len()], x.clone());
                activation_into_row(isa, activation, &x, &mut apart);
                activate_row(isa, activation, &mut in_place);
                activation_backward(isa, activation, &x, &mut vec![1.0; x.len()], &mut again);
                let kept = [apart, again, in_place].iter().all(|out| is_kept(out));
                assert!(kept, "{activation:?} on {}", isa.name());
            }
        }
    }

    #[test]
    fn relu_and_its_gradient_are_those_of_pytorch() {
        // y = torch.relu(x), y.sum().backward()
        let x = [-1.0, -0.0, 0.0, 1.0, f32::NEG_INFINITY, f32::INFINITY, f32::NAN];
        let y = [0.0, -0.0, 0.0, 1.0, 0.0, f32::INFINITY, f32::NAN];
        let slope = [0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0];
        let check = |backward: &dyn Fn(&mut [f32], &mut [f32])| {
            let (mut gradient, mut out) = ([1.0; 7], [9.0; 7]);
            backward(&mut gradient, &mut out);
            assert_eq!(gradient, slope);
            // NaNs have many bits.
            assert!(out[6].is_nan());
            assert_eq!(out.map(f32::to_bits)[..6], y.map(f32::to_bits)[..6]);
        };
        check(&|gradient, out| reference::activation_backward(Activation::Relu, &x, gradient, out));
        for isa in isas() {
            check(&|gradient, out| activation_backward(isa, Activation::Relu, &x, gradient, out));
        }
    }
}
