//! Labels to targets: the task they suggest, the stable map of classes, and scores.
//!
//! A label map is made of training rows only and stored with the model; a label it does not know is an error.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::config::Task;
use crate::error::{DataError, Result};
use crate::examples::Examples;
use crate::label_sets::LabelSets;

/// More distinct numbers than this read as scores rather than classes.
const MOST_NUMERIC_CLASSES: usize = 20;

/// What the model is to learn, one entry a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// Class indices into the [`LabelMap`].
    Classes(Vec<u32>),
    /// Any number of class indices into the [`LabelMap`].
    Sets(LabelSets),
    /// Scores.
    Scores(Vec<f32>),
}

impl Targets {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Sets(sets) => sets.len(),
            Self::Scores(scores) => scores.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The targets of `rows` (indices from 0), in that order.
    pub fn select(&self, rows: &[u32]) -> Self {
        match self {
            Self::Classes(classes) => Self::Classes(rows.iter().map(|&row| classes[row as usize]).collect()),
            Self::Sets(sets) => Self::Sets(sets.select(rows)),
            Self::Scores(scores) => Self::Scores(rows.iter().map(|&row| scores[row as usize]).collect()),
        }
    }
}

/// A task read off the labels, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InferredTask {
    /// The task.
    pub task: Task,
    /// The reason, as half a sentence for a person.
    pub reason: String,
}

/// Reads the task off the labels: text is classes; fractions, or more than 20 distinct numbers, are scores.
///
/// # Errors
/// [`DataError::NoLabels`] without a label column; [`DataError::BadLabel`] for a missing or non-finite one.
pub fn infer_task(examples: &Examples) -> Result<InferredTask> {
    Ok(task_of(checked_labels(examples)?.iter().map(String::as_str)))
}

/// The same of labels known to be usable.
pub(crate) fn task_of<'a>(labels: impl Iterator<Item = &'a str>) -> InferredTask {
    let mut numbers = Vec::new();
    for label in labels {
        match number(label) {
            Some(value) => numbers.push(value),
            None => {
                let reason = format!("labels such as {label:?} are not numbers");
                return InferredTask { task: Task::Classification, reason };
            }
        }
    }
    if let Some(fraction) = numbers.iter().find(|value| value.fract() != 0.0) {
        return InferredTask { task: Task::Regression, reason: format!("labels such as {fraction} have fractions") };
    }
    numbers.sort_by(f64::total_cmp);
    numbers.dedup();
    let distinct = numbers.len();
    if distinct > MOST_NUMERIC_CLASSES {
        InferredTask { task: Task::Regression, reason: format!("the labels are {distinct} distinct numbers") }
    } else {
        InferredTask { task: Task::Classification, reason: format!("the labels are {distinct} distinct whole numbers") }
    }
}

/// The classes in order: index ↔ label as the training table writes it.
///
/// Labels that are all numbers are ordered by value, and `1` and `1.0` are one class (pandas writes a column of
/// integers with a gap in it as floats); others are ordered by code point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct LabelMap {
    labels: Vec<String>,
    numeric: bool,
}

impl From<Vec<String>> for LabelMap {
    /// Takes labels in their stored order.
    fn from(labels: Vec<String>) -> Self {
        let numeric = labels.iter().all(|label| number(label).is_some());
        Self { labels, numeric }
    }
}

impl From<LabelMap> for Vec<String> {
    fn from(map: LabelMap) -> Self {
        map.labels
    }
}

impl LabelMap {
    /// The classes that occur in the training rows.
    ///
    /// # Errors
    /// No label column; a missing, `NaN` or infinite label; fewer than two classes.
    pub fn fit(examples: &Examples) -> Result<Self> {
        let map = class_order(checked_labels(examples)?.iter().map(String::as_str));
        if let [label] = map.labels() {
            let column = label_column(examples);
            return Err(DataError::OneClass { file: examples.file().to_owned(), column, label: label.clone() });
        }
        Ok(map)
    }

    /// The labels in class order, as the training table writes them.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Number of classes.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no classes; a fitted map has at least two.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The class of a label, if it is known.
    pub fn index(&self, label: &str) -> Option<u32> {
        let exact = self.labels.iter().position(|known| known == label);
        let found = exact.or_else(|| {
            let value = number(label).filter(|_| self.numeric)?;
            self.labels.iter().position(|known| number(known) == Some(value))
        });
        found.map(|index| index as u32)
    }

