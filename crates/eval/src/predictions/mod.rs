//! A model's outputs row by row, and the classes and probabilities they imply. How they are filed is in `write.rs` and
//! `read.rs`, how those of several models become one in `combine.rs`; how good they are is for `metrics`.

mod arrange;
mod combine;
mod foreign;
mod read;
mod votes;
mod write;

use gyeol_data::LabelSets;

use crate::{EvalError, Task};

pub use foreign::{Expected, Foreign, Scale};
pub use write::Form;
pub(crate) use write::joined;

/// The outputs of a model, in row order.
#[derive(Debug, Clone, PartialEq)]
pub enum Outputs {
    /// Raw classifier outputs, before the softmax.
    Logits {
        /// The classes, as the table labels them; at least one.
        labels: Vec<String>,
        /// Row-major `[rows, classes]`.
        values: Vec<f32>,
    },
    /// Class probabilities: of a predictions file, or of an ensemble.
    Probabilities {
        /// The classes, as the table labels them; at least one.
        labels: Vec<String>,
        /// Row-major `[rows, classes]`, each row summing to 1.
        values: Vec<f32>,
    },
    /// Raw outputs for labels of which a row has any number, before the sigmoid.
    IndependentLogits {
        /// The labels, as the table writes them; at least one.
        labels: Vec<String>,
        /// Row-major `[rows, labels]`.
        values: Vec<f32>,
    },
    /// Probabilities of labels of which a row has any number.
    IndependentProbabilities {
        /// The labels, as the table writes them; at least one.
        labels: Vec<String>,
        /// Row-major `[rows, labels]`, each number from 0 to 1 on its own.
        values: Vec<f32>,
    },
    /// Regression outputs, one a row.
    Scores(Vec<f32>),
}

/// From this probability on a row is given an independent label.
pub(crate) const GIVEN_FROM: f32 = 0.5;

impl Outputs {
    /// The task these outputs answer.
    pub fn task(&self) -> Task {
        match self {
            Self::Logits { .. } | Self::Probabilities { .. } => Task::Classification,
            Self::IndependentLogits { .. } | Self::IndependentProbabilities { .. } => Task::MultiLabel,
            Self::Scores(_) => Task::Regression,
        }
    }

    /// The classes, in column order; none for regression.
    pub fn labels(&self) -> &[String] {
        match self {
            Self::Logits { labels, .. }
            | Self::Probabilities { labels, .. }
            | Self::IndependentLogits { labels, .. }
            | Self::IndependentProbabilities { labels, .. } => labels,
            Self::Scores(_) => &[],
        }
    }

