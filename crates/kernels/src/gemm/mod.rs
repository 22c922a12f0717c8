//! Matrix products C = A·B and C += A·B, any size: single precision with any strides, and bfloat16 operands with single
//! precision sums.
//!
//! The loop nest is Goto's: some thousand rows of A at a time are packed into panels of `MR` rows (a row-major A in bfloat16 is
//! only rounded, or read where it lies), each task packs the block of B it needs into panels of `NR` columns (once for all where
//! several tasks need it; weights in bfloat16 are packed already), and a register-tiled micro-kernel runs over the panels: a
//! file an instruction set, or two where the inner loop is one of its own. The inner dimension is never split between tasks
//! and its blocks are always added in the same order, so the bits of C do not depend on the number of threads.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512bf16;
#[cfg(target_arch = "x86_64")]
mod avx512bf16_loop;
mod drive;
mod finish;
#[cfg(target_arch = "x86_64")]
mod fixed;
mod matrix;
mod pack;
mod portable;
#[cfg(target_arch = "x86_64")]
mod strassen;

use std::ops::Range;

use crate::activation::Activation;
use crate::isa::Isa;
use crate::packed::{PANEL, fixed_words, panel_words};
use crate::rounded::rounded_stride;
use crate::word::Word;
use drive::{Right, drive};
pub(crate) use matrix::Matrix;

/// What happens to a row of C once its sum is complete.
#[derive(Debug)]
pub(crate) enum Epilogue<'a> {
    /// C = A·B.
    None,
    /// C += A·B.
    Accumulate,
    /// C = A·B + bias, one value a column.
    Bias(&'a [f32]),
    /// `out` = A·B + bias, rounded to bfloat16, rows [`rounded_stride`](crate::rounded::rounded_stride) apart; there is no C.
    BiasRounded {
        /// One value a column.
        bias: &'a [f32],
        /// Receives the rounded values.
        out: &'a mut [u16],
    },
    /// C = A·B + bias, and `out` = activation(C), laid out as C; without `out` C = activation(A·B + bias).
    BiasActivation {
        /// One value a column.
        bias: &'a [f32],
        /// The function applied.
        activation: Activation,
        /// Receives the activated values, `[rows, columns]`.
        out: Option<&'a mut [f32]>,
    },
    /// `before` = A·B + bias, if it is to be kept, `out` = activation(`before`), both rounded to bfloat16, rows
    /// [`rounded_stride`](crate::rounded::rounded_stride) apart; there is no C.
    ActivateRounded {
        /// One value a column.
        bias: &'a [f32],
        /// The function applied.
        activation: Activation,
        /// Receives what it is applied to.
        before: Option<&'a mut [u16]>,
        /// Receives the activated values.
        out: &'a mut [u16],
    },
    /// `gradient` = A·B ∘ activation′(`before`), `out` = activation(`before`), all in rounded rows; there is no C.
    ActivationGradient {
        /// The function that was applied.
        activation: Activation,
        /// What it was applied to.
        before: &'a [u16],
        /// Receives the gradient.
        gradient: &'a mut [u16],
        /// Receives the activated values again.
        out: &'a mut [u16],
    },
    /// C = A·B, or C += A·B with `accumulate`, and the sum of the squares of C.
    Gradient {
        /// Whether C holds what the product is added to.
        accumulate: bool,
        /// Receives Σ C².
        squares: &'a mut f64,
    },
}

/// C = A·B over all threads of the current pool. C is row-major `[a.rows, b.columns]` and fills `c`.
///
/// # Panics
/// If the dimensions do not agree.
pub(crate) fn gemm(isa: Isa, a: Matrix<'_>, b: Matrix<'_>, c: &mut [f32], epilogue: Epilogue<'_>) {
    check(a, b.rows, b.columns, c, &epilogue);
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Bf16 | Isa::Avx512 => drive::<avx512::Kernel>(isa, a, Right::Matrix(b), c, epilogue),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => drive::<avx2::Kernel>(isa, a, Right::Matrix(b), c, epilogue),
        _ => drive::<portable::Kernel>(isa, a, Right::Matrix(b), c, epilogue),
    }
}

