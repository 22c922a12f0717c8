//! How often each class is predicted, beside how often it is in the labelled rows.

use serde::Serialize;
use statrs::function::gamma::gamma_ur;

use crate::{EvalError, Outputs, Task};

/// Predicted shares that chance would make as different as this in fewer than one table of a thousand are worth a warning.
const CHANCE: f64 = 0.001;

/// A part of the rows that is worth a warning, however sure it is that it is of another class.
const PART: f64 = 0.02;

/// Below so many expected rows a class joins the others that are as rare, as the chi-square distribution does not hold for it
/// (Cochran 1954).
const RARE: f64 = 5.0;

/// The classes of predictions beside those of labelled rows.
///
/// A model whose predictions follow the distribution it was trained on, and a table from the same source as the training
/// rows, have about the same shares. Whether they differ by more than chance explains is Pearson's chi-square test of
/// homogeneity, of the two rows of counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassShares {
    /// The classes, in column order.
    pub classes: Vec<Share>,
    /// The total variation: the part of the rows, 0 to 1, that would have to be of another class for equal shares.
    pub total_variation: f64,
    /// The statistic of the test.
    pub chi_square: f64,
    /// The probability of one as large or larger, if predictions and labelled rows had the same distribution; 1 where there
    /// is nothing to compare.
    pub p_value: f64,
}

/// A class among predictions and labelled rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Share {
    /// The class, as the table labels it.
    pub label: String,
    /// Labelled rows of it.
    pub training_rows: u64,
    /// Their share, 0 to 1.
    pub training: f64,
    /// Rows predicted as it.
    pub predicted_rows: u64,
    /// Their share, 0 to 1.
    pub predicted: f64,
}

impl ClassShares {
    /// Compares the most probable classes of `outputs` with the numbers of labelled rows of each class, `training`,, in the order of
    /// the outputs' labels.
    ///
    /// # Errors
    /// [`EvalError::TaskMismatch`] for outputs that are not of classes which exclude each other; [`EvalError::Length`] where
    /// there is not one number a class.
    pub fn of(outputs: &Outputs, training: &[u64]) -> Result<Self, EvalError> {
        if outputs.task() != Task::Classification {
            return Err(EvalError::TaskMismatch { predictions: outputs.task(), truth: Task::Classification });
        }
        let labels = outputs.labels();
        if training.len() != labels.len() {
            return Err(EvalError::Length { what: "labelled rows", expected: labels.len(), found: training.len() });
        }
        let mut predicted = vec![0u64; labels.len()];
        outputs.argmax().iter().for_each(|&class| predicted[class as usize] += 1);
        let share = |count: u64, counts: &[u64]| count as f64 / counts.iter().sum::<u64>().max(1) as f64;
        let class = |(label, (&trained, &found)): (&String, (&u64, &u64))| Share {
            label: label.clone(),
            training_rows: trained,
            training: share(trained, training),
            predicted_rows: found,
            predicted: share(found, &predicted),
        };
        let classes: Vec<Share> = labels.iter().zip(training.iter().zip(&predicted)).map(class).collect();
        let total_variation = 0.5 * classes.iter().map(|class| (class.predicted - class.training).abs()).sum::<f64>();
        let (chi_square, p_value) = homogeneity(training, &predicted);
        Ok(Self { classes, total_variation, chi_square, p_value })
    }

    /// Whether the shares part: by more than chance explains (a p-value below 0.001), and by enough to matter (a total
    /// variation above 0.02).
    pub fn part(&self) -> bool {
        self.p_value < CHANCE && self.total_variation > PART
    }

    /// What to tell if they [`part`](Self::part): the classes with the largest differences first.
    pub fn warning(&self) -> Option<String> {
        if !self.part() {
            return None;
        }
        let difference = |class: &&Share| (class.predicted - class.training).abs();
        let mut classes: Vec<&Share> = self.classes.iter().collect();
        classes.sort_by(|a, b| difference(b).total_cmp(&difference(a)));
        let told = |class: &&Share| {
            let (predicted, training) = (100.0 * class.predicted, 100.0 * class.training);
            format!("{} {predicted:.1} % against {training:.1} %", class.label)
        };
        let told: Vec<String> = classes.iter().take(3).map(told).collect();
        Some(format!(
            "the predicted classes are not as frequent as in the labelled rows, by more than chance explains: {}; if the table \
             has the same classes as the labelled rows, a correction for them may help",
            told.join(", ")
        ))
    }
}