    /// The class of every row.
    ///
    /// # Errors
    /// [`DataError::BadLabel`] names file, row and id of a label that is missing or not in the map.
    pub fn targets(&self, examples: &Examples) -> Result<Targets> {
        let labels = checked_labels(examples)?;
        let mut known = BTreeMap::new();
        let mut classes = Vec::with_capacity(labels.len());
        for (row, label) in labels.iter().enumerate() {
            let class = match known.get(label) {
                Some(&class) => class,
                None => {
                    let Some(class) = self.index(label) else {
                        let why =
                            format!("is not a label of the training table ({}); correct it", self.labels.join(", "));
                        return Err(bad_label(examples, row, why));
                    };
                    known.insert(label, class);
                    class
                }
            };
            classes.push(class);
        }
        Ok(Targets::Classes(classes))
    }

    /// Checks that `names` has one name a class.
    ///
    /// # Errors
    /// [`DataError::Config`] for `data.label_names`.
    pub fn check_names(&self, names: &[String]) -> Result<()> {
        if names.len() == self.len() {
            return Ok(());
        }
        let (given, classes) = (names.len(), self.len());
        let problem = format!("{given} names for {classes} classes ({}); give one each", self.labels.join(", "));
        Err(DataError::Config { key: "data.label_names", problem })
    }
}

/// The map of labels known to be usable, however few they are.
pub(crate) fn class_order<'a>(labels: impl Iterator<Item = &'a str>) -> LabelMap {
    let distinct: BTreeSet<&str> = labels.collect();
    let values: Option<Vec<f64>> = distinct.iter().map(|label| number(label)).collect();
    let labels: Vec<String> = match values {
        Some(values) => {
            let mut order: Vec<(f64, &str)> = values.into_iter().zip(distinct).collect();
            // Of two spellings of one number the shorter stands for both.
            order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.len().cmp(&b.1.len())));
            order.dedup_by(|a, b| a.0 == b.0);
            order.into_iter().map(|(_, label)| label.to_owned()).collect()
        }
        None => distinct.into_iter().map(str::to_owned).collect(),
    };
    LabelMap::from(labels)
}

/// The labels as scores.
///
/// # Errors
/// [`DataError::NoLabels`]; [`DataError::BadLabel`] for one that is missing, not a number, or not finite.
pub fn scores(examples: &Examples) -> Result<Targets> {
    let labels = checked_labels(examples)?;
    let score = |(row, label): (usize, &String)| {
        number(label)
            .map(|value| value as f32)
            .filter(|value| value.is_finite())
            .ok_or_else(|| not_a_score(examples, row))
    };
    Ok(Targets::Scores(labels.iter().enumerate().map(score).collect::<Result<_>>()?))
}

/// The error for a label that should be a score.
pub(crate) fn not_a_score(examples: &Examples, row: usize) -> DataError {
    bad_label(examples, row, "is not a score; write a number or remove the row".into())
}

/// The label column, every cell of it neither missing nor a number that is not finite.
fn checked_labels(examples: &Examples) -> Result<&[String]> {
    let labels = examples.labels.as_deref().ok_or_else(|| DataError::NoLabels { file: examples.file().to_owned() })?;
    for (row, label) in labels.iter().enumerate() {
        if label.trim().is_empty() {
            return Err(bad_label(examples, row, "is missing; fill it in or remove the row".into()));
        }
        if is_no_value(label) {
            return Err(bad_label(examples, row, "is not a finite number; correct it or remove the row".into()));
        }
    }
    Ok(labels)
}

/// Whether a label is what programs write for a number that is not there, or not finite.
pub(crate) fn is_no_value(label: &str) -> bool {
    label.trim().parse::<f64>().is_ok_and(|value| !value.is_finite())
}

pub(crate) fn bad_label(examples: &Examples, row: usize, why: String) -> DataError {
    DataError::BadLabel {
        place: Box::new(examples.place(row)),
        id: examples.ids[row].clone(),
        column: label_column(examples),
        value: examples.labels.as_ref().map_or_else(String::new, |labels| labels[row].clone()),
        why,
    }
}

pub(crate) fn label_column(examples: &Examples) -> String {
    examples.columns().label.clone().unwrap_or_default()
}

