//! What the columns of a sample are for, told by their names, their number and the predictions' task.

use std::fmt;

use crate::{Predictions, Task};

/// What each column of a sample holds; columns are counted from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The column of ids.
    pub id: usize,
    /// The other columns in the sample's order, with their names.
    pub targets: Vec<(usize, String, Target)>,
}

/// What a column of a sample is filled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The most probable label.
    Label,
    /// The labels of at least one half, joined by `|`.
    Labels,
    /// The score.
    Score,
    /// The probability of a class, counted from 0.
    Probability(usize),
    /// 1 where the row has a label (counted from 0) by a probability of at least one half, else 0.
    Given(usize),
}

impl Layout {
    /// The layout of `columns` for `predictions`. The column of ids is the one that has their name, else the first. The others:
    ///
    /// - regression: one, of scores;
    /// - one column, whatever its name: the label, or of labels that do not exclude each other, those that a row has. Only
    ///   where its name is that of a class with `p_`, `prob_` or `probability_` before it, the probability of that class;
    /// - one a class, in any order, named by the labels, all with the same words before and after them, as in
    ///   `p_0, p_1`, `0, 1` or `class_0_prob, class_1_prob`: probabilities. Of labels that do not exclude each other these are
    ///   0 or 1, unless `fractions` (some cell of these columns is another number, such as 0.5).
    ///
    /// # Errors
    /// What was expected, as a noun phrase.
    pub(super) fn of(
        columns: &[String],
        predictions: &Predictions,
        fractions: impl FnOnce(&[usize]) -> bool,
    ) -> Result<Self, String> {
        let outputs = predictions.outputs();
        let id = columns.iter().position(|column| column == predictions.id_column()).unwrap_or(0);
        let others: Vec<usize> = (0..columns.len()).filter(|&column| column != id).collect();
        let names: Vec<&str> = others.iter().map(|&column| columns[column].as_str()).collect();
        let labels = outputs.labels();
        let targets = match (outputs.task(), names.as_slice()) {
            (Task::Regression, [_]) => vec![Target::Score],
            (Task::Regression, _) => return Err("an id column and one column for the score".to_owned()),
            (_, [name]) if probability_of(name, labels).is_some() => {
                probability_of(name, labels).map(Target::Probability).into_iter().collect()
            }
            (Task::Classification, [_]) => vec![Target::Label],
            (Task::MultiLabel, [_]) => vec![Target::Labels],
            (task, names) => {
                let Some(classes) = classes_of(names, labels) else {
                    let labels = labels.join(", ");
                    return Err(format!(
                        "an id column and one column for the label, or one a class, named by its label ({labels}), with the \
                         same words before or after each"
                    ));
                };
                let zero_or_one = task == Task::MultiLabel && !fractions(&others);
                let target = if zero_or_one { Target::Given } else { Target::Probability };
                classes.into_iter().map(target).collect()
            }
        };
        let targets = others.iter().zip(names).zip(targets).map(|((&at, name), target)| (at, name.to_owned(), target));
        Ok(Self { id, targets: targets.collect() })
    }
}

impl fmt::Display for Layout {
    /// In a few words, to be read before a file is handed in.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |what: &str| {
            let names: Vec<&str> = self.targets.iter().map(|(_, name, _)| name.as_str()).collect();
            format!("{}: {what}", names.join(", "))
        };
        formatter.write_str(&match self.targets.first().map(|(.., target)| target) {
            None => "no column to fill".to_owned(),
            Some(Target::Label) => named("the predicted label"),
            Some(Target::Labels) => named("the predicted labels"),
            Some(Target::Score) => named("the score"),
            Some(Target::Probability(_)) => named("probabilities"),
            Some(Target::Given(_)) => named("1 for each predicted label, else 0"),
        })
    }
}

/// The class that a column's name says it holds the probability of.
fn probability_of(name: &str, labels: &[String]) -> Option<usize> {
    ["p_", "prob_", "probability_"]
        .into_iter()
        .find_map(|prefix| labels.iter().position(|label| name.strip_prefix(prefix) == Some(label)))
}

