//! The loop nest of products of whole numbers, [`crate::fixed`], over all threads: two levels of [`crate::strassen`], that is 49
//! products of quarters instead of 64.
//!
//! A panel is four times `MR` rows, a quarter of which are the rows of a tile. The 49 operands that come of them are packed
//! once for all columns. A task takes a panel of columns in each quarter of C, and one outer product after the other: for each
//! panel of rows it computes seven tiles and puts them together as four of that outer product. With those of the last one
//! C comes of them all.

mod registers;

use std::ops::Range;

use rayon::prelude::*;

use super::Epilogue;
use super::avx512bf16_loop::{LINE, WholeOperands};
use super::drive::{PARALLEL_FROM, Plan, for_each_chunk};
use super::finish::{Finish, First};
use super::matrix::{Elements, Matrix};
use crate::fixed::row_factor;
use crate::isa::Isa;
use crate::packed::{PANEL, round_halves, widen};
use crate::rounded::{halves_mut, rounded_stride};
use crate::scratch::{A_PANELS, C_BLOCK, ROUNDED_ROWS, SUMS, TILES, with_scratch};
use crate::shared::SharedMut;
use crate::strassen::PRODUCTS;
use registers::{Kept, Scales, combine, finish, measure, tile, write_left};

/// Words of packed panels of rows that are computed before the next ones: with more they outgrow the last-level cache.
const PACKED_WORDS: usize = 1 << 20;
/// Columns of a tile.
const NR: usize = PANEL;
/// Rows of a tile.
const MR: usize = 12;
/// Quarters of the rows or columns.
const QUADS: usize = 4;
/// Elements of a tile.
const TILE: usize = MR * NR;

/// C = A·B with `epilogue`, one that has a bias, over all threads of the current pool.
pub(super) fn drive(isa: Isa, a: Matrix<'_>, packed: &[u32], n: usize, c: &mut [f32], epilogue: Epilogue<'_>) {
    let (m, k) = (a.rows, a.columns);
    let (First::Bias(bias), finish, None) = Finish::of(epilogue) else {
        panic!("products of whole numbers have a bias")
    };
    assert_eq!(a.column_stride, 1, "rows of activations");
    let threads = if m * n * k >= PARALLEL_FROM { rayon::current_num_threads() } else { 1 };
    let (operands, inverses) = packed.split_at(packed.len() - n);
    // SAFETY: any bits are a number.
    let inverses = unsafe { std::slice::from_raw_parts(inverses.as_ptr().cast(), inverses.len()) };
    let stride = rounded_stride(k / QUADS) / 2;
    let size = PRODUCTS * PRODUCTS * MR * stride + QUADS * MR;
    let nest = Nest { isa, a, operands, inverses, bias, n, stride, size, c: SharedMut::new(c), finish };
    let count = m.div_ceil(QUADS * MR);
    let at_once = count.div_ceil(count.div_ceil((PACKED_WORDS / size).max(1)).max(1)).max(1);
    for first in (0..count).step_by(at_once) {
        nest.compute(first..count.min(first + at_once), threads);
    }
}

struct Nest<'a> {
    isa: Isa,
    a: Matrix<'a>,
    /// Of B, `[N/128][7][7][K/8][32]`.
    operands: &'a [u32],
    /// The inverse factors of its columns.
    inverses: &'a [f32],
    bias: &'a [f32],
    n: usize,
    /// Words from row to row of packed operands.
    stride: usize,
    /// Words of a packed panel: its operands, and the inverse factors of its rows.
    size: usize,
    c: SharedMut<'a>,
    finish: Finish<'a>,
}

