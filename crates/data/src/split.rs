//! Holdout: which rows validate, decided by the seed and each row's id or group, never by its position.
//!
//! Rows of one group are one unit. Units are ranked by a hash of seed and key and taken from the front within each
//! stratum (a class, a combination of labels, or a bucket of scores), so reordering rows or adding a column moves nobody.

use std::collections::{BTreeMap, HashMap};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::{DataError, Result};
use crate::labels::Targets;

/// Strata of a regression: quantile buckets of about this many, fewer where there are few rows.
const SCORE_BUCKETS: usize = 10;

/// Row indices (from 0, ascending) of the two parts; together every row once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Rows to train on.
    pub train: Vec<u32>,
    /// Rows to validate on; empty for a holdout of 0.
    pub valid: Vec<u32>,
}

/// Rows that stay together.
pub(crate) struct Unit {
    pub(crate) key: u128,
    /// A hash of seed and key: the place among others.
    pub(crate) rank: u64,
    pub(crate) rows: Vec<u32>,
    pub(crate) stratum: u32,
}

/// Holds out about `share` of the rows, in each stratum the same share.
///
/// `keys` says what stays together, see [`Examples::split_keys`](crate::Examples::split_keys). A group belongs to the
/// stratum of its most frequent class or combination of labels (the smaller on a tie) or of its mean score. Rare
/// combinations, of fewer than 5 rows, are one stratum together. Every stratum of at least two
/// units keeps one in training, and one of a single unit stays there.
///
/// # Errors
/// [`DataError::Config`] if `share` is outside `[0, 1)`; [`DataError::Split`] if nothing can be held out.
///
/// # Panics
/// If `keys` and `targets` differ in length.
pub fn holdout(keys: &[u128], targets: &Targets, share: f64, seed: u64) -> Result<Split> {
    assert_eq!(keys.len(), targets.len(), "one key a row");
    if !(0.0..1.0).contains(&share) {
        let problem = format!("{share} is not a share of the rows; use 0 (none) or a number below 1");
        return Err(DataError::Config { key: "data.holdout", problem });
    }
    let rows = keys.len() as u32;
    if share == 0.0 {
        return Ok(Split { train: (0..rows).collect(), valid: Vec::new() });
    }
    let units = units(keys, targets, seed);
    let mut strata: BTreeMap<u32, Vec<&Unit>> = BTreeMap::new();
    for unit in &units {
        strata.entry(unit.stratum).or_default().push(unit);
    }
    let quotas = quotas(&strata, share);
    let mut held = vec![false; keys.len()];
    let mut any = false;
    for (stratum, members) in &strata {
        for unit in take(members, quotas[stratum]) {
            unit.rows.iter().for_each(|&row| held[row as usize] = true);
            any = true;
        }
    }
    if !any {
        // Every group is larger than its stratum's quota: one is held out nevertheless, the smallest there is.
        let spare = strata.values().filter(|members| members.len() > 1).flatten();
        let Some(unit) = spare.min_by_key(|unit| (unit.rows.len(), unit.rank, unit.key)) else {
            let what = if units.len() < rows as usize { "groups" } else { "rows" };
            let problem = format!(
                "data.holdout: {} {what} in {} strata leave none to hold out beside one of each to train on; \
                 add rows, name a data.valid, or set data.holdout = 0",
                units.len(),
                strata.len()
            );
            return Err(DataError::Split { problem });
        };
        unit.rows.iter().for_each(|&row| held[row as usize] = true);
    }
    let (valid, train) = (0..rows).partition(|&row| held[row as usize]);
    Ok(Split { train, valid })
}

/// The units with their strata, each stratum's members in rank order.
pub(crate) fn units(keys: &[u128], targets: &Targets, seed: u64) -> Vec<Unit> {
    let mut members: HashMap<u128, Vec<u32>> = HashMap::with_capacity(keys.len());
    for (row, &key) in keys.iter().enumerate() {
        members.entry(key).or_default().push(row as u32);
    }
    let mut units: Vec<Unit> = members
        .into_iter()
        .map(|(key, rows)| Unit { key, rank: xxh3_64_with_seed(&key.to_le_bytes(), seed), rows, stratum: 0 })
        .collect();
    units.sort_by_key(|unit| (unit.rank, unit.key));
    match targets {
        Targets::Classes(classes) => {
            for unit in &mut units {
                unit.stratum = majority(unit.rows.iter().map(|&row| classes[row as usize]));
            }
        }
        Targets::Sets(sets) => {
            let strata = sets.strata();
            for unit in &mut units {
                unit.stratum = majority(unit.rows.iter().map(|&row| strata[row as usize]));
            }
        }
        Targets::Scores(scores) => {
            let means: Vec<f64> = units.iter().map(|unit| mean(&unit.rows, scores)).collect();
            for (unit, bucket) in units.iter_mut().zip(buckets(&means)) {
                unit.stratum = bucket;
            }
        }
    }
    units
}

