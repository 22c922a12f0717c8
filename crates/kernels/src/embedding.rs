//! Sums of embedding rows and their gradients, and the choice of single rows.

use rayon::prelude::*;

use crate::isa::{Isa, multiversion};
use crate::packed::widen;
use crate::rounded::{Rows, rounded_stride};
use crate::shared::SharedMut;
use crate::{COLUMNS_PER_TASK, ELEMENTS_PER_TASK};

/// The rows each token takes from the three tables: one entry a token in each.
#[derive(Debug, Clone, Copy)]
pub struct TokenRows<'a> {
    /// Rows of the word table.
    pub words: &'a [u32],
    /// Rows of the position table.
    pub positions: &'a [u32],
    /// Rows of the segment (token type) table.
    pub segments: &'a [u32],
}

impl<'a> TokenRows<'a> {
    fn each(self) -> [&'a [u32]; 3] {
        [self.words, self.positions, self.segments]
    }
}

multiversion! {
    fn sum_row(a: &[f32], b: &[f32], c: &[f32], out: &mut [f32]) {
        for (((out, a), b), c) in out.iter_mut().zip(a).zip(b).zip(c) {
            *out = a + b + c;
        }
    }
}

/// `out[t] = words[…] + positions[…] + segments[…]`, tables and `out` row-major with rows of `width`.
///
/// # Panics
/// If an index is outside its table.
pub(crate) fn embed(isa: Isa, rows: TokenRows<'_>, tables: [&[f32]; 3], width: usize, out: &mut [f32]) {
    let row = |table: usize, index: u32| &tables[table][index as usize * width..(index as usize + 1) * width];
    out.par_chunks_mut(width).enumerate().with_min_len((ELEMENTS_PER_TASK / width).max(1)).for_each(|(t, out)| {
        sum_row(isa, row(0, rows.words[t]), row(1, rows.positions[t]), row(2, rows.segments[t]), out);
    });
}

multiversion! {
    fn add_rows(indices: &[u32], dout: &[f32], width: usize, start: usize, columns: usize, table: SharedMut<'_>) {
        for (&index, dout) in indices.iter().zip(dout.chunks_exact(width)) {
            // SAFETY: each task owns its columns of every row.
            let target = unsafe { table.slice(index as usize * width + start, columns) };
            for (target, dout) in target.iter_mut().zip(&dout[start..start + columns]) {
                *target += dout;
            }
        }
    }
}

/// Adds each row of `dout` to the gradient rows its token took. Tasks own columns, so a row met twice is summed in order.
pub(crate) fn embed_backward(isa: Isa, rows: TokenRows<'_>, dout: &[f32], width: usize, gradients: [&mut [f32]; 3]) {
    let gradients = gradients.map(SharedMut::new);
    (0..width.div_ceil(COLUMNS_PER_TASK)).into_par_iter().for_each(|block| {
        let start = block * COLUMNS_PER_TASK;
        let columns = COLUMNS_PER_TASK.min(width - start);
        for (indices, table) in rows.each().into_iter().zip(gradients) {
            add_rows(isa, indices, dout, width, start, columns, table);
        }
    });
}

/// `out[i] = x[rows[i]]`.
pub(crate) fn gather_rows(x: &[f32], rows: &[u32], width: usize, out: &mut [f32]) {
    assert_eq!(Some(out.len()), rows.len().checked_mul(width), "a row an index");
    for (&row, out) in rows.iter().zip(out.chunks_exact_mut(width)) {
        out.copy_from_slice(&x[row as usize * width..(row as usize + 1) * width]);
    }
}

/// `dx = 0` but for `dx[rows[i]] = dout[i]`; `rows` are distinct.
pub(crate) fn scatter_rows(dout: &[f32], rows: &[u32], width: usize, dx: &mut [f32]) {
    assert_eq!(Some(dout.len()), rows.len().checked_mul(width), "a row an index");
    assert!(dx.len().is_multiple_of(width), "whole rows");
    dx.fill(0.0);
    for (&row, dout) in rows.iter().zip(dout.chunks_exact(width)) {
        dx[row as usize * width..(row as usize + 1) * width].copy_from_slice(dout);
    }
}

