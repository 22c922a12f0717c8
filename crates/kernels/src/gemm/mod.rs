//! Matrix products C = A·B and C += A·B in single precision, any strides, any size.
//!
//! The loop nest is Goto's: A is packed once into panels of `MR` rows, each task packs the block of B it needs into
//! panels of `NR` columns, and a register-tiled micro-kernel (one file an instruction set) runs over the panels. The
//! inner dimension is never split between tasks and its blocks are always added in the same order, so the bits of C do
//! not depend on the number of threads.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod pack;
mod portable;

use std::cell::RefCell;

use rayon::prelude::*;

use crate::activation::{Activation, bias_activation_row, bias_row};
use crate::isa::Isa;
use crate::shared::SharedMut;

/// Depth of a block of the inner dimension: `NR` columns of B and `MR` rows of A of it fit the first-level cache.
const KC: usize = 192;
/// Columns of C a task computes: its block of B fits the second-level cache.
const NC: usize = 128;
/// Rows of C computed before the next rows of A are packed.
const MC: usize = 2048;
/// Below this many multiplications a product runs on the calling thread.
const PARALLEL_FROM: usize = 1 << 18;

/// A read-only matrix view: element (i, j) is `data[i * row_stride + j * column_stride]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// A row-major `[rows, columns]` matrix that fills `data`.
    pub(crate) fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(Some(data.len()), rows.checked_mul(columns), "a matrix fills its slice");
        Self { data, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// A row-major matrix whose rows are `stride` elements apart.
    pub(crate) fn strided(data: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        assert!(fits(data.len(), rows, columns, stride), "a matrix fits its slice");
        Self { data, rows, columns, row_stride: stride, column_stride: 1 }
    }

    /// Rows and columns.
    pub(crate) fn shape(self) -> [usize; 2] {
        [self.rows, self.columns]
    }

    /// The element in row `i` and column `j`.
    pub(crate) fn at(self, i: usize, j: usize) -> f32 {
        self.data[i * self.row_stride + j * self.column_stride]
    }

    /// The same elements with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// Whether `rows` rows of `columns` elements, `stride` apart, lie in a slice of `len`.
fn fits(len: usize, rows: usize, columns: usize, stride: usize) -> bool {
    let Some(last) = rows.checked_sub(1) else { return true };
    columns == 0 || last.checked_mul(stride).and_then(|start| start.checked_add(columns)).is_some_and(|end| end <= len)
}

/// What happens to a row of C once its sum is complete.
#[derive(Debug)]
pub(crate) enum Epilogue<'a> {
    /// C = A·B.
    None,
    /// C += A·B.
    Accumulate,
    /// C = A·B + bias, one value a column.
    Bias(&'a [f32]),
    /// C = A·B + bias, and `out` = activation(C), laid out as C.
    BiasActivation {
        /// One value a column.
        bias: &'a [f32],
        /// The function applied.
        activation: Activation,
        /// Receives the activated values, `[rows, columns]`.
        out: &'a mut [f32],
    },
}

/// C = A·B over all threads of the current pool. C is row-major `[a.rows, b.columns]` and fills `c`.
///
/// # Panics
/// If the dimensions do not agree.
pub(crate) fn gemm(isa: Isa, a: Matrix<'_>, b: Matrix<'_>, c: &mut [f32], epilogue: Epilogue<'_>) {
    assert_eq!(a.columns, b.rows, "inner dimensions agree");
    assert_eq!(Some(c.len()), a.rows.checked_mul(b.columns), "C has the rows of A and the columns of B");
    match &epilogue {
        Epilogue::Bias(bias) => assert_eq!(bias.len(), b.columns, "one bias a column"),
        Epilogue::BiasActivation { bias, out, .. } => {
            assert_eq!(bias.len(), b.columns, "one bias a column");
            assert_eq!(out.len(), c.len(), "the activated values are laid out as C");
        }
        Epilogue::None | Epilogue::Accumulate => {}
    }
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => drive::<avx512::Kernel>(isa, a, b, c, epilogue),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => drive::<avx2::Kernel>(isa, a, b, c, epilogue),
        _ => drive::<portable::Kernel>(isa, a, b, c, epilogue),
    }
}

