//! AVX512_BF16: a 12×32 tile in 24 accumulators of products of bfloat16 pairs, packed as pairs along the inner dimension.
//!
//! Operands are rounded to bfloat16 (nearest even) as they are packed; an odd inner dimension ends in a pair with a zero.
//! The instructions take numbers too small for a normal representation as zero and round each sum to nearest even.

use std::arch::x86_64::*;
use std::num::NonZero;
use std::ops::Range;

use super::avx512::for_rows;
use super::avx512bf16_loop::{LINE, Sums, add_panel, add_rows};
use super::matrix::{Elements, Matrix};
use super::{Left, MicroKernel, Tile};
use crate::rounded::rounded_stride;

pub(super) struct Kernel;

/// Groups of a panel interleaved before the next panel's: a run of the source's rows stays in the first-level cache.
const PANELS_AT_ONCE: usize = 16;
/// How many rows ahead interleaving asks for its source.
const ROWS_AHEAD: usize = 8;

impl MicroKernel for Kernel {
    type Element = u32;
    const MR: usize = 12;
    const NR: usize = 32;
    const GROUP: usize = 2;
    const KC: usize = 1152;
    const STREAMS: bool = true;

    unsafe fn tile(groups: usize, a: Left<u32>, b: *const u32, tile: Tile, rows: usize) {
        // SAFETY: as the caller promises.
        unsafe {
            match a.row_stride {
                Some(stride) => for_rows!(rows, products_of_rows, (groups, a, stride, b, tile)),
                None => for_rows!(rows, products, (groups, a, b, tile)),
            }
        }
    }

    /// A row-major A only needs rounding, if that: the kernel takes its pairs as they lie. The transpose of one is
    /// interleaved into panels.
    fn row_stride(a: Matrix<'_>) -> Option<usize> {
        (a.column_stride == 1).then(|| rounded_stride(a.columns) / 2)
    }

    fn in_place(a: Matrix<'_>) -> Option<&[u32]> {
        let Elements::Rounded(data) = a.data else { return None };
        // SAFETY: any two halves are a word.
        let (before, words, _) = unsafe { data.align_to::<u32>() };
        (a.column_stride == 1 && before.is_empty()).then_some(words)
    }

    unsafe fn pack_a(a: Matrix<'_>, first: usize, count: usize, out: &mut [u32]) {
        let groups = a.columns.div_ceil(2);
        debug_assert!(first + count <= a.rows);
        // SAFETY: the rows exist, and the strides of a `Matrix` stay inside its slice.
        unsafe {
            if let Some(stride) = Self::row_stride(a) {
                debug_assert!(out.len() >= count * stride);
                for (row, out) in out.chunks_exact_mut(stride).take(count).enumerate() {
                    let at = (first + row) * a.row_stride;
                    match a.data {
                        Elements::Single(data) => round(data.as_ptr().add(at), a.columns, out.as_mut_ptr()),
                        Elements::Rounded(data) => {
                            let row = &data[at..at + a.columns];
                            std::ptr::copy_nonoverlapping(row.as_ptr(), out.as_mut_ptr().cast(), row.len());
                            if let (true, Some(last)) = (row.len() % 2 == 1, row.last()) {
                                out[groups - 1] = u32::from(*last);
                            }
                        }
                    }
                }
            } else {
                assert_eq!(a.row_stride, 1, "a matrix is contiguous along one of its dimensions");
                debug_assert!(out.len() >= count.div_ceil(12) * 12 * groups);
                let mut at = first;
                for out in out.chunks_mut((PANELS_AT_ONCE * 12 * groups).max(1)) {
                    let block = Block { stride: a.column_stride, count: (first + count - at).min(PANELS_AT_ONCE * 12) };
                    block.interleave::<12>(a.data, at, a.columns, out);
                    at += block.count;
                }
            }
        }
    }

    unsafe fn pack_b(b: Matrix<'_>, depth: Range<usize>, first: usize, count: usize, out: &mut [u32]) {
        debug_assert!(depth.end <= b.rows && first + count <= b.columns);
        assert_eq!(b.column_stride, 1, "weights come packed; any other right operand is row-major");
        let block = Block { stride: b.row_stride, count };
        // SAFETY: the block exists, and the strides of a `Matrix` stay inside its slice.
        unsafe { block.interleave::<32>(b.data, depth.start * b.row_stride + first, depth.len(), out) }
    }

    fn fence() {
        // SAFETY: every processor with this instruction set has it.
        unsafe { _mm_sfence() }
    }
}

