//! AVX2 with FMA: a 6×16 tile in 12 accumulators.

use std::arch::x86_64::*;
use std::ops::Range;

use super::matrix::Matrix;
use super::{Left, MicroKernel, Start, Tile, edge, pack};

pub(super) struct Kernel;

impl MicroKernel for Kernel {
    type Element = f32;
    const MR: usize = 6;
    const NR: usize = 16;
    const GROUP: usize = 1;
    const KC: usize = 192;

    unsafe fn tile(groups: usize, a: Left<f32>, b: *const f32, to: Tile, rows: usize) {
        // SAFETY: as the caller promises.
        unsafe {
            if rows == 6 && to.columns == 16 {
                tile(groups, a.first, b, to.c, to.stride, to.start);
            } else {
                edge::<96>(to, rows, 16, |c| tile(groups, a.first, b, c, 16, Start::Zero));
            }
        }
    }

    unsafe fn pack_a(a: Matrix<'_>, first: usize, count: usize, out: &mut [f32]) {
        // SAFETY: as the caller promises.
        unsafe { pack::rows_of_a::<6>(pack::transposed::<6>, a, first, count, out) }
    }

    unsafe fn pack_b(b: Matrix<'_>, depth: Range<usize>, first: usize, count: usize, out: &mut [f32]) {
        // SAFETY: as the caller promises.
        unsafe { pack::columns_of_b::<16>(pack::transposed::<16>, b, depth, first, count, out) }
    }
}

/// # Safety
/// The panels hold `groups` groups, C the whole tile, and the processor has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
unsafe fn tile(groups: usize, mut a: *const f32, mut b: *const f32, c: *mut f32, stride: usize, start: Start) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut sum = [[_mm256_setzero_ps(); 2]; 6];
        for _ in 0..groups {
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
                let value = match start {
                    Start::Zero => value,
                    Start::C => _mm256_add_ps(_mm256_loadu_ps(target), value),
                    Start::Bias(bias) => _mm256_add_ps(_mm256_loadu_ps(bias.add(8 * half)), value),
                };
                _mm256_storeu_ps(target, value);
            }
        }
    }
}
