//! Weights in whole numbers, as the operands of their products.

use rayon::prelude::*;

use super::{PANEL, Tile, panel_words, write_forward_on};
use crate::fixed::{output_factor, whole};
use crate::isa::{Isa, multiversion};
use crate::kernels::Linear;
use crate::rounded::{halves, halves_mut};
use crate::scratch::{TILE_ROWS, TILE_TERM, with_scratch};
use crate::strassen::{PRODUCTS, RIGHT};

/// Words of the operands of a B of `width` columns and `depth` rows, and of the inverse factor of each column.
///
/// # Panics
/// If there is no such number.
pub(crate) fn fixed_words(width: usize, depth: usize) -> usize {
    let operands = panel_words(width / 4, depth / 4).checked_mul(PRODUCTS * PRODUCTS);
    operands.and_then(|words| words.checked_add(width)).expect("a packed weight fits the address space")
}

/// Packs the weight `w`: `[N/128][7][7][K/8][32]` words of operands, the outer products first, and N inverse factors.
///
/// # Panics
/// If `out` has not that size.
pub(super) fn pack(isa: Isa, shape: Linear, w: &[f32], out: &mut [u32]) {
    let Linear { inputs, outputs } = shape;
    assert_eq!(out.len(), fixed_words(outputs, inputs), "the operands of {shape:?}");
    let (operands, inverses) = out.split_at_mut(out.len() - outputs);
    let quarter = inputs / 4;
    let factors: Vec<[f32; 2]> = w.par_chunks_exact(inputs).map(output_factor).collect();
    operands.par_chunks_exact_mut(PRODUCTS * PRODUCTS * quarter / 2 * PANEL).enumerate().for_each(
        |(panel, operands)| {
            with_scratch(&TILE_ROWS, 4 * PANEL * inputs / 2, |rows: &mut [u32]| {
                for (i, row) in halves_mut(rows).chunks_exact_mut(inputs).enumerate() {
                    let output = i / PANEL * outputs / 4 + panel * PANEL + i % PANEL;
                    whole_row(isa, &w[output * inputs..][..inputs], factors[output][0], row);
                }
                let rows = halves(rows);
                with_scratch(&TILE_TERM, PANEL * quarter / 2, |words: &mut [u32]| {
                    for (product, out) in operands.chunks_exact_mut(quarter / 2 * PANEL).enumerate() {
                        let terms = [product / PRODUCTS, product % PRODUCTS].map(|product| RIGHT[product]);
                        for (i, term) in halves_mut(words).chunks_exact_mut(quarter).enumerate() {
                            term.fill(0);
                            for (outer_sign, outer) in terms[0].parts() {
                                for (sign, inner) in terms[1].parts() {
                                    // B is the transposed weight, and so are its quarters: rows of one are columns of the other.
                                    let [of_inputs, of_outputs] = [0, 1].map(|i| 2 * outer[i] + inner[i]);
                                    let at = (of_outputs * PANEL + i) * inputs + of_inputs * quarter;
                                    add(isa, outer_sign * sign, &rows[at..][..quarter], term);
                                }
                            }
                        }
                        write_forward_on(isa, &Tile { words, stride: quarter / 2 }, out);
                    }
                });
            });
        },
    );
    for (inverse, factor) in inverses.iter_mut().zip(factors) {
        *inverse = factor[1].to_bits();
    }
}

multiversion! {
    fn whole_row(row: &[f32], factor: f32, out: &mut [u16]) {
        for (out, &x) in out.iter_mut().zip(row) {
            *out = whole(x, factor) as u16;
        }
    }
}

multiversion! {
    /// `to += sign · from`: sums of four operands fit.
    fn add(sign: i16, from: &[u16], to: &mut [u16]) {
        for (to, &from) in to.iter_mut().zip(from) {
            *to = to.wrapping_add((sign as u16).wrapping_mul(from));
        }
    }
}