    /// The numbers as they are: row-major `[rows, classes]`, or one a row.
    pub fn values(&self) -> &[f32] {
        match self {
            Self::Logits { values, .. }
            | Self::Probabilities { values, .. }
            | Self::IndependentLogits { values, .. }
            | Self::IndependentProbabilities { values, .. }
            | Self::Scores(values) => values,
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values().len() / self.width()
    }

    /// Numbers a row: the class count, or 1.
    fn width(&self) -> usize {
        self.labels().len().max(1)
    }

    /// Class probabilities, row-major `[rows, classes]`: the softmax of logits, or the sigmoid of independent ones
    /// (computed in `f64`), or the probabilities themselves. Empty for regression. A row with a NaN logit is NaN
    /// throughout, unless its logits are independent.
    pub fn probabilities(&self) -> Vec<f32> {
        match self {
            Self::Logits { labels, values } => values.chunks_exact(labels.len()).flat_map(softmax).collect(),
            Self::IndependentLogits { values, .. } => values.iter().map(|&logit| sigmoid(logit)).collect(),
            Self::Probabilities { values, .. } | Self::IndependentProbabilities { values, .. } => values.clone(),
            Self::Scores(_) => Vec::new(),
        }
    }

    /// The most likely class of each row, the first of equals; a NaN never wins unless the whole row is NaN, which
    /// gives class 0. Empty for regression and for independent labels.
    pub fn argmax(&self) -> Vec<u32> {
        match self {
            Self::Logits { labels, values } | Self::Probabilities { labels, values } => {
                values.chunks_exact(labels.len()).map(|row| argmax(row) as u32).collect()
            }
            Self::IndependentLogits { .. } | Self::IndependentProbabilities { .. } | Self::Scores(_) => Vec::new(),
        }
    }

    /// The labels of each row that are as probable as not or more, by the `f32` probabilities a file would have; a NaN is
    /// no label. Rows without classes for regression; of classes that exclude each other, those of at least 0.5.
    pub fn label_sets(&self) -> LabelSets {
        let classes = self.labels().len();
        let mut sets = LabelSets::new(classes);
        let probabilities = self.probabilities();
        let given = |row: &[f32]| -> Vec<u32> {
            row.iter().zip(0..).filter(|(p, _)| **p >= GIVEN_FROM).map(|(_, class)| class).collect()
        };
        probabilities.chunks_exact(classes.max(1)).for_each(|row| sets.push(given(row)));
        sets
    }

    /// The same numbers for labels that do not exclude each other, where nothing in them said so.
    #[must_use]
    pub fn independent(self) -> Self {
        match self {
            Self::Logits { labels, values } => Self::IndependentLogits { labels, values },
            Self::Probabilities { labels, values } => Self::IndependentProbabilities { labels, values },
            other => other,
        }
    }

    /// The given rows, in the given order. Rows are indices from 0 and must exist.
    pub fn select(&self, rows: &[usize]) -> Self {
        let width = self.width();
        let values = self.values();
        let picked = rows.iter().flat_map(|row| &values[row * width..(row + 1) * width]).copied().collect();
        match self {
            Self::Logits { labels, .. } => Self::Logits { labels: labels.clone(), values: picked },
            Self::Probabilities { labels, .. } => Self::Probabilities { labels: labels.clone(), values: picked },
            Self::IndependentLogits { labels, .. } => {
                Self::IndependentLogits { labels: labels.clone(), values: picked }
            }
            Self::IndependentProbabilities { labels, .. } => {
                Self::IndependentProbabilities { labels: labels.clone(), values: picked }
            }
            Self::Scores(_) => Self::Scores(picked),
        }
    }
}

/// In `f64`, where the exponential of no `f32` makes more trouble than an infinity, whose inverse is right.
fn sigmoid(logit: f32) -> f32 {
    (1.0 / (1.0 + (-f64::from(logit)).exp())) as f32
}

/// Softmax of one row, in `f64` and shifted by the maximum so that no exponential overflows.
fn softmax(row: &[f32]) -> impl Iterator<Item = f32> + '_ {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max) as f64;
    let sum: f64 = row.iter().map(|&logit| (logit as f64 - max).exp()).sum();
    row.iter().map(move |&logit| ((logit as f64 - max).exp() / sum) as f32)
}

/// Index of the first of the largest values, NaN counting as smaller than anything.
pub(crate) fn argmax(row: &[f32]) -> usize {
    let rank = |index: usize| if row[index].is_nan() { f32::NEG_INFINITY } else { row[index] };
    (1..row.len()).fold(0, |best, index| if rank(index) > rank(best) { index } else { best })
}

/// The outputs of a model with the ids of the rows they belong to.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    id_column: String,
    ids: Vec<String>,
    outputs: Outputs,
}

impl Predictions {
    /// Joins ids to outputs. `id_column` is what the table calls its ids, and the first column of a file written.
    ///
    /// # Errors
    /// [`EvalError::Length`] when there is not one output row for each id.
    pub fn new(id_column: impl Into<String>, ids: Vec<String>, outputs: Outputs) -> Result<Self, EvalError> {
        let expected = ids.len() * outputs.width();
        if outputs.values().len() != expected {
            return Err(EvalError::Length { what: "outputs", expected, found: outputs.values().len() });
        }
        Ok(Self { id_column: id_column.into(), ids, outputs })
    }

    /// What the table calls its ids.
    pub fn id_column(&self) -> &str {
        &self.id_column
    }

    /// The ids, one a row.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// The outputs, in the order of the ids.
    pub fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The same predictions of labels that do not exclude each other, see [`Outputs::independent`].
    #[must_use]
    pub fn independent(self) -> Self {
        Self { outputs: self.outputs.independent(), ..self }
    }