/// [`gemm`] with both operands rounded to bfloat16.
///
/// # Panics
/// If the dimensions do not agree, `b` is not row-major, or `isa` has no such products.
pub(crate) fn gemm_bf16(isa: Isa, a: Matrix<'_>, b: Matrix<'_>, c: &mut [f32], epilogue: Epilogue<'_>) {
    check(a, b.rows, b.columns, c, &epilogue);
    drive_bf16(isa, a, Right::Matrix(b), c, epilogue);
}

/// [`gemm_bf16`] with a B of `[a.columns, columns]` that is packed already, as [`crate::packed`] has it.
///
/// # Panics
/// If the dimensions do not agree or `isa` has no such products.
pub(crate) fn gemm_packed(
    isa: Isa,
    a: Matrix<'_>,
    panels: &[u32],
    columns: usize,
    c: &mut [f32],
    epilogue: Epilogue<'_>,
) {
    check(a, a.columns, columns, c, &epilogue);
    assert_eq!(panels.len(), panel_words(columns, a.columns), "B fills its panels");
    drive_bf16(isa, a, Right::Packed { panels, columns }, c, epilogue);
}

/// [`gemm_packed`] by products of halves. Row `texts[i]` to row `texts[i + 1]` of A are a text: no row depends on those of other
/// texts; without texts, on no other row.
///
/// # Panics
/// If the dimensions do not agree, halves are not in whole panels, it is to be a gradient of a weight or `isa` has no such
/// products.
pub(crate) fn gemm_strassen(
    isa: Isa,
    a: Matrix<'_>,
    texts: &[u32],
    panels: &[u32],
    columns: usize,
    c: &mut [f32],
    epilogue: Epilogue<'_>,
) {
    check(a, a.columns, columns, c, &epilogue);
    assert!(a.columns.is_multiple_of(2 * PANEL) && columns.is_multiple_of(2 * PANEL), "halves in whole panels");
    assert_eq!(panels.len(), panel_words(columns, a.columns), "B fills its panels");
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Bf16 => strassen::drive::<avx512bf16::Kernel>(isa, a, texts, panels, columns, c, epilogue),
        _ => panic!("{} has no products of bfloat16", isa.name()),
    }
}

/// C = A·B in whole numbers ([`crate::fixed`]), with a B of `[a.columns, columns]` that is packed for them.
///
/// # Panics
/// If the dimensions do not agree, quarters are not in whole panels, there is no bias or `isa` has no such products.
pub(crate) fn gemm_fixed(
    isa: Isa,
    a: Matrix<'_>,
    packed: &[u32],
    columns: usize,
    c: &mut [f32],
    epilogue: Epilogue<'_>,
) {
    check(a, a.columns, columns, c, &epilogue);
    assert!(a.columns.is_multiple_of(4 * PANEL) && columns.is_multiple_of(4 * PANEL), "quarters in whole panels");
    assert_eq!(packed.len(), fixed_words(columns, a.columns), "B fills its panels");
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Bf16 => fixed::drive(isa, a, packed, columns, c, epilogue),
        _ => panic!("{} has no products of 16-bit integers", isa.name()),
    }
}

fn drive_bf16(isa: Isa, a: Matrix<'_>, b: Right<'_, u32>, c: &mut [f32], epilogue: Epilogue<'_>) {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Bf16 => drive::<avx512bf16::Kernel>(isa, a, b, c, epilogue),
        _ => panic!("{} has no products of bfloat16", isa.name()),
    }
}

