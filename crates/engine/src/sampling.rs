//! The rows of an epoch and their order, as functions of seed and epoch: nothing to keep for a resumed run.
//!
//! Which rows there are to draw from is decided before training; here is how often each comes, and when.

use crate::random;

/// Training rows by class (or bucket of scores), each class to be drawn equally often.
///
/// An epoch has as many rows as there are in all. The rows of a class are dealt from decks of all its rows, one shuffled deck
/// after the other, so that none comes a second time before all of them came once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// Never empty, each.
    strata: Vec<Vec<u32>>,
    rows: usize,
}

impl Balance {
    /// The rows `rows`, whose classes are `classes`, row by row.
    ///
    /// # Panics
    /// If they differ in length.
    pub fn new(rows: &[u32], classes: &[u32]) -> Self {
        assert_eq!(rows.len(), classes.len(), "one class a row");
        let mut strata = vec![Vec::new(); classes.iter().max().map_or(0, |&last| last as usize + 1)];
        rows.iter().zip(classes).for_each(|(&row, &class)| strata[class as usize].push(row));
        strata.retain(|rows| !rows.is_empty());
        Self { strata, rows: rows.len() }
    }

    /// The rows of an epoch, class by class.
    fn draw(&self, seed: u64, epoch: u64) -> Vec<u32> {
        let mut drawn = Vec::with_capacity(self.rows);
        for (class, rows) in self.strata.iter().enumerate() {
            let key = random::mix(random::key(seed, "balance") ^ class as u64);
            let cards = rows.len() as u64;
            let (mut deck, mut order) = (u64::MAX, Vec::new());
            for at in self.drawn_before(class, epoch)..self.drawn_before(class, epoch + 1) {
                if at / cards != deck {
                    deck = at / cards;
                    order = random::permutation(key, deck, rows.len());
                }
                drawn.push(rows[order[(at % cards) as usize] as usize]);
            }
        }
        drawn
    }

    /// How many rows of a class all epochs before `epoch` draw: an equal part of each, and what does not divide goes to the
    /// classes in turns.
    fn drawn_before(&self, class: usize, epoch: u64) -> u64 {
        let (rows, classes, class) = (self.rows as u64, self.strata.len() as u64, class as u64);
        let odd = epoch * (rows % classes);
        epoch * (rows / classes) + (odd + classes - 1 - class) / classes
    }
}

/// The rows of an epoch in the order they are trained on: with `shuffle` a random one, else that of `rows`, which ascends.
pub(crate) fn order(rows: &[u32], balance: Option<&Balance>, shuffle: bool, seed: u64, epoch: u64) -> Vec<u32> {
    let mut rows = match balance {
        None => rows.to_vec(),
        Some(balance) => balance.draw(seed, epoch),
    };
    if shuffle {
        return random::permutation(seed, epoch, rows.len()).into_iter().map(|i| rows[i as usize]).collect();
    }
    if balance.is_some() {
        rows.sort_unstable();
    }
    rows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Rows 100, 101… of these classes.
    fn balance(classes: &[u32]) -> (Vec<u32>, Balance) {
        let rows: Vec<u32> = (100..100 + classes.len() as u32).collect();
        let balance = Balance::new(&rows, classes);
        (rows, balance)
    }

    #[test]
    fn without_balance_every_row_comes_once() {
        let rows = [3, 5, 8, 9];
        assert_eq!(order(&rows, None, false, 1, 0), rows);
        let mut shuffled = order(&rows, None, true, 1, 0);
        assert_ne!(shuffled, order(&rows, None, true, 2, 0));
        shuffled.sort_unstable();
        assert_eq!(shuffled, rows);
    }

    #[test]
    fn an_epoch_has_its_number_of_rows_and_of_each_class_equally_many() {
        let (rows, balance) = balance(&[0, 0, 0, 0, 0, 0, 0, 0, 2, 2]);
        for epoch in 0..5 {
            let order = order(&rows, Some(&balance), true, 7, epoch);
            assert_eq!(order.len(), 10);
            assert_eq!(order.iter().filter(|&&row| row >= 108).count(), 5);
        }
        let unshuffled = order(&rows, Some(&balance), false, 7, 0);
        assert!(unshuffled.is_sorted());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_row_comes_again_before_all_of_its_class_came(
            classes in prop::collection::vec(0..4u32, 1..60), seed in 0..100u64, epochs in 1..6u64
        ) {
            let (rows, balance) = balance(&classes);
            let mut times = vec![0usize; rows.len()];
            for epoch in 0..epochs {
                let drawn = balance.draw(seed, epoch);
                prop_assert_eq!(drawn.len(), rows.len());
                let mut of_class = vec![0usize; 4];
                for row in drawn {
                    let at = (row - 100) as usize;
                    times[at] += 1;
                    of_class[classes[at] as usize] += 1;
                    let least = (0..rows.len()).filter(|&other| classes[other] == classes[at]).map(|other| times[other]);
                    prop_assert!(times[at] <= least.min().unwrap() + 1);
                }
                let used: Vec<usize> = of_class.into_iter().filter(|&count| count > 0).collect();
                prop_assert!(used.iter().max().unwrap() - used.iter().min().unwrap() <= 1);
                prop_assert_eq!(order(&rows, Some(&balance), true, seed, epoch), order(&rows, Some(&balance), true, seed, epoch));
            }
        }
    }
}
