//! Activations that only products of linear layers and of attention read, kept rounded to bfloat16 as those take them: half
//! the memory, and nothing to convert. Rows are padded to a stride that suits the caches.

use crate::packed::{bf16_bits, round_to_bf16};

/// Halves from row to row of rounded rows of `width`: an odd number of cache lines, so that the rows of a tile fall on
/// different sets of the first-level cache.
///
/// # Panics
/// If there is no such number.
pub fn rounded_stride(width: usize) -> usize {
    (width.div_ceil(32) | 1).checked_mul(32).expect("a rounded row fits the address space")
}

/// Rows of activations or gradients, the operand of a product.
#[derive(Debug, Clone, Copy)]
pub enum Rows<'a> {
    /// Single precision, one row after the other.
    Single(&'a [f32]),
    /// bfloat16, rows [`rounded_stride`] apart; an odd row is followed by a zero.
    Rounded(&'a [u16]),
}

impl Rows<'_> {
    pub(crate) fn is_rounded(&self) -> bool {
        matches!(self, Rows::Rounded(_))
    }

    /// The values of rows of `width` in single precision.
    pub(crate) fn to_single(self, width: usize) -> Vec<f32> {
        match self {
            Rows::Single(values) => values.to_vec(),
            Rows::Rounded(halves) => halves
                .chunks_exact(rounded_stride(width))
                .flat_map(|row| &row[..width])
                .map(|&half| f32::from_bits(u32::from(half) << 16))
                .collect(),
        }
    }
}

/// Where activations go that the next product reads.
#[derive(Debug)]
pub enum RowsMut<'a> {
    /// As [`Rows::Single`].
    Single(&'a mut [f32]),
    /// As [`Rows::Rounded`].
    Rounded(&'a mut [u16]),
}

impl<'a> RowsMut<'a> {
    /// Parts of `rows` rows of `width` each, the last of those that are left.
    pub(crate) fn split(self, rows: usize, width: usize) -> Vec<RowsMut<'a>> {
        match self {
            RowsMut::Single(to) => to.chunks_mut(rows * width).map(RowsMut::Single).collect(),
            RowsMut::Rounded(to) => to.chunks_mut(rows * rounded_stride(width)).map(RowsMut::Rounded).collect(),
        }
    }

    pub(crate) fn is_rounded(&self) -> bool {
        matches!(self, RowsMut::Rounded(_))
    }

    /// Stores rows of `width`.
    pub(crate) fn store(&mut self, values: &[f32], width: usize) {
        match self {
            RowsMut::Single(to) => to.copy_from_slice(values),
            RowsMut::Rounded(to) => {
                for (to, row) in to.chunks_exact_mut(rounded_stride(width)).zip(values.chunks_exact(width)) {
                    to.iter_mut().zip(row).for_each(|(to, &x)| *to = bf16_bits(x));
                    to[width..].fill(0);
                }
            }
        }
    }

    /// Whether there is room for `rows` rows of `width` and no more.
    pub(crate) fn holds(&self, rows: usize, width: usize) -> bool {
        match self {
            RowsMut::Single(to) => Some(to.len()) == rows.checked_mul(width),
            RowsMut::Rounded(to) => Some(to.len()) == rows.checked_mul(rounded_stride(width)),
        }
    }

    /// What is kept of `x`.
    pub(crate) fn kept(&self, x: f32) -> f32 {
        match self {
            RowsMut::Single(_) => x,
            RowsMut::Rounded(_) => round_to_bf16(x),
        }
    }
}

/// The two halves of every number.
pub fn halves(values: &[f32]) -> &[u16] {
    // SAFETY: twice as many of half the size and a smaller alignment; any bits are a u16.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), 2 * values.len()) }
}

