//! The confusion matrix.

use serde::Serialize;

/// How often each true class (row) was predicted as each class (column).
///
/// Serialises as a list of rows, as scikit-learn's `confusion_matrix` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Confusion(Vec<Vec<u64>>);

impl Confusion {
    /// Counts the rows. Class indices must be below `classes`.
    pub(super) fn count(classes: usize, truth: &[u32], predicted: &[u32]) -> Self {
        let mut counts = vec![vec![0; classes]; classes];
        for (&t, &p) in truth.iter().zip(predicted) {
            counts[t as usize][p as usize] += 1;
        }
        Self(counts)
    }

    /// The rows of the matrix, one a true class.
    pub fn rows(&self) -> &[Vec<u64>] {
        &self.0
    }

    /// How many rows of the table are truly `class`.
    pub fn support(&self, class: usize) -> u64 {
        self.0[class].iter().sum()
    }

    /// How many rows were predicted as `class`.
    pub fn predicted(&self, class: usize) -> u64 {
        self.0.iter().map(|row| row[class]).sum()
    }

    /// How many rows of `class` were predicted right.
    pub fn hits(&self, class: usize) -> u64 {
        self.0[class][class]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_the_truth_and_columns_the_predictions() {
        let confusion = Confusion::count(3, &[0, 0, 1, 2, 2], &[0, 1, 1, 0, 0]);
        assert_eq!(confusion.rows(), [[1, 1, 0], [0, 1, 0], [2, 0, 0]]);
        assert_eq!((confusion.support(2), confusion.predicted(0), confusion.hits(0)), (2, 3, 1));
    }
}
