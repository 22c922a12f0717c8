//! The small matrix operations of one head, straight from where the operands lie: nothing is packed for its own sake.

use super::LINE;
use super::lanes::{Lanes, Work};
use super::operand::{Operand, Products};
use crate::word::Word;

/// `out = A·B`, or `out += A·B`: `rows` sums of `depth` rows of B, weighted by the elements of A. Elements of both are words
/// of numbers along the dimension that is summed over.
#[derive(Clone, Copy)]
pub(super) struct Product<W> {
    pub(super) rows: usize,
    pub(super) depth: usize,
    pub(super) columns: usize,
    pub(super) a: *const W,
    /// From one row of A to the next.
    pub(super) a_row: usize,
    /// From one column of A to the next.
    pub(super) a_column: usize,
    /// Rows of B, readable up to whole vectors.
    pub(super) b: *const W,
    pub(super) b_row: usize,
    pub(super) out: *mut f32,
    pub(super) out_row: usize,
    pub(super) accumulate: bool,
}

impl<W: Operand> Work<W> for Product<W> {
    /// # Safety
    /// A and B are readable and `out` is accessible, by this call alone, over these extents.
    #[inline(always)]
    unsafe fn run<S: Products<W>>(self, s: S) {
        let mut column = 0;
        while column < self.columns {
            let vectors = ((self.columns - column) / S::WIDTH).min(S::TILE_ROWS.len());
            // SAFETY: the columns lie inside the extents that the caller promises.
            unsafe {
                let part = Product {
                    columns: self.columns - column,
                    b: self.b.add(column),
                    out: self.out.add(column),
                    ..self
                };
                match vectors {
                    0 => return part.edge(s),
                    1 => part.strip::<S, 1>(s),
                    2 => part.strip::<S, 2>(s),
                    3 => part.strip::<S, 3>(s),
                    _ => part.strip::<S, 4>(s),
                }
            }
            column += vectors * S::WIDTH;
        }
    }
}

impl<W: Operand> Product<W> {
    /// The first `VECTORS` vectors of columns, in as few tiles as there can be, one row higher or lower.
    ///
    /// # Safety
    /// As [`Product::run`].
    #[inline(always)]
    unsafe fn strip<S: Products<W>, const VECTORS: usize>(self, s: S) {
        let tiles = self.rows.div_ceil(S::TILE_ROWS[VECTORS - 1]);
        let (height, higher) = (self.rows / tiles, self.rows % tiles);
        let rest = higher * (height + 1);
        // SAFETY: the rows lie inside the extents that the caller promises.
        unsafe {
            self.tiles::<S, VECTORS>(s, higher, height + 1);
            let (a, out) = (self.a.add(rest * self.a_row), self.out.add(rest * self.out_row));
            Product { a, out, ..self }.tiles::<S, VECTORS>(s, tiles - higher, height);
        }
    }

    /// # Safety
    /// As [`Product::run`].
    #[inline(always)]
    unsafe fn tiles<S: Products<W>, const VECTORS: usize>(mut self, s: S, tiles: usize, height: usize) {
        for _ in 0..tiles {
            // SAFETY: passed on to the caller.
            unsafe {
                match height {
                    1 => self.tile::<S, VECTORS, 1>(s),
                    2 => self.tile::<S, VECTORS, 2>(s),
                    3 => self.tile::<S, VECTORS, 3>(s),
                    4 => self.tile::<S, VECTORS, 4>(s),
                    5 => self.tile::<S, VECTORS, 5>(s),
                    6 => self.tile::<S, VECTORS, 6>(s),
                    7 => self.tile::<S, VECTORS, 7>(s),
                    _ => self.tile::<S, VECTORS, 8>(s),
                }
            }
            self.a = self.a.wrapping_add(height * self.a_row);
            self.out = self.out.wrapping_add(height * self.out_row);
        }
    }

    /// # Safety
    /// As [`Product::run`].
    #[inline(always)]
    unsafe fn tile<S: Products<W>, const VECTORS: usize, const ROWS: usize>(self, s: S) {
        // SAFETY: passed on to the caller.
        unsafe {
            let mut sums = [[s.splat(0.0); VECTORS]; ROWS];
            let (mut a, mut b) = (self.a, self.b);
            for _ in 0..self.depth {
                let mut row_of_b = [s.splat(0.0); VECTORS];
                for (v, vector) in row_of_b.iter_mut().enumerate() {
                    *vector = s.load(b.add(v * S::WIDTH).cast());
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let weight = s.splat(*a.add(r * self.a_row).cast());
                    for (sum, vector) in sums.iter_mut().zip(row_of_b) {
                        *sum = s.add_products(weight, vector, *sum);
                    }
                }
                a = a.wrapping_add(self.a_column);
                b = b.wrapping_add(self.b_row);
            }
            if self.accumulate {
                for (r, sums) in sums.iter_mut().enumerate() {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        *sum = s.add(s.load(self.out.add(r * self.out_row + v * S::WIDTH)), *sum);
                    }
                }
            }
            for (r, sums) in sums.iter().enumerate() {
                for (v, &sum) in sums.iter().enumerate() {
                    s.store(sum, self.out.add(r * self.out_row + v * S::WIDTH));
                }
            }
        }
    }

    /// The columns of a last vector that is not whole. Heads of common models have none.
    ///
    /// # Safety
    /// As [`Product::run`].
    #[inline(always)]
    unsafe fn edge<S: Products<W>>(self, s: S) {
        for row in 0..self.rows {
            let mut elements = [0f32; 16];
            // SAFETY: passed on to the caller.
            unsafe {
                let mut sum = s.splat(0.0);
                for i in 0..self.depth {
                    let weight = s.splat(*self.a.add(row * self.a_row + i * self.a_column).cast());
                    sum = s.add_products(weight, s.load(self.b.add(i * self.b_row).cast()), sum);
                }
                s.store(sum, elements.as_mut_ptr());
                for (i, &element) in elements[..self.columns].iter().enumerate() {
                    let target = self.out.add(row * self.out_row + i);
                    *target = if self.accumulate { *target + element } else { element };
                }
            }
        }
    }
}