fn check(a: Matrix<'_>, depth: usize, columns: usize, c: &[f32], epilogue: &Epilogue<'_>) {
    assert_eq!(a.columns, depth, "inner dimensions agree");
    let whole = a.rows.checked_mul(columns);
    let rounded = a.rows.checked_mul(rounded_stride(columns));
    match epilogue {
        Epilogue::Bias(bias) => assert_eq!(bias.len(), columns, "one bias a column"),
        Epilogue::BiasRounded { bias, out } => {
            assert_eq!(bias.len(), columns, "one bias a column");
            assert_eq!(Some(out.len()), rounded, "rounded rows");
            return;
        }
        Epilogue::BiasActivation { bias, out, .. } => {
            assert_eq!(bias.len(), columns, "one bias a column");
            assert!(out.as_ref().is_none_or(|out| out.len() == c.len()), "the activated values are laid out as C");
        }
        Epilogue::ActivateRounded { bias, before, out, .. } => {
            assert_eq!(bias.len(), columns, "one bias a column");
            let before_fits = before.as_ref().is_none_or(|before| Some(before.len()) == rounded);
            assert!(before_fits && Some(out.len()) == rounded, "rounded rows");
            return;
        }
        Epilogue::ActivationGradient { before, gradient, out, .. } => {
            let lengths = [before.len(), gradient.len(), out.len()];
            assert!(lengths.iter().all(|&len| Some(len) == rounded), "rounded rows");
            return;
        }
        Epilogue::None | Epilogue::Accumulate | Epilogue::Gradient { .. } => {}
    }
    assert_eq!(Some(c.len()), whole, "C has the rows of A and the columns of B");
}

/// A register-tiled inner product of packed panels, and the packing.
///
/// A group is what the kernel takes of the inner dimension at once: an element, or a pair of bfloat16 in one word.
trait MicroKernel {
    /// A group of one row or column in a panel.
    type Element: Word;
    /// Rows of the register tile.
    const MR: usize;
    /// Columns of the register tile.
    const NR: usize;
    /// Elements of the inner dimension in a group.
    const GROUP: usize;
    /// Groups in a block of the inner dimension at most. `MR` rows of A of it about fill the first-level cache, and the block
    /// of B that a task streams past them the second; longer ones than fit still cost less than reading C again.
    const KC: usize;
    /// Whether it can write C past the caches: [`Tile::streamed`].
    const STREAMS: bool = false;

    /// C tile (+)= A `[rows, groups]` · B panel `[groups][NR]`.
    ///
    /// # Safety
    /// A holds `rows` (1 to `MR`) rows and the panel `groups` groups, C is valid over the tile (1 to `NR` columns), a bias
    /// over its columns, squares are valid and C as they take it, and the processor has the instruction set.
    unsafe fn tile(groups: usize, a: Left<Self::Element>, b: *const Self::Element, tile: Tile, rows: usize);

    /// Elements from row to row of a packed A, if it is not packed in panels.
    fn row_stride(_a: Matrix<'_>) -> Option<usize> {
        None
    }

    /// A itself, if its rows lie as [`MicroKernel::row_stride`] has them.
    fn in_place(_a: Matrix<'_>) -> Option<&[Self::Element]> {
        None
    }

