//! Linear weights as the products in bfloat16 read them: copies of the single-precision masters in words of two.
//!
//! A product multiplies pairs along the dimension it sums over, so there are two orders of a weight W `[N, K]`:
//!
//! - **forward** (summed over inputs), panels of 32 outputs: `[⌈N/32⌉][⌈K/2⌉][32]` words, word (p, k, j) holding
//!   W\[32p + j\]\[2k\] and W\[32p + j\]\[2k + 1\];
//! - **backward** (summed over outputs), panels of 32 inputs: `[⌈K/32⌉][⌈N/2⌉][32]` words, word (p, n, j) holding
//!   W\[2n\]\[32p + j\] and W\[2n + 1\]\[32p + j\].
//!
//! The first of a pair is the lower half of its word. Elements beyond the weight are zero.
//!
//! Where only inference is meant, a wide weight is packed for products of whole numbers ([`crate::fixed`]): the 49 operands of a
//! quarter of its width and of its depth that come of it, each in the forward order, panel by panel.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod bf16;
mod fixed;

use rayon::prelude::*;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::round_block;
pub(crate) use bf16::{BLOCK, bf16_bits, round_block_plainly, round_halves, round_rows, round_to_bf16, widen};
pub(crate) use fixed::fixed_words;

use crate::isa::Isa;
use crate::kernels::Linear;
use crate::scratch::{TILE_ROWS, with_scratch};

/// Outputs of a forward panel, inputs of a backward one.
pub(crate) const PANEL: usize = 32;

/// Columns that are rounded before they are written in both orders: 32 rows of them stay in the second-level cache. They are
/// whole rows of most weights, as memory read in one run comes faster.
const TILE: usize = 3072;

impl Linear {
    /// Words of the forward order of the packed weight.
    ///
    /// # Panics
    /// If there is no such number.
    pub fn forward_words(self) -> usize {
        panel_words(self.outputs, self.inputs)
    }

    /// Words of what [`Kernels::pack`](crate::Kernels::pack) writes where only inference is meant.
    ///
    /// # Panics
    /// If there is no such number.
    pub fn inference_words(self) -> usize {
        if self.uses_fixed() { fixed_words(self.outputs, self.inputs) } else { self.forward_words() }
    }

    /// Words of the backward order of the packed weight.
    ///
    /// # Panics
    /// If there is no such number.
    pub fn backward_words(self) -> usize {
        panel_words(self.inputs, self.outputs)
    }
}

/// Words of panels over `width` of pairs along `depth`.
///
/// # Panics
/// If there is no such number.
pub(crate) fn panel_words(width: usize, depth: usize) -> usize {
    // Products read panels through pointers: a number that wrapped around would pass for their length.
    let pairs = width.div_ceil(PANEL).checked_mul(depth.div_ceil(2));
    pairs.and_then(|pairs| pairs.checked_mul(PANEL)).expect("a packed weight fits the address space")
}

/// 32 rows of a weight in bfloat16, up to [`TILE`] columns of them: words of neighbours within a row.
pub(crate) struct Tile<'a> {
    words: &'a mut [u32],
    /// Words from row to row.
    stride: usize,
}

impl Tile<'_> {
    /// Lends `work` a tile for the `columns` of `rows` rows, to be set; those beyond are zero.
    pub(crate) fn lend(rows: usize, columns: usize, work: impl FnOnce(&mut Tile<'_>)) {
        let stride = columns.next_multiple_of(PANEL) / 2;
        with_scratch(&TILE_ROWS, PANEL * stride, |words: &mut [u32]| {
            words[rows * stride..].fill(0);
            work(&mut Tile { words, stride });
        });
    }

    fn row(&self, row: usize) -> &[u32] {
        &self.words[row * self.stride..][..self.stride]
    }

    /// Rounds `columns`, the tile's part of a row of the weight, into its row `row`.
    pub(crate) fn set_row(&mut self, isa: Isa, row: usize, columns: &[f32]) {
        bf16::round_row(isa, columns, &mut self.words[row * self.stride..][..self.stride]);
    }
}