fn majority(classes: impl Iterator<Item = u32>) -> u32 {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for class in classes {
        *counts.entry(class).or_default() += 1;
    }
    counts.into_iter().max_by_key(|&(class, count)| (count, std::cmp::Reverse(class))).map_or(0, |(class, _)| class)
}

/// The mean, summed in sorted order: floating-point sums depend on order, and the order of rows must not matter.
fn mean(rows: &[u32], scores: &[f32]) -> f64 {
    let mut values: Vec<f64> = rows.iter().map(|&row| f64::from(scores[row as usize])).collect();
    values.sort_by(f64::total_cmp);
    values.iter().sum::<f64>() / values.len() as f64
}

/// The quantile bucket of each value; equal values share one.
pub(crate) fn buckets(values: &[f64]) -> Vec<u32> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = (values.len() / SCORE_BUCKETS).clamp(1, SCORE_BUCKETS);
    let edges: Vec<f64> = (1..count).map(|bucket| sorted[bucket * sorted.len() / count]).collect();
    values.iter().map(|value| edges.partition_point(|edge| edge <= value) as u32).collect()
}

/// Rows to hold out of each stratum: its share rounded down, and what is then missing of the whole by largest
/// remainder, so that many small strata do not round to nothing.
fn quotas(strata: &BTreeMap<u32, Vec<&Unit>>, share: f64) -> BTreeMap<u32, usize> {
    let sizes: BTreeMap<u32, usize> =
        strata.iter().map(|(&s, members)| (s, members.iter().map(|unit| unit.rows.len()).sum())).collect();
    let total: usize = sizes.values().sum();
    let exact = |stratum: u32| sizes[&stratum] as f64 * share;
    let mut quotas: BTreeMap<u32, usize> = sizes.keys().map(|&s| (s, exact(s) as usize)).collect();
    let wanted = ((total as f64 * share).round() as usize).max(1);
    let missing = wanted.saturating_sub(quotas.values().sum());
    // A stratum of one unit has none to spare.
    let mut order: Vec<u32> = strata.iter().filter(|(_, members)| members.len() > 1).map(|(&s, _)| s).collect();
    let remainder = |stratum: u32| exact(stratum) - exact(stratum).floor();
    order.sort_by(|&a, &b| remainder(b).total_cmp(&remainder(a)).then(sizes[&b].cmp(&sizes[&a])).then(a.cmp(&b)));
    for stratum in order.into_iter().take(missing) {
        quotas.entry(stratum).and_modify(|quota| *quota += 1);
    }
    quotas
}

/// Units from the front of the ranking, as long as each brings the count nearer to `quota` rows; never all of them.
fn take<'a>(members: &[&'a Unit], quota: usize) -> Vec<&'a Unit> {
    let mut taken = Vec::new();
    let mut rows = 0;
    for unit in members {
        if taken.len() + 1 == members.len() {
            break;
        }
        if (rows + unit.rows.len()).abs_diff(quota) < usize::abs_diff(rows, quota) {
            rows += unit.rows.len();
            taken.push(*unit);
        }
    }
    taken
}

/// What the tests of the holdout and of folds split.
#[cfg(test)]
pub(crate) mod fixture {
    use super::Targets;

    pub(crate) fn key(id: usize) -> u128 {
        xxhash_rust::xxh3::xxh3_128(&id.to_le_bytes())
    }

    pub(crate) fn keys(count: usize) -> Vec<u128> {
        (0..count).map(key).collect()
    }

