//! Which of the training rows are used: fewer of some classes or scores, chosen by the seed and each row's id.
//!
//! Drawing classes equally often is a matter of the order of rows in an epoch, which is the engine's; here is only which
//! [`strata`] there are.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::{DataError, Result};
use crate::labels::{LabelMap, Targets};
use crate::split::buckets;

/// `[sample]`: which training rows are used, and how often. Rows to validate on and to predict are never touched.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SampleConfig {
    /// Whether each class, or bucket of scores, is drawn equally often in an epoch, which keeps its number of rows.
    pub balance: bool,
    /// The share kept, above 0 and at most 1, of the rows of a class; for scores, of those equal to a number (`"0.0"`) or in
    /// a half-open range (`"0.0..1.0"`).
    pub undersample: BTreeMap<String, f64>,
}

impl SampleConfig {
    /// Checks what can be checked without a table.
    ///
    /// # Errors
    /// [`DataError::Config`] names the key and the class.
    pub fn validate(&self) -> Result<()> {
        match self.undersample.iter().find(|&(_, &share)| !(share > 0.0 && share <= 1.0)) {
            Some((of, share)) => Err(wrong(format!(
                "{share} is no share of the rows of {of:?} to keep; use a number above 0, at most 1"
            ))),
            None => Ok(()),
        }
    }
}

/// The rows that are left, and of what there were how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undersampled {
    /// Ascending.
    pub rows: Vec<u32>,
    /// Each key of `sample.undersample` with its rows before and after.
    pub counts: Vec<(String, usize, usize)>,
}

/// What a key of `sample.undersample` picks.
enum Picked {
    Class(u32),
    Score(f32),
    Scores(Range<f32>),
}

impl Picked {
    fn holds(&self, targets: &Targets, row: u32) -> bool {
        match (self, targets) {
            (Self::Class(class), Targets::Classes(classes)) => classes[row as usize] == *class,
            (Self::Score(score), Targets::Scores(scores)) => scores[row as usize] == *score,
            (Self::Scores(range), Targets::Scores(scores)) => range.contains(&scores[row as usize]),
            _ => false,
        }
    }
}

/// Keeps of `rows` (ascending) what `config` asks for: of each class or score named, its share, at least one row. Which ones
/// is decided by the seed and their ids, so that reordering a table or adding a column changes nothing.
///
/// `ids` and `targets` are those of the whole table; `labels` are its classes, absent for scores.
///
/// # Errors
/// [`DataError::Config`] for a key that names no class or score of the table, or names rows that another key names too.
pub fn undersample(
    config: &SampleConfig,
    rows: &[u32],
    ids: &[String],
    targets: &Targets,
    labels: Option<&LabelMap>,
    seed: u64,
) -> Result<Undersampled> {
    let mut taken: Vec<Option<&String>> = vec![None; targets.len()];
    let mut kept = vec![true; targets.len()];
    let mut counts = Vec::new();
    for (key, &share) in &config.undersample {
        let picked = match labels {
            Some(labels) => class(key, labels)?,
            None => scores(key)?,
        };
        let mut found = false;
        for row in (0..targets.len()).filter(|&row| picked.holds(targets, row as u32)) {
            found = true;
            if let Some(other) = taken[row].replace(key) {
                return Err(wrong(format!("{other:?} and {key:?} name the same rows; name each once")));
            }
        }
        if !found {
            return Err(wrong(format!("no row of the table has the score {key:?}; remove it")));
        }
        let mut of_key: Vec<(u64, &String, u32)> = rows
            .iter()
            .filter(|&&row| taken[row as usize] == Some(key))
            .map(|&row| (&ids[row as usize], row))
            // Told apart from the split's hash of the same id: those held out are no sample of ranks.
            .map(|(id, row)| (xxh3_64_with_seed(format!("sample {id}").as_bytes(), seed), id, row))
            .collect();
        of_key.sort_unstable();
        let left = ((of_key.len() as f64 * share).round() as usize).clamp(1.min(of_key.len()), of_key.len());
        of_key[left..].iter().for_each(|&(_, _, row)| kept[row as usize] = false);
        counts.push((key.clone(), of_key.len(), left));
    }
    let rows = rows.iter().copied().filter(|&row| kept[row as usize]).collect();
    Ok(Undersampled { rows, counts })
}

/// What is to be drawn equally often: the class of each row, its combination of labels, or its bucket of scores (quantiles, at most ten).
pub fn strata(targets: &Targets) -> Vec<u32> {
    match targets {
        Targets::Classes(classes) => classes.clone(),
        Targets::Sets(sets) => sets.strata(),
        Targets::Scores(scores) => buckets(&scores.iter().map(|&score| f64::from(score)).collect::<Vec<_>>()),
    }
}

fn class(key: &str, labels: &LabelMap) -> Result<Picked> {
    labels.index(key).map(Picked::Class).ok_or_else(|| {
        wrong(format!("{key:?} is not a label of the training table; its labels are {}", labels.labels().join(", ")))
    })
}

