//! AVX-512: a 12×32 tile in 24 accumulators, and a packing transpose of 16×16 blocks in registers.

use std::arch::x86_64::*;

use super::MicroKernel;

pub(super) struct Kernel;

impl MicroKernel for Kernel {
    const MR: usize = 12;
    const NR: usize = 32;

    unsafe fn tile(depth: usize, a: *const f32, b: *const f32, c: *mut f32, stride: usize, accumulate: bool) {
        // SAFETY: as the caller promises.
        unsafe { tile(depth, a, b, c, stride, accumulate) }
    }

    unsafe fn pack_transposed<const WIDTH: usize>(
        source: *const f32,
        stride: usize,
        count: usize,
        depth: usize,
        out: *mut f32,
    ) {
        // SAFETY: as the caller promises.
        unsafe { pack::<WIDTH>(source, stride, count, depth, out) }
    }
}

/// # Safety
/// See [`MicroKernel::tile`].
#[target_feature(enable = "avx512f")]
unsafe fn tile(depth: usize, mut a: *const f32, mut b: *const f32, c: *mut f32, stride: usize, accumulate: bool) {
    // SAFETY: the panels hold `depth` groups and C the whole tile, as the caller promises.
    unsafe {
        let mut sum = [[_mm512_setzero_ps(); 2]; 12];
        for row in 0..12 {
            _mm_prefetch::<_MM_HINT_T0>(c.add(row * stride).cast());
            _mm_prefetch::<_MM_HINT_T0>(c.add(row * stride + 16).cast());
        }
        for _ in 0..depth {
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
        for (row, sum) in sum.iter().enumerate() {
            for (half, &value) in sum.iter().enumerate() {
                let target = c.add(row * stride + 16 * half);
                let value = if accumulate { _mm512_add_ps(_mm512_loadu_ps(target), value) } else { value };
                _mm512_storeu_ps(target, value);
            }
        }
    }
}

/// # Safety
/// See [`MicroKernel::pack_transposed`].
#[target_feature(enable = "avx512f")]
unsafe fn pack<const WIDTH: usize>(source: *const f32, stride: usize, count: usize, depth: usize, out: *mut f32) {
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
fn transpose(r: [__m512; 16]) -> [__m512; 16] {
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
