//! The same outputs with their classes in another order, under other labels.

use super::Outputs;

impl Outputs {
    /// The outputs with other columns: the new one `i` is the present one `columns[i]` (from 0, each there) and called
    /// `labels[i]`. Scores, which have no classes, stay as they are.
    #[must_use]
    pub fn arranged(&self, columns: &[usize], labels: &[String]) -> Self {
        let width = self.labels().len();
        let mut outputs = self.clone();
        match &mut outputs {
            Self::Logits { labels: own, values }
            | Self::Probabilities { labels: own, values }
            | Self::IndependentLogits { labels: own, values }
            | Self::IndependentProbabilities { labels: own, values } => {
                let rows = self.values().chunks_exact(width);
                *values = rows.flat_map(|row| columns.iter().map(|&column| row[column])).collect();
                *own = labels.to_vec();
            }
            Self::Scores(_) => {}
        }
        outputs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_move_with_their_numbers() {
        let labels = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let outputs = Outputs::Logits { labels: labels(&["a", "b"]), values: vec![1.0, 2.0, 3.0, 4.0] };
        let expected = Outputs::Logits { labels: labels(&["B", "A"]), values: vec![2.0, 1.0, 4.0, 3.0] };
        assert_eq!(outputs.arranged(&[1, 0], &labels(&["B", "A"])), expected);
        assert_eq!(Outputs::Scores(vec![1.0]).arranged(&[], &[]), Outputs::Scores(vec![1.0]));
    }
}