/// Where 32 rows of a weight lie in its packed copies.
pub(crate) struct RowBlock<'a> {
    inputs: usize,
    /// The whole panel.
    forward: &'a mut [u32],
    /// Of each panel the words of these rows; none if that order is not kept.
    backward: Vec<&'a mut [u32]>,
}

impl<'a> RowBlock<'a> {
    /// Cuts the packed copies of a weight into blocks of 32 of its rows. `backward` may be empty: not kept.
    ///
    /// # Panics
    /// If a copy has not the size of its shape.
    pub(crate) fn split(shape: Linear, forward: &'a mut [u32], backward: &'a mut [u32]) -> Vec<RowBlock<'a>> {
        let Linear { inputs, outputs } = shape;
        assert_eq!(forward.len(), shape.forward_words(), "the forward order of {shape:?}");
        assert!([0, shape.backward_words()].contains(&backward.len()), "the backward order of {shape:?}");
        if outputs == 0 || inputs == 0 {
            return Vec::new();
        }
        let panels = forward.chunks_exact_mut(inputs.div_ceil(2) * PANEL);
        let mut blocks: Vec<_> = panels.map(|forward| RowBlock { inputs, forward, backward: Vec::new() }).collect();
        for panel in backward.chunks_exact_mut(outputs.div_ceil(2) * PANEL) {
            for (block, words) in blocks.iter_mut().zip(panel.chunks_mut(PANEL / 2 * PANEL)) {
                block.backward.push(words);
            }
        }
        blocks
    }

    /// The column ranges of the block's tiles.
    pub(crate) fn tiles(&self) -> impl Iterator<Item = std::ops::Range<usize>> + use<> {
        let inputs = self.inputs;
        (0..inputs).step_by(TILE).map(move |start| start..inputs.min(start + TILE))
    }

    /// Writes both orders of `columns`, one of [`RowBlock::tiles`], from the rounded rows.
    pub(crate) fn write(&mut self, isa: Isa, columns: std::ops::Range<usize>, tile: &Tile<'_>) {
        let forward = &mut self.forward[columns.start / 2 * PANEL..columns.end.div_ceil(2) * PANEL];
        let backward = match self.backward.as_mut_slice() {
            [] => &mut [],
            panels => &mut panels[columns.start / PANEL..columns.end.div_ceil(PANEL)],
        };
        match isa {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Fast::new` has checked that the processor has this instruction set.
            Isa::Avx512Bf16 | Isa::Avx512 => unsafe {
                avx512::write_forward(tile, forward);
                avx512::write_backward(tile, backward);
                avx512::finish_stores();
            },
            _ => {
                write_forward(tile, forward);
                write_backward(tile, backward);
            }
        }
    }
}

/// The forward order of `tile`, and what orders its stores before whatever reads them.
fn write_forward_on(isa: Isa, tile: &Tile<'_>, out: &mut [u32]) {
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Fast::new` has checked that the processor has this instruction set.
        Isa::Avx512Bf16 | Isa::Avx512 => unsafe {
            avx512::write_forward(tile, out);
            avx512::finish_stores();
        },
        _ => write_forward(tile, out),
    }
}

/// The forward order of `tile`: column pairs, a panel of 32 rows each.
fn write_forward(tile: &Tile<'_>, out: &mut [u32]) {
    for (pair, words) in out.chunks_exact_mut(PANEL).enumerate() {
        for (i, word) in words.iter_mut().enumerate() {
            *word = tile.row(i)[pair];
        }
    }
}

/// The backward order of `tile`: for each panel of 32 columns, row pairs.
fn write_backward(tile: &Tile<'_>, panels: &mut [&mut [u32]]) {
    for (first, panel) in (0..).step_by(PANEL / 2).zip(panels) {
        for (i, words) in panel.chunks_exact_mut(PANEL).enumerate() {
            let (even, odd) = (tile.row(2 * i), tile.row(2 * i + 1));
            let pairs = even[first..].iter().zip(&odd[first..]);
            for (words, (even, odd)) in words.as_chunks_mut::<2>().0.iter_mut().zip(pairs) {
                *words = [even & 0xffff | odd << 16, even >> 16 | odd & 0xffff_0000];
            }
        }
    }
}

