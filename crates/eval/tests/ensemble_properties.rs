//! What no method of combining members may depend on, and what every one of them keeps.

use gyeol_data::LabelSets;
use gyeol_eval::{
    EvalError, Metric, Outputs, Predictions, Task, Truth,
    ensemble::{Aligned, Fitted, Method, Rule},
};
use proptest::prelude::*;

/// Members' predictions of some rows in a form that is easily turned about: a member's numbers row by row.
#[derive(Debug, Clone)]
struct Problem {
    task: Task,
    names: Vec<String>,
    ids: Vec<String>,
    labels: Vec<String>,
    /// For each member, for each row, the row's numbers.
    values: Vec<Vec<Vec<f32>>>,
    /// For each row the classes it has, or its score.
    truth: Vec<(Vec<u32>, f32)>,
}

impl Problem {
    fn outputs(&self, member: usize) -> Outputs {
        let (labels, values) = (self.labels.clone(), self.values[member].concat());
        match self.task {
            Task::Classification => Outputs::Probabilities { labels, values },
            Task::MultiLabel => Outputs::IndependentProbabilities { labels, values },
            Task::Regression => Outputs::Scores(values),
        }
    }

    fn members(&self) -> Aligned {
        let predictions: Vec<(String, Predictions)> = (0..self.names.len())
            .map(|member| {
                let predictions = Predictions::new("id", self.ids.clone(), self.outputs(member)).unwrap();
                (self.names[member].clone(), predictions)
            })
            .collect();
        let named: Vec<_> = predictions.iter().map(|(name, predictions)| (name.clone(), predictions)).collect();
        Aligned::new(&named, &self.ids).unwrap()
    }

    fn with_truth<T>(&self, with: impl FnOnce(Truth<'_>) -> T) -> T {
        match self.task {
            Task::Classification => {
                with(Truth::Classes(&self.truth.iter().map(|(classes, _)| classes[0]).collect::<Vec<_>>()))
            }
            Task::MultiLabel => {
                let mut sets = LabelSets::new(self.labels.len());
                self.truth.iter().for_each(|(classes, _)| sets.push(classes.iter().copied()));
                with(Truth::Sets(&sets))
            }
            Task::Regression => with(Truth::Scores(&self.truth.iter().map(|(_, score)| *score).collect::<Vec<_>>())),
        }
    }

    fn fit(&self, method: Method, metric: Metric) -> Fitted {
        self.with_truth(|truth| Fitted::new(method, &self.members(), truth, metric)).unwrap()
    }

    fn metric(&self, choice: usize) -> Metric {
        let metrics: Vec<Metric> = Metric::for_task(self.task).collect();
        metrics[choice % metrics.len()]
    }

    fn methods(&self) -> impl Iterator<Item = Method> {
        let task = self.task;
        METHODS.into_iter().filter(move |method| method.kind().applies_to(task))
    }

    fn rows(&self, order: &[usize]) -> Self {
        let pick = |rows: &Vec<Vec<f32>>| order.iter().map(|&row| rows[row].clone()).collect();
        Self {
            ids: order.iter().map(|&row| self.ids[row].clone()).collect(),
            truth: order.iter().map(|&row| self.truth[row].clone()).collect(),
            values: self.values.iter().map(pick).collect(),
            ..self.clone()
        }
    }
}

const METHODS: [Method; 9] = [
    Method::Soft,
    Method::Geometric,
    Method::Hard,
    Method::Weighted,
    Method::Sharpened { temperature: 0.05 },
    Method::Rank,
    Method::Buckets { buckets: 4 },
    Method::Greedy { steps: 6 },
    Method::Simplex,
];

fn problems() -> impl Strategy<Value = Problem> {
    let task = prop_oneof![Just(Task::Classification), Just(Task::MultiLabel), Just(Task::Regression)];
    (task, 1usize..4, 3usize..14, 2usize..4).prop_flat_map(|(task, members, rows, width)| {
        let width = if task == Task::Regression { 1 } else { width };
        let values =
            prop::collection::vec(prop::collection::vec(prop::collection::vec(0.01f32..1.0, width), rows), members);
        let classes = prop::collection::vec(0..width as u32, 1..3);
        let truth = prop::collection::vec((classes, 0f32..1.0), rows);
        (values, truth).prop_map(move |(mut values, truth)| {
            if task == Task::Classification {
                values.iter_mut().flatten().for_each(|row| {
                    let sum: f32 = row.iter().sum();
                    row.iter_mut().for_each(|value| *value /= sum);
                });
            }
            Problem {
                task,
                names: (0..members).map(|member| format!("m{member}")).collect(),
                ids: (0..rows).map(|row| format!("r{row:02}")).collect(),
                labels: (0..if task == Task::Regression { 0 } else { width })
                    .map(|label| format!("l{label}"))
                    .collect(),
                values,
                truth,
            }
        })
    })
}

/// An order of `count` things.
fn shuffled(count: usize, mut seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(last, (seed >> 33) as usize % (last + 1));
    }
    order
}

