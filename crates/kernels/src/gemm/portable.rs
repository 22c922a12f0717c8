//! Any processor: a 4×8 tile that the compiler keeps in the baseline's vector registers.

use super::MicroKernel;

pub(super) struct Kernel;

impl MicroKernel for Kernel {
    const MR: usize = 4;
    const NR: usize = 8;

    unsafe fn tile(depth: usize, a: *const f32, b: *const f32, c: *mut f32, stride: usize, accumulate: bool) {
        // SAFETY: the panels hold `depth` groups and C the whole tile, as the caller promises.
        unsafe {
            let a = std::slice::from_raw_parts(a.cast::<[f32; 4]>(), depth);
            let b = std::slice::from_raw_parts(b.cast::<[f32; 8]>(), depth);
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
                for (target, &value) in target.iter_mut().zip(sum) {
                    *target = if accumulate { *target + value } else { value };
                }
            }
        }
    }
}
