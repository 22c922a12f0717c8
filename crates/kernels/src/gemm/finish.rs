//! What happens to a block of C once its sums are complete.

use std::ops::Range;

use super::Epilogue;
use crate::activation::{
    ActivatedRow, Activation, DifferentiatedRow, activate_rounded_rows, activate_row, activation_gradient_rounded_rows,
    activation_into_row,
};
use crate::isa::Isa;
use crate::optimiser::squares_of_rows;
use crate::packed::round_rows;
use crate::rounded::rounded_stride;
use crate::shared::SharedMut;

/// What C starts from: [`Start`](super::Start) for all of it.
#[derive(Clone, Copy)]
pub(super) enum First<'a> {
    Zero,
    C,
    Bias(&'a [f32]),
}

/// What is done with a row of a block of C once its sum is complete: [`Epilogue`] as tasks share it.
#[derive(Clone, Copy)]
pub(super) enum Finish<'a> {
    Nothing,
    Activation(Activation, Option<SharedMut<'a>>),
    Squares,
    Rounded(SharedMut<'a, u16>),
    ActivateRounded { activation: Activation, before: Option<SharedMut<'a, u16>>, out: SharedMut<'a, u16> },
    ActivationGradient(&'a [u16], Activation, [SharedMut<'a, u16>; 2]),
}

impl<'a> Finish<'a> {
    /// What C starts from, what is done with its rows, and where the sum of their squares goes.
    pub(super) fn of(epilogue: Epilogue<'a>) -> (First<'a>, Self, Option<&'a mut f64>) {
        let (start, finish) = match epilogue {
            Epilogue::None => (First::Zero, Finish::Nothing),
            Epilogue::Accumulate => (First::C, Finish::Nothing),
            Epilogue::Bias(bias) => (First::Bias(bias), Finish::Nothing),
            Epilogue::BiasRounded { bias, out } => (First::Bias(bias), Finish::Rounded(SharedMut::new(out))),
            Epilogue::BiasActivation { bias, activation, out } => {
                (First::Bias(bias), Finish::Activation(activation, out.map(SharedMut::new)))
            }
            Epilogue::ActivateRounded { bias, activation, before, out } => {
                let (before, out) = (before.map(SharedMut::new), SharedMut::new(out));
                (First::Bias(bias), Finish::ActivateRounded { activation, before, out })
            }
            Epilogue::ActivationGradient { activation, before, gradient, out } => {
                let results = [gradient, out].map(SharedMut::new);
                (First::Zero, Finish::ActivationGradient(before, activation, results))
            }
            Epilogue::Gradient { accumulate, squares } => {
                *squares = 0.0;
                return (if accumulate { First::C } else { First::Zero }, Finish::Squares, Some(squares));
            }
        };
        (start, finish, None)
    }

    /// Whether the block only passes through a buffer.
    pub(super) fn consumes(&self) -> bool {
        matches!(self, Finish::Rounded(..) | Finish::ActivateRounded { .. } | Finish::ActivationGradient(..))
    }

    /// Asks for what finishing `rows` will read and write in some columns of `n`: that was touched long ago, and a panel of
    /// results is more than waits for its lines beside the work.
    pub(super) fn prefetch(&self, rows: impl Iterator<Item = usize> + Clone, columns: Range<usize>, n: usize) {
        let ask = |result: *const u16| {
            #[cfg(target_arch = "x86_64")]
            for i in rows.clone() {
                use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
                let row = result.wrapping_add(i * rounded_stride(n));
                for line in columns.clone().step_by(32) {
                    // SAFETY: a prefetch of any address is harmless.
                    unsafe { _mm_prefetch::<_MM_HINT_T0>(row.wrapping_add(line).cast()) };
                }
            }
        };
        match *self {
            Finish::Rounded(out) => ask(out.get()),
            Finish::ActivateRounded { before, out, .. } => {
                before.into_iter().chain([out]).for_each(|rows| ask(rows.get()));
            }
            Finish::ActivationGradient(before, _, results) => {
                ask(before.as_ptr());
                results.into_iter().for_each(|rows| ask(rows.get()));
            }
            Finish::Nothing | Finish::Activation(..) | Finish::Squares => {}
        }
    }

    /// Finishes `rows`, each with its number and its values from column `column` on, of `n`; returns the sum of their
    /// squares if that is asked for. A panel in one call, as rows are short.
    ///
    /// # Safety
    /// One task owns these elements of every result.
    pub(super) unsafe fn rows<'v>(
        &self,
        isa: Isa,
        rows: impl Iterator<Item = (usize, &'v mut [f32])>,
        [column, n]: [usize; 2],
    ) -> f64
    where
        'a: 'v,
    {
        let stride = rounded_stride(n);
        // A part of row `i` of a result, with the zero that follows an odd row.
        let rounded = |result: SharedMut<'a, u16>, i: usize, len: usize| -> &'a mut [u16] {
            let odd = usize::from(column + len == n && n % 2 == 1);
            // SAFETY: as the caller promises; an odd row is followed by room for a zero.
            let (part, zero) = unsafe { result.slice(i * stride + column, len + odd) }.split_at_mut(len);
            if let [zero] = zero {
                *zero = 0;
            }
            part
        };
        match *self {
            Finish::Nothing => {}
            Finish::Activation(activation, out) => {
                for (i, values) in rows {
                    match out {
                        Some(out) => {
                            // SAFETY: as the caller promises.
                            let out = unsafe { out.slice(i * n + column, values.len()) };
                            activation_into_row(isa, activation, values, out);
                        }
                        None => activate_row(isa, activation, values),
                    }
                }
            }
            Finish::Squares => return squares_of_rows(isa, rows.map(|(_, values)| values)),
            Finish::Rounded(out) => {
                round_rows(isa, rows.map(|(i, values)| (&*values, rounded(out, i, values.len()))));
            }
            Finish::ActivateRounded { activation, before, out } => {
                let row = |(i, x): (usize, &'v mut [f32])| -> ActivatedRow<'v> {
                    let before = before.map(|before| rounded(before, i, x.len()));
                    ActivatedRow { before, out: rounded(out, i, x.len()), x }
                };
                activate_rounded_rows(isa, activation, rows.map(row));
            }
            Finish::ActivationGradient(before, activation, [gradient, out]) => {
                let row = |(i, dy): (usize, &'v mut [f32])| -> DifferentiatedRow<'v> {
                    let before = &before[i * stride + column..][..dy.len()];
                    DifferentiatedRow {
                        before,
                        dy,
                        gradient: rounded(gradient, i, before.len()),
                        out: rounded(out, i, before.len()),
                    }
                };
                activation_gradient_rounded_rows(isa, activation, rows.map(row));
            }
        }
        0.0
    }
}
