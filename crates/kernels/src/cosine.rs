//! The cosine of the two rows of each pair, and its gradient, as PyTorch's `cosine_similarity` defines them.

use rayon::prelude::*;

use crate::isa::{Isa, multiversion};

/// The least norm divided by: PyTorch's `eps`.
pub(crate) const EPS: f64 = 1e-8;

/// Sums run in this many lanes, so that a loop over them vectorises.
const LANES: usize = 16;

/// `a·b`, in double precision: of rows that are nearly at right angles little is left of a sum, and all of its rounding.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let product = |(a, b): (&f32, &f32)| f64::from(*a) * f64::from(*b);
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for (lane, pair) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += product(pair);
        }
    }
    lanes.into_iter().chain(a_rest.iter().zip(b_rest).map(product)).sum()
}

multiversion! {
    fn pair(u: &[f32], v: &[f32], out: &mut f32) {
        let norms = dot(u, u).sqrt().max(EPS) * dot(v, v).sqrt().max(EPS);
        *out = (dot(u, v) / norms) as f32;
    }
}

multiversion! {
    fn pair_backward(u: &[f32], v: &[f32], dout: f32, du: &mut [f32], dv: &mut [f32]) {
        let (u_norm, v_norm) = (dot(u, u).sqrt(), dot(v, v).sqrt());
        let (u_least, v_least) = (u_norm.max(EPS), v_norm.max(EPS));
        let scale = f64::from(dout) / (u_least * v_least);
        let cosine = dot(u, v) * scale;
        // d cos/du = v/(|u||v|) - cos·u/|u|²; a row of zeros has no direction to lose.
        let along = |norm: f64, least: f64| if norm > 0.0 { (cosine / (norm * least)) as f32 } else { 0.0 };
        let (across, along_u, along_v) = (scale as f32, along(u_norm, u_least), along(v_norm, v_least));
        for (((du, dv), u), v) in du.iter_mut().zip(&mut *dv).zip(u).zip(v) {
            *du = across * v - along_u * u;
            *dv = across * u - along_v * v;
        }
    }
}

/// That `x` holds two rows of `width` for each of `cosines`.
pub(crate) fn check(x: &[f32], width: usize, cosines: &[f32]) {
    let pair = width.checked_mul(2);
    assert_eq!(Some(x.len()), pair.and_then(|pair| pair.checked_mul(cosines.len())), "two rows a cosine");
}

/// `out[i] = cos(x[2i], x[2i + 1])`, rows of `width`.
pub(crate) fn cosine(isa: Isa, x: &[f32], width: usize, out: &mut [f32]) {
    check(x, width, out);
    x.par_chunks_exact(2 * width).zip(out).for_each(|(x, out)| {
        let (u, v) = x.split_at(width);
        pair(isa, u, v, out);
    });
}

/// The gradient of `x` from that of [`cosine`]'s result.
pub(crate) fn cosine_backward(isa: Isa, x: &[f32], width: usize, dout: &[f32], dx: &mut [f32]) {
    check(x, width, dout);
    assert_eq!(dx.len(), x.len(), "a gradient as large as its value");
    dx.par_chunks_exact_mut(2 * width).zip(x.par_chunks_exact(2 * width)).zip(dout).for_each(|((dx, x), &dout)| {
        let ((u, v), (du, dv)) = (x.split_at(width), dx.split_at_mut(width));
        pair_backward(isa, u, v, dout, du, dv);
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reference;
    use crate::testing::{close, isas, random};

    fn agrees(x: &[f32], width: usize, dout: &[f32]) -> Result<(), TestCaseError> {
        let (mut want, mut dwant) = (vec![0.0; dout.len()], vec![0.0; x.len()]);
        reference::cosine(x, width, &mut want);
        reference::cosine_backward(x, width, dout, &mut dwant);
        for isa in isas() {
            let (mut got, mut dgot) = (vec![f32::NAN; dout.len()], vec![f32::NAN; x.len()]);
            cosine(isa, x, width, &mut got);
            cosine_backward(isa, x, width, dout, &mut dgot);
            close(&got, &want, 1e-5)?;
            // Of rows that are nearly parallel, as all of one column are, what is left of two terms cancels: a gradient is as
            // accurate as its terms are large, which is the inverse of the row's length.
            for (row, (got, want)) in dgot.chunks_exact(width).zip(dwant.chunks_exact(width)).enumerate() {
                let length = reference::sum_of_squares(&x[row * width..][..width]).sqrt().max(EPS);
                let bound = 1e-6 * f64::from(dout[row / 2].abs()) / length;
                let close = got.iter().zip(want).all(|(got, want)| f64::from((got - want).abs()) <= bound);
                prop_assert!(close, "row {row} of {width}: {got:?} {want:?}");
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn every_isa_agrees_with_the_scalar_twin(pairs in 1usize..5, width in 1usize..150, seed in any::<u64>()) {
            agrees(&random(seed, 2 * pairs * width), width, &random(seed ^ 1, pairs))?;
        }
    }

    #[test]
    fn rows_of_zeros_have_a_cosine_and_a_gradient_as_in_pytorch() {
        // torch.cosine_similarity(u, v, dim=1).backward() of [0, 0] and [3, 4]: du = v̂ / eps, dv = 0.
        let x = [0.0, 0.0, 3.0, 4.0];
        agrees(&x, 2, &[1.0]).unwrap();
        let (mut out, mut dx) = ([1.0], [1.0; 4]);
        cosine(Isa::Portable, &x, 2, &mut out);
        cosine_backward(Isa::Portable, &x, 2, &[1.0], &mut dx);
        assert_eq!((out, dx), ([0.0], [6e7, 8e7, 0.0, 0.0]));
    }

    #[test]
    fn rows_of_the_same_direction_have_the_cosine_one_and_no_gradient() {
        let (mut out, mut dx) = ([0.0; 2], [1.0; 8]);
        let x = [3.0, 4.0, 30.0, 40.0, 1.0, 0.0, -2.0, 0.0];
        cosine(Isa::fastest(), &x, 2, &mut out);
        cosine_backward(Isa::fastest(), &x, 2, &[1.0, 1.0], &mut dx);
        assert!((out[0] - 1.0).abs() < 1e-6 && (out[1] + 1.0).abs() < 1e-6, "{out:?}");
        assert!(dx.iter().all(|dx| dx.abs() < 1e-7), "{dx:?}");
    }
}