multiversion! {
    fn add_columns(x: &[f32], width: usize, start: usize, sums: &mut [f32]) {
        add(x.chunks_exact(width).map(|row| &row[start..]), |x| x, sums);
    }
}

multiversion! {
    fn add_rounded_columns(x: &[u16], stride: usize, start: usize, sums: &mut [f32]) {
        add(x.chunks_exact(stride).map(|row| &row[start..]), widen, sums);
    }
}

/// Adds the first values of each row to `sums`.
#[inline(always)]
fn add<'a, T: Copy + 'a>(rows: impl Iterator<Item = &'a [T]>, single: impl Fn(T) -> f32, sums: &mut [f32]) {
    match <&mut [f32; COLUMNS_PER_TASK]>::try_from(&mut *sums) {
        Ok(whole) => {
            // A copy stays in registers, so that no row waits for the sums of the one before to be stored.
            let mut sums = *whole;
            for row in rows {
                let row = &row[..COLUMNS_PER_TASK];
                for i in 0..COLUMNS_PER_TASK {
                    sums[i] += single(row[i]);
                }
            }
            *whole = sums;
        }
        Err(_) => rows.for_each(|row| sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += single(x))),
    }
}

/// `sums[j] += Σᵢ x[i, j]`: the gradient of a bias.
pub(crate) fn add_column_sums(isa: Isa, x: Rows<'_>, sums: &mut [f32]) {
    let width = sums.len();
    sums.par_chunks_mut(COLUMNS_PER_TASK).enumerate().for_each(|(block, sums)| match x {
        Rows::Single(x) => add_columns(isa, x, width, block * COLUMNS_PER_TASK, sums),
        Rows::Rounded(x) => add_rounded_columns(isa, x, rounded_stride(width), block * COLUMNS_PER_TASK, sums),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;
    use crate::rounded::RowsMut;
    use crate::testing::{close, isas, random};

    #[test]
    fn every_isa_agrees_with_the_scalar_twin() {
        for width in [1, 24, 133] {
            let tokens = 57;
            let indices = |seed: u64, rows: u32| -> Vec<u32> {
                random(seed, tokens).iter().map(|x| ((x.abs() * 1e4) as u32) % rows).collect()
            };
            let (words, positions, segments) = (indices(1, 11), indices(2, 5), indices(3, 2));
            let rows = TokenRows { words: &words, positions: &positions, segments: &segments };
            let tables = [random(4, 11 * width), random(5, 5 * width), random(6, 2 * width)];
            let tables = [&tables[0][..], &tables[1], &tables[2]];
            let dout = random(7, tokens * width);
            let mut want = vec![0.0; tokens * width];
            reference::embed(rows, tables, width, &mut want);
            let zero = || [vec![0.0; 11 * width], vec![0.0; 5 * width], vec![0.0; 2 * width]];
            let mut want_gradients = zero();
            reference::embed_backward(rows, &dout, width, want_gradients.each_mut().map(|g| &mut g[..]));
            for isa in isas() {
                let mut got = vec![0.0; tokens * width];
                embed(isa, rows, tables, width, &mut got);
                assert_eq!(got, want);
                let mut gradients = zero();
                embed_backward(isa, rows, &dout, width, gradients.each_mut().map(|g| &mut g[..]));
                for (got, want) in gradients.iter().zip(&want_gradients) {
                    close(got, want, 1e-5).unwrap();
                }
            }
        }
    }

    #[test]
    fn column_sums_agree_with_the_scalar_twin() {
        for width in [1, COLUMNS_PER_TASK, 133] {
            let x = random(1, 57 * width);
            let mut halves = vec![0; 57 * rounded_stride(width)];
            RowsMut::Rounded(&mut halves).store(&x, width);
            for rows in [Rows::Single(&x), Rows::Rounded(&halves)] {
                let mut want = vec![1.0; width];
                reference::add_column_sums(&rows.to_single(width), &mut want);
                for isa in isas() {
                    let mut got = vec![1.0; width];
                    add_column_sums(isa, rows, &mut got);
                    close(&got, &want, 1e-5).unwrap();
                }
            }
        }
    }
}
