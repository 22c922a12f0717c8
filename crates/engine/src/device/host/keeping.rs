//! How intermediate values lie in the activation arena: where products are computed in bfloat16, those that only products
//! read are rounded, and of those that others read as well there is a rounded copy.

use gyeol_kernels::{Operands, Rows, RowsMut, Span, halves, halves_mut, rounded_stride};

use super::super::{Act, Kept};

/// The host's way of keeping operands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keeping(pub(super) Operands);

impl Keeping {
    /// What `act` occupies of its room as an operand of products.
    pub(super) fn place(self, act: Act) -> Span {
        match act.kept {
            Kept::Single => act.span,
            Kept::Operand(width) => {
                let rows = act.span.len / Act::operand_row(width);
                Span::new(act.span.start, rows * self.row(act, width))
            }
            Kept::Both(_) => self.copy(act).unwrap_or(act.span),
        }
    }

    /// Where the rounded copy of `act` lies, if there is one.
    pub(super) fn copy(self, act: Act) -> Option<Span> {
        let Kept::Both(width) = act.kept else { return None };
        let (rows, row) = (act.span.len / width, rounded_stride(width) / 2);
        self.rounds(act).then(|| Span::new(act.end_of_values(), rows * row))
    }

    /// Numbers from row to row of `act`, of which one is `width` values.
    pub(super) fn row(self, act: Act, width: usize) -> usize {
        if self.rounds(act) { rounded_stride(width) / 2 } else { width }
    }

    fn rounds(self, act: Act) -> bool {
        self.0 == Operands::Bf16 && act.kept != Kept::Single
    }

    /// `values`, the view of [`Keeping::place`], as the kernels take them.
    pub(super) fn rows(self, act: Act, values: &[f32]) -> Rows<'_> {
        if self.rounds(act) { Rows::Rounded(halves(values)) } else { Rows::Single(values) }
    }

    /// As [`Keeping::rows`], to be written.
    pub(super) fn rows_mut(self, act: Act, values: &mut [f32]) -> RowsMut<'_> {
        if self.rounds(act) { RowsMut::Rounded(halves_mut(values)) } else { RowsMut::Single(values) }
    }
}
