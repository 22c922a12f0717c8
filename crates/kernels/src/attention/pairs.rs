//! [`Products`] of pairs of bfloat16 with AVX512_BF16. Its instructions take numbers too small for a normal
//! representation as zero and round to nearest even.

use std::arch::x86_64::*;

use super::LINE;
use super::operand::Products;
use super::tile::Rows;
use super::x86::Avx512;

/// Numbers of two vectors side by side to pairs of those that lie in the same lane.
#[rustfmt::skip]
const PAIRS: [u16; 32] = [
    0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
    8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31,
];

/// The first half of two rows of 32 numbers each to pairs of those in the same column; the second half is 16 further on.
#[rustfmt::skip]
const COLUMNS: [u16; 32] = [
    0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39,
    8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47,
];

impl Avx512<true> {
    /// `terms`, rounded, one after the other.
    #[inline(always)]
    fn side_by_side(self, terms: [__m512; 2]) -> __m512i {
        // SAFETY: `self` proves the instruction set; any bits are integers.
        unsafe { std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(terms[1], terms[0])) }
    }

    /// What [`Avx512::side_by_side`] made of two vectors as pairs of theirs.
    #[inline(always)]
    fn paired(self, halves: __m512i) -> __m512i {
        // SAFETY: `self` proves the instruction set; the order is 32 halves.
        unsafe { _mm512_permutexvar_epi16(_mm512_loadu_si512(PAIRS.as_ptr().cast()), halves) }
    }
}

impl Products<u32> for Avx512<true> {
    #[inline(always)]
    fn add_products(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: `self` proves the instruction set; any bits are a vector of bfloat16.
        unsafe {
            let [a, b] = [a, b].map(|x| std::mem::transmute::<__m512, __m512bh>(x));
            _mm512_dpbf16_ps(c, a, b)
        }
    }

    #[inline(always)]
    fn words(self, terms: [__m512; 2]) -> __m512 {
        // SAFETY: `self` proves the instruction set.
        unsafe { _mm512_castsi512_ps(self.paired(self.side_by_side(terms))) }
    }

    #[inline(always)]
    unsafe fn store_across(self, x: __m512, to: *mut u32) {
        // SAFETY: writable, as the caller promises; `self` proves the instruction set, and any bits are integers.
        unsafe {
            let halves = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(x));
            _mm256_storeu_si256(to.cast(), halves);
        }
    }

    #[inline(always)]
    unsafe fn store_both_ways(self, terms: [__m512; 2], down: *mut u32, across: [*mut u32; 2]) {
        let halves = self.side_by_side(terms);
        // SAFETY: writable, as the caller promises; `self` proves the instruction set.
        unsafe {
            _mm512_storeu_si512(down.cast(), self.paired(halves));
            _mm256_storeu_si256(across[0].cast(), _mm512_castsi512_si256(halves));
            _mm256_storeu_si256(across[1].cast(), _mm512_extracti64x4_epi64::<1>(halves));
        }
    }

    #[inline(always)]
    unsafe fn rounded(self, rows: Rows<f32>, room: &mut [f32]) -> Rows<u32> {
        let words = rows.columns / 2;
        assert!(room.len() >= rows.rows * words, "room for the rows");
        let to = room.as_mut_ptr().cast::<u32>();
        for row in 0..rows.rows {
            for word in (0..words).step_by(LINE) {
                let (left, masked) = (rows.columns - 2 * word, words - word);
                // SAFETY: loads and stores are masked to the row's numbers and words; `self` proves the instruction set.
                unsafe {
                    let from = rows.at.add(row * rows.stride + 2 * word);
                    let low = _mm512_maskz_loadu_ps(mask(left), from);
                    let high = _mm512_maskz_loadu_ps(mask(left.saturating_sub(LINE)), from.wrapping_add(LINE));
                    let halves = self.side_by_side([low, high]);
                    _mm512_mask_storeu_epi32(to.add(row * words + word).cast(), mask(masked), halves);
                }
            }
        }
        Rows { at: to, stride: words, rows: rows.rows, columns: words }
    }

    #[inline(always)]
    unsafe fn down(self, rows: Rows<u32>, room: &mut [f32]) -> Rows<u32> {
        let (pairs, columns) = (rows.rows.div_ceil(2), 2 * rows.columns);
        let stride = columns.next_multiple_of(LINE);
        assert!(room.len() >= pairs * stride, "room for the rows");
        let to = room.as_mut_ptr().cast::<u32>();
        // SAFETY: loads are masked to the words of the rows there are, and stores stay within `stride`; `self` proves the
        // instruction set.
        unsafe {
            let first_half = _mm512_loadu_si512(COLUMNS.as_ptr().cast());
            let second_half = _mm512_add_epi16(first_half, _mm512_set1_epi16(LINE as i16));
            for pair in 0..pairs {
                let first = rows.at.add(2 * pair * rows.stride);
                // An odd last row is paired with zeros.
                let (second, both) = (first.wrapping_add(rows.stride), mask_if(2 * pair + 1 < rows.rows));
                for word in (0..rows.columns).step_by(LINE) {
                    let load = mask(rows.columns - word);
                    let a = _mm512_maskz_loadu_epi32(load, first.add(word).cast());
                    let b = _mm512_maskz_loadu_epi32(load & both, second.wrapping_add(word).cast());
                    let to = to.add(pair * stride + 2 * word);
                    _mm512_storeu_si512(to.cast(), _mm512_permutex2var_epi16(a, first_half, b));
                    if 2 * word + LINE < stride {
                        _mm512_storeu_si512(to.add(LINE).cast(), _mm512_permutex2var_epi16(a, second_half, b));
                    }
                }
            }
        }
        Rows { at: to, stride, rows: pairs, columns }
    }
}

/// The first `count` lanes, at most all.
#[inline(always)]
fn mask(count: usize) -> __mmask16 {
    if count < LINE { (1 << count) - 1 } else { __mmask16::MAX }
}

/// All lanes or none.
#[inline(always)]
fn mask_if(all: bool) -> __mmask16 {
    if all { __mmask16::MAX } else { 0 }
}