/// For each column its class, if they are named by all labels with the same words around each.
fn classes_of(names: &[&str], labels: &[String]) -> Option<Vec<usize>> {
    if names.len() != labels.len() {
        return None;
    }
    let first = *names.first()?;
    let around = |label: &String| {
        let label = label.clone();
        first
            .match_indices(label.clone().as_str())
            .map(|(at, _)| (first[..at].to_owned(), first[at + label.len()..].to_owned()))
            .collect::<Vec<_>>()
    };
    labels.iter().flat_map(around).find_map(|(before, after)| {
        let class = |name: &&str| {
            let label = name.strip_prefix(before.as_str())?.strip_suffix(after.as_str())?;
            labels.iter().position(|known| known == label)
        };
        let classes: Vec<usize> = names.iter().map(class).collect::<Option<_>>()?;
        let mut sorted = classes.clone();
        sorted.sort_unstable();
        sorted.iter().copied().eq(0..labels.len()).then_some(classes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outputs;

    fn strings(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    fn of(columns: &[&str], outputs: Outputs, fractions: bool) -> Result<Layout, String> {
        let predictions = Predictions::new("ID", strings(&["a"]), outputs).unwrap();
        Layout::of(&strings(columns), &predictions, |_| fractions)
    }

    fn classes(labels: &[&str]) -> Outputs {
        Outputs::Logits { labels: strings(labels), values: vec![0.0; labels.len()] }
    }

    fn targets(layout: Result<Layout, String>) -> Vec<Target> {
        layout.unwrap().targets.into_iter().map(|(.., target)| target).collect()
    }

    #[test]
    fn one_column_is_the_label_or_the_score() {
        assert_eq!(targets(of(&["ID", "label"], classes(&["0", "1"]), false)), [Target::Label]);
        assert_eq!(targets(of(&["row", "score"], Outputs::Scores(vec![0.0]), false)), [Target::Score]);
        let named = of(&["label", "ID"], classes(&["0", "1"]), false).unwrap();
        assert_eq!((named.id, named.targets[0].0), (1, 0));
        assert_eq!(named.to_string(), "label: the predicted label");
    }

    #[test]
    fn columns_of_classes_are_known_by_their_labels() {
        let probabilities = [Target::Probability(1), Target::Probability(0), Target::Probability(2)];
        for names in [["ID", "1", "0", "11"], ["ID", "p_1", "p_0", "p_11"], ["ID", "c1_prob", "c0_prob", "c11_prob"]] {
            assert_eq!(targets(of(&names, classes(&["0", "1", "11"]), false)), probabilities, "{names:?}");
        }
        assert_eq!(targets(of(&["ID", "prob_1"], classes(&["0", "1"]), false)), [Target::Probability(1)]);
    }

    #[test]
    fn label_sets_are_zeros_and_ones_unless_the_sample_has_fractions() {
        let sets = || classes(&["욕", "b"]).independent();
        let columns = ["ID", "is_욕", "is_b"];
        assert_eq!(targets(of(&columns, sets(), false)), [Target::Given(0), Target::Given(1)]);
        assert_eq!(targets(of(&columns, sets(), true)), [Target::Probability(0), Target::Probability(1)]);
        assert_eq!(targets(of(&["ID", "labels"], sets(), false)), [Target::Labels]);
    }

    #[test]
    fn other_columns_are_refused_with_what_was_expected() {
        let error = of(&["ID", "p_0", "p_2"], classes(&["0", "1"]), false).unwrap_err();
        assert!(error.contains("named by its label (0, 1)"), "{error}");
        assert!(of(&["ID", "p_0", "p_1", "x"], classes(&["0", "1"]), false).is_err());
        assert!(of(&["ID", "a", "b"], Outputs::Scores(vec![0.0]), false).unwrap_err().contains("score"));
    }
}