/// C = A·B (or C += A·B) on the calling thread, C's rows `stride` elements apart: the small products of attention.
///
/// # Panics
/// If the dimensions do not agree or C does not fit its slice.
pub(crate) fn gemm_strided(isa: Isa, a: Matrix<'_>, b: Matrix<'_>, c: &mut [f32], stride: usize, accumulate: bool) {
    assert!(fits(c.len(), a.rows, b.columns, stride), "C fits its slice with rows {stride} apart");
    // SAFETY: the range just checked is the only one written, and `c` is borrowed exclusively.
    unsafe { gemm_raw(isa, a, b, c.as_mut_ptr(), stride, accumulate) }
}

/// [`gemm_strided`] through a pointer, for callers whose tasks write interleaved parts of one buffer.
///
/// # Safety
/// `c` must be valid for writes over `b.columns` elements at each of `a.rows` offsets `stride` apart, and nothing else
/// may access those elements meanwhile.
pub(crate) unsafe fn gemm_raw(isa: Isa, a: Matrix<'_>, b: Matrix<'_>, c: *mut f32, stride: usize, accumulate: bool) {
    assert_eq!(a.columns, b.rows, "inner dimensions agree");
    // SAFETY: passed on to the caller.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => serial::<avx512::Kernel>(a, b, c, stride, accumulate),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => serial::<avx2::Kernel>(a, b, c, stride, accumulate),
            _ => serial::<portable::Kernel>(a, b, c, stride, accumulate),
        }
    }
}

/// A register-tiled inner product of packed panels.
trait MicroKernel {
    /// Rows of the register tile.
    const MR: usize;
    /// Columns of the register tile.
    const NR: usize;

    /// C tile (+)= A panel `[depth][MR]` · B panel `[depth][NR]`.
    ///
    /// # Safety
    /// The panels hold `depth` groups, C is valid for `MR` rows of `NR` elements `stride` apart, and the processor has
    /// the instruction set.
    unsafe fn tile(depth: usize, a: *const f32, b: *const f32, c: *mut f32, stride: usize, accumulate: bool);

    /// Packs `count` (≤ `WIDTH`) vectors of `depth` contiguous elements, `stride` apart, into `[depth][WIDTH]`, zero padded.
    ///
    /// # Safety
    /// The source vectors and `depth * WIDTH` destination elements are valid, and the processor has the instruction set.
    unsafe fn pack_transposed<const WIDTH: usize>(
        source: *const f32,
        stride: usize,
        count: usize,
        depth: usize,
        out: *mut f32,
    ) {
        // SAFETY: as the caller promises.
        unsafe { pack::transposed::<WIDTH>(source, stride, count, depth, out) }
    }
}

