//! What makes cross-fitted predictions honest, as properties of every method, and what is refused.

use gyeol_data::{LabelSets, Task};
use proptest::prelude::*;

use super::*;
use crate::{
    OwnedTruth, Predictions,
    ensemble::{
        MethodKind,
        golden::{aligned, sets},
    },
};

/// Every method of `task`.
fn methods(task: Task) -> Vec<Method> {
    let all = [
        Method::Soft,
        Method::Geometric,
        Method::Hard,
        Method::Weighted,
        Method::Sharpened { temperature: 0.02 },
        Method::Rank,
        Method::Buckets { buckets: 3 },
        Method::Greedy { steps: 5 },
        Method::Simplex,
        Method::Stacked,
    ];
    assert_eq!(all.len(), MethodKind::ALL.len());
    all.into_iter().filter(|method| method.kind().applies_to(task)).collect()
}

const CLASSES: usize = 3;
const MEMBERS: usize = 3;

/// A table that members have predicted.
#[derive(Debug, Clone)]
struct Case {
    task: Task,
    /// Of each row its numbers by every member, its truth as a class, and its fold.
    rows: Vec<(Vec<f32>, u32, u32)>,
}

impl Case {
    fn width(&self) -> usize {
        if self.task == Task::Regression { 1 } else { CLASSES }
    }

    fn members(&self) -> Aligned {
        let of_member = |member: usize| -> Vec<f32> {
            self.rows.iter().flat_map(|(numbers, ..)| self.row(&numbers[member * CLASSES..][..CLASSES])).collect()
        };
        aligned(self.task, self.width(), &(0..MEMBERS).map(of_member).collect::<Vec<_>>())
    }

    /// Positive numbers as the outputs of a row.
    fn row(&self, numbers: &[f32]) -> Vec<f32> {
        match self.task {
            Task::Classification => numbers.iter().map(|number| number / numbers.iter().sum::<f32>()).collect(),
            Task::MultiLabel => numbers.to_vec(),
            Task::Regression => vec![5.0 * numbers[0]],
        }
    }

    fn truth(&self) -> OwnedTruth {
        let classes = self.rows.iter().map(|&(_, class, _)| class);
        match self.task {
            Task::Classification => OwnedTruth::Classes(classes.collect()),
            Task::MultiLabel => {
                OwnedTruth::Sets(sets(CLASSES, &classes.map(|class| (0..class).collect()).collect::<Vec<_>>()))
            }
            Task::Regression => {
                OwnedTruth::Scores(self.rows.iter().map(|(numbers, class, _)| *class as f32 + numbers[1]).collect())
            }
        }
    }

    fn folds(&self) -> Vec<u32> {
        self.rows.iter().map(|&(.., fold)| fold).collect()
    }

    /// What `method` gives cross-fitted.
    fn predict(&self, members: &Aligned, method: Method, calibrate: bool) -> Outputs {
        let metric = Metric::default_for(self.task);
        cross_fitted(method, calibrate, members, self.truth().borrow(), metric, &self.folds()).unwrap()
    }
}

