//! K folds: which part of the rows each row is predicted in, decided by the seed and each row's id or group, never by its
//! position.
//!
//! A unit (a row, or all rows of one group) goes to the fold that has least of its classes so far, the largest units first.
//! Rows without groups are so dealt in turns, as scikit-learn's `StratifiedKFold` deals them: the counts of a class, and the
//! sizes, differ by one between folds. With groups it is the greedy assignment of its `StratifiedGroupKFold`, by the sum of
//! squares instead of the standard deviation.

use serde::{Deserialize, Serialize};

use crate::error::{DataError, Result};
use crate::labels::Targets;
use crate::split::{Unit, units};

/// `[folds]`: as many models as folds, each trained on the others and asked about its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FoldsConfig {
    /// Number of folds, at least 2.
    pub k: u32,
    /// Whether each fold has the same share of every class, or of every bucket of scores.
    pub stratify: bool,
    /// One fold alone, from 1; absent: all of them. The run of a fold says so in its recipe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<u32>,
}

impl Default for FoldsConfig {
    fn default() -> Self {
        Self { k: 5, stratify: true, only: None }
    }
}

impl FoldsConfig {
    /// Checks what can be checked without a table.
    ///
    /// # Errors
    /// [`DataError::Config`] names the key.
    pub fn validate(&self) -> Result<()> {
        if self.k < 2 {
            let problem = format!("{} leaves nothing to train on; use at least 2, or remove [folds]", self.k);
            return Err(DataError::Config { key: "folds.k", problem });
        }
        match self.only {
            Some(only) if !(1..=self.k).contains(&only) => {
                let problem = format!("{only} is no fold; use 1 to {}", self.k);
                Err(DataError::Config { key: "folds.only", problem })
            }
            _ => Ok(()),
        }
    }
}

/// The fold of each row, from 0 to below `k`.
///
/// `keys` says what stays together, see [`Examples::split_keys`](crate::Examples::split_keys). Sizes are as equal as groups
/// allow: without groups they differ by one at most. With `stratify` so do the counts of each class, or of each bucket of
/// scores (a group counts for the bucket of its mean).
///
/// # Errors
/// [`DataError::Split`] if there are fewer rows, or groups, than folds.
///
/// # Panics
/// If `keys` and `targets` differ in length, or `k` is 0.
pub fn folds(keys: &[u128], targets: &Targets, k: u32, stratify: bool, seed: u64) -> Result<Vec<u32>> {
    assert_eq!(keys.len(), targets.len(), "one key a row");
    assert!(k > 0, "there is at least one fold");
    let mut units = units(keys, targets, seed);
    if units.len() < k as usize {
        let what = if units.len() < keys.len() { "groups, which never part," } else { "rows" };
        let problem = format!("folds.k: {} {what} cannot make {k} folds; use a smaller k", units.len());
        return Err(DataError::Split { problem });
    }
    if !stratify {
        units.iter_mut().for_each(|unit| unit.stratum = 0);
    }
    // Ranks within a stratum decide; large units first, as small ones can make up for them and not the reverse.
    units.sort_by_key(|unit| (std::cmp::Reverse(unit.rows.len()), unit.stratum, unit.rank, unit.key));
    let members: Vec<Vec<(usize, f64)>> = units.iter().map(|unit| strata_of(unit, targets, stratify)).collect();
    let strata = members.iter().flatten().map(|&(stratum, _)| stratum + 1).max().unwrap_or(0);
    let mut totals = vec![0.0; strata];
    members.iter().flatten().for_each(|&(stratum, rows)| totals[stratum] += rows);

    let mut table: Vec<Fold> = vec![Fold { rows: 0, strata: vec![0.0; strata] }; k as usize];
    let mut fold_of = vec![0; keys.len()];
    let mut left = units.len();
    for (unit, members) in units.iter().zip(&members) {
        let empty = table.iter().filter(|fold| fold.rows == 0).count();
        let all = keys.len() as f64;
        // Adding `n` rows to a stratum that has `m` here adds 2·n·m + n² to the sum of squares; n² is the same everywhere.
        let cost = |fold: &Fold| -> f64 {
            let strata: f64 = members.iter().map(|&(stratum, n)| n * fold.strata[stratum] / totals[stratum]).sum();
            strata + unit.rows.len() as f64 * fold.rows as f64 / all
        };
        // Once there are just enough units for the folds without any, those get them.
        let open = |fold: &Fold| left > empty || fold.rows == 0;
        let best = (0..k as usize).filter(|&fold| open(&table[fold])).min_by(|&a, &b| {
            let (a, b) = (&table[a], &table[b]);
            cost(a).total_cmp(&cost(b)).then(a.rows.cmp(&b.rows))
        });
        let best = best.unwrap_or_default();
        table[best].rows += unit.rows.len();
        members.iter().for_each(|&(stratum, rows)| table[best].strata[stratum] += rows);
        unit.rows.iter().for_each(|&row| fold_of[row as usize] = best as u32);
        left -= 1;
    }
    Ok(fold_of)
}

