//! AVX2 with FMA: a 6×16 tile in 12 accumulators.

use std::arch::x86_64::*;

use super::MicroKernel;

pub(super) struct Kernel;

impl MicroKernel for Kernel {
    const MR: usize = 6;
    const NR: usize = 16;

    unsafe fn tile(depth: usize, a: *const f32, b: *const f32, c: *mut f32, stride: usize, accumulate: bool) {
        // SAFETY: as the caller promises.
        unsafe { tile(depth, a, b, c, stride, accumulate) }
    }
}

/// # Safety
/// See [`MicroKernel::tile`].
#[target_feature(enable = "avx2,fma")]
unsafe fn tile(depth: usize, mut a: *const f32, mut b: *const f32, c: *mut f32, stride: usize, accumulate: bool) {
    // SAFETY: the panels hold `depth` groups and C the whole tile, as the caller promises.
    unsafe {
        let mut sum = [[_mm256_setzero_ps(); 2]; 6];
        for _ in 0..depth {
            let b0 = _mm256_loadu_ps(b);
            let b1 = _mm256_loadu_ps(b.add(8));
            for (row, sum) in sum.iter_mut().enumerate() {
                let x = _mm256_broadcast_ss(&*a.add(row));
                sum[0] = _mm256_fmadd_ps(x, b0, sum[0]);
                sum[1] = _mm256_fmadd_ps(x, b1, sum[1]);
            }
            a = a.add(6);
            b = b.add(16);
        }
        for (row, sum) in sum.iter().enumerate() {
            for (half, &value) in sum.iter().enumerate() {
                let target = c.add(row * stride + 8 * half);
                let value = if accumulate { _mm256_add_ps(_mm256_loadu_ps(target), value) } else { value };
                _mm256_storeu_ps(target, value);
            }
        }
    }
}
