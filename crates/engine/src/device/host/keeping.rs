//! How intermediate values lie in the activation arena: those that only products read may be rounded, and of those that others read as
//! well there may be a rounded copy.

use gyeol_kernels::{Rows, RowsMut, Span, halves, halves_mut};

use super::super::{Act, Kept};

/// What products read, or write, of `act`.
pub(super) fn place(act: Act) -> Span {
    copy(act).unwrap_or(act.span)
}

/// Where the rounded copy of `act` lies, if there is one.
pub(super) fn copy(act: Act) -> Option<Span> {
    let Kept::Both(width) = act.kept else { return None };
    Some(Span::new(act.end_of_values(), act.span.len / width * Act::rounded_row(width)))
}

/// `values`, the view of [`place`], as the kernels take them.
pub(super) fn rows(act: Act, values: &[f32]) -> Rows<'_> {
    match act.kept {
        Kept::Single => Rows::Single(values),
        Kept::Rounded(_) | Kept::Both(_) => Rows::Rounded(halves(values)),
    }
}

/// As [`rows`], to be written.
pub(super) fn rows_mut(act: Act, values: &mut [f32]) -> RowsMut<'_> {
    match act.kept {
        Kept::Single => RowsMut::Single(values),
        Kept::Rounded(_) | Kept::Both(_) => RowsMut::Rounded(halves_mut(values)),
    }
}
