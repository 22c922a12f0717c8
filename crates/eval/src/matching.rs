//! Joining predictions to the table they are about: rows by id, classes by label.

use std::collections::HashMap;

use gyeol_data::{LabelMap, LabelSets, labels_of};

use crate::EvalError;

/// Which table row each prediction is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// For each prediction, in order, the table row (from 0) with its id.
    pub rows: Vec<usize>,
    /// How many table rows have no prediction: a holdout's predictions cover a part of the table.
    pub unpredicted: usize,
}

/// Finds the table row of every prediction. Both lists of ids must be free of repetitions, as tables and predictions
/// files are when read.
///
/// # Errors
/// [`EvalError::UnknownId`] when a prediction is about no row of the table.
pub fn match_ids(predictions: &[String], table: &[String]) -> Result<Matched, EvalError> {
    let index: HashMap<&str, usize> = table.iter().enumerate().map(|(row, id)| (id.as_str(), row)).collect();
    let found: Vec<Option<usize>> = predictions.iter().map(|id| index.get(id.as_str()).copied()).collect();
    if let Some(row) = found.iter().position(Option::is_none) {
        let missing = found.iter().filter(|found| found.is_none()).count();
        return Err(EvalError::UnknownId { row: row + 1, id: predictions[row].clone(), missing, rows: found.len() });
    }
    let rows: Vec<usize> = found.into_iter().flatten().collect();
    Ok(Matched { unpredicted: table.len().saturating_sub(rows.len()), rows })
}

/// The class index of each truth label, by the labels of the predictions.
///
/// `ids` and `truth` describe the same rows.
///
/// # Errors
/// [`EvalError::UnknownLabel`] for a label the predictions have no class for; [`EvalError::Length`] when `ids` and
/// `truth` differ in length.
pub fn class_indices(labels: &[String], ids: &[String], truth: &[String]) -> Result<Vec<u32>, EvalError> {
    if ids.len() != truth.len() {
        return Err(EvalError::Length { what: "truth", expected: ids.len(), found: truth.len() });
    }
    let index: HashMap<&str, u32> = labels.iter().map(String::as_str).zip(0..).collect();
    let class = |(id, label): (&String, &String)| {
        index.get(label.as_str()).copied().ok_or_else(|| EvalError::UnknownLabel {
            id: id.clone(),
            label: label.clone(),
            known: labels.to_vec(),
        })
    };
    ids.iter().zip(truth).map(class).collect()
}

/// The classes of each cell of truth labels, of which it holds any number, by the labels of the predictions.
///
/// # Errors
/// As [`class_indices`].
pub fn class_sets(labels: &[String], ids: &[String], truth: &[String]) -> Result<LabelSets, EvalError> {
    if ids.len() != truth.len() {
        return Err(EvalError::Length { what: "truth", expected: ids.len(), found: truth.len() });
    }
    let map = LabelMap::from(labels.to_vec());
    let mut sets = LabelSets::new(labels.len());
    for (id, cell) in ids.iter().zip(truth) {
        let class = |label: &str| {
            map.index(label).ok_or_else(|| EvalError::UnknownLabel {
                id: id.clone(),
                label: label.to_owned(),
                known: labels.to_vec(),
            })
        };
        sets.push(labels_of(cell).map(class).collect::<Result<Vec<u32>, _>>()?);
    }
    Ok(sets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn predictions_find_their_rows_in_any_order_and_rows_may_lack_predictions() {
        let matched = match_ids(&strings(&["c", "a"]), &strings(&["a", "b", "c", "d"])).unwrap();
        assert_eq!(matched, Matched { rows: vec![2, 0], unpredicted: 2 });
    }

    #[test]
    fn a_prediction_about_no_row_is_refused() {
        let error = match_ids(&strings(&["a", "x", "y"]), &strings(&["a", "b"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "prediction row 2: id \"x\" is not in the table (2 of 3 ids are missing); \
             is it the table these predictions were made for?"
        );
    }

    #[test]
    fn labels_become_classes_and_unknown_ones_are_named() {
        let labels = strings(&["neg", "pos"]);
        assert_eq!(class_indices(&labels, &strings(&["1", "2"]), &strings(&["pos", "neg"])).unwrap(), [1, 0]);
        let error = class_indices(&labels, &strings(&["1"]), &strings(&["meh"])).unwrap_err();
        assert_eq!(error.to_string(), "id \"1\": label \"meh\" is not a class of the predictions (neg, pos)");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn cells_of_labels_become_sets_and_unknown_labels_are_named() {
        let labels = strings(&["1", "2"]);
        let sets = class_sets(&labels, &strings(&["a", "b", "c"]), &strings(&["2|1.0", "", " 2 "])).unwrap();
        assert_eq!(sets.iter().collect::<Vec<_>>(), [&[0, 1][..], &[], &[1]]);
        let error = class_sets(&labels, &strings(&["a"]), &strings(&["1|3"])).unwrap_err();
        assert_eq!(error.to_string(), "id \"a\": label \"3\" is not a class of the predictions (1, 2)");
    }
}