/// Tables of each task, with rows in each of three folds.
fn cases() -> impl Strategy<Value = Case> {
    let tasks = prop::sample::select(vec![Task::Classification, Task::MultiLabel, Task::Regression]);
    let numbers = prop::collection::vec(0.02f32..0.98, MEMBERS * CLASSES);
    let rows = prop::collection::vec((numbers, 0..CLASSES as u32), 12..30);
    (tasks, rows).prop_map(|(task, rows)| {
        let rows = rows.into_iter().zip(0u32..).map(|((numbers, class), row)| (numbers, class, row % 3)).collect();
        Case { task, rows }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn what_is_predicted_for_a_fold_does_not_depend_on_its_truth(case in cases(), changed in prop::sample::Index::arbitrary()) {
        let changed = changed.index(case.rows.len());
        let mut other = case.clone();
        other.rows[changed].1 = (other.rows[changed].1 + 1) % CLASSES as u32;
        let members = case.members();
        let fold: Vec<usize> =
            (0..case.rows.len()).filter(|&row| case.rows[row].2 == case.rows[changed].2).collect();
        for method in methods(case.task) {
            for calibrate in [false, case.task != Task::Regression] {
                let before = case.predict(&members, method, calibrate).select(&fold);
                let after = other.predict(&members, method, calibrate).select(&fold);
                prop_assert_eq!(before, after, "{:?} {}", method, calibrate);
            }
        }
    }

    #[test]
    fn shuffled_rows_get_the_same_predictions_to_the_bit(
        (case, order) in cases().prop_flat_map(|case| {
            let order = Just((0..case.rows.len()).collect::<Vec<_>>()).prop_shuffle();
            (Just(case), order)
        })
    ) {
        let members = case.members();
        let shuffled = Case { task: case.task, rows: order.iter().map(|&row| case.rows[row].clone()).collect() };
        for method in methods(case.task) {
            for calibrate in [false, case.task != Task::Regression] {
                let expected = case.predict(&members, method, calibrate).select(&order);
                let found = shuffled.predict(&members.select(&order), method, calibrate);
                prop_assert_eq!(found, expected, "{:?} {}", method, calibrate);
            }
        }
    }

    #[test]
    fn renamed_labels_rename_nothing_else(case in cases()) {
        prop_assume!(case.task != Task::Regression);
        let members = case.members();
        let labels: Vec<String> = ["부정", "중립", "긍정"].map(str::to_owned).to_vec();
        let rename = |outputs: Outputs| match outputs {
            Outputs::Probabilities { values, .. } => Outputs::Probabilities { labels: labels.clone(), values },
            Outputs::IndependentProbabilities { values, .. } => {
                Outputs::IndependentProbabilities { labels: labels.clone(), values }
            }
            other => other,
        };
        let predictions = |member| Predictions::new("id", members.ids().to_vec(), rename(members.outputs(member))).unwrap();
        let predictions: Vec<Predictions> = (0..MEMBERS).map(predictions).collect();
        let named: Vec<(String, &Predictions)> = members.members().iter().cloned().zip(&predictions).collect();
        let renamed = Aligned::new(&named, members.ids()).unwrap();
        for method in methods(case.task) {
            prop_assert_eq!(case.predict(&renamed, method, true), rename(case.predict(&members, method, true)));
        }
    }
}

/// Rows with a truth that the first member knows and the second has the wrong way round.
fn two_members(rows: usize) -> (Aligned, Vec<u32>, Vec<u32>) {
    let truth: Vec<u32> = (0..rows as u32).map(|row| row % 2).collect();
    let sure = |right: bool| move |&class: &u32| if (class == 0) == right { [0.7, 0.3] } else { [0.4, 0.6] };
    let members = [truth.iter().flat_map(sure(true)).collect(), truth.iter().flat_map(sure(false)).collect()];
    let folds = (0..rows as u32).map(|row| row % 5).collect();
    (aligned(Task::Classification, 2, &members), truth, folds)
}

#[test]
fn each_fold_is_predicted_by_what_the_others_fit() {
    let (members, truth, folds) = two_members(40);
    let truth = Truth::Classes(&truth);
    let found = cross_fitted(Method::Stacked, true, &members, truth, Metric::Accuracy, &folds).unwrap();
    for fold in 0..5 {
        let (held, rest): (Vec<usize>, Vec<usize>) = (0..40).partition(|&row| folds[row] == fold);
        let training = truth.select(&rest);
        let fitted = fit(Method::Stacked, true, &members.select(&rest), training.borrow(), Metric::Accuracy).unwrap();
        assert_eq!(fitted.temperatures.len(), 2);
        assert_eq!(found.select(&held), fitted.combine(&members.select(&held)).unwrap());
    }
    assert_eq!(Metric::Accuracy.measure(&found, truth).unwrap(), Some(1.0));
}

#[test]
fn the_numbers_of_folds_are_names() {
    let (members, truth, folds) = two_members(20);
    let truth = Truth::Classes(&truth);
    let renamed: Vec<u32> = folds.iter().map(|fold| 7 * fold + 3).collect();
    let predict =
        |folds: &[u32]| cross_fitted(Method::Stacked, false, &members, truth, Metric::LogLoss, folds).unwrap();
    assert_eq!(predict(&folds), predict(&renamed));
}

#[test]
fn temperatures_are_part_of_what_is_combined() {
    let (members, truth, _) = two_members(20);
    let fitted = fit(Method::Soft, true, &members, Truth::Classes(&truth), Metric::LogLoss).unwrap();
    assert_eq!(fitted.temperatures, temperature::TEMPERATURES);
    let scaled = temperature::scaled_members(&members, &fitted.temperatures);
    let plain = Fitted { temperatures: Vec::new(), ..fitted.clone() };
    assert_eq!(fitted.combine(&members).unwrap(), plain.combine(&scaled).unwrap());
}

#[test]
fn what_fits_nothing_needs_no_folds() {
    let (members, truth, _) = two_members(4);
    let truth = Truth::Classes(&truth);
    let found = cross_fitted(Method::Soft, false, &members, truth, Metric::Accuracy, &[0; 4]).unwrap();
    assert_eq!(found, fit(Method::Soft, false, &members, truth, Metric::Accuracy).unwrap().combine(&members).unwrap());
}

#[test]
fn folds_that_leave_nothing_to_fit_to_are_refused() {
    let (members, truth, folds) = two_members(4);
    let error = |calibrate, folds: &[u32], method| {
        cross_fitted(method, calibrate, &members, Truth::Classes(&truth), Metric::Accuracy, folds).unwrap_err()
    };
    let one = error(false, &[1; 4], Method::Stacked);
    assert_eq!(
        one.to_string(),
        "cannot cross-validate: all rows are in one fold, which leaves none to fit to; there have to be two or more"
    );
    assert_eq!(one.exit_code(), 2);
    assert!(matches!(error(true, &[1; 4], Method::Soft), EvalError::Folds { .. }));
    assert!(matches!(error(true, &folds[1..], Method::Soft), EvalError::Length { expected: 4, found: 3, .. }));
}

#[test]
fn scores_have_no_temperature() {
    let members = aligned(Task::Regression, 1, &[vec![1.0, 2.0]]);
    let error = fit(Method::Soft, true, &members, Truth::Scores(&[1.0, 2.0]), Metric::Rmse).unwrap_err();
    assert!(matches!(error, EvalError::NoProbabilities));
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn a_truth_of_other_rows_is_refused() {
    let (members, truth, folds) = two_members(4);
    let fitted = fit(Method::Soft, false, &members, Truth::Classes(&truth[1..]), Metric::Accuracy);
    assert!(matches!(fitted, Err(EvalError::Length { .. })));
    let none = LabelSets::new(2);
    let crossed = cross_fitted(Method::Soft, false, &members, Truth::Sets(&none), Metric::Accuracy, &folds);
    assert!(matches!(crossed, Err(EvalError::TaskMismatch { .. })));
}
