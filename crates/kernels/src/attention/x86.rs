//! [`Lanes`] of x86-64.

use std::arch::x86_64::*;

use super::lanes::{Lanes, Work};
use super::operand::{Operand, Products};
use crate::dropout::Dropout;

/// AVX-512 F, BW, DQ and VL, and with `PAIRS` its products of pairs of bfloat16.
#[derive(Clone, Copy)]
pub(super) struct Avx512<const PAIRS: bool>(());

/// AVX2 and FMA.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

impl<const PAIRS: bool> Avx512<PAIRS> {
    /// # Safety
    /// The processor has AVX-512 F, BW, DQ and VL, AVX2 and FMA, and with `PAIRS` AVX512_BF16.
    pub(super) unsafe fn new() -> Self {
        Self(())
    }
}

impl Avx2 {
    /// # Safety
    /// The processor has AVX2 and FMA.
    pub(super) unsafe fn new() -> Self {
        Self(())
    }
}

/// Methods that are one intrinsic each.
macro_rules! intrinsics {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $ret:ty = $value:expr;)*) => {
        $(
            #[inline(always)]
            fn $name(self, $($arg: $ty),*) -> $ret {
                // SAFETY: `self` proves that the processor has the instruction set.
                unsafe { $value }
            }
        )*
    };
}

impl<const PAIRS: bool> Lanes for Avx512<PAIRS> {
    const WIDTH: usize = 16;
    const TILE_ROWS: &'static [usize] = &[8, 8, 8, 6];
    type V = __m512;

    #[inline(always)]
    unsafe fn enter<W: Operand, K: Work<W>>(self, work: K)
    where
        Self: Products<W>,
    {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
        unsafe fn entered<W: Operand, S: Products<W>, K: Work<W>>(s: S, work: K) {
            // SAFETY: passed on to the caller.
            unsafe { work.run(s) }
        }
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
        unsafe fn entered_with_pairs<W: Operand, S: Products<W>, K: Work<W>>(s: S, work: K) {
            // SAFETY: passed on to the caller.
            unsafe { work.run(s) }
        }
        // SAFETY: `self` proves that the processor has the instruction set; the rest is the caller's.
        unsafe { if PAIRS { entered_with_pairs(self, work) } else { entered(self, work) } }
    }

    intrinsics! {
        splat(x: f32) -> __m512 = _mm512_set1_ps(x);
        add(a: __m512, b: __m512) -> __m512 = _mm512_add_ps(a, b);
        sub(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps(a, b);
        mul(a: __m512, b: __m512) -> __m512 = _mm512_mul_ps(a, b);
        div(a: __m512, b: __m512) -> __m512 = _mm512_div_ps(a, b);
        max(a: __m512, b: __m512) -> __m512 = _mm512_max_ps(a, b);
        mul_add(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fmadd_ps(a, b, c);
        mul_sub(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fmsub_ps(a, b, c);
        round(x: __m512) -> __m512 = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
        times_power_of_two(x: __m512, n: __m512) -> __m512 = _mm512_scalef_ps(x, n);
        interleave(a: __m512, b: __m512) -> [__m512; 2] = {
            let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
            [_mm512_permutex2var_ps(a, low, b), _mm512_permutex2var_ps(a, high, b)]
        };
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: readable, as the caller promises; `self` proves the instruction set.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, x: __m512, to: *mut f32) {
        // SAFETY: writable, as the caller promises; `self` proves the instruction set.
        unsafe { _mm512_storeu_ps(to, x) }
    }

    #[inline(always)]
    unsafe fn factors(self, dropout: Dropout, index: u32, keys: [*const u32; 2]) -> __m512 {
        // SAFETY: readable, as the caller promises; `self` proves the instruction set.
        unsafe {
            let keys = keys.map(|key| key.cast::<[u32; 16]>().read_unaligned());
            _mm512_loadu_ps(dropout.factors_of_parts(index, keys).as_ptr())
        }
    }
}

impl Lanes for Avx2 {
    const WIDTH: usize = 8;
    const TILE_ROWS: &'static [usize] = &[8, 6];
    type V = __m256;

    #[inline(always)]
    unsafe fn enter<W: Operand, K: Work<W>>(self, work: K)
    where
        Self: Products<W>,
    {
        #[target_feature(enable = "avx2,fma")]
        unsafe fn entered<W: Operand, S: Products<W>, K: Work<W>>(s: S, work: K) {
            // SAFETY: passed on to the caller.
            unsafe { work.run(s) }
        }
        // SAFETY: `self` proves that the processor has the instruction set; the rest is the caller's.
        unsafe { entered(self, work) }
    }

    intrinsics! {
        splat(x: f32) -> __m256 = _mm256_set1_ps(x);
        add(a: __m256, b: __m256) -> __m256 = _mm256_add_ps(a, b);
        sub(a: __m256, b: __m256) -> __m256 = _mm256_sub_ps(a, b);
        mul(a: __m256, b: __m256) -> __m256 = _mm256_mul_ps(a, b);
        div(a: __m256, b: __m256) -> __m256 = _mm256_div_ps(a, b);
        max(a: __m256, b: __m256) -> __m256 = _mm256_max_ps(a, b);
        mul_add(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fmadd_ps(a, b, c);
        mul_sub(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fmsub_ps(a, b, c);
        round(x: __m256) -> __m256 = _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
        times_power_of_two(x: __m256, n: __m256) -> __m256 = {
            let biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
            _mm256_mul_ps(x, _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased)))
        };
        interleave(a: __m256, b: __m256) -> [__m256; 2] = {
            let (even, odd) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            [_mm256_permute2f128_ps::<0x20>(even, odd), _mm256_permute2f128_ps::<0x31>(even, odd)]
        };
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: readable, as the caller promises; `self` proves the instruction set.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, x: __m256, to: *mut f32) {
        // SAFETY: writable, as the caller promises; `self` proves the instruction set.
        unsafe { _mm256_storeu_ps(to, x) }
    }

    #[inline(always)]
    unsafe fn factors(self, dropout: Dropout, index: u32, keys: [*const u32; 2]) -> __m256 {
        // SAFETY: readable, as the caller promises; `self` proves the instruction set.
        unsafe {
            let keys = keys.map(|key| key.cast::<[u32; 8]>().read_unaligned());
            _mm256_loadu_ps(dropout.factors_of_parts(index, keys).as_ptr())
        }
    }
}