    /// Rows `first..first + count` of A in panels `[groups][MR]`, zero padded, or in rows [`MicroKernel::row_stride`] apart.
    ///
    /// # Safety
    /// The rows exist, `out` holds them, and the processor has the instruction set.
    unsafe fn pack_a(a: Matrix<'_>, first: usize, count: usize, out: &mut [Self::Element]);

    /// Rows `depth`, columns `first..first + count` (≤ `NR`) of B as one panel `[groups][NR]`, zero padded.
    ///
    /// # Safety
    /// The block exists, `out` holds the panel, and the processor has the instruction set.
    unsafe fn pack_b(b: Matrix<'_>, depth: Range<usize>, first: usize, count: usize, out: &mut [Self::Element]);

    /// Completes what this thread has written past the caches, so that others may read it.
    fn fence() {}
}

/// The packed rows of a tile of A.
#[derive(Debug, Clone, Copy)]
struct Left<E> {
    first: *const E,
    /// Elements from row to row; without one it is a panel `[groups][MR]`.
    row_stride: Option<usize>,
    /// Where a quarter of the panel to come begins, three of twelve rows: a kernel may ask for it early. Never read.
    ahead: *const E,
}

/// Where a tile of C goes.
#[derive(Debug, Clone, Copy)]
struct Tile {
    c: *mut f32,
    stride: usize,
    start: Start,
    columns: usize,
    /// If set, C is written past the caches, and the squares of each column are added to these, one after the other, as C is
    /// not at hand for that later. Only where sums start from zero and the tile's rows are whole lines of the cache.
    streamed: Option<*mut Squares>,
}

/// A number for each column of the widest tile.
type Squares = [f32; 32];

/// What the sums of a tile start from.
#[derive(Debug, Clone, Copy)]
enum Start {
    /// Zero.
    Zero,
    /// What is in C.
    C,
    /// A value a column.
    Bias(*const f32),
}

impl Start {
    /// `sum` with what it starts from, in column `column`; `c` is what is in C.
    ///
    /// # Safety
    /// A bias holds the column.
    unsafe fn add(self, sum: f32, c: f32, column: usize) -> f32 {
        match self {
            Start::Zero => sum,
            Start::C => c + sum,
            // SAFETY: as the caller promises.
            Start::Bias(bias) => sum + unsafe { *bias.add(column) },
        }
    }
}

/// A tile at the edge of C by way of a buffer of full size (`SIZE` elements, `width` a row), for kernels without masks.
///
/// # Safety
/// C is valid over `rows` rows of the tile, a bias over its columns.
unsafe fn edge<const SIZE: usize>(to: Tile, rows: usize, width: usize, tile: impl FnOnce(*mut f32)) {
    let mut buffer = [0f32; SIZE];
    tile(buffer.as_mut_ptr());
    for row in 0..rows {
        // SAFETY: as the caller promises.
        let target = unsafe { std::slice::from_raw_parts_mut(to.c.add(row * to.stride), to.columns) };
        for (column, (target, &value)) in target.iter_mut().zip(&buffer[row * width..]).enumerate() {
            // SAFETY: as the caller promises.
            *target = unsafe { to.start.add(value, *target, column) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Arena;
    use crate::isa::Operands;
    use crate::kernels::Linear;
    use crate::packed::round_to_bf16;
    use crate::reference;
    use crate::rounded::Rows;
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
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn bfloat16_products_are_those_of_rounded_operands(
            m in prop_oneof![1usize..40, Just(97), Just(131)],
            n in prop_oneof![1usize..70, Just(257)],
            k in prop_oneof![0usize..30, Just(191), Just(801)],
            a_transposed: bool, accumulate: bool, seed: u64,
        ) {
            let (a, b) = (random(seed, m * k), random(seed ^ 1, k * n));
            let start = random(seed ^ 2, m * n);
            let [a_rounded, b_rounded] = reference::rounded(Operands::Bf16, [&a, &b]);
            let view = |a| if a_transposed { Matrix::new(a, k, m).transposed() } else { Matrix::new(a, m, k) };
            let mut want = start.clone();
            reference::gemm(view(&a_rounded), Matrix::new(&b_rounded, k, n), &mut want, accumulate);
            let shape = Linear { inputs: n, outputs: k };
            let mut panels = [vec![0; shape.forward_words()], vec![0; shape.backward_words()]];
            let [forward, backward] = &mut panels;
            crate::packed::pack(Isa::Portable, shape, &b, forward, backward);
            for isa in isas().filter(|isa| isa.has_bf16()) {
                let mut got = start.clone();
                let mut squares = 0.0;
                gemm_bf16(isa, view(&a), Matrix::new(&b, k, n), &mut got, Epilogue::Gradient { accumulate, squares: &mut squares });
                close(&got, &want, 2e-5)?;
                let want_squares = reference::sum_of_squares(&got);
                prop_assert!((squares - want_squares).abs() <= 1e-5 * want_squares, "{} {}", squares, want_squares);
                let mut got = start.clone();
                let epilogue = if accumulate { Epilogue::Accumulate } else { Epilogue::None };
                gemm_packed(isa, view(&a), backward, n, &mut got, epilogue);
                close(&got, &want, 2e-5)?;
            }
        }
    }

    #[test]
    fn a_tall_product_over_many_rows_is_that_of_rounded_operands() {
        // Tall and deep enough for wide tasks; then deeper than one block of the inner dimension.
        for (m, n, k) in [(450, 400, 1800), (30, 70, 4700)] {
            let (a, b) = (random(1, m * k), random(2, k * n));
            let [a_rounded, b_rounded] = reference::rounded(Operands::Bf16, [&a, &b]);
            let mut want = vec![0.0; m * n];
            let of_rounded = Matrix::new(&a_rounded, k, m).transposed();
            reference::gemm(of_rounded, Matrix::new(&b_rounded, k, n), &mut want, false);
            for isa in isas().filter(|isa| isa.has_bf16()) {
                let mut got = vec![f32::NAN; m * n];
                let a = Matrix::new(&a, k, m).transposed();
                gemm_bf16(isa, a, Matrix::new(&b, k, n), &mut got, Epilogue::None);
                close(&got, &want, 2e-5).unwrap();
            }
        }
    }

    #[test]
    fn a_large_product_agrees_with_the_scalar_twin_and_has_the_same_bits_on_any_number_of_threads() {
        let (m, n, k) = (3100, 300, 200);
        let (a, b) = (random(1, m * k), random(2, k * n));
        let run = |threads, bf16: bool| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let (mut c, mut squares) = (vec![0.0; m * n], 0.0);
            let (a, b) = (Matrix::new(&a, m, k), Matrix::new(&b, k, n));
            let epilogue = Epilogue::Gradient { accumulate: false, squares: &mut squares };
            let product = if bf16 { gemm_bf16 } else { gemm };
            pool.install(|| product(Isa::fastest(), a, b, &mut c, epilogue));
            (c, squares)
        };
        for (bf16, operands) in [(false, Operands::F32), (true, Operands::Bf16)] {
            if bf16 && !Isa::fastest().has_bf16() {
                continue;
            }
            let (c, squares) = run(1, bf16);
            assert!(run(3, bf16) == (c.clone(), squares), "in {}", operands.name());
            let [a, b] = reference::rounded(operands, [&a, &b]);
            let mut want = vec![0.0; m * n];
            reference::gemm(Matrix::new(&a, m, k), Matrix::new(&b, k, n), &mut want, false);
            close(&c, &want, 2e-5).unwrap();
            let want = reference::sum_of_squares(&c);
            assert!((squares - want).abs() <= 1e-5 * want, "in {}: {squares} {want}", operands.name());
        }
    }

    #[test]
    fn gradients_have_the_same_bits_past_the_caches_as_through_them() {
        for (m, n, k) in [(1, 32, 1), (13, 64, 33), (5, 96, 0), (250, 416, 131), (40, 64, 4700)] {
            let (a, b) = (random(1, m * k), random(2, k * n));
            let product = |isa, c: &mut [f32], threads| {
                let (a, b) = (Matrix::new(&a, k, m).transposed(), Matrix::new(&b, k, n));
                let mut squares = 0.0;
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    gemm_bf16(isa, a, b, c, Epilogue::Gradient { accumulate: false, squares: &mut squares })
                });
                squares
            };
            for isa in isas().filter(|isa| isa.has_bf16()) {
                let mut arena = Arena::<f32>::zeros(m * n + 17).unwrap();
                let room = arena.as_mut_slice();
                room.fill(f32::NAN);
                // On a line of the cache C goes past the caches, off it through them.
                let squares = product(isa, &mut room[16..][..m * n], 1);
                assert!(room[..16].iter().chain(&room[16 + m * n..]).all(|x| x.is_nan()), "nothing beside C");
                let streamed = room[16..][..m * n].to_vec();
                product(isa, &mut room[17..], 1);
                assert!(room[17..] == streamed, "{m}×{n}×{k}");
                assert_eq!(product(isa, &mut room[16..][..m * n], 3), squares, "{m}×{n}×{k} on three threads");
                assert!(room[16..][..m * n] == streamed, "{m}×{n}×{k} on three threads");
                let want = reference::sum_of_squares(&streamed);
                assert!((squares - want).abs() <= 1e-5 * want, "{m}×{n}×{k}: {squares} {want}");
            }
        }
    }

    #[test]
    fn rounded_rows_give_the_same_bits_wherever_they_begin() {
        for (m, n, k) in [(1, 3, 1), (37, 40, 65), (97, 130, 64), (29, 33, 4701)] {
            let stride = rounded_stride(k);
            let mut room = vec![0f32; m * stride / 2 + 1];
            let halves = crate::rounded::halves_mut(&mut room);
            let a = random(1, m * k);
            let b = random(2, k * n);
            // From an odd half on no words lie in place, and the rows are copied.
            for begin in [0, 1] {
                crate::rounded::RowsMut::Rounded(&mut halves[begin..][..m * stride]).store(&a, k);
                for isa in isas().filter(|isa| isa.has_bf16()) {
                    let (mut want, mut got) = (vec![0.0; m * n], vec![f32::NAN; m * n]);
                    let b = Matrix::new(&b, k, n);
                    gemm_bf16(isa, Matrix::new(&a, m, k), b, &mut want, Epilogue::None);
                    // What another product left in the buffers does not matter.
                    let (other_a, other_b) = (vec![f32::NAN; m * (k + 1)], vec![f32::NAN; (k + 1) * n]);
                    let other_a = Matrix::new(&other_a, m, k + 1);
                    gemm_bf16(isa, other_a, Matrix::new(&other_b, k + 1, n), &mut got, Epilogue::None);
                    let a = Matrix::rounded(&halves[begin..][..m * stride], m, k);
                    gemm_bf16(isa, a, b, &mut got, Epilogue::None);
                    assert_eq!(got, want, "{m}×{n}×{k} from half {begin}");
                }
            }
        }
    }

    #[test]
    fn rounded_rows_are_the_single_ones_rounded() {
        // The last shapes are deeper than one block of the inner dimension, and the very last has its rows cut into tasks.
        for (m, n, k) in [(1, 1, 0), (1, 3, 7), (37, 130, 50), (97, 257, 64), (29, 33, 4700), (200, 33, 4700)] {
            let (a, b, bias) = (random(1, m * k), random(2, k * n), random(3, n));
            let (a, b) = (Matrix::new(&a, m, k), Matrix::new(&b, k, n));
            for isa in isas() {
                let products = [gemm, gemm_bf16];
                for product in &products[..if isa.has_bf16() { 2 } else { 1 }] {
                    let (mut c, mut out) = (vec![0.0; m * n], vec![0xffff; m * rounded_stride(n)]);
                    product(isa, a, b, &mut c, Epilogue::Bias(&bias));
                    product(isa, a, b, &mut [], Epilogue::BiasRounded { bias: &bias, out: &mut out });
                    let want: Vec<f32> = c.into_iter().map(round_to_bf16).collect();
                    assert_eq!(Rows::Rounded(&out).to_single(n), want, "{m}×{n}×{k} on {}", isa.name());
                    assert!(n % 2 == 0 || out.chunks_exact(rounded_stride(n)).all(|row| row[n] == 0));
                }
            }
        }
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
            let epilogue = Epilogue::BiasActivation { bias: &bias, activation: Activation::Gelu, out: Some(&mut out) };
            gemm(isa, Matrix::new(&a, m, k), Matrix::new(&b, k, n), &mut c, epilogue);
            close(&c, &want, 2e-5).unwrap();
            close(&out, &want_out, 2e-5).unwrap();
            let epilogue = Epilogue::BiasActivation { bias: &bias, activation: Activation::Gelu, out: None };
            gemm(isa, Matrix::new(&a, m, k), Matrix::new(&b, k, n), &mut c, epilogue);
            assert_eq!(c, out, "in place on {}", isa.name());
        }
    }
}