impl Nest<'_> {
    fn compute(&self, panels: Range<usize>, threads: usize) {
        let Plan { blocks, splits } = Plan::new(panels.len(), self.n / (QUADS * NR), threads);
        let per_split = panels.len().div_ceil(splits);
        with_scratch(&A_PANELS, panels.len() * self.size, |packed: &mut [u32]| {
            for_each_chunk(packed, self.size, threads, |panel, out| self.pack(panels.start + panel, out));
            let packed = &*packed;
            let task = |task: usize| {
                let (block, split) = (task % blocks, task / blocks);
                let range = (split * per_split).min(panels.len())..((split + 1) * per_split).min(panels.len());
                let packed = &packed[range.start * self.size..range.end * self.size];
                self.part(panels.start + range.start..panels.start + range.end, packed, block);
            };
            if threads > 1 {
                (0..blocks * splits).into_par_iter().with_max_len(1).for_each(task);
            } else {
                (0..blocks * splits).for_each(task);
            }
        });
    }

    /// The rows of a panel, and how many there are in each of its quarters; the last may have fewer.
    fn rows(&self, panel: usize) -> (Range<usize>, usize) {
        let first = panel * QUADS * MR;
        let rows = first..self.a.rows.min(first + QUADS * MR);
        let each = rows.len().div_ceil(QUADS);
        (rows, each)
    }

    /// The operands that come of a panel, and the inverse factors of its rows.
    fn pack(&self, panel: usize, out: &mut [u32]) {
        let k = self.a.columns;
        let (rows, each) = self.rows(panel);
        let (operands, inverses) = out.split_at_mut(self.size - QUADS * MR);
        let operands = halves_mut(operands);
        let step = 2 * MR * self.stride;
        with_scratch(&ROUNDED_ROWS, QUADS * k / 2, |room: &mut [u32]| {
            let room = halves_mut(room);
            for at in 0..each {
                let mut quad = [(std::ptr::null(), 0.0); QUADS];
                for (i, (quad, room)) in quad.iter_mut().zip(room.chunks_exact_mut(k)).enumerate() {
                    let row = rows.start + i * each + at;
                    let row = if row >= rows.end {
                        room.fill(0);
                        &*room
                    } else {
                        match self.a.data {
                            Elements::Rounded(data) => &data[row * self.a.row_stride..][..k],
                            Elements::Single(data) => {
                                round_halves(self.isa, &data[row * self.a.row_stride..][..k], room);
                                &*room
                            }
                        }
                    };
                    // SAFETY: rows are in whole registers; products of whole numbers are only computed on AVX512_BF16.
                    let (largest, squares) = unsafe { measure(row, row.as_ptr().wrapping_add(self.a.row_stride)) };
                    let [factor, inverse] = row_factor(widen(largest), &squares, k);
                    inverses[i * MR + at] = inverse.to_bits();
                    *quad = (row.as_ptr(), factor);
                }
                // SAFETY: as above, and every operand has room for its rows.
                unsafe { write_left(quad, k / QUADS, operands[2 * at * self.stride..].as_mut_ptr(), step) };
            }
        });
    }

    /// A panel of columns in every quarter of C, of some panels of rows.
    fn part(&self, panels: Range<usize>, packed: &[u32], column: usize) {
        let step = panels.len() * QUADS * TILE;
        let room = if self.passes_through() { QUADS * MR * QUADS * NR } else { 0 };
        with_scratch(&SUMS, PRODUCTS * step, |sums: &mut [u32]| {
            with_scratch(&TILES, PRODUCTS * TILE, |tiles: &mut [u32]| {
                with_scratch(&C_BLOCK, room, |block: &mut [f32]| {
                    for product in 0..PRODUCTS {
                        for (i, panel) in panels.clone().enumerate() {
                            let of = |i: usize| &packed[i * self.size + product * PRODUCTS * MR * self.stride..];
                            let a = [of(i), of((i + 1) % panels.len())].map(<[u32]>::as_ptr);
                            let sums = &mut sums[i * QUADS * TILE..];
                            let outer = Outer { product, panel, column, turn: i, turns: panels.len() };
                            self.sums(outer, a, tiles, &mut sums[product * step..][..QUADS * TILE]);
                            if product == PRODUCTS - 1 {
                                let inverses = &packed[(i + 1) * self.size - QUADS * MR..][..QUADS * MR];
                                let (_, each) = self.rows(panel);
                                self.complete(panel, column, Sums { sums, step, each, inverses }, block);
                            }
                        }
                    }
                });
            });
        });
    }

    /// Whether C is only written to a buffer, of which the results come.
    fn passes_through(&self) -> bool {
        self.finish.consumes() && !matches!(self.finish, Finish::Rounded(_))
    }

    /// The sums of one outer product: a tile of every inner quarter. `a` is the panel's operands, and those to come.
    fn sums(&self, outer: Outer, [a, next]: [*const u32; 2], tiles: &mut [u32], sums: &mut [u32]) {
        let Outer { product, panel, column, turn, turns } = outer;
        let words = self.a.columns / 2 / QUADS * NR;
        let (rows, each) = self.rows(panel);
        let b = &self.operands[(column * PRODUCTS + product) * PRODUCTS * words..];
        // B of the next outer product lies behind this one's, in memory: an even part of it for each tile.
        let to_come = b.as_ptr().wrapping_add(PRODUCTS * words);
        let part = words.div_ceil(turns);
        for inner in 0..PRODUCTS {
            if product == PRODUCTS - 1 {
                // A part of the rows a tile: all at once would be more requests than can wait.
                let share = rows.len().div_ceil(PRODUCTS);
                let rows = rows.clone().skip(inner * share).take(share);
                for first in (0..QUADS).map(|i| i * self.n / QUADS + column * NR) {
                    self.finish.prefetch(rows.clone(), first..first + NR, self.n);
                }
            }
            let operand = |inner| a.wrapping_add(inner * MR * self.stride);
            let operands = WholeOperands {
                lines: words / NR / LINE,
                a: operand(inner),
                stride: self.stride,
                b: b[inner * words..].as_ptr(),
                ahead: if inner + 1 < PRODUCTS { operand(inner + 1) } else { next },
                far: to_come.wrapping_add((turn * PRODUCTS + inner) * part),
                far_step: (4 * NR).div_ceil(turns),
            };
            let out = tiles[inner * TILE..].as_mut_ptr().cast();
            // SAFETY: A and B hold these groups, and the buffer a tile for each product.
            unsafe { tile(each, operands, out) };
        }
        // SAFETY: seven tiles, and room for four.
        unsafe { combine(tiles.as_ptr().cast(), each, sums.as_mut_ptr().cast()) };
    }

    /// C of a panel of rows and one of columns, and what is done with it.
    fn complete(&self, panel: usize, column: usize, sums: Sums<'_>, block: &mut [f32]) {
        let (rows, each) = self.rows(panel);
        let (quarter, first) = (self.n / QUADS, column * NR);
        if let Finish::Rounded(out) = self.finish {
            let row = |i| out.get().wrapping_add((rows.start + i) * rounded_stride(self.n) + first);
            return self.write(column, sums, &places(rows.len(), each, row), quarter);
        }
        let passes_through = self.passes_through();
        let stride = if passes_through { NR } else { quarter };
        let (c, block) = (self.c.get().wrapping_add(rows.start * self.n + first), block.as_mut_ptr());
        let row = |i| if passes_through { block.wrapping_add(i * QUADS * NR) } else { c.wrapping_add(i * self.n) };
        self.write(column, sums, &places(rows.len(), each, row), stride);
        if matches!(self.finish, Finish::Nothing) {
            return;
        }
        for i in 0..QUADS {
            let values = rows.clone().enumerate().map(|(at, number)| {
                // SAFETY: one task owns these columns of C, the block is this thread's, and the sums of the panel are complete.
                (number, unsafe { std::slice::from_raw_parts_mut(row(at).wrapping_add(i * stride), NR) })
            });
            // SAFETY: tasks cover disjoint (row, column) blocks of C and of every result.
            unsafe { self.finish.rows(self.isa, values, [i * quarter + first, self.n]) };
        }
    }

    /// Writes the rows of C to `to`, quarters of their columns `stride` apart.
    fn write<T: Kept>(&self, column: usize, sums: Sums<'_>, to: &[*mut T; QUADS * MR], stride: usize) {
        let of_columns = |values: &[f32]| [0, 1, 2, 3].map(|i| values[i * self.n / QUADS + column * NR..].as_ptr());
        let of_rows = std::array::from_fn(|i| f32::from_bits(sums.inverses[i]));
        let scales = Scales { rows: &of_rows, columns: of_columns(self.inverses), bias: of_columns(self.bias) };
        // SAFETY: one task owns these columns of every result, and sums of all products follow.
        unsafe { finish(sums.sums.as_ptr().cast(), sums.step, sums.each, scales, to, stride) };
    }
}

/// An outer product of a panel of rows and one of columns.
#[derive(Clone, Copy)]
struct Outer {
    product: usize,
    panel: usize,
    column: usize,
    /// The place of the panel among those that take the same operands of B one after the other, and their number.
    turn: usize,
    turns: usize,
}

/// What C of a panel comes of.
#[derive(Clone, Copy)]
struct Sums<'a> {
    /// Tiles of the first outer product.
    sums: &'a [u32],
    /// From outer product to outer product.
    step: usize,
    /// Rows in a quarter of the panel.
    each: usize,
    /// The inverse factors of its rows.
    inverses: &'a [u32],
}

/// The places of `rows` rows of a panel, by its quarters of `each`; null where there is none.
fn places<T>(rows: usize, each: usize, row: impl Fn(usize) -> *mut T) -> [*mut T; QUADS * MR] {
    let mut places = [std::ptr::null_mut(); QUADS * MR];
    for i in 0..rows {
        places[i / each * MR + i % each] = row(i);
    }
    places
}

#[cfg(test)]
mod tests;