/// A label as a finite number; `-0` is `0`.
pub(crate) fn number(label: &str) -> Option<f64> {
    label.trim().parse::<f64>().ok().filter(|value| value.is_finite()).map(|value| value + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::Columns;
    use crate::table::{Table, TextFormat};

    fn examples(labels: &[&str]) -> Examples {
        let rows: String = labels.iter().enumerate().map(|(row, label)| format!("T{row},x,{label}\n")).collect();
        let table = Table::from_reader(format!("id,text,y\n{rows}").as_bytes(), TextFormat::Csv, "train.csv").unwrap();
        let columns =
            Columns { id: Some("id".into()), text: "text".into(), label: Some("y".into()), ..Columns::default() };
        Examples::from_table(&table, &columns).unwrap()
    }

    fn labels(of: &[&str]) -> Vec<String> {
        LabelMap::fit(&examples(of)).unwrap().into()
    }

    #[test]
    fn whole_numbers_sort_by_value_and_words_by_code_point() {
        assert_eq!(labels(&["10", "2", "-1", "2"]), ["-1", "2", "10"]);
        assert_eq!(labels(&["1.0", "0.0", "10.0"]), ["0.0", "1.0", "10.0"]);
        assert_eq!(labels(&["중립", "긍정", "B", "a"]), ["B", "a", "긍정", "중립"]);
        assert_eq!(labels(&["10", "2", "x"]), ["10", "2", "x"]);
    }

    #[test]
    fn two_spellings_of_a_number_are_one_class() {
        let map = LabelMap::fit(&examples(&["1.0", "0", "1"])).unwrap();
        assert_eq!(map.labels(), ["0", "1"]);
        assert_eq!(map.targets(&examples(&["0.0", "1", "1.0"])).unwrap(), Targets::Classes(vec![0, 1, 1]));
    }

    #[test]
    fn a_label_outside_the_map_names_file_row_id_and_the_known() {
        let map = LabelMap::fit(&examples(&["0", "1"])).unwrap();
        assert_eq!(
            map.targets(&examples(&["0", "7"])).unwrap_err().to_string(),
            "train.csv: row 2 (line 3), id T1: label \"7\" in column \"y\" is not a label of the training table (0, 1); \
             correct it"
        );
    }

    #[test]
    fn missing_and_infinite_labels_are_errors_in_either_task() {
        for bad in ["", "NaN", "nan", "inf", "-Infinity"] {
            let rows = examples(&["0", bad, "1"]);
            for error in [LabelMap::fit(&rows).unwrap_err(), scores(&rows).unwrap_err(), infer_task(&rows).unwrap_err()]
            {
                assert!(error.to_string().starts_with("train.csv: row 2 (line 3), id T1: label"), "{error}");
            }
        }
        assert!(scores(&examples(&["0.5", "high"])).is_err());
        assert!(scores(&examples(&["0.5", "1e300"])).is_err());
    }

    #[test]
    fn scores_are_read_as_numbers() {
        assert_eq!(scores(&examples(&["0", "2.5", " 4.2"])).unwrap(), Targets::Scores(vec![0.0, 2.5, 4.2]));
    }

    #[test]
    fn one_class_is_not_a_task() {
        assert!(matches!(LabelMap::fit(&examples(&["1", "1.0"])), Err(DataError::OneClass { .. })));
    }

    #[test]
    fn the_task_is_inferred_with_its_reason() {
        let many: Vec<String> = (0..21).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for (rows, task) in [
            (&["0", "1", "3"][..], Task::Classification),
            (&["0.0", "1.0"], Task::Classification),
            (&["긍정", "부정"], Task::Classification),
            (&["0.0", "2.4"], Task::Regression),
            (&many, Task::Regression),
        ] {
            let inferred = infer_task(&examples(rows)).unwrap();
            assert_eq!(inferred.task, task, "{}", inferred.reason);
        }
        assert_eq!(infer_task(&examples(&["0", "2.4"])).unwrap().reason, "labels such as 2.4 have fractions");
    }

    #[test]
    fn a_map_is_stored_as_its_list() {
        let map = LabelMap::fit(&examples(&["1", "0"])).unwrap();
        let json = serde_json::to_string(&map).unwrap();
        assert_eq!(json, r#"["0","1"]"#);
        assert_eq!(serde_json::from_str::<LabelMap>(&json).unwrap(), map);
        assert_eq!(map.index("1.0"), Some(1));
    }

    #[test]
    fn names_must_be_one_a_class() {
        let map = LabelMap::fit(&examples(&["0", "1"])).unwrap();
        map.check_names(&["부정".into(), "긍정".into()]).unwrap();
        let error = map.check_names(&["부정".into()]).unwrap_err().to_string();
        assert!(error.starts_with("data.label_names: 1 names for 2 classes (0, 1)"), "{error}");
    }
}
