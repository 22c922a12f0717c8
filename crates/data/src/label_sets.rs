//! Labels of which a row has any number: cells such as `욕설|차별`, the sets of classes they become, and the strata of
//! such rows. Which classes there are is the [`LabelMap`]'s, as for single labels.
//!
//! An empty cell is a row without any label. Tables do not tell it from one whose labels are unknown (most programs write
//! both alike), so rows that nobody labelled have to be left out; how many are empty is told.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{DataError, Result};
use crate::examples::Examples;
use crate::labels::{LabelMap, Targets, bad_label, class_order, is_no_value, label_column};

/// What stands between the labels of a cell.
pub const LABEL_SEPARATOR: char = '|';

/// Combinations of labels with fewer rows are one stratum together: parting them evenly would be chance.
const RARE: usize = 5;

/// For each row the classes it has, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelSets {
    classes: usize,
    /// The classes of all rows laid end to end.
    members: Vec<u32>,
    /// Where each row ends in `members`.
    ends: Vec<usize>,
}

impl LabelSets {
    /// No rows yet, of `classes` classes.
    pub fn new(classes: usize) -> Self {
        Self { classes, members: Vec::new(), ends: Vec::new() }
    }

    /// Appends a row with the classes of `set`, in any order; one that is there twice counts once.
    ///
    /// # Panics
    /// If a class is not below [`classes`](Self::classes).
    pub fn push(&mut self, set: impl IntoIterator<Item = u32>) {
        let set: BTreeSet<u32> = set.into_iter().collect();
        assert!(set.last().is_none_or(|&class| (class as usize) < self.classes), "a class beyond {}", self.classes);
        self.members.extend(set);
        self.ends.push(self.members.len());
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The classes of row `row` (from 0), ascending.
    ///
    /// # Panics
    /// If `row` is not below [`len`](Self::len).
    pub fn row(&self, row: usize) -> &[u32] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.members[start..self.ends[row]]
    }

    /// The classes of every row.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u32]> {
        (0..self.len()).map(|row| self.row(row))
    }

    /// How many of `rows` (indices from 0) have each class.
    pub fn counts(&self, rows: &[u32]) -> Vec<usize> {
        let mut counts = vec![0; self.classes];
        rows.iter().flat_map(|&row| self.row(row as usize)).for_each(|&class| counts[class as usize] += 1);
        counts
    }

    /// The given rows (indices from 0), in that order.
    pub fn select(&self, rows: &[u32]) -> Self {
        let mut selected = Self::new(self.classes);
        for &row in rows {
            selected.members.extend_from_slice(self.row(row as usize));
            selected.ends.push(selected.members.len());
        }
        selected
    }

    /// The stratum of each row: one for each combination of at least [`RARE`] rows, in their order from 1, and 0 for all
    /// others. It does not depend on the order of the rows.
    pub(crate) fn strata(&self) -> Vec<u32> {
        let mut combinations: BTreeMap<&[u32], usize> = BTreeMap::new();
        self.iter().for_each(|set| *combinations.entry(set).or_default() += 1);
        let common = combinations.into_iter().filter(|&(_, rows)| rows >= RARE).map(|(set, _)| set);
        let stratum: BTreeMap<&[u32], u32> = common.zip(1..).collect();
        self.iter().map(|set| stratum.get(set).copied().unwrap_or(0)).collect()
    }
}

/// The labels of a cell, without blanks around them, in the order of writing. Nothing between two separators is no label.
pub fn labels_of(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(LABEL_SEPARATOR).map(str::trim).filter(|label| !label.is_empty())
}

/// Whether the cells of the label column read as sets of labels: some hold several, and each label of those also stands
/// in another row, as it would not in texts that happen to hold the separator.
pub fn holds_label_sets(examples: &Examples) -> bool {
    let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
    let mut together: BTreeSet<&str> = BTreeSet::new();
    for cell in examples.labels.iter().flatten() {
        let labels: BTreeSet<&str> = labels_of(cell).collect();
        labels.iter().for_each(|label| *rows.entry(label).or_default() += 1);
        if labels.len() > 1 {
            together.extend(labels);
        }
    }
    !together.is_empty() && together.iter().all(|label| rows[label] > 1)
}

impl LabelMap {
    /// The classes that occur in the training rows, whose cells hold any number of labels.
    ///
    /// # Errors
    /// No label column; a `NaN` or infinite label; no label at all.
    pub fn fit_sets(examples: &Examples) -> Result<Self> {
        let map = class_order(checked(examples)?.into_iter().flatten());
        if map.is_empty() {
            return Err(DataError::NoClass { file: examples.file().to_owned(), column: label_column(examples) });
        }
        Ok(map)
    }

