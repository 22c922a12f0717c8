//! The loop nest of products that are made of seven products of halves, [`crate::strassen`], over all threads.
//!
//! A panel is `MR` pairs of rows. The seven operands that come of them are packed once for all columns; a task then computes
//! the seven tiles of a panel of columns into a buffer of the first-level cache, and from them four tiles of C.

mod combine;

use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
use std::ops::Range;

use rayon::prelude::*;

use super::drive::{PARALLEL_FROM, Plan, for_each_chunk};
use super::finish::{Finish, First};
use super::matrix::{Elements, Matrix};
use super::{Epilogue, Left, MicroKernel, Start, Tile};
use crate::isa::Isa;
use crate::packed::round_halves;
use crate::rounded::{halves, halves_mut, rounded_stride};
use crate::scratch::{A_PANELS, B_PANELS, C_BLOCK, ROUNDED_ROWS, TILES, with_scratch};
use crate::shared::SharedMut;
use crate::strassen::{ALONE, PRODUCTS, RIGHT, Term, write_left, write_right};
use combine::{Sums, combine};

/// Panels packed and computed before the next ones: bounds the buffer, and keeps it in the last-level cache.
const PANELS_AT_ONCE: usize = 32;
/// Bytes of B that stay in the second-level cache beside what passes through.
const BLOCK_BYTES: usize = 704 << 10;
/// Panels of columns of a task at most: with more, too few tasks are left for many threads.
const MOST_COLUMN_PANELS: usize = 4;
/// Columns of a tile.
const NR: usize = 32;
/// Rows, or pairs of them, of a tile.
const MR: usize = 12;

/// The products that pairs of rows take part in.
const ALL: [usize; PRODUCTS] = [0, 1, 2, 3, 4, 5, 6];
/// What sums without a bias have instead of one.
const ZEROS: [f32; NR] = [0.0; NR];

/// The operands of B in a panel of columns of both halves, `[groups][32]` each; null where they are not needed.
type RightTerms = [*const u32; PRODUCTS];

/// Panels of columns in each half of C.
fn column_panels(n: usize) -> usize {
    n / (2 * NR)
}

/// Rows of A that are computed together.
#[derive(Debug, Clone, Copy)]
struct Panel<'a> {
    /// Up to [`MR`] rows.
    rows: &'a [u32],
    /// Whether each is computed with the row after it.
    paired: bool,
}

impl Panel<'_> {
    fn products(self) -> &'static [usize] {
        if self.paired { &ALL } else { &ALONE }
    }

    /// The rows of C that come of it, the first of pairs and then the second ones.
    fn rows(&self) -> impl Iterator<Item = usize> + Clone {
        let second = if self.paired { self.rows } else { &[] };
        self.rows.iter().map(|&row| row as usize).chain(second.iter().map(|&row| row as usize + 1))
    }
}

/// Which rows are computed with the next one, of which texts begin at `texts`, and which without.
fn pair_up(texts: &[u32], rows: usize) -> [Vec<u32>; 2] {
    if texts.is_empty() {
        return [Vec::new(), (0..rows as u32).collect()];
    }
    assert!(texts[0] == 0 && texts[texts.len() - 1] as usize == rows, "texts of all rows");
    let ends = || texts.windows(2).map(|text| (text[0], text[1]));
    let pairs = ends().flat_map(|(start, end)| (start..end.saturating_sub(1)).step_by(2)).collect();
    let alone = ends().filter(|(start, end)| (end - start) % 2 == 1).map(|(_, end)| end - 1).collect();
    [pairs, alone]
}