fn near(one: &[f32], other: &[f32]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| (one - other).abs() < 1e-5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_order_of_rows_changes_nothing(problem in problems(), choice in 0usize..4, seed in any::<u64>()) {
        let order = shuffled(problem.ids.len(), seed);
        let (turned, metric) = (problem.rows(&order), problem.metric(choice));
        for method in problem.methods() {
            let (here, there) = (problem.fit(method, metric), turned.fit(method, metric));
            prop_assert_eq!(&here, &there);
            let expected = here.combine(&problem.members()).unwrap().select(&order);
            prop_assert_eq!(expected, there.combine(&turned.members()).unwrap());
        }
    }

    #[test]
    fn the_order_of_members_permutes_the_weights(problem in problems(), choice in 0usize..4, seed in any::<u64>()) {
        let (order, metric) = (shuffled(problem.names.len(), seed), problem.metric(choice));
        let turned = Problem {
            names: order.iter().map(|&member| problem.names[member].clone()).collect(),
            values: order.iter().map(|&member| problem.values[member].clone()).collect(),
            ..problem.clone()
        };
        for method in problem.methods() {
            let (here, there) = (problem.fit(method, metric), turned.fit(method, metric));
            let weights = here.weights().unwrap();
            let permuted: Vec<f64> = order.iter().map(|&member| weights[member]).collect();
            prop_assert_eq!(permuted.as_slice(), there.weights().unwrap());
            let (here, there) = (here.combine(&problem.members()).unwrap(), there.combine(&turned.members()).unwrap());
            prop_assert!(near(here.values(), there.values()));
        }
    }

    #[test]
    fn labels_in_another_order_and_under_other_names_change_nothing_else(
        problem in problems(), choice in 0usize..4, seed in any::<u64>(),
    ) {
        prop_assume!(problem.task != Task::Regression);
        let (order, metric) = (shuffled(problem.labels.len(), seed), problem.metric(choice));
        let columns = |row: &Vec<f32>| -> Vec<f32> { order.iter().map(|&column| row[column]).collect() };
        let place = |class: &u32| order.iter().position(|column| column == &(*class as usize)).unwrap() as u32;
        let turned = Problem {
            labels: order.iter().map(|column| format!("another {column}")).collect(),
            values: problem.values.iter().map(|rows| rows.iter().map(columns).collect()).collect(),
            truth: problem.truth.iter().map(|(set, score)| (set.iter().map(place).collect(), *score)).collect(),
            ..problem.clone()
        };
        // Selections go by differences in the last bits, which the order of classes makes where their terms are added up.
        let in_order = problem.task == Task::MultiLabel || metric == Metric::MacroF1;
        let selects = |method: &Method| matches!(method, Method::Greedy { .. } | Method::Simplex);
        for method in problem.methods().filter(|method| !(in_order && selects(method))) {
            let (here, there) = (problem.fit(method, metric), turned.fit(method, metric));
            let same = here.weights().unwrap().iter().zip(there.weights().unwrap()).all(|(a, b)| (a - b).abs() < 1e-9);
            prop_assert!(same, "{:?}: {:?} and {:?}", method, here.weights(), there.weights());
            let (here, there) = (here.combine(&problem.members()).unwrap(), there.combine(&turned.members()).unwrap());
            let expected: Vec<f32> =
                here.values().chunks_exact(order.len()).flat_map(|row| columns(&row.to_vec())).collect();
            prop_assert!(near(&expected, there.values()));
        }
    }

    #[test]
    fn fitted_weights_come_to_1_and_selections_are_never_worse_than_the_best_member(
        problem in problems(), choice in 0usize..4,
    ) {
        let (members, metric) = (problem.members(), problem.metric(choice));
        let score = |outputs: &Outputs| problem.with_truth(|truth| metric.measure(outputs, truth)).unwrap();
        let singles = (0..problem.names.len()).map(|member| score(&members.outputs(member)));
        let best = singles.fold(None, |best, single| if metric.better(single, best) { single } else { best });
        for method in problem.methods() {
            let fitted = problem.fit(method, metric);
            let weights = fitted.weights().unwrap();
            prop_assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12 && weights.iter().all(|weight| *weight >= 0.0));
            if matches!(method, Method::Greedy { .. } | Method::Simplex) {
                let combined = score(&fitted.combine(&members).unwrap());
                prop_assert!(!metric.better(best, combined), "{:?}: {:?} and not {:?}", method, combined, best);
            }
        }
    }

    #[test]
    fn a_row_is_combined_the_same_in_any_company(problem in problems(), choice in 0usize..4) {
        let (members, metric) = (problem.members(), problem.metric(choice));
        for method in problem.methods() {
            let fitted = problem.fit(method, metric);
            let all = fitted.combine(&members).unwrap();
            for row in 0..members.rows() {
                prop_assert_eq!(fitted.combine(&members.select(&[row])).unwrap(), all.select(&[row]));
            }
        }
    }

    #[test]
    fn what_is_saved_is_read_back_and_combines_to_the_same_bits(problem in problems(), choice in 0usize..4) {
        let members = problem.members();
        for method in problem.methods() {
            let fitted = problem.fit(method, problem.metric(choice));
            let read: Fitted = serde_json::from_str(&serde_json::to_string(&fitted).unwrap()).unwrap();
            prop_assert_eq!(&fitted, &read);
            prop_assert_eq!(fitted.combine(&members).unwrap(), read.combine(&members).unwrap());
        }
    }

    #[test]
    fn numbers_that_no_fitting_gives_are_refused_or_harmless(
        problem in problems(),
        weights in prop::collection::vec(prop_oneof![Just(f64::NAN), Just(0.0), Just(0.5), Just(1.0), -9f64..9.0], 0..4),
        range in [-2f64..2.0, -2f64..2.0],
        buckets in prop_oneof![Just(0usize), Just(1), Just(usize::MAX)],
    ) {
        let rule = match problem.task {
            Task::Classification => Rule::Hard { weights },
            Task::MultiLabel => Rule::Geometric { weights },
            Task::Regression => Rule::Buckets { weights, range, buckets },
        };
        let fitted = Fitted { rule, ..problem.fit(Method::Soft, problem.metric(0)) };
        let combined = fitted.combine(&problem.members());
        prop_assert_eq!(combined.is_ok(), fitted.check().is_ok());
        prop_assert_eq!(fitted.ties(&problem.members()).is_ok(), fitted.check().is_ok());
        let _ = fitted.without(&[0]);
    }
}

