//! The truth of some rows, picked out of that of more.

use gyeol_data::LabelSets;

use super::Truth;

/// A [`Truth`] that owns its rows.
#[derive(Debug, Clone, PartialEq)]
pub enum OwnedTruth {
    /// As [`Truth::Classes`].
    Classes(Vec<u32>),
    /// As [`Truth::Sets`].
    Sets(LabelSets),
    /// As [`Truth::Scores`].
    Scores(Vec<f32>),
}

impl OwnedTruth {
    /// The rows, borrowed.
    pub fn borrow(&self) -> Truth<'_> {
        match self {
            Self::Classes(classes) => Truth::Classes(classes),
            Self::Sets(sets) => Truth::Sets(sets),
            Self::Scores(scores) => Truth::Scores(scores),
        }
    }
}

impl Truth<'_> {
    /// The given rows (indices from 0), in the given order.
    ///
    /// # Panics
    /// If a row is not below [`len`](Self::len).
    pub fn select(&self, rows: &[usize]) -> OwnedTruth {
        match self {
            Self::Classes(classes) => OwnedTruth::Classes(rows.iter().map(|&row| classes[row]).collect()),
            Self::Scores(scores) => OwnedTruth::Scores(rows.iter().map(|&row| scores[row]).collect()),
            Self::Sets(sets) => {
                let mut selected = LabelSets::new(sets.classes());
                rows.iter().for_each(|&row| selected.push(sets.row(row).iter().copied()));
                OwnedTruth::Sets(selected)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_picked_in_the_order_asked_for() {
        assert_eq!(Truth::Classes(&[3, 1, 2]).select(&[2, 0]).borrow(), Truth::Classes(&[2, 3]));
        assert_eq!(Truth::Scores(&[0.5, 1.5]).select(&[1]).borrow(), Truth::Scores(&[1.5]));
        let mut sets = LabelSets::new(3);
        [&[0u32, 2][..], &[], &[1]].iter().for_each(|set| sets.push(set.iter().copied()));
        let OwnedTruth::Sets(selected) = Truth::Sets(&sets).select(&[2, 0]) else { panic!("sets of labels") };
        assert_eq!(selected.iter().collect::<Vec<_>>(), [&[1][..], &[0, 2]]);
    }
}
