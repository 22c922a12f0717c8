//! Activations that only products of linear layers and of attention read, kept rounded to bfloat16 as those take them: half
//! the memory, and nothing to convert. Rows are padded to a stride that suits the caches.

use crate::packed::{bf16_bits, round_to_bf16};
use crate::word::Word;

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

    /// How many rows of `width` there are.
    pub fn count(&self, width: usize) -> usize {
        match self {
            Rows::Single(values) => values.len() / width,
            Rows::Rounded(halves) => halves.len() / rounded_stride(width),
        }
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

/// Rows of activations or gradients, and which of them a product may compute together.
#[derive(Debug, Clone, Copy)]
pub struct Texts<'a> {
    /// The rows.
    pub rows: Rows<'a>,
    /// Rows `starts[i]..starts[i + 1]` are a text: what comes of a row depends on no other text. Without starts every row is
    /// a text of its own.
    pub starts: &'a [u32],
}

impl<'a> From<Rows<'a>> for Texts<'a> {
    /// Every row a text of its own.
    fn from(rows: Rows<'a>) -> Self {
        Self { rows, starts: &[] }
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

/// The two halves of every word.
pub fn halves<E: Word>(values: &[E]) -> &[u16] {
    // SAFETY: twice as many of half the size and a smaller alignment; any bits are a u16.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), 2 * values.len()) }
}

/// The two halves of every word.
pub fn halves_mut<E: Word>(values: &mut [E]) -> &mut [u16] {
    // SAFETY: as above, and any bits are a word.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), 2 * values.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::texts;
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
            Rows::Single(&x).into(),
            up_weight,
            &bias,
            Some(RowsMut::Rounded(&mut before)),
            RowsMut::Rounded(&mut y),
        );
        let mut alone = room();
        let to_alone = RowsMut::Rounded(&mut alone);
        let single = Rows::Single(&x).into();
        kernels.linear_activation(up, Activation::Gelu, single, up_weight, &bias, None, to_alone);
        let values = |halves: &[u16]| Rows::Rounded(halves).to_single(wide);
        assert_eq!(values(&alone), values(&y), "what is activated does not depend on what is kept");
        let mut out = vec![0.0; tokens * hidden];
        kernels.linear(down, Rows::Rounded(&y).into(), down_weight, &vec![0.0; hidden], RowsMut::Single(&mut out));
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

    /// The forward half of [`feed_forward`], as inference computes it, and what rounds the result of the way back.
    fn inference(kernels: &dyn Kernels, tokens: usize, hidden: usize, wide: usize, seed: u64) -> Vec<Vec<f32>> {
        let (x, starts) = (random(seed, tokens * hidden), texts(seed, tokens));
        let of_texts = |rows| Texts { rows, starts: &starts };
        let shapes = [Linear { inputs: hidden, outputs: wide }, Linear { inputs: wide, outputs: hidden }];
        let weight = random(seed ^ 3, hidden * wide);
        let packed = shapes.map(|shape| {
            let mut forward = vec![0; shape.inference_words()];
            crate::packed::pack(Isa::Portable, shape, &weight, &mut forward, &mut []);
            forward
        });
        let [up_weight, down_weight] = packed
            .each_ref()
            .map(|forward| Weight { values: &weight, packed: Some(PackedWeight { forward, backward: &[] }) });
        let (up_bias, down_bias) = (random(seed ^ 2, wide), random(seed ^ 4, hidden));
        let mut y = vec![0xffffu16; tokens * rounded_stride(wide)];
        let to = RowsMut::Rounded(&mut y);
        kernels.linear_activation(
            shapes[0],
            Activation::Gelu,
            of_texts(Rows::Single(&x)),
            up_weight,
            &up_bias,
            None,
            to,
        );
        let y = of_texts(Rows::Rounded(&y));
        let (mut out, mut rounded) = (vec![0.0; tokens * hidden], vec![0xffffu16; tokens * rounded_stride(hidden)]);
        kernels.linear(shapes[1], y, down_weight, &down_bias, RowsMut::Single(&mut out));
        kernels.linear(shapes[1], y, down_weight, &down_bias, RowsMut::Rounded(&mut rounded));
        vec![y.rows.to_single(wide), out, Rows::Rounded(&rounded).to_single(hidden)]
    }

    #[test]
    fn products_of_halves_pass_through_a_feed_forward_layer_as_in_the_scalar_twin() {
        // One token, a panel of pairs and some, more panels than are computed at once.
        for (tokens, hidden, wide) in [(1, 384, 448), (61, 448, 1536), (900, 384, 384)] {
            let want = inference(&Scalar, tokens, hidden, wide, 2);
            for isa in isas().filter(|isa| isa.has_bf16()) {
                let got = inference(&Fast::new(isa), tokens, hidden, wide, 2);
                got.iter().zip(&want).for_each(|(got, want)| close(got, want, 1e-2).unwrap());
            }
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
