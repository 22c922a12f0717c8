//! AVX-512: a 12×32 tile in 24 accumulators, and a packing transpose of 16×16 blocks in registers.

use std::arch::x86_64::*;
use std::ops::Range;

use super::matrix::Matrix;
use super::{Left, MicroKernel, Start, Tile, pack};

/// Calls `$kernel::<ROWS>` for the height of a tile: the last rows of a product cost what they are.
macro_rules! for_rows {
    ($rows:expr, $kernel:ident, ($($arg:expr),*)) => {
        match $rows {
            1 => $kernel::<1>($($arg),*),
            2 => $kernel::<2>($($arg),*),
            3 => $kernel::<3>($($arg),*),
            4 => $kernel::<4>($($arg),*),
            5 => $kernel::<5>($($arg),*),
            6 => $kernel::<6>($($arg),*),
            7 => $kernel::<7>($($arg),*),
            8 => $kernel::<8>($($arg),*),
            9 => $kernel::<9>($($arg),*),
            10 => $kernel::<10>($($arg),*),
            11 => $kernel::<11>($($arg),*),
            _ => $kernel::<12>($($arg),*),
        }
    };
}
pub(super) use for_rows;

pub(super) struct Kernel;

impl MicroKernel for Kernel {
    type Element = f32;
    const MR: usize = 12;
    const NR: usize = 32;
    const GROUP: usize = 1;
    const KC: usize = 192;

    unsafe fn tile(groups: usize, a: Left<f32>, b: *const f32, tile: Tile, rows: usize) {
        // SAFETY: as the caller promises.
        unsafe { for_rows!(rows, products, (groups, a.first, b, tile)) }
    }

    unsafe fn pack_a(a: Matrix<'_>, first: usize, count: usize, out: &mut [f32]) {
        // SAFETY: as the caller promises.
        unsafe { pack::rows_of_a::<12>(transposed::<12>, a, first, count, out) }
    }

    unsafe fn pack_b(b: Matrix<'_>, depth: Range<usize>, first: usize, count: usize, out: &mut [f32]) {
        // SAFETY: as the caller promises.
        unsafe { pack::columns_of_b::<32>(transposed::<32>, b, depth, first, count, out) }
    }
}

/// # Safety
/// As [`MicroKernel::tile`] with `ROWS` rows.
#[target_feature(enable = "avx512f")]
unsafe fn products<const ROWS: usize>(groups: usize, mut a: *const f32, mut b: *const f32, tile: Tile) {
    // SAFETY: the panels hold `groups` groups, as the caller promises.
    unsafe {
        let mut sum = [tile.first_sums(); ROWS];
        tile.prefetch::<ROWS>();
        for _ in 0..groups {
            let b0 = _mm512_loadu_ps(b);
            let b1 = _mm512_loadu_ps(b.add(16));
            for (row, sum) in sum.iter_mut().enumerate() {
                let x = _mm512_set1_ps(*a.add(row));
                sum[0] = _mm512_fmadd_ps(x, b0, sum[0]);
                sum[1] = _mm512_fmadd_ps(x, b1, sum[1]);
            }
            a = a.add(12);
            b = b.add(32);
        }
        tile.store(sum);
    }
}

impl Tile {
    /// Asks for the rows of C early, where they are read once the sums are complete.
    #[inline]
    pub(super) fn prefetch<const ROWS: usize>(self) {
        let rows = if matches!(self.start, Start::C) { ROWS } else { 0 };
        for row in 0..rows {
            let row = self.c.wrapping_add(row * self.stride);
            // SAFETY: a prefetch of any address is harmless.
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(row.cast());
                _mm_prefetch::<_MM_HINT_T0>(row.wrapping_add(16).cast());
            }
        }
    }

    /// The sums of a row before the first product; what is in C is added at the end.
    ///
    /// # Safety
    /// A bias is valid over the columns, and the processor has AVX-512 F.
    #[inline(always)]
    pub(super) unsafe fn first_sums(self) -> [__m512; 2] {
        // SAFETY: as the caller promises; beyond `columns` the masks are 0.
        unsafe {
            let Start::Bias(bias) = self.start else { return [_mm512_setzero_ps(); 2] };
            let mask = ((1u64 << self.columns) - 1) as u32;
            let high = _mm512_maskz_loadu_ps((mask >> 16) as __mmask16, bias.wrapping_add(16));
            [_mm512_maskz_loadu_ps(mask as __mmask16, bias), high]
        }
    }

    /// # Safety
    /// C is valid over `ROWS` rows of `columns` elements, and the processor has AVX-512 F. Where it is streamed, the squares are
    /// valid, and the rows are two whole lines of the cache each.
    // Always inlined, as a call would send the sums through memory; the callers have the target feature.
    #[inline(always)]
    pub(super) unsafe fn store<const ROWS: usize>(self, sum: [[__m512; 2]; ROWS]) {
        // SAFETY: as the caller promises; beyond `columns` the masks are 0.
        unsafe {
            if let Some(squares) = self.streamed {
                let squares = [0, 16].map(|half| squares.cast::<f32>().add(half));
                let mut added = squares.map(|squares| _mm512_loadu_ps(squares));
                for (row, sum) in sum.iter().enumerate() {
                    for (half, &value) in sum.iter().enumerate() {
                        _mm512_stream_ps(self.c.add(row * self.stride + 16 * half), value);
                        added[half] = _mm512_fmadd_ps(value, value, added[half]);
                    }
                }
                for (half, squares) in squares.into_iter().enumerate() {
                    _mm512_storeu_ps(squares, added[half]);
                }
                return;
            }
            let accumulate = matches!(self.start, Start::C);
            if self.columns == 32 {
                for (row, sum) in sum.iter().enumerate() {
                    for (half, &value) in sum.iter().enumerate() {
                        let target = self.c.add(row * self.stride + 16 * half);
                        let value = if accumulate { _mm512_add_ps(_mm512_loadu_ps(target), value) } else { value };
                        _mm512_storeu_ps(target, value);
                    }
                }
                return;
            }
            let mask = (1u64 << self.columns) - 1;
            for (row, sum) in sum.iter().enumerate() {
                for (half, &value) in sum.iter().enumerate() {
                    let mask = (mask >> (16 * half)) as __mmask16;
                    let target = self.c.wrapping_add(row * self.stride + 16 * half);
                    let old = _mm512_maskz_loadu_ps(mask, target);
                    let value = if accumulate { _mm512_add_ps(old, value) } else { value };
                    _mm512_mask_storeu_ps(target, mask, value);
                }
            }
        }
    }
}