    /// The same predictions under other ids' names and labels: `id_column`, and `labels` in the order of the columns.
    ///
    /// # Errors
    /// [`EvalError::Length`] when there is not one label a column.
    pub fn renamed(mut self, id_column: &str, renamed: Vec<String>) -> Result<Self, EvalError> {
        let expected = self.outputs.labels().len();
        if renamed.len() != expected {
            return Err(EvalError::Length { what: "labels", expected, found: renamed.len() });
        }
        id_column.clone_into(&mut self.id_column);
        match &mut self.outputs {
            Outputs::Logits { labels, .. }
            | Outputs::Probabilities { labels, .. }
            | Outputs::IndependentLogits { labels, .. }
            | Outputs::IndependentProbabilities { labels, .. } => *labels = renamed,
            Outputs::Scores(_) => {}
        }
        Ok(self)
    }

    /// Brings regression scores into `range` (lowest, highest); classes are left alone. NaN stays NaN.
    pub fn clamp_scores(&mut self, range: [f64; 2]) {
        if let Outputs::Scores(scores) = &mut self.outputs {
            let [low, high] = range.map(|bound| bound as f32);
            for score in scores {
                // Not `clamp`, which panics on a reversed range.
                *score = if score.is_nan() { *score } else { score.min(high).max(low) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(count: usize) -> Vec<String> {
        (0..count).map(|label| label.to_string()).collect()
    }

    #[test]
    fn softmax_rows_sum_to_one_whatever_their_size() {
        let outputs = Outputs::Logits { labels: labels(3), values: vec![1e30, -1e30, 1e30, 0.0, 0.0, 0.0] };
        assert_eq!(outputs.probabilities(), [0.5, 0.0, 0.5, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]);
    }

    #[test]
    fn argmax_takes_the_first_of_equals_and_passes_over_nan() {
        let nan = f32::NAN;
        let values = vec![1.0, 2.0, 2.0, nan, -5.0, nan, nan, nan, nan];
        assert_eq!(Outputs::Logits { labels: labels(3), values }.argmax(), [1, 1, 0]);
    }

    #[test]
    fn independent_labels_are_given_from_one_half_on_and_never_for_nan() {
        let values = vec![0.0, -1e-3, 3e38, f32::NAN, -3e38, -1.0];
        let outputs = Outputs::IndependentLogits { labels: labels(3), values };
        assert_eq!(outputs.label_sets().iter().collect::<Vec<_>>(), [&[0, 2][..], &[]]);
        let probabilities = outputs.probabilities();
        assert_eq!((probabilities[0], probabilities[2], probabilities[4]), (0.5, 1.0, 0.0));
        assert!(outputs.argmax().is_empty());
    }

    #[test]
    fn scores_are_clamped_to_their_range_and_logits_are_not() {
        let ids = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let mut scores = Predictions::new("id", ids.clone(), Outputs::Scores(vec![-1.0, 2.5, 7.0])).unwrap();
        scores.clamp_scores([0.0, 5.0]);
        assert_eq!(scores.outputs().values(), [0.0, 2.5, 5.0]);

        let logits = Outputs::Logits { labels: labels(1), values: vec![-1.0, 2.5, 7.0] };
        let mut logits = Predictions::new("id", ids, logits).unwrap();
        logits.clamp_scores([0.0, 5.0]);
        assert_eq!(logits.outputs().values(), [-1.0, 2.5, 7.0]);
    }

    #[test]
    fn every_id_needs_its_outputs() {
        let outputs = Outputs::Logits { labels: labels(2), values: vec![0.0; 3] };
        let error = Predictions::new("id", vec!["a".to_owned()], outputs).unwrap_err();
        assert!(matches!(error, EvalError::Length { expected: 2, found: 3, .. }));
    }

    #[test]
    fn selected_rows_keep_their_values() {
        let outputs = Outputs::Logits { labels: labels(2), values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] };
        assert_eq!(outputs.select(&[2, 0]).values(), [5.0, 6.0, 1.0, 2.0]);
    }
}
