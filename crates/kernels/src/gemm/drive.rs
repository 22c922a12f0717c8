//! The loop nest around the micro-kernels, over all threads.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::finish::{Finish, First};
use super::matrix::Matrix;
use super::{Epilogue, Left, MicroKernel, Squares, Start, Tile};
use crate::isa::Isa;
use crate::scratch::{A_PANELS, B_PANELS, C_BLOCK, WHOLE_B, with_scratch};
use crate::shared::SharedMut;
use crate::word::Word;

/// Columns of C a task computes: its block of B fits the second-level cache.
const NC: usize = 128;
/// As many where A is tall and its panels outgrow the first-level cache: they come from far, and so are to serve more
/// columns.
const WIDE_NC: usize = 384;
/// Bytes of a panel of A from which on that pays.
const LONG_PANEL: usize = 40 << 10;
/// Rows of C computed before the next rows of A are packed: bounds the buffer.
const MC: usize = 3072;
/// Below this many multiplications a product runs on the calling thread.
pub(super) const PARALLEL_FROM: usize = 1 << 18;

/// The right operand: to be packed block by block as it is needed, or packed already as [`crate::packed`] has it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Right<'a, E> {
    Matrix(Matrix<'a>),
    Packed { panels: &'a [E], columns: usize },
}

impl<E> Right<'_, E> {
    fn columns(self) -> usize
    where
        E: Copy,
    {
        match self {
            Right::Matrix(b) => b.columns,
            Right::Packed { columns, .. } => columns,
        }
    }
}

/// C = A·B with `epilogue` over all threads of the current pool.
pub(super) fn drive<K: MicroKernel>(
    isa: Isa,
    a: Matrix<'_>,
    b: Right<'_, K::Element>,
    c: &mut [f32],
    epilogue: Epilogue<'_>,
) {
    let (m, n, k) = (a.rows, b.columns(), a.columns);
    let parallel = m * n * k >= PARALLEL_FROM;
    let threads = if parallel { rayon::current_num_threads() } else { 1 };
    let plan = Plan::new(MC.min(m).div_ceil(K::MR), n.div_ceil(columns_per_task::<K>(a, n)), threads);
    match b {
        // Several tasks need each block of B: it is packed once for all of them.
        Right::Matrix(matrix) if plan.splits > 1 || m > MC => {
            let size = K::NR * k.div_ceil(K::GROUP);
            with_scratch(&WHOLE_B, n.div_ceil(K::NR) * size, |panels: &mut [K::Element]| {
                for_each_chunk(panels, size, threads, |panel, out| {
                    let first = panel * K::NR;
                    // SAFETY: the columns are inside `matrix`; `K` runs on this processor.
                    unsafe { K::pack_b(matrix, 0..k, first, K::NR.min(n - first), out) };
                });
                nest::<K>(isa, a, Right::Packed { panels, columns: n }, c, epilogue, threads);
            });
        }
        _ => nest::<K>(isa, a, b, c, epilogue, threads),
    }
}

/// How C is cut into tasks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Blocks of columns.
    pub(super) blocks: usize,
    /// Ranges of panels of rows.
    pub(super) splits: usize,
}

impl Plan {
    /// Few wide blocks leave threads idle: the rows are cut too, in whole panels.
    pub(super) fn new(panels: usize, blocks: usize, threads: usize) -> Self {
        let splits = (4 * threads).div_ceil(blocks.max(1)).min(panels.div_ceil(8));
        Self { blocks, splits: splits.max(1) }
    }
}

/// Calls `work` with the number and the elements of every chunk of `size`.
pub(super) fn for_each_chunk<E: Word>(
    data: &mut [E],
    size: usize,
    threads: usize,
    work: impl Fn(usize, &mut [E]) + Sync,
) {
    if threads > 1 {
        data.par_chunks_mut(size.max(1)).enumerate().for_each(|(i, chunk)| work(i, chunk));
    } else {
        data.chunks_mut(size.max(1)).enumerate().for_each(|(i, chunk)| work(i, chunk));
    }
}

