//! Weights in the operands of products of halves.

use rayon::prelude::*;

use super::{PANEL, Tile, bf16, strassen_words, write_forward_on};
use crate::isa::Isa;
use crate::kernels::Linear;
use crate::rounded::{halves, halves_mut};
use crate::scratch::{TILE_ROWS, TILE_TERM, with_scratch};
use crate::strassen::{PRODUCTS, RIGHT};

/// Packs the weight `w`: `[N/64][7][K/4][32]` words.
///
/// # Panics
/// If `out` has not that size.
pub(super) fn pack(isa: Isa, shape: Linear, w: &[f32], out: &mut [u32]) {
    let Linear { inputs, outputs } = shape;
    assert_eq!(out.len(), strassen_words(outputs, inputs), "the operands of {shape:?}");
    // Words of half a row.
    let half = inputs / 4;
    out.par_chunks_exact_mut(PRODUCTS * half * PANEL).enumerate().for_each(|(panel, out)| {
        with_scratch(&TILE_ROWS, 2 * PANEL * 2 * half, |rows: &mut [u32]| {
            for (i, words) in rows.chunks_exact_mut(2 * half).enumerate() {
                let row = i / PANEL * outputs / 2 + panel * PANEL + i % PANEL;
                bf16::round_row(isa, &w[row * inputs..][..inputs], words);
            }
            let rows = halves(rows);
            with_scratch(&TILE_TERM, PANEL * half, |words: &mut [u32]| {
                for (term, out) in RIGHT.into_iter().zip(out.chunks_exact_mut(half * PANEL)) {
                    for (i, words) in words.chunks_exact_mut(half).enumerate() {
                        // B is the transposed weight, and so are its quarters: rows of one are columns of the other.
                        let quarter = |[of_inputs, of_outputs]: [usize; 2]| {
                            &rows[(of_outputs * PANEL + i) * inputs + of_inputs * 2 * half..][..2 * half]
                        };
                        term.write(isa, quarter, halves_mut(words));
                    }
                    write_forward_on(isa, &Tile { words, stride: half }, out);
                }
            });
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packed::{bf16_bits, pack, round_to_bf16};
    use crate::strassen::Term;
    use crate::testing::{isas, random};

    /// From their definition: word (p, product, k, j).
    fn by_definition(shape: Linear, w: &[f32]) -> Vec<u32> {
        let Linear { inputs, outputs } = shape;
        let element = |p: usize, product: usize, k: usize, j: usize| {
            let quarter = |[row, column]: [usize; 2]| {
                round_to_bf16(w[(column * outputs / 2 + PANEL * p + j) * inputs + row * inputs / 2 + k])
            };
            u32::from(bf16_bits(match RIGHT[product] {
                Term::One(a) => quarter(a),
                Term::Sum(a, b) => quarter(a) + quarter(b),
                Term::Difference(a, b) => quarter(a) - quarter(b),
            }))
        };
        let products = (0..outputs / 2 / PANEL).flat_map(|p| (0..PRODUCTS).map(move |product| (p, product)));
        let groups = products.flat_map(|of| (0..inputs / 4).map(move |group| (of, group)));
        groups
            .flat_map(|(of, group)| (0..PANEL).map(move |j| (of, 2 * group, j)))
            .map(|((p, product), k, j)| element(p, product, k, j) | element(p, product, k + 1, j) << 16)
            .collect()
    }

    #[test]
    fn the_operands_are_as_defined() {
        let shape = Linear { inputs: 448, outputs: 384 };
        let w = random(7, shape.inputs * shape.outputs);
        let want = by_definition(shape, &w);
        for isa in isas() {
            let mut got = vec![u32::MAX; shape.inference_words()];
            pack(isa, shape, &w, &mut got, &mut []);
            assert!(got == want, "{}", isa.name());
        }
    }
}
