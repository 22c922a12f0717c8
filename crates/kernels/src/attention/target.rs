//! Where attention puts its results: rows in single precision, or rounded as the products take them that alone read them.

use crate::isa::Isa;
use crate::packed::round_halves;
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

    /// Writes the first `columns` of each of `values`, rows `stride` apart, to the rows from `token` on, from `column` on.
    ///
    /// # Safety
    /// No other task accesses these rows' columns.
    pub(super) unsafe fn write(self, [token, column]: [usize; 2], columns: usize, values: &[f32], stride: usize) {
        for (token, values) in (token..).zip(values.chunks_exact(stride)) {
            let values = &values[..columns];
            match self.rows {
                SharedRows::Single(rows) => {
                    // SAFETY: as the caller promises.
                    unsafe { rows.slice(token * self.width + column, columns) }.copy_from_slice(values);
                }
                SharedRows::Rounded(rows) => {
                    // An odd row is followed by a zero.
                    let odd = usize::from(column + columns == self.width && self.width % 2 == 1);
                    // SAFETY: as the caller promises; an odd row has room for the zero.
                    let part = unsafe { rows.slice(token * rounded_stride(self.width) + column, columns + odd) };
                    let (part, zero) = part.split_at_mut(columns);
                    zero.fill(0);
                    round_halves(self.isa, values, part);
                }
            }
        }
    }
}
