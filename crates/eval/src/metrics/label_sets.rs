//! Metrics of sets of labels: every row and class is a decision, present or absent. Their log loss is `binary_log_loss`.

use gyeol_data::LabelSets;
use serde::Serialize;

/// How often one label was given, and rightly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LabelCounts {
    /// Rows that have the label and were given it.
    pub hits: u64,
    /// Rows that have the label and were not given it.
    pub missed: u64,
    /// Rows that do not have the label and were given it.
    pub false_alarms: u64,
    /// Rows that neither have the label nor were given it.
    pub absent: u64,
}

impl LabelCounts {
    /// The counts of every class. Both have the same rows and classes.
    pub fn of(truth: &LabelSets, predicted: &LabelSets) -> Vec<Self> {
        debug_assert_eq!((truth.len(), truth.classes()), (predicted.len(), predicted.classes()));
        let mut counts = vec![Self::default(); truth.classes()];
        for (truth, predicted) in truth.iter().zip(predicted.iter()) {
            for &class in truth {
                let of = &mut counts[class as usize];
                *(if predicted.contains(&class) { &mut of.hits } else { &mut of.missed }) += 1;
            }
            for class in predicted.iter().filter(|class| !truth.contains(class)) {
                counts[*class as usize].false_alarms += 1;
            }
        }
        let rows = truth.len() as u64;
        counts.iter_mut().for_each(|of| of.absent = rows - of.hits - of.missed - of.false_alarms);
        counts
    }

    /// Harmonic mean of precision and recall; 0 where the label is neither in the truth nor in the predictions
    /// (scikit-learn's `zero_division=0`).
    pub fn f1(&self) -> f64 {
        let decisions = 2 * self.hits + self.missed + self.false_alarms;
        if decisions == 0 { 0.0 } else { 2.0 * self.hits as f64 / decisions as f64 }
    }
}

/// Share of rows whose predicted set is the true one, as scikit-learn's `accuracy_score` of label sets; `None` without
/// rows.
pub fn exact_match(truth: &LabelSets, predicted: &LabelSets) -> Option<f64> {
    let right = truth.iter().zip(predicted.iter()).filter(|(t, p)| t == p).count();
    (!truth.is_empty()).then(|| right as f64 / truth.len() as f64)
}

/// F1 over the decisions of all classes, as scikit-learn's `f1_score(average="micro", zero_division=0)`: 0 where no row
/// has a label and none was given one. `None` without rows.
pub fn micro_f1(truth: &LabelSets, predicted: &LabelSets) -> Option<f64> {
    (!truth.is_empty()).then(|| micro_average(&LabelCounts::of(truth, predicted)))
}

/// The F1 of all classes' decisions together.
pub(crate) fn micro_average(counts: &[LabelCounts]) -> f64 {
    let sum = |sum: LabelCounts, of: &LabelCounts| LabelCounts {
        hits: sum.hits + of.hits,
        missed: sum.missed + of.missed,
        false_alarms: sum.false_alarms + of.false_alarms,
        absent: sum.absent + of.absent,
    };
    counts.iter().fold(LabelCounts::default(), sum).f1()
}

/// Unweighted mean of the F1 of every class, as scikit-learn's `f1_score(average="macro", zero_division=0)` of label sets:
/// unlike in [`macro_f1`](super::macro_f1), a class that is nowhere counts, as 0. `None` without rows.
pub fn macro_f1_of_sets(truth: &LabelSets, predicted: &LabelSets) -> Option<f64> {
    (!truth.is_empty()).then(|| macro_average(&LabelCounts::of(truth, predicted)))
}

/// The mean of the classes' F1.
pub(crate) fn macro_average(counts: &[LabelCounts]) -> f64 {
    counts.iter().map(LabelCounts::f1).sum::<f64>() / counts.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(classes: usize, rows: &[&[u32]]) -> LabelSets {
        let mut sets = LabelSets::new(classes);
        rows.iter().for_each(|row| sets.push(row.iter().copied()));
        sets
    }

    #[test]
    fn decisions_are_counted_class_by_class() {
        let counts = LabelCounts::of(&sets(2, &[&[0, 1], &[0], &[], &[1]]), &sets(2, &[&[1], &[0, 1], &[], &[1]]));
        assert_eq!(counts[0], LabelCounts { hits: 1, missed: 1, false_alarms: 0, absent: 2 });
        assert_eq!(counts[1], LabelCounts { hits: 2, missed: 0, false_alarms: 1, absent: 1 });
    }

    #[test]
    fn a_set_is_right_only_as_a_whole() {
        let (truth, predicted) = (sets(2, &[&[0, 1], &[0], &[], &[1]]), sets(2, &[&[0, 1], &[0, 1], &[], &[]]));
        assert_eq!(exact_match(&truth, &predicted), Some(0.5));
    }

    #[test]
    fn no_label_anywhere_is_an_f1_of_0_and_a_class_that_is_nowhere_counts() {
        let none = sets(2, &[&[], &[]]);
        assert_eq!((micro_f1(&none, &none), macro_f1_of_sets(&none, &none)), (Some(0.0), Some(0.0)));
        let one = sets(2, &[&[0], &[]]);
        assert_eq!((micro_f1(&one, &one), macro_f1_of_sets(&one, &one)), (Some(1.0), Some(0.5)));
    }

    #[test]
    fn all_are_undefined_without_rows() {
        let none = sets(2, &[]);
        assert_eq!([exact_match(&none, &none), micro_f1(&none, &none), macro_f1_of_sets(&none, &none)], [None; 3]);
    }
}