fn nest<K: MicroKernel>(
    isa: Isa,
    a: Matrix<'_>,
    b: Right<'_, K::Element>,
    c: &mut [f32],
    epilogue: Epilogue<'_>,
    threads: usize,
) {
    let (m, n, k) = (a.rows, b.columns(), a.columns);
    let (start, finish, mut squares) = Finish::of(epilogue);
    if m == 0 || n == 0 {
        return;
    }
    let c = SharedMut::new(c);
    let (groups, nc) = (k.div_ceil(K::GROUP), columns_per_task::<K>(a, n));
    let streams = matches!((start, finish), (First::Zero, Finish::Squares)) && may_stream::<K>(groups, n, c.get());
    for row in (0..m).step_by(MC) {
        let rows = MC.min(m - row);
        let panels = rows.div_ceil(K::MR);
        let Plan { blocks, splits } = Plan::new(panels, n.div_ceil(nc), threads);
        let panels_per_split = panels.div_ceil(splits);
        // Sums of squares a panel and block: added up in this order however the tasks are cut.
        let mut panel_squares = vec![0f64; if squares.is_some() { panels * blocks } else { 0 }];
        let shared_squares = SharedMut::new(&mut panel_squares);
        let row_stride = K::row_stride(a);
        let compute = |packed_a: &[K::Element]| {
            let task = |task: usize| {
                let (block, split) = (task % blocks, task / blocks);
                let column = block * nc;
                let columns = nc.min(n - column);
                let range = (split * panels_per_split).min(panels)..((split + 1) * panels_per_split).min(panels);
                let size = K::MR * nc;
                // What only passes through is kept until its last block of the inner dimension is added: the first, mostly.
                let kept = if depth_of::<K>(groups) < groups { range.len() } else { 1 };
                let room = if finish.consumes() { kept * size } else { 0 };
                with_scratch(&C_BLOCK, room, |buffer: &mut [f32]| {
                    let c = if finish.consumes() {
                        let panel_step = if kept == 1 { 0 } else { size };
                        let first = buffer.as_mut_ptr().wrapping_sub(range.start * panel_step);
                        Block { first, panel_step, stride: nc }
                    } else {
                        Block { first: c.get().wrapping_add(row * n + column), panel_step: K::MR * n, stride: n }
                    };
                    let column_squares = Cell::new(Squares::default());
                    let streamed = streams.then_some(column_squares.as_ptr());
                    let part =
                        Part { a: packed_a, row_stride, groups, panels: range, rows, column, columns, c, streamed };
                    let finish_panel = |panel: usize| {
                        if let Finish::Nothing = finish {
                            return;
                        }
                        let sum = if streams {
                            column_squares.take().into_iter().map(f64::from).sum()
                        } else {
                            let (first, height) = (panel * K::MR, K::MR.min(rows - panel * K::MR));
                            let next = row + first + K::MR;
                            finish.prefetch(next..next + K::MR, column..column + NC, n);
                            // SAFETY: the rows were just computed, by this task alone.
                            let values = |i| unsafe { std::slice::from_raw_parts_mut(c.row(panel, i), columns) };
                            let rows = (0..height).map(|i| (row + first + i, values(i)));
                            // SAFETY: tasks cover disjoint (row, column) blocks of C and of every result.
                            unsafe { finish.rows(isa, rows, [column, n]) }
                        };
                        if let Finish::Squares = finish {
                            // SAFETY: one task owns the panel of this block of columns.
                            unsafe { shared_squares.slice(panel * blocks + block, 1)[0] = sum };
                        }
                    };
                    // SAFETY: C is valid over the part, and no other task touches it; `K` runs on this processor.
                    unsafe { part.product::<K>(b, start, finish_panel) };
                    if streams {
                        K::fence();
                    }
                });
            };
            if threads > 1 {
                (0..blocks * splits).into_par_iter().with_max_len(1).for_each(task);
            } else {
                (0..blocks * splits).for_each(task);
            }
        };
        match (K::in_place(a), row_stride) {
            (Some(rows_of_a), Some(row_stride)) => compute(&rows_of_a[row * row_stride..]),
            _ => {
                let size = K::MR * row_stride.unwrap_or(groups);
                with_scratch(&A_PANELS, panels * size, |packed_a: &mut [K::Element]| {
                    let per_task = panels.div_ceil(8 * threads).max(1);
                    for_each_chunk(packed_a, size * per_task, threads, |task, out| {
                        let first = row + task * per_task * K::MR;
                        let count = (per_task * K::MR).min(row + rows - first);
                        // SAFETY: rows `first..first + count` of `a` are in bounds; `K` runs on this processor.
                        unsafe { K::pack_a(a, first, count, out) };
                    });
                    compute(packed_a);
                });
            }
        }
        if let Some(total) = &mut squares {
            **total += panel_squares.iter().sum::<f64>();
        }
    }
}

/// Whether C can be written past the caches, which suits what is read much later, as the gradients of weights are: on the way
/// through them each line would be read from memory first, and take the place of operands. C has to be complete after one
/// block of the inner dimension, and to consist of tiles of whole lines.
fn may_stream<K: MicroKernel>(groups: usize, n: usize, c: *const f32) -> bool {
    K::STREAMS && depth_of::<K>(groups) == groups && n.is_multiple_of(K::NR) && c.addr().is_multiple_of(64)
}

/// Where a task's block of C lies.
#[derive(Clone, Copy)]
struct Block {
    /// The first element of panel 0, which may be another task's.
    first: *mut f32,
    /// Elements from panel to panel; 0 where each takes the place of the one before.
    panel_step: usize,
    /// Elements from row to row.
    stride: usize,
}

impl Block {
    /// The first element of a row of a panel.
    fn row(self, panel: usize, row: usize) -> *mut f32 {
        self.first.wrapping_add(panel * self.panel_step + row * self.stride)
    }
}

