//! What frozen layers put out for a row, kept from one epoch to the next: it never changes, so it is computed once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The outputs of a model's frozen layers by row of one table, up to a bound of memory. Rows beyond it are computed anew
/// each time, to the same bits. Passes side by side take from it and add to it.
#[derive(Debug, Default)]
pub struct KeptRows(Mutex<Rows>);

#[derive(Debug, Default)]
struct Rows {
    values: HashMap<u32, Arc<[f32]>>,
    /// Numbers that still fit.
    room: usize,
}

impl KeptRows {
    /// Nothing yet, and `bytes` at most.
    pub fn new(bytes: u64) -> Self {
        let room = usize::try_from(bytes).unwrap_or(usize::MAX) / size_of::<f32>();
        Self(Mutex::new(Rows { values: HashMap::new(), room }))
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        // Whoever panics leaves at most room that is counted as taken.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is kept of row `row`.
    pub(crate) fn get(&self, row: u32) -> Option<Arc<[f32]>> {
        self.rows().values.get(&row).cloned()
    }

    /// Keeps `values` of row `row`, if they fit.
    pub(crate) fn keep(&self, row: u32, values: &[f32]) {
        let mut rows = self.rows();
        if values.len() <= rows.room && !rows.values.contains_key(&row) {
            rows.room -= values.len();
            rows.values.insert(row, values.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_kept_until_the_memory_is_full_and_once() {
        let kept = KeptRows::new(20);
        kept.keep(7, &[1.0, 2.0]);
        kept.keep(7, &[1.0, 2.0]);
        kept.keep(1, &[3.0; 4]);
        kept.keep(2, &[4.0; 3]);
        assert_eq!(kept.get(7).as_deref(), Some(&[1.0, 2.0][..]));
        assert_eq!(kept.get(1), None);
        assert_eq!(kept.get(2).as_deref(), Some(&[4.0; 3][..]));
        assert_eq!(KeptRows::default().rows().room, 0);
    }
}