/// What a fold has so far.
#[derive(Clone)]
struct Fold {
    rows: usize,
    /// Rows of each stratum.
    strata: Vec<f64>,
}

/// How many rows of each stratum a unit has, by stratum: a group may hold several classes.
fn strata_of(unit: &Unit, targets: &Targets, stratify: bool) -> Vec<(usize, f64)> {
    let mut strata: Vec<u32> = match targets {
        Targets::Classes(classes) if stratify => unit.rows.iter().map(|&row| classes[row as usize]).collect(),
        _ => vec![unit.stratum; unit.rows.len()],
    };
    strata.sort_unstable();
    strata.chunk_by(|a, b| a == b).map(|rows| (rows[0] as usize, rows.len() as f64)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::split::fixture::{classes, key, keys};

    /// Rows of each fold that `holds`.
    fn count(folds: &[u32], k: u32, holds: impl Fn(usize) -> bool) -> Vec<usize> {
        (0..k).map(|fold| (0..folds.len()).filter(|&row| folds[row] == fold && holds(row)).count()).collect()
    }

    fn spread(counts: &[usize]) -> usize {
        counts.iter().max().unwrap() - counts.iter().min().unwrap()
    }

    #[test]
    fn each_fold_has_the_same_share_of_every_class() {
        let labels: Vec<u32> = (0..1003).map(|row| [0, 0, 0, 0, 1, 2, 2, 2, 2, 3][row % 10]).collect();
        let folds = folds(&keys(1003), &classes(labels.clone()), 5, true, 42).unwrap();
        for class in 0..4 {
            assert!(spread(&count(&folds, 5, |row| labels[row] == class)) <= 1);
        }
        assert_eq!(count(&folds, 5, |_| true), [201, 201, 201, 200, 200]);
    }

    #[test]
    fn without_strata_only_sizes_are_equal() {
        let labels: Vec<u32> = (0..200).map(|row| row % 2).collect();
        let of = |stratify| folds(&keys(200), &classes(labels.clone()), 4, stratify, 1).unwrap();
        assert_eq!(count(&of(false), 4, |_| true), [50; 4]);
        assert_eq!(count(&of(true), 4, |row| labels[row] == 0), [25; 4]);
        assert_ne!(count(&of(false), 4, |row| labels[row] == 0), [25; 4]);
    }

    #[test]
    fn scores_are_dealt_by_bucket() {
        let scores: Vec<f32> = (0..500).map(|row| (row % 50) as f32 / 10.0).collect();
        let folds = folds(&keys(500), &Targets::Scores(scores.clone()), 5, true, 42).unwrap();
        for bucket in 0..10 {
            let within = |row: usize| (scores[row] * 2.0) as usize == bucket;
            assert_eq!(count(&folds, 5, within), [10; 5]);
        }
    }

    #[test]
    fn seeds_deal_differently_and_repeat() {
        let of = |seed| folds(&keys(100), &classes((0..100).map(|row| row % 2)), 5, true, seed).unwrap();
        assert_ne!(of(1), of(2));
        assert_eq!(of(1), of(1));
    }

    #[test]
    fn too_few_rows_or_groups_say_so() {
        let message = |keys: &[u128]| folds(keys, &classes(vec![0; keys.len()]), 5, true, 1).unwrap_err().to_string();
        assert_eq!(message(&keys(4)), "folds.k: 4 rows cannot make 5 folds; use a smaller k");
        let grouped: Vec<u128> = (0..30).map(|row| key(row / 10)).collect();
        assert_eq!(message(&grouped), "folds.k: 3 groups, which never part, cannot make 5 folds; use a smaller k");
    }

    /// Group and class of each row, and how unequal scikit-learn 1.9's `StratifiedGroupKFold` leaves the classes: see
    /// `tests/golden/make_folds.py`.
    #[derive(serde::Deserialize)]
    struct Golden {
        k: u32,
        groups: Vec<usize>,
        classes: Vec<u32>,
        /// Of `StratifiedKFold`, which knows no groups: rows of each class in each fold.
        stratified: Vec<Vec<usize>>,
        /// Of `StratifiedGroupKFold`: mean over the classes of the standard deviation of their shares over the folds.
        grouped_spread: f64,
    }

    #[test]
    fn classes_are_as_even_as_those_of_scikit_learn() {
        let cases: Vec<Golden> = serde_json::from_str(include_str!("../tests/golden/folds.json")).unwrap();
        for case in cases {
            let of = |keys: &[u128], seed| folds(keys, &classes(case.classes.clone()), case.k, true, seed).unwrap();
            let table = |folds: &[u32]| -> Vec<Vec<usize>> {
                let classes = case.classes.iter().max().unwrap() + 1;
                (0..classes).map(|class| count(folds, case.k, |row| case.classes[row] == class)).collect()
            };
            for (ours, theirs) in table(&of(&keys(case.classes.len()), 7)).iter().zip(&case.stratified) {
                let sorted = |counts: &[usize]| {
                    let mut counts = counts.to_vec();
                    counts.sort_unstable();
                    counts
                };
                assert_eq!(sorted(ours), sorted(theirs));
            }
            let grouped: Vec<u128> = case.groups.iter().map(|&group| key(group)).collect();
            let spreads = (0..9).map(|seed| {
                let deviations = table(&of(&grouped, seed)).into_iter().map(|counts| {
                    let total: usize = counts.iter().sum();
                    let mean = 1.0 / f64::from(case.k);
                    let square = |&n: &usize| (n as f64 / total as f64 - mean).powi(2);
                    (counts.iter().map(square).sum::<f64>() / f64::from(case.k)).sqrt()
                });
                let deviations: Vec<f64> = deviations.collect();
                deviations.iter().sum::<f64>() / deviations.len() as f64
            });
            let spread = spreads.sum::<f64>() / 9.0;
            assert!(spread <= 1.25 * case.grouped_spread, "{spread} but scikit-learn {}", case.grouped_spread);
        }
    }

    /// Rows of (group, class, score) and a permutation of them.
    fn tables() -> impl Strategy<Value = (Vec<(usize, u32, f32)>, Vec<usize>)> {
        prop::collection::vec((0..40usize, 0..4u32, 0..50i32), 10..120).prop_flat_map(|rows| {
            let rows: Vec<_> = rows.into_iter().map(|(g, c, s)| (g, c, s as f32 / 10.0)).collect();
            let order = Just((0..rows.len()).collect::<Vec<_>>()).prop_shuffle();
            (Just(rows), order)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn reordering_moves_nobody_and_groups_never_part(
            (rows, order) in tables(), k in 2..7u32, seed in 0..1000u64, regression: bool, stratify: bool
        ) {
            let folds_of = |order: &[usize]| {
                let keys: Vec<u128> = order.iter().map(|&row| key(rows[row].0)).collect();
                let targets = if regression {
                    Targets::Scores(order.iter().map(|&row| rows[row].2).collect())
                } else {
                    classes(order.iter().map(|&row| rows[row].1))
                };
                folds(&keys, &targets, k, stratify, seed)
                    .map(|folds| order.iter().copied().zip(folds).collect::<HashMap<usize, u32>>())
            };
            let in_order: Vec<usize> = (0..rows.len()).collect();
            match (folds_of(&in_order), folds_of(&order)) {
                (Ok(folds), Ok(shuffled)) => {
                    prop_assert_eq!(&folds, &shuffled);
                    let mut of_group = HashMap::new();
                    for (row, &fold) in &folds {
                        prop_assert_eq!(*of_group.entry(rows[*row].0).or_insert(fold), fold);
                    }
                    for fold in 0..k {
                        prop_assert!(folds.values().any(|&of| of == fold), "fold {} is empty", fold);
                    }
                }
                (Err(_), Err(_)) => {}
                (one, other) => prop_assert!(false, "{:?} but reordered {:?}", one, other),
            }
        }

        #[test]
        fn sizes_and_classes_differ_by_a_row_at_most(
            labels in prop::collection::vec(0..5u32, 12..300), k in 2..8u32, seed in 0..1000u64
        ) {
            let folds = folds(&keys(labels.len()), &classes(labels.clone()), k, true, seed).unwrap();
            prop_assert!(spread(&count(&folds, k, |_| true)) <= 1);
            for class in 0..5 {
                prop_assert!(spread(&count(&folds, k, |row| labels[row] == class)) <= 1, "class {}", class);
            }
        }
    }
}