/// C = A·B with `epilogue` over all threads of the current pool; rows from `texts[i]` to `texts[i + 1]` are a text.
pub(super) fn drive<K: MicroKernel<Element = u32>>(
    isa: Isa,
    a: Matrix<'_>,
    texts: &[u32],
    b: &[u32],
    n: usize,
    c: &mut [f32],
    epilogue: Epilogue<'_>,
) {
    assert!((K::MR, K::NR) == (MR, NR), "the tile that weights are packed for");
    let (m, k) = (a.rows, a.columns);
    let (first, finish, squares) = Finish::of(epilogue);
    assert!(squares.is_none(), "products of halves are not those of gradients of weights");
    assert_eq!(a.column_stride, 1, "rows of activations");
    let threads = if m * n * k >= PARALLEL_FROM { rayon::current_num_threads() } else { 1 };
    let [pairs, alone] = pair_up(texts, m);
    let panel = |paired| move |rows| Panel { rows, paired };
    let panels: Vec<_> = pairs.chunks(MR).map(panel(true)).chain(alone.chunks(MR).map(panel(false))).collect();
    let nest =
        Nest { isa, a, b, n, groups: k / 4, stride: rounded_stride(k / 2) / 2, c: SharedMut::new(c), first, finish };
    let at_once = panels.len().div_ceil(panels.len().div_ceil(PANELS_AT_ONCE).max(1)).max(1);
    for panels in panels.chunks(at_once) {
        nest.compute::<K>(panels, threads);
    }
}

struct Nest<'a> {
    isa: Isa,
    a: Matrix<'a>,
    /// As [`crate::packed`] has it; each task makes the terms it needs.
    b: &'a [u32],
    n: usize,
    /// Words of half a row.
    groups: usize,
    /// Words from row to row of packed operands.
    stride: usize,
    c: SharedMut<'a>,
    first: First<'a>,
    finish: Finish<'a>,
}

