//! What products of whole numbers do on registers.

use std::arch::x86_64::*;

use super::{MR, NR, PRODUCTS, QUADS};
use crate::fixed::LANES;
use crate::gemm::avx512::for_rows;
use crate::gemm::avx512bf16_loop::{LINE, WholeOperands, add_whole_rows};

/// 16-bit integers, 32 of them, or sums, 16.
type Register = __m512i;

/// The operands of A, [`crate::strassen::LEFT`], of quarters of 16-bit integers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn left([[q00, q01], [q10, q11]]: [[Register; 2]; 2]) -> [Register; PRODUCTS] {
    [
        _mm512_add_epi16(q00, q11),
        _mm512_add_epi16(q10, q11),
        q00,
        q11,
        _mm512_add_epi16(q00, q01),
        _mm512_sub_epi16(q10, q00),
        _mm512_sub_epi16(q01, q11),
    ]
}

/// The quarters of C.
#[inline]
#[target_feature(enable = "avx512f")]
fn quarters(m: [Register; PRODUCTS]) -> [[Register; 2]; 2] {
    let [m0, m1, m2, m3, m4, m5, m6] = m;
    let (add, sub) = (|a, b| _mm512_add_epi32(a, b), |a, b| _mm512_sub_epi32(a, b));
    [[add(add(m0, m3), sub(m6, m4)), add(m2, m4)], [add(m1, m3), add(sub(m0, m1), add(m2, m5))]]
}

/// # Safety
/// 64 bytes are valid.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load<T>(from: *const T) -> Register {
    // SAFETY: as the caller promises.
    unsafe { _mm512_loadu_si512(from.cast()) }
}

/// # Safety
/// 64 bytes are valid.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store<T>(to: *mut T, value: Register) {
    // SAFETY: as the caller promises.
    unsafe { _mm512_storeu_si512(to.cast(), value) }
}

/// In single precision the numbers at even and at odd places of 32 in bfloat16.
#[inline]
#[target_feature(enable = "avx512f")]
fn widen(halves: Register) -> [__m512; 2] {
    let odd = _mm512_and_si512(halves, _mm512_set1_epi32(0xffff_0000_u32 as i32));
    [_mm512_castsi512_ps(_mm512_slli_epi32::<16>(halves)), _mm512_castsi512_ps(odd)]
}

/// The largest magnitude in a row of bfloat16, as its bits, and the sums of squares of the numbers at each even place of 32,
/// then of those at each odd one. Asks for as much from `ahead` on: the next row may be far.
///
/// # Safety
/// The length is a multiple of 32, and the processor has AVX-512 BW.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn measure(row: &[u16], ahead: *const u16) -> (u16, [f32; LANES]) {
    let mut largest = _mm512_setzero_si512();
    // Twice as many as lanes, as each addition waits for the one before.
    let mut squares = [[_mm512_setzero_ps(); 2]; 2];
    for (at, both) in (0..).step_by(64).zip(row.chunks(64)) {
        for line in [0, 32] {
            _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(at + line).cast());
        }
        for (squares, halves) in squares.iter_mut().zip(both.chunks_exact(32)) {
            // SAFETY: a chunk is a register.
            let halves = unsafe { load(halves.as_ptr()) };
            largest = _mm512_max_epu16(largest, _mm512_and_si512(halves, _mm512_set1_epi16(0x7fff)));
            let [even, odd] = widen(halves);
            *squares = [_mm512_fmadd_ps(even, even, squares[0]), _mm512_fmadd_ps(odd, odd, squares[1])];
        }
    }
    let [first, second] = squares;
    let squares = [_mm512_add_ps(first[0], second[0]), _mm512_add_ps(first[1], second[1])];
    let (mut bits, mut sums) = ([0u16; 32], [0f32; LANES]);
    // SAFETY: both are as long as what is stored.
    unsafe {
        store(bits.as_mut_ptr(), largest);
        _mm512_storeu_ps(sums.as_mut_ptr(), squares[0]);
        _mm512_storeu_ps(sums.as_mut_ptr().add(16), squares[1]);
    }
    (bits.into_iter().fold(0, u16::max), sums)
}