/// Columns of C a task computes.
fn columns_per_task<K: MicroKernel>(a: Matrix<'_>, n: usize) -> usize {
    let panel = K::MR * depth_of::<K>(a.columns.div_ceil(K::GROUP)) * size_of::<K::Element>();
    // In rows, A is read ahead by the processor itself.
    if a.rows > n && K::row_stride(a).is_none() && panel >= LONG_PANEL { WIDE_NC } else { NC }
}

/// Groups in a block of the inner dimension: as even as they can be, as a short last one would pay for reading C all the
/// same.
fn depth_of<K: MicroKernel>(groups: usize) -> usize {
    groups.div_ceil(groups.div_ceil(K::KC).max(1))
}

/// A block of C: the rows of `panels`, the columns `column..column + columns`.
struct Part<'a, E> {
    /// All of A in panels `[panel][groups][MR]`, or in rows.
    a: &'a [E],
    /// Elements from row to row, if in rows.
    row_stride: Option<usize>,
    groups: usize,
    panels: Range<usize>,
    rows: usize,
    column: usize,
    columns: usize,
    c: Block,
    /// See [`Tile::streamed`].
    streamed: Option<*mut Squares>,
}

impl<E: Word> Part<'_, E> {
    /// Computes the part, and calls `finish` with each panel once its sums are complete and still in the first-level cache.
    ///
    /// # Safety
    /// C is valid and ours over this part, and the processor has the instruction set of `K`.
    unsafe fn product<K: MicroKernel<Element = E>>(
        &self,
        b: Right<'_, E>,
        first: First<'_>,
        mut finish: impl FnMut(usize),
    ) {
        let Self { a, row_stride, groups, rows, column, columns, c, streamed, .. } = *self;
        let height = |panel: usize| K::MR.min(rows - panel * K::MR);
        if groups == 0 {
            for panel in self.panels.clone() {
                for i in 0..height(panel) {
                    // SAFETY: the row lies in C.
                    let row = unsafe { std::slice::from_raw_parts_mut(c.row(panel, i), columns) };
                    match first {
                        First::Zero => row.fill(0.0),
                        First::C => {}
                        First::Bias(bias) => row.copy_from_slice(&bias[column..column + columns]),
                    }
                }
                finish(panel);
            }
            return;
        }
        let column_panels = columns.div_ceil(K::NR);
        let depth = depth_of::<K>(groups);
        let room = if matches!(b, Right::Matrix(_)) { column_panels * K::NR * depth } else { 0 };
        with_scratch(&B_PANELS, room, |packed_b: &mut [E]| {
            for start in (0..groups).step_by(depth) {
                let depth_here = depth.min(groups - start);
                if let Right::Matrix(b) = b {
                    for (panel, out) in packed_b.chunks_mut(K::NR * depth).enumerate() {
                        let first = column + panel * K::NR;
                        let count = K::NR.min(column + columns - first);
                        let elements = start * K::GROUP..((start + depth_here) * K::GROUP).min(b.rows);
                        // SAFETY: the block is inside `b`; `K` runs on this processor.
                        unsafe { K::pack_b(b, elements, first, count, out) };
                    }
                }
                // Where `quarter` of a panel of A begins.
                let panel_of_a = |panel: usize, quarter: usize| match row_stride {
                    Some(row_stride) => (panel * K::MR + quarter * K::MR / 4) * row_stride + start,
                    None => (panel * groups + start) * K::MR + quarter * depth_here * K::MR / 4,
                };
                for panel in self.panels.clone() {
                    let next = if panel + 1 < self.panels.end { panel + 1 } else { self.panels.start };
                    for column_panel in 0..column_panels {
                        let j = column_panel * K::NR;
                        let left = Left {
                            first: a[panel_of_a(panel, 0)..].as_ptr(),
                            row_stride,
                            ahead: a.as_ptr().wrapping_add(panel_of_a(next, column_panel % 4)),
                        };
                        let b_panel = match b {
                            Right::Matrix(_) => packed_b[column_panel * K::NR * depth..].as_ptr(),
                            Right::Packed { panels, .. } => {
                                panels[((column + j) / K::NR * groups + start) * K::NR..].as_ptr()
                            }
                        };
                        let sums = match first {
                            First::Bias(bias) if start == 0 => Start::Bias(bias[column + j..].as_ptr()),
                            First::Zero if start == 0 => Start::Zero,
                            _ => Start::C,
                        };
                        let c = c.row(panel, 0).wrapping_add(j);
                        let columns = K::NR.min(columns - j);
                        let tile = Tile { c, stride: self.c.stride, start: sums, columns, streamed };
                        // SAFETY: A and B hold `depth_here` groups, and the tile lies in C.
                        unsafe { K::tile(depth_here, left, b_panel, tile, height(panel)) };
                    }
                    if start + depth_here == groups {
                        finish(panel);
                    }
                }
            }
        });
    }
}