/// Packs the weight `w` in both orders or, if `backward` is empty, for inference.
pub(crate) fn pack(isa: Isa, shape: Linear, w: &[f32], forward: &mut [u32], backward: &mut [u32]) {
    assert_eq!(w.len(), shape.outputs * shape.inputs, "the weight of {shape:?}");
    if backward.is_empty() && shape.uses_fixed() {
        return fixed::pack(isa, shape, w, forward);
    }
    let blocks = RowBlock::split(shape, forward, backward).into_par_iter();
    blocks.zip(w.par_chunks(PANEL * shape.inputs.max(1))).for_each(|(mut block, w)| {
        for columns in block.tiles() {
            Tile::lend(w.len() / shape.inputs, columns.len(), |tile| {
                for (i, row) in w.chunks_exact(shape.inputs).enumerate() {
                    tile.set_row(isa, i, &row[columns.clone()]);
                }
                block.write(isa, columns, tile);
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Arena;
    use crate::testing::{isas, random, refusal};
    use proptest::prelude::*;

    /// Both orders straight from their definition.
    fn packed_by_definition(shape: Linear, w: &[f32]) -> [Vec<u32>; 2] {
        let Linear { inputs, outputs } = shape;
        let at = |n: usize, k: usize| {
            if n < outputs && k < inputs { u32::from(bf16_bits(w[n * inputs + k])) } else { 0 }
        };
        let order = |width: usize, depth: usize, at: &dyn Fn(usize, usize) -> u32| -> Vec<u32> {
            let places = (0..width.div_ceil(PANEL)).flat_map(|p| (0..depth.div_ceil(2)).map(move |d| (p, d)));
            places
                .flat_map(|(p, d)| (0..PANEL).map(move |j| (PANEL * p + j, d)))
                .map(|(i, d)| at(i, 2 * d) | at(i, 2 * d + 1) << 16)
                .collect()
        };
        [order(outputs, inputs, &at), order(inputs, outputs, &|k, n| at(n, k))]
    }

    #[test]
    fn a_weight_beyond_the_address_space_is_refused() {
        for (inputs, outputs) in [(usize::MAX, 1), (1, usize::MAX), (1 << 33, 1 << 33)] {
            for words in [Linear::forward_words, Linear::backward_words] {
                let message = refusal(|| _ = words(Linear { inputs, outputs }));
                assert!(message.contains("fits the address space"), "{message}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn both_orders_are_as_defined(outputs in 0usize..140, inputs in prop_oneof![0usize..140, 3000usize..3300]) {
            let shape = Linear { inputs, outputs };
            let w = random(7, inputs * outputs);
            let [forward, backward] = packed_by_definition(shape, &w);
            prop_assert_eq!([forward.len(), backward.len()], [shape.forward_words(), shape.backward_words()]);
            for (isa, offset) in isas().flat_map(|isa| [0, 3].map(|offset| (isa, offset))) {
                // An arena begins at a cache line.
                let copy = |len: usize| Arena::<u32>::zeros(offset + len).unwrap();
                let (mut f, mut b) = (copy(forward.len()), copy(backward.len()));
                let (f, b) = (&mut f.as_mut_slice()[offset..], &mut b.as_mut_slice()[offset..]);
                f.fill(u32::MAX);
                pack(isa, shape, &w, f, &mut []);
                prop_assert!(f == forward, "{shape:?} on {} without the backward order", isa.name());
                f.fill(u32::MAX);
                b.fill(u32::MAX);
                pack(isa, shape, &w, f, b);
                prop_assert!(f == forward && b == backward, "{shape:?} on {}", isa.name());
            }
        }
    }
}
