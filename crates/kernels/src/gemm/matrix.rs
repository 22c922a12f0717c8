//! Matrices as views of slices, in either orientation.

use std::ops::Range;

use crate::rounded::rounded_stride;

/// A read-only matrix view: element (i, j) is number `i * row_stride + j * column_stride`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(super) data: Elements<'a>,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Elements<'a> {
    Single(&'a [f32]),
    /// bfloat16.
    Rounded(&'a [u16]),
}

impl<'a> Matrix<'a> {
    /// A row-major `[rows, columns]` matrix that fills `data`.
    pub(crate) fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(Some(data.len()), rows.checked_mul(columns), "a matrix fills its slice");
        Self { data: Elements::Single(data), rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// A row-major `[rows, columns]` matrix of bfloat16 with rows [`rounded_stride`] apart.
    pub(crate) fn rounded(data: &'a [u16], rows: usize, columns: usize) -> Self {
        let row_stride = rounded_stride(columns);
        assert_eq!(Some(data.len()), rows.checked_mul(row_stride), "a matrix fills its slice");
        Self { data: Elements::Rounded(data), rows, columns, row_stride, column_stride: 1 }
    }

    /// Some columns of a row-major matrix in single precision.
    pub(crate) fn columns(self, columns: Range<usize>) -> Self {
        assert!(self.column_stride == 1 && columns.end <= self.columns, "columns of the matrix");
        Self { data: Elements::Single(&self.single()[columns.start..]), columns: columns.len(), ..self }
    }

    /// The element in row `i` and column `j`.
    pub(crate) fn at(self, i: usize, j: usize) -> f32 {
        let at = i * self.row_stride + j * self.column_stride;
        match self.data {
            Elements::Single(data) => data[at],
            Elements::Rounded(data) => f32::from_bits(u32::from(data[at]) << 16),
        }
    }

    /// Rows and columns.
    pub(crate) fn shape(self) -> [usize; 2] {
        [self.rows, self.columns]
    }

    /// The elements of a matrix in single precision.
    ///
    /// # Panics
    /// If it is rounded.
    pub(super) fn single(self) -> &'a [f32] {
        match self.data {
            Elements::Single(data) => data,
            Elements::Rounded(_) => panic!("products in single precision take no rounded operands"),
        }
    }

    /// The same elements with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}