thread_local! {
    static A_PANELS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    static B_PANELS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Lends the calling thread's scratch buffer, grown to `len`. Taken out of its cell, so that nested work on the same
/// thread finds an empty one instead of a borrowed one.
fn with_scratch<R>(
    key: &'static std::thread::LocalKey<RefCell<Vec<f32>>>,
    len: usize,
    work: impl FnOnce(&mut [f32]) -> R,
) -> R {
    let mut buffer = key.take();
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    let result = work(&mut buffer[..len]);
    key.set(buffer);
    result
}

fn drive<K: MicroKernel>(isa: Isa, a: Matrix<'_>, b: Matrix<'_>, c: &mut [f32], epilogue: Epilogue<'_>) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    if m == 0 || n == 0 {
        return;
    }
    let accumulate = matches!(epilogue, Epilogue::Accumulate);
    if k == 0 && !accumulate {
        c.fill(0.0);
    }
    let (bias, activation, out) = match epilogue {
        Epilogue::None | Epilogue::Accumulate => (None, None, None),
        Epilogue::Bias(bias) => (Some(bias), None, None),
        Epilogue::BiasActivation { bias, activation, out } => (Some(bias), Some(activation), Some(SharedMut::new(out))),
    };
    let c = SharedMut::new(c);
    let parallel = m * n * k >= PARALLEL_FROM;
    let blocks = n.div_ceil(NC);
    for row in (0..m).step_by(MC) {
        let rows = MC.min(m - row);
        let panels = rows.div_ceil(K::MR);
        with_scratch(&A_PANELS, panels * K::MR * k, |packed_a| {
            let pack_panel = |(panel, out): (usize, &mut [f32])| {
                let first = row + panel * K::MR;
                let count = K::MR.min(m - first);
                // SAFETY: rows `first..first + count` of `a` are in bounds; `K` runs on this processor.
                unsafe { pack::rows_of_a::<K>(a, first, count, out) };
            };
            let size = K::MR * k;
            if parallel && panels > 1 {
                packed_a.par_chunks_mut(size.max(1)).with_min_len(panels.div_ceil(16)).enumerate().for_each(pack_panel);
            } else {
                packed_a.chunks_mut(size.max(1)).enumerate().for_each(pack_panel);
            }
            let packed_a = &*packed_a;
            // Few wide blocks leave threads idle: cut the rows too, in whole panels.
            let threads = if parallel { rayon::current_num_threads() } else { 1 };
            let splits = (4 * threads).div_ceil(blocks).clamp(1, panels.div_ceil(8));
            let panels_per_split = panels.div_ceil(splits);
            let task = |task: usize| {
                let (block, split) = (task % blocks, task / blocks);
                let column = block * NC;
                let columns = NC.min(n - column);
                let panel_range = (split * panels_per_split).min(panels)..((split + 1) * panels_per_split).min(panels);
                // SAFETY: tasks cover disjoint (row, column) blocks of C and `out`; `K` runs on this processor.
                unsafe {
                    let origin = c.get().add(row * n);
                    block_product::<K>(
                        packed_a,
                        k,
                        b,
                        panel_range.clone(),
                        rows,
                        column,
                        columns,
                        origin,
                        n,
                        accumulate,
                    );
                    if let Some(bias) = bias {
                        let bias = &bias[column..column + columns];
                        for i in panel_range.start * K::MR..(panel_range.end * K::MR).min(rows) {
                            let at = (row + i) * n + column;
                            let c_row = c.slice(at, columns);
                            match (activation, out) {
                                (Some(activation), Some(out)) => {
                                    bias_activation_row(isa, activation, bias, c_row, out.slice(at, columns));
                                }
                                _ => bias_row(isa, bias, c_row),
                            }
                        }
                    }
                }
            };
            if threads > 1 {
                (0..blocks * splits).into_par_iter().with_max_len(1).for_each(task);
            } else {
                (0..blocks * splits).for_each(task);
            }
        });
    }
}

/// # Safety
/// As [`gemm_raw`], and the processor has `K`'s instruction set.
unsafe fn serial<K: MicroKernel>(a: Matrix<'_>, b: Matrix<'_>, c: *mut f32, stride: usize, accumulate: bool) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    if m == 0 || n == 0 {
        return;
    }
    let panels = m.div_ceil(K::MR);
    with_scratch(&A_PANELS, panels * K::MR * k, |packed_a| {
        for (panel, out) in packed_a.chunks_mut((K::MR * k).max(1)).enumerate() {
            let first = panel * K::MR;
            // SAFETY: the rows are in bounds; `K` runs on this processor.
            unsafe { pack::rows_of_a::<K>(a, first, K::MR.min(m - first), out) };
        }
        for column in (0..n).step_by(NC) {
            let columns = NC.min(n - column);
            // SAFETY: as the caller promises.
            unsafe { block_product::<K>(packed_a, k, b, 0..panels, m, column, columns, c, stride, accumulate) };
        }
    });
}