/// The two halves of every number.
pub fn halves_mut(values: &mut [f32]) -> &mut [u16] {
    // SAFETY: as above, and any bits are an f32.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), 2 * values.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, isas, random, with_scale};
    use crate::{Activation, Fast, Isa, Kernels, Linear, LinearGradient, Operands, PackedWeight, Scalar, Weight};
    use proptest::prelude::*;

    /// An up projection, its activation and the way back, with everything between kept rounded.
    fn feed_forward(kernels: &dyn Kernels, tokens: usize, hidden: usize, wide: usize, seed: u64) -> Vec<Vec<f32>> {
        let (up, down) = (Linear { inputs: hidden, outputs: wide }, Linear { inputs: wide, outputs: hidden });
        let (x, dy, bias) = (random(seed, tokens * hidden), random(seed ^ 1, tokens * hidden), random(seed ^ 2, wide));
        let weights = [random(seed ^ 3, hidden * wide), random(seed ^ 4, hidden * wide)];
        let packed = [up, down].map(|shape| [vec![0; shape.forward_words()], vec![0; shape.backward_words()]]);
        let mut packed = packed;
        for ((shape, weight), [forward, backward]) in [up, down].into_iter().zip(&weights).zip(&mut packed) {
            crate::packed::pack(Isa::Portable, shape, weight, forward, backward);
        }
        let [up_weight, down_weight] = [0, 1].map(|i| {
            let [forward, backward] = &packed[i];
            Weight { values: &weights[i], packed: Some(PackedWeight { forward, backward }) }
        });
        let room = || vec![0xffffu16; tokens * rounded_stride(wide)];
        let (mut before, mut y, mut gradient, mut again) = (room(), room(), room(), room());
        kernels.linear_activation(
            up,
            Activation::Gelu,
            Rows::Single(&x),
            up_weight,
            &bias,
            Some(RowsMut::Rounded(&mut before)),
            RowsMut::Rounded(&mut y),
        );
        let mut alone = room();
        let to_alone = RowsMut::Rounded(&mut alone);
        kernels.linear_activation(up, Activation::Gelu, Rows::Single(&x), up_weight, &bias, None, to_alone);
        let values = |halves: &[u16]| Rows::Rounded(halves).to_single(wide);
        assert_eq!(values(&alone), values(&y), "what is activated does not depend on what is kept");
        let mut out = vec![0.0; tokens * hidden];
        kernels.linear(down, Rows::Rounded(&y), down_weight, &vec![0.0; hidden], RowsMut::Single(&mut out));
        let (read, to_gradient, to_again) =
            (Rows::Rounded(&before), RowsMut::Rounded(&mut gradient), RowsMut::Rounded(&mut again));
        let dy = Rows::Single(&dy);
        kernels.linear_backward_activation(down, Activation::Gelu, dy, down_weight, read, to_gradient, to_again);
        let mut dx = vec![0.0; tokens * hidden];
        kernels.linear_backward_input(up, Rows::Rounded(&gradient), up_weight, &mut dx, false);
        let weight_gradient = |shape: Linear, dy, x| {
            let (mut weight, mut bias) = (vec![0.0; shape.outputs * shape.inputs], vec![0.0; shape.outputs]);
            let to = LinearGradient { weight: &mut weight, bias: &mut bias, accumulate: false };
            kernels.linear_backward_weight(shape, Operands::Bf16, dy, x, to);
            [weight, bias]
        };
        let [dw_up, db_up] = weight_gradient(up, Rows::Rounded(&gradient), Rows::Single(&x));
        let [dw_down, db_down] = weight_gradient(down, dy, Rows::Rounded(&again));
        let rounded = [before, y, gradient, again].map(|halves| values(&halves));
        rounded.into_iter().chain([out, dx, dw_up, db_up, dw_down, db_down]).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn rounded_rows_pass_through_a_feed_forward_layer_as_in_the_scalar_twin(
            tokens in prop_oneof![1usize..30, Just(97)], hidden in 1usize..40, wide in prop_oneof![1usize..70, Just(257)],
            seed: u64,
        ) {
            let want = feed_forward(&Scalar, tokens, hidden, wide, seed);
            for isa in isas().filter(|isa| isa.has_bf16()) {
                let got = feed_forward(&Fast::new(isa), tokens, hidden, wide, seed);
                for (got, want) in got.into_iter().zip(&want) {
                    close(&with_scale(got, tokens), &with_scale(want.clone(), tokens), 1e-2)?;
                }
            }
        }
    }

    #[test]
    fn a_batch_of_many_tokens_passes_too() {
        let want = feed_forward(&Scalar, 3100, 5, 33, 1);
        for isa in isas().filter(|isa| isa.has_bf16()) {
            let got = feed_forward(&Fast::new(isa), 3100, 5, 33, 1);
            got.iter().zip(&want).for_each(|(got, want)| close(got, want, 1e-2).unwrap());
        }
    }

    #[test]
    fn a_layer_too_wide_for_one_block_of_the_inner_dimension_passes_too() {
        let want = feed_forward(&Scalar, 29, 4700, 33, 1);
        for isa in isas().filter(|isa| isa.has_bf16()) {
            let got = feed_forward(&Fast::new(isa), 29, 4700, 33, 1);
            got.iter().zip(&want).for_each(|(got, want)| close(got, want, 1e-2).unwrap());
        }
    }

    #[test]
    #[should_panic(expected = "fits the address space")]
    fn a_row_beyond_the_address_space_is_refused() {
        rounded_stride(usize::MAX);
    }

    #[test]
    fn an_odd_row_is_followed_by_a_zero_and_rows_lie_an_odd_number_of_lines_apart() {
        assert_eq!([1, 32, 33, 64, 3072].map(|width| rounded_stride(width) / 32), [1, 1, 3, 3, 97]);
        let mut halves = vec![7; 2 * rounded_stride(3)];
        RowsMut::Rounded(&mut halves).store(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3);
        assert_eq!(halves[3], 0);
        assert_eq!(Rows::Rounded(&halves).to_single(3), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }
}
