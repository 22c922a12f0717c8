//! Any processor: a 4×8 tile that the compiler keeps in the baseline's vector registers.

use std::ops::Range;

use super::matrix::Matrix;
use super::{Left, MicroKernel, Start, Tile, edge, pack};

pub(super) struct Kernel;

impl MicroKernel for Kernel {
    type Element = f32;
    const MR: usize = 4;
    const NR: usize = 8;
    const GROUP: usize = 1;
    const KC: usize = 192;

    unsafe fn tile(groups: usize, a: Left<f32>, b: *const f32, to: Tile, rows: usize) {
        // SAFETY: as the caller promises.
        unsafe {
            if rows == 4 && to.columns == 8 {
                tile(groups, a.first, b, to.c, to.stride, to.start);
            } else {
                edge::<32>(to, rows, 8, |c| tile(groups, a.first, b, c, 8, Start::Zero));
            }
        }
    }

    unsafe fn pack_a(a: Matrix<'_>, first: usize, count: usize, out: &mut [f32]) {
        // SAFETY: as the caller promises.
        unsafe { pack::rows_of_a::<4>(pack::transposed::<4>, a, first, count, out) }
    }

    unsafe fn pack_b(b: Matrix<'_>, depth: Range<usize>, first: usize, count: usize, out: &mut [f32]) {
        // SAFETY: as the caller promises.
        unsafe { pack::columns_of_b::<8>(pack::transposed::<8>, b, depth, first, count, out) }
    }
}

/// # Safety
/// The panels hold `groups` groups and C the whole tile.
unsafe fn tile(groups: usize, a: *const f32, b: *const f32, c: *mut f32, stride: usize, start: Start) {
    // SAFETY: as the caller promises.
    unsafe {
        let a = std::slice::from_raw_parts(a.cast::<[f32; 4]>(), groups);
        let b = std::slice::from_raw_parts(b.cast::<[f32; 8]>(), groups);
        let mut sum = [[0f32; 8]; 4];
        for (a, b) in a.iter().zip(b) {
            for (sum, &x) in sum.iter_mut().zip(a) {
                for (sum, &y) in sum.iter_mut().zip(b) {
                    *sum += x * y;
                }
            }
        }
        for (row, sum) in sum.iter().enumerate() {
            let target = &mut *c.add(row * stride).cast::<[f32; 8]>();
            for (column, (target, &value)) in target.iter_mut().zip(sum).enumerate() {
                *target = start.add(value, *target, column);
            }
        }
    }
}