fn scores(key: &str) -> Result<Picked> {
    let number = |text: &str| text.trim().parse::<f32>().ok().filter(|value| value.is_finite());
    let picked = match key.split_once("..") {
        None => number(key).map(Picked::Score),
        Some((low, high)) => {
            number(low).zip(number(high)).filter(|(low, high)| low < high).map(|(low, high)| Picked::Scores(low..high))
        }
    };
    picked.ok_or_else(|| {
        wrong(format!("{key:?} is neither a score such as \"0.0\" nor a range such as \"0.0..1.0\", without its end"))
    })
}

fn wrong(problem: String) -> DataError {
    DataError::Config { key: "sample.undersample", problem }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn config(of: &[(&str, f64)]) -> SampleConfig {
        let undersample = of.iter().map(|&(key, share)| (key.to_owned(), share)).collect();
        SampleConfig { balance: false, undersample }
    }

    fn ids(count: usize) -> Vec<String> {
        (0..count).map(|row| format!("r{row}")).collect()
    }

    fn map() -> LabelMap {
        LabelMap::from(vec!["부정".to_owned(), "긍정".to_owned()])
    }

    #[test]
    fn the_share_of_a_class_is_kept_among_the_rows_that_train() {
        let classes = Targets::Classes((0..100).map(|row| row % 2).collect());
        let train: Vec<u32> = (0..80).collect();
        let of =
            |seed| undersample(&config(&[("부정", 0.25)]), &train, &ids(100), &classes, Some(&map()), seed).unwrap();
        let sampled = of(1);
        assert_eq!(sampled.counts, [("부정".to_owned(), 40, 10)]);
        assert_eq!(sampled.rows.iter().filter(|&row| row % 2 == 1).count(), 40);
        assert_eq!(sampled.rows.len(), 50);
        assert!(sampled.rows.iter().all(|&row| row < 80) && sampled.rows.is_sorted());
        assert_ne!(of(2).rows, sampled.rows);
    }

    #[test]
    fn scores_are_picked_by_value_or_by_a_range_without_its_end() {
        let scores = Targets::Scores(vec![0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 5.0]);
        let all: Vec<u32> = (0..8).collect();
        let rows = |of: &[(&str, f64)]| undersample(&config(of), &all, &ids(8), &scores, None, 1).map(|s| s.counts);
        assert_eq!(rows(&[("0.0", 0.5)]).unwrap(), [("0.0".to_owned(), 4, 2)]);
        let two = rows(&[("0..1", 0.25), ("1.0..5.0", 0.5)]).unwrap();
        assert_eq!(two, [("0..1".to_owned(), 4, 1), ("1.0..5.0".to_owned(), 3, 2)]);
        let message = |of: &[(&str, f64)]| rows(of).unwrap_err().to_string();
        assert_eq!(
            message(&[("0.0", 0.5), ("0..2", 0.5)]),
            "sample.undersample: \"0..2\" and \"0.0\" name the same rows; name each once"
        );
        assert!(message(&[("3.5", 0.5)]).contains("no row of the table has the score \"3.5\""));
        for wrong in ["low", "2..1", "..", "1..", "nan"] {
            assert!(message(&[(wrong, 0.5)]).contains("neither a score"), "{wrong}");
        }
    }

    #[test]
    fn a_key_that_is_no_class_lists_the_classes() {
        let classes = Targets::Classes(vec![0, 1]);
        let error = undersample(&config(&[("중립", 0.5)]), &[0, 1], &ids(2), &classes, Some(&map()), 1).unwrap_err();
        let expected = "sample.undersample: \"중립\" is not a label of the training table; its labels are 부정, 긍정";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn at_least_one_row_is_left_and_shares_are_shares() {
        let classes = Targets::Classes(vec![0, 1, 1]);
        let sampled = undersample(&config(&[("부정", 0.01)]), &[0, 1, 2], &ids(3), &classes, Some(&map()), 1).unwrap();
        assert_eq!(sampled.rows, [0, 1, 2]);
        config(&[("0", 1.0)]).validate().unwrap();
        for share in [0.0, -0.5, 1.5, f64::NAN] {
            assert!(config(&[("0", share)]).validate().is_err(), "{share}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn reordering_a_table_keeps_the_same_rows(
            (labels, order) in prop::collection::vec(0..2u32, 2..80).prop_flat_map(|labels| {
                let order = Just((0..labels.len()).collect::<Vec<_>>()).prop_shuffle();
                (Just(labels), order)
            }),
            share in 0.05..1.0f64, seed in 0..100u64,
        ) {
            let kept = |order: &[usize]| -> HashSet<usize> {
                let classes = Targets::Classes(order.iter().map(|&row| labels[row]).collect());
                let all: Vec<u32> = (0..order.len() as u32).collect();
                let ids: Vec<String> = order.iter().map(|row| format!("r{row}")).collect();
                match undersample(&config(&[("부정", share)]), &all, &ids, &classes, Some(&map()), seed) {
                    Ok(sampled) => sampled.rows.iter().map(|&row| order[row as usize]).collect(),
                    Err(_) => HashSet::new(),
                }
            };
            let in_order: Vec<usize> = (0..labels.len()).collect();
            prop_assert_eq!(kept(&in_order), kept(&order));
        }
    }
}
