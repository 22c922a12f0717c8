//! Copies of A and B in the order the single-precision micro-kernels read them.

use std::ops::Range;

use super::matrix::Matrix;

/// Packs `count` (≤ `WIDTH`) vectors of `depth` contiguous elements, `stride` apart, into `[depth][WIDTH]`, zero padded:
/// `(source, stride, count, depth, out)`.
pub(super) type Transpose = unsafe fn(*const f32, usize, usize, usize, *mut f32);

/// Rows `first..first + count` of A in panels `[a.columns][WIDTH]`, zero padded.
///
/// # Safety
/// The rows exist, `out` holds their panels, and the processor can run `transpose`, which packs panels of `WIDTH`.
pub(super) unsafe fn rows_of_a<const WIDTH: usize>(
    transpose: Transpose,
    a: Matrix<'_>,
    first: usize,
    count: usize,
    out: &mut [f32],
) {
    debug_assert!(first + count <= a.rows && out.len() >= count.div_ceil(WIDTH) * WIDTH * a.columns);
    if a.columns == 0 {
        return;
    }
    for (panel, out) in out.chunks_exact_mut(WIDTH * a.columns).enumerate() {
        let height = WIDTH.min(count - panel * WIDTH);
        // SAFETY: the row exists, and the strides of a `Matrix` stay inside its slice.
        unsafe {
            let source = a.single().as_ptr().add((first + panel * WIDTH) * a.row_stride);
            if a.column_stride == 1 {
                transpose(source, a.row_stride, height, a.columns, out.as_mut_ptr());
            } else {
                contiguous(source, a.row_stride, a.column_stride, height, a.columns, WIDTH, out);
            }
        }
    }
}

/// Rows `depth`, columns `first..first + count` of B as one panel `[depth][WIDTH]`, zero padded.
///
/// # Safety
/// The block exists, `out` holds the panel, and the processor can run `transpose`, which packs panels of `WIDTH`.
pub(super) unsafe fn columns_of_b<const WIDTH: usize>(
    transpose: Transpose,
    b: Matrix<'_>,
    depth: Range<usize>,
    first: usize,
    count: usize,
    out: &mut [f32],
) {
    debug_assert!(depth.end <= b.rows && first + count <= b.columns && out.len() >= depth.len() * WIDTH);
    // SAFETY: the first element exists, and the strides of a `Matrix` stay inside its slice.
    unsafe {
        let source = b.single().as_ptr().add(depth.start * b.row_stride + first * b.column_stride);
        if b.row_stride == 1 {
            transpose(source, b.column_stride, count, depth.len(), out.as_mut_ptr());
        } else {
            contiguous(source, b.column_stride, b.row_stride, count, depth.len(), WIDTH, out);
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

/// The portable [`Transpose`].
///
/// # Safety
/// The source vectors and `depth * WIDTH` destination elements are valid.
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