/// # Safety
/// As [`MicroKernel::tile`] with `ROWS` rows.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn products<const ROWS: usize>(groups: usize, a: Left<u32>, b: *const u32, tile: Tile) {
    // SAFETY: the panels hold `groups` groups, as the caller promises; any bits are a vector of bfloat16.
    unsafe {
        let mut sum = [tile.first_sums(); ROWS];
        tile.prefetch::<ROWS>();
        let mut done = 0;
        if let (Some(lines), Some(whole)) = (NonZero::new(groups / LINE), whole(&mut sum)) {
            *whole = add_panel(lines.get(), a.first, b, a.ahead, *whole);
            done = lines.get() * LINE;
        }
        for group in done..groups {
            let [b0, b1] = [0, 16].map(|at| pairs(b.add(group * 32 + at)));
            for (row, sum) in sum.iter_mut().enumerate() {
                let x = pair(*a.first.add(group * 12 + row));
                sum[0] = _mm512_dpbf16_ps(sum[0], x, b0);
                sum[1] = _mm512_dpbf16_ps(sum[1], x, b1);
            }
        }
        tile.store(sum);
    }
}

/// [`products`] with A in rows `stride` apart.
///
/// # Safety
/// As [`MicroKernel::tile`] with `ROWS` rows.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn products_of_rows<const ROWS: usize>(groups: usize, a: Left<u32>, stride: usize, b: *const u32, tile: Tile) {
    // SAFETY: the rows and the panel hold `groups` groups, as the caller promises; any bits are a vector of bfloat16.
    unsafe {
        let mut sum = [tile.first_sums(); ROWS];
        tile.prefetch::<ROWS>();
        let mut done = 0;
        if let (Some(lines), Some(whole)) = (NonZero::new(groups / LINE), whole(&mut sum)) {
            *whole = add_rows(lines.get(), a.first, stride, b, a.ahead, *whole);
            done = lines.get() * LINE;
        }
        for group in done..groups {
            let [b0, b1] = [0, 16].map(|at| pairs(b.add(group * 32 + at)));
            for (row, sum) in sum.iter_mut().enumerate() {
                let x = pair(*a.first.add(row * stride + group));
                sum[0] = _mm512_dpbf16_ps(sum[0], x, b0);
                sum[1] = _mm512_dpbf16_ps(sum[1], x, b1);
            }
        }
        tile.store(sum);
    }
}

/// The sums of a tile of full height.
#[inline]
fn whole<const ROWS: usize>(sum: &mut [[__m512; 2]; ROWS]) -> Option<&mut Sums> {
    sum.as_mut_slice().try_into().ok()
}

/// The pairs of 16 columns.
///
/// # Safety
/// 16 words are valid.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn pairs(b: *const u32) -> __m512bh {
    // SAFETY: as the caller promises; any bits are a vector of bfloat16.
    unsafe { std::mem::transmute(_mm512_loadu_si512(b.cast())) }
}

/// One pair for every column.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn pair(a: u32) -> __m512bh {
    // SAFETY: any bits are a vector of bfloat16.
    unsafe { std::mem::transmute(_mm512_set1_epi32(a as i32)) }
}

/// Rounds `depth` contiguous elements to pairs, an odd last one with a zero.
///
/// # Safety
/// The elements and a word for each pair are valid, and the processor has AVX512_BF16.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn round(source: *const f32, depth: usize, out: *mut u32) {
    // SAFETY: loads are masked to the `depth` elements, stores to their pairs.
    unsafe {
        let whole = depth / 32 * 32;
        for d in (0..whole).step_by(32) {
            let (low, high) = (_mm512_loadu_ps(source.add(d)), _mm512_loadu_ps(source.add(d + 16)));
            let pairs = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
            _mm512_storeu_si512(out.add(d / 2).cast(), pairs);
        }
        if whole < depth {
            let left = depth - whole;
            let mask = (1u32 << left) - 1;
            let low = _mm512_maskz_loadu_ps(mask as __mmask16, source.add(whole));
            let high = _mm512_maskz_loadu_ps((mask >> 16) as __mmask16, source.wrapping_add(whole + 16));
            let pairs = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
            let store = ((1u32 << left.div_ceil(2)) - 1) as __mmask16;
            _mm512_mask_storeu_epi32(out.add(whole / 2).cast(), store, pairs);
        }
    }
}

