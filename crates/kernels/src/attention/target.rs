//! Where attention puts its results: rows in single precision, or rounded as the products take them that alone read them.

use crate::isa::Isa;
use crate::packed::round_rows;
use crate::rounded::{RowsMut, rounded_stride};
use crate::shared::SharedMut;

/// Rows of a result that tasks write in turns, each its own tokens and columns.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    isa: Isa,
    /// Columns of a row.
    width: usize,
    rows: SharedRows<'a>,
}

#[derive(Clone, Copy)]
enum SharedRows<'a> {
    Single(SharedMut<'a>),
    Rounded(SharedMut<'a, u16>),
}

impl<'a> Target<'a> {
    /// `tokens` rows of `width`.
    ///
    /// # Panics
    /// If `rows` is not as long.
    pub(super) fn new(isa: Isa, rows: RowsMut<'a>, tokens: usize, width: usize) -> Self {
        let (len, stride, rows) = match rows {
            RowsMut::Single(values) => (values.len(), width, SharedRows::Single(SharedMut::new(values))),
            RowsMut::Rounded(halves) => {
                (halves.len(), rounded_stride(width), SharedRows::Rounded(SharedMut::new(halves)))
            }
        };
        assert_eq!(Some(len), tokens.checked_mul(stride), "a row a token");
        Self { isa, width, rows }
    }

    /// Asks for `columns` of the `count` rows from `token` on, from `column` on: stores to places far apart wait for each other
    /// once a few wait for memory.
    #[inline(always)]
    pub(super) fn prefetch(self, [token, column]: [usize; 2], columns: usize, count: usize) {
        #[cfg(target_arch = "x86_64")]
        for row in token..token + count {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            let (at, bytes): (*const u8, usize) = match self.rows {
                SharedRows::Single(rows) => (rows.get().wrapping_add(row * self.width + column).cast(), 4),
                SharedRows::Rounded(rows) => {
                    (rows.get().wrapping_add(row * rounded_stride(self.width) + column).cast(), 2)
                }
            };
            for byte in (0..columns * bytes).step_by(64) {
                // SAFETY: a prefetch of any address is harmless.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(byte).cast()) };
            }
        }
    }

    /// Writes the first `columns` of each of `values`, rows `stride` apart, to the rows from `token` on, from `column` on.
    ///
    /// # Safety
    /// No other task accesses these rows' columns.
    pub(super) unsafe fn write(self, [token, column]: [usize; 2], columns: usize, values: &[f32], stride: usize) {
        let rows_of_values = (token..).zip(values.chunks_exact(stride).map(|values| &values[..columns]));
        match self.rows {
            SharedRows::Single(rows) => {
                for (token, values) in rows_of_values {
                    // SAFETY: as the caller promises.
                    unsafe { rows.slice(token * self.width + column, columns) }.copy_from_slice(values);
                }
            }
            SharedRows::Rounded(rows) => {
                // An odd row is followed by a zero.
                let odd = usize::from(column + columns == self.width && self.width % 2 == 1);
                let part = |(token, values)| {
                    // SAFETY: as the caller promises; an odd row has room for the zero.
                    let part = unsafe { rows.slice(token * rounded_stride(self.width) + column, columns + odd) };
                    let (part, zero) = part.split_at_mut(columns);
                    if let [zero] = zero {
                        *zero = 0;
                    }
                    (values, part)
                };
                round_rows(self.isa, rows_of_values.map(part));
            }
        }
    }
}
