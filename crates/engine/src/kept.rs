//! What frozen layers put out for a row, kept from one epoch to the next: it never changes, so it is computed once.

use std::collections::HashMap;

/// The outputs of a model's frozen layers by row of one table, up to a bound of memory. Rows beyond it are computed anew
/// each time, to the same bits.
#[derive(Debug, Default)]
pub struct KeptRows {
    rows: HashMap<u32, Box<[f32]>>,
    /// Numbers that still fit.
    room: usize,
}

impl KeptRows {
    /// Nothing yet, and `bytes` at most.
    pub fn new(bytes: u64) -> Self {
        Self { rows: HashMap::new(), room: usize::try_from(bytes).unwrap_or(usize::MAX) / size_of::<f32>() }
    }

    /// What is kept of row `row`.
    pub(crate) fn get(&self, row: u32) -> Option<&[f32]> {
        self.rows.get(&row).map(|values| &values[..])
    }

    /// Keeps `values` of row `row`, if they fit.
    pub(crate) fn keep(&mut self, row: u32, values: &[f32]) {
        if values.len() <= self.room && !self.rows.contains_key(&row) {
            self.room -= values.len();
            self.rows.insert(row, values.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_kept_until_the_memory_is_full_and_once() {
        let mut kept = KeptRows::new(20);
        kept.keep(7, &[1.0, 2.0]);
        kept.keep(7, &[1.0, 2.0]);
        kept.keep(1, &[3.0; 4]);
        kept.keep(2, &[4.0; 3]);
        assert_eq!(kept.get(7), Some(&[1.0, 2.0][..]));
        assert_eq!(kept.get(1), None);
        assert_eq!(kept.get(2), Some(&[4.0; 3][..]));
        assert_eq!(KeptRows::default().room, 0);
    }
}