/// Pearson's statistic of two rows of counts, and its p-value; rare classes are one class.
fn homogeneity(first: &[u64], second: &[u64]) -> (f64, f64) {
    let (rows, columns): (u64, u64) = (first.iter().sum(), second.iter().sum());
    let (rows, columns) = (rows as f64, columns as f64);
    if rows == 0.0 || columns == 0.0 {
        return (0.0, 1.0);
    }
    let smaller = rows.min(columns) / (rows + columns);
    let mut cells: Vec<[f64; 2]> = Vec::new();
    let mut rare = [0.0; 2];
    for (&a, &b) in first.iter().zip(second) {
        let cell = [a as f64, b as f64];
        if (cell[0] + cell[1]) * smaller < RARE {
            rare = [rare[0] + cell[0], rare[1] + cell[1]];
        } else {
            cells.push(cell);
        }
    }
    if rare != [0.0; 2] {
        cells.push(rare);
    }
    if cells.len() < 2 {
        return (0.0, 1.0);
    }
    let term = |[a, b]: &[f64; 2]| {
        let expected = [rows, columns].map(|total| (a + b) * total / (rows + columns));
        (a - expected[0]).powi(2) / expected[0] + (b - expected[1]).powi(2) / expected[1]
    };
    let statistic: f64 = cells.iter().map(term).sum();
    let freedom = (cells.len() - 1) as f64;
    (statistic, if statistic > 0.0 { gamma_ur(0.5 * freedom, 0.5 * statistic) } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Outputs with so many rows of each class.
    fn predicted(counts: &[usize]) -> Outputs {
        let labels = (0..counts.len()).map(|label| label.to_string()).collect();
        let one_hot = |class: usize| (0..counts.len()).map(move |other| if other == class { 1.0 } else { 0.0 });
        let rows = counts.iter().enumerate().flat_map(|(class, &count)| std::iter::repeat_n(class, count));
        Outputs::Probabilities { labels, values: rows.flat_map(one_hot).collect() }
    }

    #[test]
    fn shares_are_those_of_the_most_probable_classes() {
        let shares = ClassShares::of(&predicted(&[1, 3]), &[50, 50]).unwrap();
        assert_eq!((shares.classes[1].predicted, shares.classes[1].training), (0.75, 0.5));
        assert_eq!((shares.classes[0].predicted_rows, shares.total_variation), (1, 0.25));
    }

    #[test]
    fn few_rows_or_small_differences_are_no_warning() {
        let training = [4000, 1000, 3700, 1400];
        for counts in [&[8, 2, 8, 2][..], &[10, 0, 7, 3], &[400, 90, 380, 140], &[40_400, 10_000, 36_600, 14_000]] {
            assert_eq!(ClassShares::of(&predicted(counts), &training).unwrap().warning(), None, "{counts:?}");
        }
        let same = ClassShares::of(&predicted(&[40, 10, 37, 14]), &training).unwrap();
        assert_eq!((same.chi_square, same.p_value), (0.0, 1.0));
    }

    #[test]
    fn shares_that_part_are_told_the_largest_difference_first() {
        let shares = ClassShares::of(&predicted(&[300, 250, 370, 80]), &[4000, 1000, 3700, 1300]).unwrap();
        let warning = shares.warning().unwrap();
        assert!(warning.contains("as in the labelled rows") && !warning.contains("training"), "{warning}");
        assert!(
            warning.contains("1 25.0 % against 10.0 %, 0 30.0 % against 40.0 %, 3 8.0 % against 13.0 %;"),
            "{warning}"
        );
    }

    #[test]
    fn a_class_that_nothing_is_of_changes_nothing() {
        let with = ClassShares::of(&predicted(&[30, 70, 0]), &[500, 500, 0]).unwrap();
        let without = ClassShares::of(&predicted(&[30, 70]), &[500, 500]).unwrap();
        assert_eq!((with.chi_square, with.p_value), (without.chi_square, without.p_value));
        assert!(ClassShares::of(&Outputs::Scores(vec![1.0]), &[]).is_err());
        assert!(ClassShares::of(&predicted(&[1, 1]), &[1]).is_err());
    }
}