    /// The classes of every row, whose cells hold any number of labels.
    ///
    /// # Errors
    /// [`DataError::BadLabel`] names file, row and id of a label that is not in the map.
    pub fn set_targets(&self, examples: &Examples) -> Result<Targets> {
        let mut known: BTreeMap<&str, u32> = BTreeMap::new();
        let mut sets = LabelSets::new(self.len());
        for (row, labels) in checked(examples)?.into_iter().enumerate() {
            let mut set = Vec::with_capacity(labels.len());
            for label in labels {
                let class = known.get(label).copied().or_else(|| self.index(label)).ok_or_else(|| {
                    let all = self.labels().join(", ");
                    let why =
                        format!("holds {label:?}, which is not a label of the training table ({all}); correct it");
                    bad_label(examples, row, why)
                })?;
                known.insert(label, class);
                set.push(class);
            }
            sets.push(set);
        }
        Ok(Targets::Sets(sets))
    }
}

/// The labels of every row, none of them a number that is not finite.
fn checked(examples: &Examples) -> Result<Vec<Vec<&str>>> {
    let cells = examples.labels.as_deref().ok_or_else(|| DataError::NoLabels { file: examples.file().to_owned() })?;
    let rows = cells.iter().enumerate().map(|(row, cell)| {
        let labels: Vec<&str> = labels_of(cell).collect();
        match labels.iter().find(|label| is_no_value(label)) {
            None => Ok(labels),
            Some(_) => {
                let why = "is not a finite number; leave the cell empty where there is no label, or remove the row";
                Err(bad_label(examples, row, why.into()))
            }
        }
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::examples::Columns;
    use crate::split::holdout;
    use crate::table::{Table, TextFormat};

    fn examples(cells: &[&str]) -> Examples {
        let rows: String = cells.iter().enumerate().map(|(row, cell)| format!("T{row}\tx\t{cell}\n")).collect();
        let table =
            Table::from_reader(format!("id\ttext\ty\n{rows}").as_bytes(), TextFormat::Tsv, "train.tsv").unwrap();
        let columns =
            Columns { id: Some("id".into()), text: "text".into(), label: Some("y".into()), ..Columns::default() };
        Examples::from_table(&table, &columns).unwrap()
    }

    fn sets(map: &LabelMap, cells: &[&str]) -> Vec<Vec<u32>> {
        let Targets::Sets(sets) = map.set_targets(&examples(cells)).unwrap() else { panic!("sets of classes") };
        sets.iter().map(<[u32]>::to_vec).collect()
    }

    #[test]
    fn cells_become_sets_and_an_empty_one_has_no_label() {
        let cells = ["욕설|차별", "", "차별", " 차별 | 욕설|차별", "|", "욕설|"];
        let map = LabelMap::fit_sets(&examples(&cells)).unwrap();
        assert_eq!(map.labels(), ["욕설", "차별"]);
        assert_eq!(sets(&map, &cells), [vec![0, 1], vec![], vec![1], vec![0, 1], vec![], vec![0]]);
    }

    #[test]
    fn numbers_are_labels_in_their_order_and_in_any_spelling() {
        let map = LabelMap::fit_sets(&examples(&["10|2", "2.0", ""])).unwrap();
        assert_eq!(map.labels(), ["2", "10"]);
        assert_eq!(sets(&map, &["10.0|2"]), [[0, 1]]);
    }

    #[test]
    fn a_label_outside_the_map_names_file_row_id_and_the_known() {
        let map = LabelMap::fit_sets(&examples(&["a|b"])).unwrap();
        assert_eq!(
            map.set_targets(&examples(&["a", "b|c"])).unwrap_err().to_string(),
            "train.tsv: row 2 (line 3), id T1: label \"b|c\" in column \"y\" holds \"c\", which is not a label of the \
             training table (a, b); correct it"
        );
    }

    #[test]
    fn tables_without_any_label_and_words_for_missing_ones_are_errors() {
        let error = LabelMap::fit_sets(&examples(&["", " ", "|"])).unwrap_err().to_string();
        assert!(error.starts_with("train.tsv: column \"y\" holds no label in any row"), "{error}");
        let error = LabelMap::fit_sets(&examples(&["a", "nan"])).unwrap_err().to_string();
        assert!(error.starts_with("train.tsv: row 2 (line 3), id T1: label \"nan\""), "{error}");
    }

    #[test]
    fn sets_are_recognised_by_labels_that_also_stand_elsewhere() {
        for (cells, expected) in [
            (&["a|b", "a", "b", ""][..], true),
            (&["a|b", "b|a"], true),
            (&["a", "b", "a"], false),
            (&["a|b", "c|d"], false),
            (&["a|a", "b|"], false),
        ] {
            assert_eq!(holds_label_sets(&examples(cells)), expected, "{cells:?}");
        }
    }

    #[test]
    fn rows_are_selected_and_counted_by_class() {
        let mut sets = LabelSets::new(3);
        for set in [&[2, 0][..], &[], &[2]] {
            sets.push(set.iter().copied());
        }
        let selected = sets.select(&[2, 1, 0, 2]);
        assert_eq!(selected.iter().collect::<Vec<_>>(), [&[2][..], &[], &[0, 2], &[2]]);
        assert_eq!(sets.counts(&[0, 2]), [1, 0, 2]);
    }

    #[test]
    fn every_common_combination_gives_the_same_share_and_rare_ones_give_theirs_together() {
        let mut sets = LabelSets::new(8);
        for row in 0..100u32 {
            sets.push([&[0][..], &[0, 1], &[], &[1]][row as usize % 4].iter().copied());
        }
        // Twenty combinations of one row each.
        (0..20u32).for_each(|row| sets.push([2 + row % 6, row / 6]));
        let keys: Vec<u128> = (0..120u32).map(|id| xxhash_rust::xxh3::xxh3_128(&id.to_le_bytes())).collect();
        let split = holdout(&keys, &Targets::Sets(sets.clone()), 0.2, 42).unwrap();
        let mut held: BTreeMap<u32, usize> = BTreeMap::new();
        split.valid.iter().for_each(|&row| *held.entry(sets.strata()[row as usize]).or_default() += 1);
        assert_eq!(held, BTreeMap::from([(0, 4), (1, 5), (2, 5), (3, 5), (4, 5)]));
    }

    /// Rows of (group, set) and a permutation of them.
    fn tables() -> impl Strategy<Value = (Vec<(u32, HashSet<u32>)>, Vec<usize>)> {
        let row = (0..40u32, prop::collection::hash_set(0..3u32, 0..3));
        prop::collection::vec(row, 20..120).prop_flat_map(|rows| {
            let order = Just((0..rows.len()).collect::<Vec<_>>()).prop_shuffle();
            (Just(rows), order)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn labels_survive_joining_blanks_and_repetition(
            rows in prop::collection::vec(prop::collection::btree_set("[가-힣a-z][가-힣a-z ]{0,3}[0-9]", 0..4), 1..12),
            blanks in prop::collection::vec("[ ]{0,2}", 1..5),
        ) {
            let padded = |set: &BTreeSet<String>| -> String {
                let parts: Vec<String> = set.iter().chain(set.first())
                    .zip(blanks.iter().cycle()).map(|(label, blank)| format!("{blank}{label}{blank}")).collect();
                parts.join("|")
            };
            let cells: Vec<String> = rows.iter().map(padded).collect();
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            let Ok(map) = LabelMap::fit_sets(&examples(&cells)) else {
                prop_assert!(rows.iter().all(BTreeSet::is_empty));
                return Ok(());
            };
            let read = sets(&map, &cells);
            for (read, written) in read.iter().zip(&rows) {
                let read: BTreeSet<&str> = read.iter().map(|&class| map.labels()[class as usize].as_str()).collect();
                prop_assert_eq!(read, written.iter().map(String::as_str).collect::<BTreeSet<_>>());
            }
        }

        #[test]
        fn no_cell_makes_a_label_that_is_empty_or_holds_the_separator(cell in ".{0,20}") {
            prop_assert!(labels_of(&cell).all(|label| !label.is_empty() && !label.contains(LABEL_SEPARATOR)));
        }

        #[test]
        fn reordering_moves_nobody_and_groups_never_part((rows, order) in tables(), seed in 0..1000u64) {
            let split_of = |order: &[usize]| {
                let keys: Vec<u128> =
                    order.iter().map(|&row| xxhash_rust::xxh3::xxh3_128(&rows[row].0.to_le_bytes())).collect();
                let mut sets = LabelSets::new(3);
                order.iter().for_each(|&row| sets.push(rows[row].1.iter().copied()));
                let split = holdout(&keys, &Targets::Sets(sets), 0.3, seed).unwrap();
                split.valid.iter().map(|&at| order[at as usize]).collect::<HashSet<_>>()
            };
            let in_order: Vec<usize> = (0..rows.len()).collect();
            let held = split_of(&in_order);
            prop_assert_eq!(&held, &split_of(&order));
            let groups = |held_out: bool| -> HashSet<u32> {
                in_order.iter().filter(|row| held.contains(row) == held_out).map(|&row| rows[row].0).collect()
            };
            prop_assert!(groups(true).is_disjoint(&groups(false)));
        }
    }
}