/// # Safety
/// As [`pack::transposed`], on a processor with AVX-512 F.
#[target_feature(enable = "avx512f")]
unsafe fn transposed<const WIDTH: usize>(source: *const f32, stride: usize, count: usize, depth: usize, out: *mut f32) {
    // SAFETY: loads are masked to the `depth` elements of the `count` vectors, stores to the `WIDTH` of each group.
    unsafe {
        for first in (0..WIDTH).step_by(16) {
            let width = (WIDTH - first).min(16);
            let store = (((1u32 << width) - 1) & 0xffff) as __mmask16;
            for d in (0..depth).step_by(16) {
                let groups = (depth - d).min(16);
                let load = (((1u32 << groups) - 1) & 0xffff) as __mmask16;
                let mut block = [_mm512_setzero_ps(); 16];
                for (i, row) in block.iter_mut().enumerate() {
                    if first + i < count {
                        *row = _mm512_maskz_loadu_ps(load, source.add((first + i) * stride + d));
                    }
                }
                let block = transpose(block);
                if groups == 16 {
                    for (g, &group) in block.iter().enumerate() {
                        _mm512_mask_storeu_ps(out.add((d + g) * WIDTH + first), store, group);
                    }
                } else {
                    for (g, &group) in block.iter().enumerate().take(groups) {
                        _mm512_mask_storeu_ps(out.add((d + g) * WIDTH + first), store, group);
                    }
                }
            }
        }
    }
}

/// Transposes a 16×16 block: pairs, then quads, within 128-bit lanes, then the lanes themselves.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn transpose(r: [__m512; 16]) -> [__m512; 16] {
    let zero = _mm512_setzero_ps();
    let mut quads = [zero; 16];
    for i in 0..4 {
        let [a, b, c, d] = [r[4 * i], r[4 * i + 1], r[4 * i + 2], r[4 * i + 3]];
        let (ab_low, ab_high) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
        let (cd_low, cd_high) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
        // quads[4i + j]: in lane l, column 4l + j of rows 4i..4i + 4.
        quads[4 * i] = _mm512_shuffle_ps::<0x44>(ab_low, cd_low);
        quads[4 * i + 1] = _mm512_shuffle_ps::<0xee>(ab_low, cd_low);
        quads[4 * i + 2] = _mm512_shuffle_ps::<0x44>(ab_high, cd_high);
        quads[4 * i + 3] = _mm512_shuffle_ps::<0xee>(ab_high, cd_high);
    }
    let mut out = [zero; 16];
    for j in 0..4 {
        let [a, b, c, d] = [quads[j], quads[4 + j], quads[8 + j], quads[12 + j]];
        let (ab_even, ab_odd) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
        let (cd_even, cd_odd) = (_mm512_shuffle_f32x4::<0x88>(c, d), _mm512_shuffle_f32x4::<0xdd>(c, d));
        out[j] = _mm512_shuffle_f32x4::<0x88>(ab_even, cd_even);
        out[8 + j] = _mm512_shuffle_f32x4::<0xdd>(ab_even, cd_even);
        out[4 + j] = _mm512_shuffle_f32x4::<0x88>(ab_odd, cd_odd);
        out[12 + j] = _mm512_shuffle_f32x4::<0xdd>(ab_odd, cd_odd);
    }
    out
}