/// 32 numbers in bfloat16 times `factor`, as whole numbers.
///
/// # Safety
/// They are valid.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn whole(from: *const u16, factor: f32) -> Register {
    // SAFETY: as the caller promises.
    let [even, odd] = widen(unsafe { load(from) });
    let factor = _mm512_set1_ps(factor);
    let (even, odd) = (_mm512_cvtps_epi32(_mm512_mul_ps(even, factor)), _mm512_cvtps_epi32(_mm512_mul_ps(odd, factor)));
    _mm512_mask_blend_epi16(0xaaaa_aaaa, even, _mm512_slli_epi32::<16>(odd))
}

/// The operands of A that come of four rows, each of four times `quarter` numbers in bfloat16 with a factor: of `out` the first
/// `quarter` elements from `operand · step` on.
///
/// # Safety
/// `quarter` is a multiple of 32, the rows and the operands are as long as that takes, and the processor has AVX-512 BW.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn write_left(rows: [(*const u16, f32); 4], quarter: usize, out: *mut u16, step: usize) {
    for at in (0..quarter).step_by(32) {
        // SAFETY: as the caller promises.
        unsafe {
            // By the outer halves of rows and columns, then by the inner ones.
            let mut wholes = [[[[_mm512_setzero_si512(); 2]; 2]; 2]; 2];
            for (i, (row, factor)) in rows.into_iter().enumerate() {
                for j in 0..4 {
                    wholes[i / 2][j / 2][i % 2][j % 2] = whole(row.add(j * quarter + at), factor);
                }
            }
            let of = |row: usize, column: usize| {
                let of = |i: usize, j: usize| wholes[i][j][row][column];
                left([[of(0, 0), of(0, 1)], [of(1, 0), of(1, 1)]])
            };
            let outer = [[of(0, 0), of(0, 1)], [of(1, 0), of(1, 1)]];
            for product in 0..PRODUCTS {
                let [a, b] = outer;
                let inner = left([[a[0][product], a[1][product]], [b[0][product], b[1][product]]]);
                for (i, term) in inner.into_iter().enumerate() {
                    store(out.add((product * PRODUCTS + i) * step + at), term);
                }
            }
        }
    }
}

/// A tile of sums, [`MR`] rows of [`NR`], of `rows` rows of A and a panel of B. Only whole tiles ask for what is to come.
///
/// # Safety
/// A and B hold the groups, `out` the rows, and the processor has AVX512_VNNI.
pub(super) unsafe fn tile(rows: usize, operands: WholeOperands, out: *mut i32) {
    // SAFETY: as the caller promises.
    unsafe { for_rows!(rows, products, (operands, out)) }
}

/// # Safety
/// As [`tile`] with `ROWS` rows.
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn products<const ROWS: usize>(operands: WholeOperands, out: *mut i32) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut sums = [[_mm512_setzero_si512(); 2]; ROWS];
        if let Ok(whole) = <&mut [[Register; 2]; MR]>::try_from(sums.as_mut_slice()) {
            *whole = add_whole_rows(operands, *whole);
        } else {
            let WholeOperands { lines, a, stride, b, .. } = operands;
            for group in 0..lines * LINE {
                let (low, high) = (load(b.add(group * NR)), load(b.add(group * NR + 16)));
                for (row, sum) in sums.iter_mut().enumerate() {
                    let x = _mm512_set1_epi32(*a.add(row * stride + group) as i32);
                    sum[0] = _mm512_dpwssd_epi32(sum[0], x, low);
                    sum[1] = _mm512_dpwssd_epi32(sum[1], x, high);
                }
            }
        }
        for (row, [low, high]) in sums.into_iter().enumerate() {
            store(out.add(row * NR), low);
            store(out.add(row * NR + 16), high);
        }
    }
}