/// C[.., column..column + columns] (+)= packed A · B[.., column..column + columns].
///
/// # Safety
/// C (`rows` rows, `stride` apart, from `origin`) is valid and ours over those columns for the rows of `panels`.
#[allow(clippy::too_many_arguments, reason = "the innermost seam of the loop nest; a struct would only rename it")]
unsafe fn block_product<K: MicroKernel>(
    packed_a: &[f32],
    k: usize,
    b: Matrix<'_>,
    panels: std::ops::Range<usize>,
    rows: usize,
    column: usize,
    columns: usize,
    origin: *mut f32,
    stride: usize,
    accumulate: bool,
) {
    let column_panels = columns.div_ceil(K::NR);
    with_scratch(&B_PANELS, column_panels * K::NR * KC + K::MR * K::NR, |scratch| {
        let (packed_b, edge) = scratch.split_at_mut(column_panels * K::NR * KC);
        for start in (0..k).step_by(KC) {
            let depth = KC.min(k - start);
            let accumulate = accumulate || start > 0;
            for (panel, out) in packed_b.chunks_mut(K::NR * KC).enumerate() {
                let first = column + panel * K::NR;
                let count = K::NR.min(column + columns - first);
                // SAFETY: the block is inside `b`; `K` runs on this processor.
                unsafe { pack::columns_of_b::<K>(b, start, depth, first, count, out) };
            }
            for column_panel in 0..column_panels {
                let b_panel = packed_b[column_panel * K::NR * KC..].as_ptr();
                let j = column_panel * K::NR;
                let width = K::NR.min(columns - j);
                for panel in panels.clone() {
                    let i = panel * K::MR;
                    let height = K::MR.min(rows - i);
                    let a_panel = packed_a[panel * K::MR * k + start * K::MR..].as_ptr();
                    // SAFETY: the tile lies in C; an edge tile goes through a buffer of full size.
                    unsafe {
                        let tile = origin.add(i * stride + column + j);
                        if height == K::MR && width == K::NR {
                            K::tile(depth, a_panel, b_panel, tile, stride, accumulate);
                        } else {
                            K::tile(depth, a_panel, b_panel, edge.as_mut_ptr(), K::NR, false);
                            for r in 0..height {
                                for s in 0..width {
                                    let target = tile.add(r * stride + s);
                                    let value = edge[r * K::NR + s];
                                    *target = if accumulate { *target + value } else { value };
                                }
                            }
                        }
                    }
                }
            }
        }
        if k == 0 && !accumulate {
            for i in panels.start * K::MR..(panels.end * K::MR).min(rows) {
                // SAFETY: the row lies in C.
                unsafe { std::slice::from_raw_parts_mut(origin.add(i * stride + column), columns) }.fill(0.0);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;
    use crate::testing::{close, isas, random};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn every_isa_agrees_with_the_scalar_twin_over_shapes_and_layouts(
            m in prop_oneof![1usize..40, Just(97), Just(131)],
            n in prop_oneof![1usize..70, Just(257)],
            k in prop_oneof![0usize..30, Just(191), Just(401)],
            a_transposed: bool, b_transposed: bool, accumulate: bool, seed: u64,
        ) {
            let a = random(seed, m * k);
            let b = random(seed ^ 1, k * n);
            let start = random(seed ^ 2, m * n);
            let a = if a_transposed { Matrix::new(&a, k, m).transposed() } else { Matrix::new(&a, m, k) };
            let b = if b_transposed { Matrix::new(&b, n, k).transposed() } else { Matrix::new(&b, k, n) };
            let mut want = start.clone();
            reference::gemm(a, b, &mut want, accumulate);
            for isa in isas() {
                let mut got = start.clone();
                gemm(isa, a, b, &mut got, if accumulate { Epilogue::Accumulate } else { Epilogue::None });
                close(&got, &want, 2e-5)?;
                let mut got = start.clone();
                gemm_strided(isa, a, b, &mut got, n, accumulate);
                close(&got, &want, 2e-5)?;
            }
        }
    }

    #[test]
    fn a_large_product_has_the_same_bits_on_any_number_of_threads() {
        let (m, n, k) = (2100, 300, 200);
        let (a, b) = (random(1, m * k), random(2, k * n));
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut c = vec![0.0; m * n];
            pool.install(|| gemm(Isa::fastest(), Matrix::new(&a, m, k), Matrix::new(&b, k, n), &mut c, Epilogue::None));
            c
        };
        assert_eq!(run(1), run(3));
    }

    #[test]
    fn the_epilogue_adds_the_bias_and_applies_the_activation() {
        let (m, n, k) = (37, 130, 50);
        let (a, b, bias) = (random(1, m * k), random(2, k * n), random(3, n));
        let mut want = vec![0.0; m * n];
        reference::gemm(Matrix::new(&a, m, k), Matrix::new(&b, k, n), &mut want, false);
        want.iter_mut().enumerate().for_each(|(i, c)| *c += bias[i % n]);
        let want_out: Vec<f32> = want.iter().map(|&x| reference::activate(Activation::Gelu, x)).collect();
        for isa in isas() {
            let (mut c, mut out) = (vec![0.0; m * n], vec![0.0; m * n]);
            let epilogue = Epilogue::BiasActivation { bias: &bias, activation: Activation::Gelu, out: &mut out };
            gemm(isa, Matrix::new(&a, m, k), Matrix::new(&b, k, n), &mut c, epilogue);
            close(&c, &want, 2e-5).unwrap();
            close(&out, &want_out, 2e-5).unwrap();
        }
    }
}
