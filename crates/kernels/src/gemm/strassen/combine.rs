//! Tiles of C from those of the products of halves.

use std::arch::x86_64::*;

use super::{MR, NR};

/// The tiles of the products of a panel.
#[derive(Clone, Copy)]
pub(super) struct Sums {
    pub(super) tiles: *const f32,
    pub(super) rows: usize,
    /// Whether each row has a neighbour.
    pub(super) paired: bool,
}

/// Four tiles of C, or two for rows without neighbours, from those of the products and a bias for both halves of the columns;
/// with `ACCUMULATE` they are added to C. Row i begins at `to[i]`, its second half `step` further on.
///
/// # Safety
/// There are a tile for each product, the rows and a bias of each column, and the processor has AVX-512 F.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn combine<const ACCUMULATE: bool>(
    sums: Sums,
    bias: [*const f32; 2],
    to: &[*mut f32; 2 * MR],
    step: usize,
) {
    let Sums { tiles, rows, paired } = sums;
    // SAFETY: as the caller promises.
    unsafe {
        for part in [0, NR / 2] {
            let bias = bias.map(|bias| _mm512_loadu_ps(bias.add(part)));
            let add = |at: *mut f32, sum: __m512, half: usize| {
                let start = if ACCUMULATE { _mm512_loadu_ps(at) } else { bias[half] };
                _mm512_storeu_ps(at, _mm512_add_ps(start, sum));
            };
            for row in 0..rows {
                let m = |product: usize| _mm512_loadu_ps(tiles.add((product * MR + row) * NR + part));
                let [left, right] = [to[row].add(part), to[row].add(step + part)];
                let (m0, m2, m4) = (m(0), m(2), m(4));
                let ends = _mm512_sub_ps(m(6), m4);
                if !paired {
                    add(left, _mm512_add_ps(m0, ends), 0);
                    add(right, _mm512_add_ps(m2, m4), 1);
                    continue;
                }
                let (m1, m3) = (m(1), m(3));
                add(left, _mm512_add_ps(_mm512_add_ps(m0, m3), ends), 0);
                add(right, _mm512_add_ps(m2, m4), 1);
                let [left, right] = [to[rows + row].add(part), to[rows + row].add(step + part)];
                add(left, _mm512_add_ps(m1, m3), 0);
                add(right, _mm512_add_ps(_mm512_sub_ps(m0, m1), _mm512_add_ps(m2, m(5))), 1);
            }
        }
    }
}