/// Four tiles of `rows` rows from those of seven products, one after the other.
///
/// # Safety
/// There are such tiles, and the processor has AVX-512 F.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn combine(tiles: *const i32, rows: usize, out: *mut i32) {
    for at in (0..rows * NR).step_by(16) {
        // SAFETY: as the caller promises.
        unsafe {
            let mut m = [_mm512_setzero_si512(); PRODUCTS];
            for (product, m) in m.iter_mut().enumerate() {
                *m = load(tiles.add(product * MR * NR + at));
            }
            let [[c00, c01], [c10, c11]] = quarters(m);
            for (i, c) in [c00, c01, c10, c11].into_iter().enumerate() {
                store(out.add(i * MR * NR + at), c);
            }
        }
    }
}

/// What sums of whole numbers become, and where.
#[derive(Clone, Copy)]
pub(super) struct Scales<'a> {
    /// The inverse factor of each row, by quarters of the panel.
    pub(super) rows: &'a [f32; QUADS * MR],
    /// Those of the tile's columns in each quarter of the columns.
    pub(super) columns: [*const f32; QUADS],
    /// Their biases.
    pub(super) bias: [*const f32; QUADS],
}

/// A number of C as it is kept.
pub(super) trait Kept: Copy {
    /// # Safety
    /// 16 of them are valid, and the processor has AVX512_BF16.
    unsafe fn store(to: *mut Self, values: __m512);
}

impl Kept for f32 {
    #[inline(always)]
    unsafe fn store(to: *mut f32, values: __m512) {
        // SAFETY: as the caller promises.
        unsafe { _mm512_storeu_ps(to, values) }
    }
}

impl Kept for u16 {
    #[inline(always)]
    unsafe fn store(to: *mut u16, values: __m512) {
        // SAFETY: as the caller promises; any bits are a register of integers.
        unsafe {
            let rounded = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(values));
            _mm256_storeu_si256(to.cast(), rounded);
        }
    }
}

/// Sixteen tiles of C from those that [`combine`] made of each outer product, `step` apart: multiplied by the scales, and with the
/// bias. Row `i` of quarter `q` of the rows goes to `to[q · MR + i]`, quarters of its columns `stride` apart; null
/// where there is none.
///
/// # Safety
/// There are such tiles, rows and scales, and the processor has AVX512_BF16.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn finish<T: Kept>(
    sums: *const i32,
    step: usize,
    rows: usize,
    scales: Scales<'_>,
    to: &[*mut T; QUADS * MR],
    stride: usize,
) {
    for inner in 0..4 {
        let (inner_row, inner_column) = (inner / 2, inner % 2);
        for part in [0, 16] {
            // SAFETY: as the caller promises.
            unsafe {
                let mut of_columns = [_mm512_setzero_ps(); 2];
                let mut bias = [_mm512_setzero_ps(); 2];
                for outer in 0..2 {
                    of_columns[outer] = _mm512_loadu_ps(scales.columns[2 * outer + inner_column].add(part));
                    bias[outer] = _mm512_loadu_ps(scales.bias[2 * outer + inner_column].add(part));
                }
                for row in 0..rows {
                    let mut m = [_mm512_setzero_si512(); PRODUCTS];
                    for (product, m) in m.iter_mut().enumerate() {
                        *m = load(sums.add(product * step + (inner * MR + row) * NR + part));
                    }
                    for (outer_row, c) in quarters(m).into_iter().enumerate() {
                        let at = (2 * outer_row + inner_row) * MR + row;
                        if to[at].is_null() {
                            continue;
                        }
                        let of_row = _mm512_set1_ps(scales.rows[at]);
                        for (outer_column, c) in c.into_iter().enumerate() {
                            let c = _mm512_mul_ps(_mm512_cvtepi32_ps(c), of_columns[outer_column]);
                            let c = _mm512_fmadd_ps(c, of_row, bias[outer_column]);
                            T::store(to[at].add((2 * outer_column + inner_column) * stride + part), c);
                        }
                    }
                }
            }
        }
    }
}