/// Three members of two rows of two classes.
fn small() -> Problem {
    let values = [[0.9f32, 0.1, 0.2, 0.8], [0.6, 0.4, 0.7, 0.3], [0.3, 0.7, 0.1, 0.9]];
    Problem {
        task: Task::Classification,
        names: ["a", "b", "c"].map(str::to_owned).to_vec(),
        ids: ["1", "2"].map(str::to_owned).to_vec(),
        labels: ["no", "yes"].map(str::to_owned).to_vec(),
        values: values.map(|member| member.chunks(2).map(<[f32]>::to_vec).collect()).to_vec(),
        truth: vec![(vec![0], 0.0), (vec![1], 0.0)],
    }
}

#[test]
fn without_a_member_the_others_share_its_weight() {
    let problem = small();
    let fitted = problem.fit(Method::Weighted, Metric::Accuracy);
    assert_eq!(fitted.weights().unwrap(), [0.5, 0.25, 0.25]);
    let rest = fitted.without(&[0]).unwrap();
    assert_eq!(
        (rest.members.as_slice(), rest.weights().unwrap()),
        (&["b", "c"].map(str::to_owned)[..], &[0.5, 0.5][..])
    );
    let combined = rest.combine(&problem.members().keep(&[1, 2])).unwrap();
    assert!(near(combined.values(), &[0.45, 0.55, 0.4, 0.6]));
    assert_eq!(fitted.without(&[]).unwrap(), fitted);
}

#[test]
fn without_all_that_has_weight_there_is_nothing_left() {
    let fitted = small().fit(Method::Greedy { steps: 1 }, Metric::Accuracy);
    assert_eq!(fitted.weights().unwrap(), [1.0, 0.0, 0.0]);
    let error = fitted.without(&[0]).unwrap_err();
    assert!(error.is_user_error());
    assert_eq!(
        error.to_string(),
        "the ensemble cannot do without the missing members: all the weight is on them; bring them back, or fit it again \
         without them"
    );
    assert!(fitted.without(&[0, 1, 2]).is_err());
}

#[test]
fn the_training_loss_and_metrics_of_other_tasks_are_refused() {
    let problem = small();
    for metric in [Metric::Loss, Metric::Pearson] {
        let fit = problem.with_truth(|truth| Fitted::new(Method::Soft, &problem.members(), truth, metric));
        assert!(matches!(fit, Err(EvalError::MetricNotForTask { .. })));
    }
    let rank = problem.with_truth(|truth| Fitted::new(Method::Rank, &problem.members(), truth, Metric::Accuracy));
    assert!(matches!(rank, Err(EvalError::MethodNotForTask { .. })));
    let other = Fitted::new(Method::Soft, &problem.members(), Truth::Scores(&[0.0, 1.0]), Metric::Accuracy);
    assert!(matches!(other, Err(EvalError::TaskMismatch { .. })));
}

#[test]
fn other_members_than_it_was_fitted_with_are_refused() {
    let problem = small();
    let fitted = problem.fit(Method::Soft, Metric::Accuracy);
    assert!(matches!(fitted.combine(&problem.members().keep(&[0, 1])), Err(EvalError::Unlike { what: "members" })));
}

#[test]
fn a_damaged_file_is_named_as_such() {
    let text = r#"{"members":["a","b","c"],"method":{"kind":"soft"},"rule":{"kind":"mean","weights":[0.5,0.5]}}"#;
    let error = serde_json::from_str::<Fitted>(text).unwrap().combine(&small().members()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the rule of the ensemble is damaged: it has 2 weights for 3 members; make the ensemble again"
    );
}