impl Nest<'_> {
    fn compute<K: MicroKernel<Element = u32>>(&self, panels: &[Panel<'_>], threads: usize) {
        let size = PRODUCTS * MR * self.stride;
        let column_panels = column_panels(self.n);
        let at_once = (BLOCK_BYTES / (PRODUCTS * self.groups * NR * 4)).clamp(1, MOST_COLUMN_PANELS);
        // Narrow tasks rather than rows cut in two, which would make each operand of B twice; as many for each thread.
        let blocks = column_panels.div_ceil(at_once).max(4 * threads).next_multiple_of(threads);
        let at_once = (column_panels / blocks).max(1);
        let blocks = column_panels.div_ceil(at_once);
        let Plan { blocks, splits } = Plan::new(panels.len(), blocks, threads);
        let per_split = panels.len().div_ceil(splits);
        with_scratch(&A_PANELS, panels.len() * size, |packed: &mut [u32]| {
            for_each_chunk(packed, size, threads, |panel, out| self.pack(panels[panel], out));
            let packed = &*packed;
            let task = |task: usize| {
                let (block, split) = (task % blocks, task / blocks);
                let columns = block * at_once..((block + 1) * at_once).min(column_panels);
                let range = (split * per_split).min(panels.len())..((split + 1) * per_split).min(panels.len());
                self.part::<K>(&panels[range.clone()], &packed[range.start * size..range.end * size], columns);
            };
            if threads > 1 {
                (0..blocks * splits).into_par_iter().with_max_len(1).for_each(task);
            } else {
                (0..blocks * splits).for_each(task);
            }
        });
    }

    /// The seven operands, or four, that come of a panel.
    fn pack(&self, panel: Panel<'_>, out: &mut [u32]) {
        let (k, stride) = (self.a.columns, self.a.row_stride);
        with_scratch(&ROUNDED_ROWS, k, |room: &mut [u32]| {
            let room = halves_mut(room);
            let step = 2 * MR * self.stride;
            for (at, &row) in panel.rows.iter().enumerate() {
                let count = if panel.paired { 2 } else { 1 };
                let (rows, stride) = match self.a.data {
                    Elements::Rounded(data) => (&data[row as usize * stride..], stride),
                    Elements::Single(data) => {
                        for (i, room) in room.chunks_exact_mut(k).take(count).enumerate() {
                            round_halves(self.isa, &data[(row as usize + i) * stride..][..k], room);
                        }
                        (&*room, k)
                    }
                };
                let second = panel.paired.then(|| &rows[stride..][..k]);
                write_left(&rows[..k], second, &mut halves_mut(out)[2 * at * self.stride..], step);
            }
        });
    }

    /// The columns of `columns`, in panels of both halves of C, of all panels of rows.
    fn part<K: MicroKernel<Element = u32>>(&self, panels: &[Panel<'_>], packed: &[u32], columns: Range<usize>) {
        let width = columns.len() * NR;
        let room = if self.finish.consumes() { 4 * MR * width } else { 0 };
        self.with_right(panels, columns.clone(), |b| {
            with_scratch(&C_BLOCK, room, |block: &mut [f32]| {
                with_scratch(&TILES, PRODUCTS * MR * NR, |tiles: &mut [f32]| {
                    self.rows::<K>(panels, packed, b, columns, block, tiles);
                });
            });
        });
    }

    /// [`Nest::part`] with its buffers: C where it only passes through, and the tiles of a panel.
    fn rows<K: MicroKernel<Element = u32>>(
        &self,
        panels: &[Panel<'_>],
        packed: &[u32],
        b: &[RightTerms],
        columns: Range<usize>,
        block: &mut [f32],
        tiles: &mut [f32],
    ) {
        let (size, width) = (PRODUCTS * MR * self.stride, columns.len() * NR);
        for (i, panel) in panels.iter().enumerate() {
            let a = &packed[i * size..][..size];
            let next = packed[(i + 1) % panels.len() * size..].as_ptr();
            let rows = self.target(panel, block, columns.start * NR, width);
            // SAFETY: one task owns these columns of both halves of C, and the block is this thread's.
            unsafe { self.tiles::<K>(panel, &rows, [a.as_ptr(), next], b, columns.clone(), tiles) };
            if matches!(self.finish, Finish::Nothing) {
                continue;
            }
            for half in 0..2 {
                let values = rows.all().map(|(row, first)| {
                    // SAFETY: as above, and the sums of the panel are complete.
                    (row, unsafe { std::slice::from_raw_parts_mut(first.wrapping_add(half * rows.step), width) })
                });
                let column = half * self.n / 2 + columns.start * NR;
                // SAFETY: tasks cover disjoint (row, column) blocks of C and of every result.
                unsafe { self.finish.rows(self.isa, values, [column, self.n]) };
            }
        }
    }

    /// Lends `work` the operands of B in each panel of `columns` for the products that `panels` take part in.
    fn with_right(&self, panels: &[Panel<'_>], columns: Range<usize>, work: impl FnOnce(&[RightTerms])) {
        let size = self.groups * NR;
        let mut terms = [[std::ptr::null(); PRODUCTS]; MOST_COLUMN_PANELS];
        let terms = &mut terms[..columns.len()];
        let products = if panels.iter().any(|panel| panel.paired) { &ALL[..] } else { &ALONE };
        with_scratch(&B_PANELS, columns.len() * products.len() * size, |room: &mut [u32]| {
            let mut room = room.chunks_exact_mut(size);
            for (terms, column) in terms.iter_mut().zip(columns) {
                let quarters = [0, 1].map(|row| {
                    [0, column_panels(self.n)].map(|half| &self.b[((half + column) * 2 + row) * size..][..size])
                });
                let mut sums = [const { None }; PRODUCTS];
                for &product in products {
                    match RIGHT[product] {
                        Term::One([row, half]) => terms[product] = quarters[row][half].as_ptr(),
                        Term::Sum(..) | Term::Difference(..) => sums[product] = room.next().map(halves_mut),
                    }
                }
                write_right(quarters.map(|row| row.map(halves)), &mut sums);
                for (term, sum) in terms.iter_mut().zip(sums) {
                    *term = sum.map_or(*term, |sum| sum.as_ptr().cast());
                }
            }
            work(terms);
        });
    }

    /// Where the rows of a panel go from `column` on: into `block`, if they only pass through, with `width` columns a half.
    fn target(&self, panel: &Panel<'_>, block: &mut [f32], column: usize, width: usize) -> Target {
        let mut target =
            Target { count: 0, rows: [0; 2 * MR], first: [std::ptr::null_mut(); 2 * MR], step: self.n / 2 };
        if self.finish.consumes() {
            target.step = width;
        }
        for (at, row) in panel.rows().enumerate() {
            target.rows[at] = row;
            target.first[at] = if self.finish.consumes() {
                block.as_mut_ptr().wrapping_add(at * 2 * width)
            } else {
                self.c.get().wrapping_add(row * self.n + column)
            };
            target.count += 1;
        }
        target
    }

    /// The sums of a panel in the columns of `columns`. `a` is its operands and the ones to come.
    ///
    /// # Safety
    /// The columns of both halves of the target are this task's.
    unsafe fn tiles<K: MicroKernel<Element = u32>>(
        &self,
        panel: &Panel<'_>,
        target: &Target,
        [a, mut next]: [*const u32; 2],
        b: &[RightTerms],
        columns: Range<usize>,
        tiles: &mut [f32],
    ) {
        let products = panel.products();
        let share = target.count.div_ceil(products.len());
        for (j, column) in columns.enumerate() {
            for (turn, &product) in products.iter().enumerate() {
                // A part of the rows a product: all at once would be more requests than can wait.
                self.ask(target, turn * share..(turn + 1) * share, j * NR, column * NR);
                let first = a.wrapping_add(product * MR * self.stride);
                let left = Left { first, row_stride: Some(self.stride), ahead: next };
                next = next.wrapping_add(3 * self.stride);
                let c = tiles[product * MR * NR..].as_mut_ptr();
                let tile = Tile { c, stride: NR, start: Start::Zero, columns: NR, streamed: None };
                // SAFETY: A and B hold `groups` groups, and the buffer a tile for each product.
                unsafe { K::tile(self.groups, left, b[j][product], tile, panel.rows.len()) };
            }
            let sums = Sums { tiles: tiles.as_ptr(), rows: panel.rows.len(), paired: panel.paired };
            let to = target.first.map(|first| first.wrapping_add(j * NR));
            // SAFETY: as the caller promises; products of halves are only computed on AVX512_BF16.
            unsafe {
                match self.first {
                    First::Zero => combine::<false>(sums, [ZEROS.as_ptr(); 2], &to, target.step),
                    First::C => combine::<true>(sums, [ZEROS.as_ptr(); 2], &to, target.step),
                    First::Bias(bias) => {
                        let bias = [0, self.n / 2].map(|half| bias[half + column * NR..][..NR].as_ptr());
                        combine::<false>(sums, bias, &to, target.step);
                    }
                }
            }
        }
    }

    /// Asks for some rows of C in a tile's columns, from `column` on and in the second half, and for what finishing them takes;
    /// `offset` columns on from where the target begins.
    fn ask(&self, target: &Target, rows: Range<usize>, offset: usize, column: usize) {
        let rows = rows.start.min(target.count)..rows.end.min(target.count);
        for half in 0..2 {
            let column = half * self.n / 2 + column;
            self.finish.prefetch(target.rows[rows.clone()].iter().copied(), column..column + NR, self.n);
        }
        if !self.finish.consumes() {
            for first in &target.first[rows] {
                for at in [0, NR / 2, target.step, target.step + NR / 2] {
                    // SAFETY: a prefetch of any address is harmless.
                    unsafe { _mm_prefetch::<_MM_HINT_T0>(first.wrapping_add(offset + at).cast()) };
                }
            }
        }
    }
}

/// Where the rows of C that come of a panel go.
struct Target {
    count: usize,
    rows: [usize; 2 * MR],
    /// The first of their columns.
    first: [*mut f32; 2 * MR],
    /// As many elements on is the same column of the second half.
    step: usize,
}

impl Target {
    fn all(&self) -> impl Iterator<Item = (usize, *mut f32)> {
        self.rows.iter().copied().zip(self.first.iter().copied()).take(self.count)
    }
}

#[cfg(test)]
mod tests;