/// What two rows of a source have in the same 16 columns, as pairs.
trait Source: Copy {
    /// # Safety
    /// The elements of `load` are valid from `first` on, and those of `load & both` from `second` on; the processor has
    /// AVX512_BF16.
    unsafe fn pairs(first: *const Self, second: *const Self, load: __mmask16, both: __mmask16) -> __m512i;
}

impl Source for f32 {
    #[inline(always)]
    unsafe fn pairs(first: *const f32, second: *const f32, load: __mmask16, both: __mmask16) -> __m512i {
        #[rustfmt::skip]
        const ORDER: [u16; 32] = [
            0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
            8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31,
        ];
        // SAFETY: as the caller promises.
        unsafe {
            let (low, high) = (_mm512_maskz_loadu_ps(load, first), _mm512_maskz_loadu_ps(load & both, second));
            let pairs = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
            _mm512_permutexvar_epi16(_mm512_loadu_si512(ORDER.as_ptr().cast()), pairs)
        }
    }
}

impl Source for u16 {
    #[inline(always)]
    unsafe fn pairs(first: *const u16, second: *const u16, load: __mmask16, both: __mmask16) -> __m512i {
        // SAFETY: as the caller promises.
        unsafe {
            let low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(load, first.cast()));
            let high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(load & both, second.cast()));
            _mm512_or_si512(low, _mm512_slli_epi32::<16>(high))
        }
    }
}

/// Columns of a source whose rows pair up two by two.
#[derive(Clone, Copy)]
struct Block {
    /// Elements from row to row.
    stride: usize,
    /// Columns.
    count: usize,
}

impl Block {
    /// Packs `depth` rows from element `at` on into panels `[groups][WIDTH]` of the pairs that two rows make, zero padded.
    ///
    /// # Safety
    /// The rows and the panels are valid, and the processor has AVX512_BF16.
    unsafe fn interleave<const WIDTH: usize>(self, data: Elements<'_>, at: usize, depth: usize, out: &mut [u32]) {
        let (groups, out) = (depth.div_ceil(2), out.as_mut_ptr());
        // SAFETY: as the caller promises.
        unsafe {
            match data {
                Elements::Single(data) => {
                    interleave::<f32, WIDTH>(data.as_ptr().wrapping_add(at), self, depth, groups, out);
                }
                Elements::Rounded(data) => {
                    interleave::<u16, WIDTH>(data.as_ptr().wrapping_add(at), self, depth, groups, out);
                }
            }
        }
    }
}

/// # Safety
/// See [`Block::interleave`]; `groups` is half of `depth` rounded up.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn interleave<S: Source, const WIDTH: usize>(
    source: *const S,
    block: Block,
    depth: usize,
    groups: usize,
    out: *mut u32,
) {
    let Block { stride, count } = block;
    let full = |part: usize| ((1u32 << (WIDTH - part).min(16)) - 1) as __mmask16;
    for g in 0..groups {
        let (mut first, mut second) = (source.wrapping_add(2 * g * stride), source.wrapping_add((2 * g + 1) * stride));
        let both = if 2 * g + 1 < depth { 0xffff } else { 0 };
        let mut to = out.wrapping_add(g * WIDTH);
        // SAFETY: loads are masked to the `count` elements of the rows there are, stores to the words of each group.
        unsafe {
            for _ in 0..count / WIDTH {
                for part in (0..WIDTH).step_by(16) {
                    // The rows of the groups to come lie far apart: nothing else asks for them early.
                    _mm_prefetch::<_MM_HINT_T0>(first.wrapping_add(ROWS_AHEAD * stride + part).cast());
                    _mm_prefetch::<_MM_HINT_T0>(second.wrapping_add(ROWS_AHEAD * stride + part).cast());
                    let pairs = S::pairs(first.wrapping_add(part), second.wrapping_add(part), full(part), both);
                    _mm512_mask_storeu_epi32(to.add(part).cast(), full(part), pairs);
                }
                (first, second) = (first.wrapping_add(WIDTH), second.wrapping_add(WIDTH));
                to = to.wrapping_add(groups * WIDTH);
            }
            if !count.is_multiple_of(WIDTH) {
                for part in (0..WIDTH).step_by(16) {
                    let left = (count % WIDTH).saturating_sub(part).min(16);
                    let load = ((1u32 << left) - 1) as __mmask16;
                    let pairs = S::pairs(first.wrapping_add(part), second.wrapping_add(part), load, both);
                    _mm512_mask_storeu_epi32(to.add(part).cast(), full(part), pairs);
                }
            }
        }
    }
}