    pub(crate) fn classes(of: impl IntoIterator<Item = u32>) -> Targets {
        Targets::Classes(of.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::fixture::{classes, key, keys};
    use super::*;

    #[test]
    fn no_holdout_trains_on_every_row() {
        let split = holdout(&keys(3), &classes([0, 1, 0]), 0.0, 42).unwrap();
        assert_eq!(split, Split { train: vec![0, 1, 2], valid: vec![] });
    }

    #[test]
    fn each_class_gives_the_same_share() {
        let labels: Vec<u32> = (0..1000).map(|row| [0, 0, 0, 0, 1, 2, 2, 2, 2, 3][row % 10]).collect();
        let split = holdout(&keys(1000), &classes(labels.clone()), 0.1, 42).unwrap();
        let mut counts = [0; 4];
        split.valid.iter().for_each(|&row| counts[labels[row as usize] as usize] += 1);
        assert_eq!(counts, [40, 10, 40, 10]);
    }

    #[test]
    fn seeds_hold_out_different_rows() {
        let labels = classes((0..100).map(|row| row % 2));
        let valid = |seed| holdout(&keys(100), &labels, 0.2, seed).unwrap().valid;
        assert_ne!(valid(1), valid(2));
        assert_eq!(valid(1), valid(1));
    }

    #[test]
    fn many_small_classes_do_not_round_to_nothing() {
        let split = holdout(&keys(40), &classes((0..40).map(|row| row / 4)), 0.1, 42).unwrap();
        assert_eq!(split.valid.len(), 4);
    }

    #[test]
    fn a_class_of_one_row_stays_in_training() {
        let split = holdout(&keys(21), &classes((0..21).map(|row| u32::from(row == 20))), 0.5, 42).unwrap();
        assert!(split.train.contains(&20));
    }

    #[test]
    fn groups_larger_than_the_quota_still_give_a_holdout() {
        let grouped: Vec<u128> = (0..30).map(|row| key(row / 10)).collect();
        let split = holdout(&grouped, &classes(vec![0; 30]), 0.1, 42).unwrap();
        assert_eq!((split.valid.len(), split.train.len()), (10, 20));
    }

    #[test]
    fn nothing_to_hold_out_is_a_clear_error() {
        let error = holdout(&keys(2), &classes([0, 1]), 0.5, 42).unwrap_err().to_string();
        assert!(error.starts_with("data.holdout: 2 rows in 2 strata"), "{error}");
        let error = holdout(&keys(2), &classes([0, 1]), 1.0, 42).unwrap_err().to_string();
        assert!(error.starts_with("data.holdout: 1 is not a share"), "{error}");
    }

    #[test]
    fn equal_scores_share_a_bucket_and_buckets_are_quantiles() {
        let values: Vec<f64> = (0..200).map(|row| f64::from(row % 50) / 10.0).collect();
        let buckets = buckets(&values);
        assert_eq!(buckets.iter().collect::<HashSet<_>>().len(), 10);
        assert_eq!(buckets[..50], buckets[50..100]);
        let split = holdout(&keys(200), &Targets::Scores(values.iter().map(|&v| v as f32).collect()), 0.1, 42).unwrap();
        let low = split.valid.iter().filter(|&&row| values[row as usize] < 2.5).count();
        assert_eq!((split.valid.len(), low), (20, 10));
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
            (rows, order) in tables(), share in 0.05..0.6f64, seed in 0..1000u64, regression: bool
        ) {
            let split_of = |order: &[usize]| {
                let keys: Vec<u128> = order.iter().map(|&row| key(rows[row].0)).collect();
                let targets = if regression {
                    Targets::Scores(order.iter().map(|&row| rows[row].2).collect())
                } else {
                    Targets::Classes(order.iter().map(|&row| rows[row].1).collect())
                };
                holdout(&keys, &targets, share, seed).map(|split| {
                    let original = |part: &[u32]| part.iter().map(|&at| order[at as usize]).collect::<HashSet<_>>();
                    (original(&split.train), original(&split.valid))
                })
            };
            let in_order: Vec<usize> = (0..rows.len()).collect();
            match (split_of(&in_order), split_of(&order)) {
                (Ok((train, valid)), Ok(shuffled)) => {
                    prop_assert_eq!(&(train.clone(), valid.clone()), &shuffled);
                    prop_assert!(!train.is_empty() && !valid.is_empty());
                    prop_assert!(train.is_disjoint(&valid));
                    prop_assert_eq!(train.len() + valid.len(), rows.len());
                    let groups = |part: &HashSet<usize>| part.iter().map(|&row| rows[row].0).collect::<HashSet<_>>();
                    prop_assert!(groups(&train).is_disjoint(&groups(&valid)));
                }
                (Err(_), Err(_)) => {}
                (one, other) => prop_assert!(false, "{:?} but reordered {:?}", one, other),
            }
        }

        #[test]
        fn class_shares_are_within_a_row_and_every_class_is_trained_on(
            labels in prop::collection::vec(0..5u32, 12..300), share in 0.05..0.5f64, seed in 0..1000u64
        ) {
            let Ok(split) = holdout(&keys(labels.len()), &classes(labels.clone()), share, seed) else {
                return Ok(());
            };
            for class in 0..5 {
                let total = labels.iter().filter(|&&label| label == class).count();
                let held = split.valid.iter().filter(|&&row| labels[row as usize] == class).count();
                prop_assert!((held as f64 - total as f64 * share).abs() <= 1.0, "class {class}: {held} of {total}");
                prop_assert!(total == 0 || held < total);
            }
        }
    }
}
