//! Copies of A and B in the order the micro-kernels read them.

use super::{Matrix, MicroKernel};

/// Rows `first..first + count` of A as one panel `[a.columns][MR]`, zero padded.
///
/// # Safety
/// The rows exist, `out` holds `a.columns * MR` elements, and the processor has `K`'s instruction set.
pub(super) unsafe fn rows_of_a<K: MicroKernel>(a: Matrix<'_>, first: usize, count: usize, out: &mut [f32]) {
    debug_assert!(first + count <= a.rows && out.len() >= a.columns * K::MR);
    if a.columns == 0 {
        return;
    }
    // SAFETY: the element (first, 0) exists, and the strides of a `Matrix` stay inside its slice.
    unsafe {
        let source = a.data.as_ptr().add(first * a.row_stride);
        if a.column_stride == 1 {
            // The tile height is the micro-kernel's own constant: one instance each is compiled.
            match K::MR {
                12 => K::pack_transposed::<12>(source, a.row_stride, count, a.columns, out.as_mut_ptr()),
                6 => K::pack_transposed::<6>(source, a.row_stride, count, a.columns, out.as_mut_ptr()),
                _ => K::pack_transposed::<4>(source, a.row_stride, count, a.columns, out.as_mut_ptr()),
            }
        } else {
            contiguous(source, a.row_stride, a.column_stride, count, a.columns, K::MR, out);
        }
    }
}

/// Rows `start..start + depth`, columns `first..first + count` of B as one panel `[depth][NR]`, zero padded.
///
/// # Safety
/// The block exists, `out` holds `depth * NR` elements, and the processor has `K`'s instruction set.
pub(super) unsafe fn columns_of_b<K: MicroKernel>(
    b: Matrix<'_>,
    start: usize,
    depth: usize,
    first: usize,
    count: usize,
    out: &mut [f32],
) {
    debug_assert!(start + depth <= b.rows && first + count <= b.columns && out.len() >= depth * K::NR);
    // SAFETY: the element (start, first) exists, and the strides of a `Matrix` stay inside its slice.
    unsafe {
        let source = b.data.as_ptr().add(start * b.row_stride + first * b.column_stride);
        if b.row_stride == 1 {
            match K::NR {
                32 => K::pack_transposed::<32>(source, b.column_stride, count, depth, out.as_mut_ptr()),
                16 => K::pack_transposed::<16>(source, b.column_stride, count, depth, out.as_mut_ptr()),
                _ => K::pack_transposed::<8>(source, b.column_stride, count, depth, out.as_mut_ptr()),
            }
        } else {
            contiguous(source, b.column_stride, b.row_stride, count, depth, K::NR, out);
        }
    }
}

/// Packs groups of `count` elements `stride` apart (usually 1), `depth_stride` between groups.
///
/// # Safety
/// All source elements are valid.
unsafe fn contiguous(
    source: *const f32,
    stride: usize,
    depth_stride: usize,
    count: usize,
    depth: usize,
    width: usize,
    out: &mut [f32],
) {
    for (d, group) in out.chunks_exact_mut(width).take(depth).enumerate() {
        // SAFETY: as the caller promises.
        unsafe {
            let from = source.add(d * depth_stride);
            if stride == 1 {
                group[..count].copy_from_slice(std::slice::from_raw_parts(from, count));
            } else {
                for (i, slot) in group[..count].iter_mut().enumerate() {
                    *slot = *from.add(i * stride);
                }
            }
        }
        group[count..].fill(0.0);
    }
}

/// The portable [`MicroKernel::pack_transposed`].
///
/// # Safety
/// As there.
pub(super) unsafe fn transposed<const WIDTH: usize>(
    source: *const f32,
    stride: usize,
    count: usize,
    depth: usize,
    out: *mut f32,
) {
    for i in 0..WIDTH {
        for d in 0..depth {
            // SAFETY: as the caller promises.
            unsafe { *out.add(d * WIDTH + i) = if i < count { *source.add(i * stride + d) } else { 0.0 } };
        }
    }
}