/// Rows of one head's operand inside a larger matrix.
#[derive(Clone, Copy)]
pub(super) struct Rows<W> {
    pub(super) at: *const W,
    /// From one row to the next.
    pub(super) stride: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl<W: Word> Rows<W> {
    /// `count` rows from `first`.
    ///
    /// # Safety
    /// They exist.
    #[inline(always)]
    pub(super) unsafe fn part(self, first: usize, count: usize) -> Self {
        // SAFETY: inside the matrix, as the caller promises.
        Rows { at: unsafe { self.at.add(first * self.stride) }, rows: count, ..self }
    }

    /// `count` columns from `first`.
    ///
    /// # Safety
    /// They exist.
    #[inline(always)]
    pub(super) unsafe fn columns(self, first: usize, count: usize) -> Self {
        // SAFETY: inside the matrix, as the caller promises.
        Rows { at: unsafe { self.at.add(first) }, columns: count, ..self }
    }

    /// Asks for the rows early: they lie far apart, so the processor does not do it by itself.
    #[inline(always)]
    pub(super) fn prefetch(self) {
        #[cfg(target_arch = "x86_64")]
        for row in 0..self.rows {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            for column in (0..self.columns).step_by(LINE) {
                // SAFETY: a prefetch of any address is harmless.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(self.at.wrapping_add(row * self.stride + column).cast()) };
            }
        }
    }

    /// Writes the transpose to `[columns, lanes]`, `lanes` being `rows` up to whole vectors. What stands beyond `rows`
    /// is finite and means nothing.
    ///
    /// # Safety
    /// The rows, of which there is one at least, are readable.
    #[inline(always)]
    pub(super) unsafe fn transpose<S: Lanes>(self, s: S, out: &mut [f32]) {
        let lanes = self.rows.next_multiple_of(S::WIDTH);
        assert!(out.len() >= self.columns * lanes, "room for the transpose");
        let out = out.as_mut_ptr();
        for lane in (0..lanes).step_by(S::WIDTH) {
            // SAFETY: row numbers stay below `rows` and whole vectors below `columns`; `out` was checked.
            unsafe {
                let mut column = 0;
                while column + S::WIDTH <= self.columns {
                    let mut block = [s.splat(0.0); 16];
                    for (i, vector) in block[..S::WIDTH].iter_mut().enumerate() {
                        let row = (lane + i).min(self.rows - 1);
                        *vector = s.load(self.at.add(row * self.stride + column).cast());
                    }
                    for (i, &vector) in transposed(s, block)[..S::WIDTH].iter().enumerate() {
                        s.store(vector, out.add((column + i) * lanes + lane));
                    }
                    column += S::WIDTH;
                }
                for column in column..self.columns {
                    for i in lane..lane + S::WIDTH {
                        let element = *self.at.add(i.min(self.rows - 1) * self.stride + column);
                        out.add(column * lanes + i).cast::<W>().write(element);
                    }
                }
            }
        }
    }
}

impl Rows<f32> {
    /// The same rows next to each other in `out`, filled with zeros up to whole vectors of `width`.
    ///
    /// # Safety
    /// The rows are readable.
    pub(super) unsafe fn pack(self, width: usize, out: &mut [f32]) -> Self {
        let stride = self.columns.next_multiple_of(width);
        for (row, target) in out[..self.rows * stride].chunks_exact_mut(stride).enumerate() {
            let (target, rest) = target.split_at_mut(self.columns);
            // SAFETY: readable, as the caller promises.
            target.copy_from_slice(unsafe { std::slice::from_raw_parts(self.at.add(row * self.stride), self.columns) });
            rest.fill(0.0);
        }
        Rows { at: out.as_ptr(), stride, ..self }
    }
}

/// The transpose of the square of the first `WIDTH` vectors: each round interleaves the halves, which rotates the bits
/// of an element's address by one; all of a row's make it a column.
#[inline(always)]
fn transposed<S: Lanes>(s: S, mut block: [S::V; 16]) -> [S::V; 16] {
    for _ in 0..S::WIDTH.ilog2() {
        let before = block;
        for i in 0..S::WIDTH / 2 {
            [block[2 * i], block[2 * i + 1]] = s.interleave(before[i], before[i + S::WIDTH / 2]);
        }
    }
    block
}
