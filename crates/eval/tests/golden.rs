//! Metrics, reports and comparisons against scikit-learn and SciPy; `golden/make.py` wrote the expected values.

use gyeol_data::LabelSets;
use gyeol_eval::{Metric, Outputs, Predictions, Report, Summary, Truth, evaluate, paired, welch};
use serde::Deserialize;

const TOLERANCE: f64 = 1e-12;

#[derive(Deserialize)]
struct Golden {
    classification: Vec<Classification>,
    label_sets: Vec<Sets>,
    regression: Vec<Regression>,
    comparison: Vec<Comparison>,
}

#[derive(Deserialize)]
struct Classification {
    name: String,
    truth: Vec<u32>,
    classes: usize,
    logits: Vec<f32>,
    probabilities: Vec<f32>,
    accuracy: f64,
    macro_f1: f64,
    log_loss_logits: f64,
    log_loss_probabilities: f64,
    precision: Vec<f64>,
    recall: Vec<f64>,
    f1: Vec<f64>,
    support: Vec<u64>,
    macro_average: [f64; 3],
    weighted_average: [f64; 3],
    confusion: Vec<Vec<u64>>,
}

#[derive(Deserialize)]
struct Sets {
    name: String,
    labels: usize,
    truth: Vec<Vec<u32>>,
    logits: Vec<f32>,
    probabilities: Vec<f32>,
    accuracy: f64,
    micro_f1: f64,
    macro_f1: f64,
    log_loss_logits: f64,
    log_loss_probabilities: f64,
    precision: Vec<f64>,
    recall: Vec<f64>,
    f1: Vec<f64>,
    support: Vec<u64>,
    micro_average: [f64; 3],
    macro_average: [f64; 3],
    weighted_average: [f64; 3],
    /// [[absent, false alarms], [missed, hits]] of each label.
    decisions: Vec<[[u64; 2]; 2]>,
}

#[derive(Deserialize)]
struct Regression {
    name: String,
    truth: Vec<f32>,
    predicted: Vec<f32>,
    pearson: f64,
    spearman: f64,
    rmse: f64,
    bias: f64,
    standard_deviation: f64,
    mean_absolute: f64,
    median_absolute: f64,
    largest_absolute: f64,
}

#[derive(Deserialize)]
struct Comparison {
    name: String,
    first: Vec<f64>,
    second: Vec<f64>,
    mean: f64,
    standard_deviation: f64,
    interval: [f64; 2],
    welch_interval: [f64; 2],
    welch_degrees_of_freedom: f64,
    paired_interval: Option<[f64; 2]>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/golden.json")).expect("golden.json is as make.py writes it")
}

#[track_caller]
fn check(name: &str, found: f64, expected: f64) {
    let allowed = TOLERANCE * expected.abs().max(1e-3);
    assert!((found - expected).abs() <= allowed, "{name}: {found} where {expected} was expected");
}

fn predictions(outputs: Outputs) -> Predictions {
    let ids = (0..outputs.rows()).map(|row| row.to_string()).collect();
    Predictions::new("id", ids, outputs).expect("one id a row")
}

#[test]
fn class_metrics_and_reports_are_scikit_learns() {
    for case in golden().classification {
        let labels: Vec<String> = (0..case.classes).map(|class| class.to_string()).collect();
        let logits = Outputs::Logits { labels: labels.clone(), values: case.logits };
        let filed = Outputs::Probabilities { labels, values: case.probabilities };
        let truth = Truth::Classes(&case.truth);

        assert_eq!(logits.probabilities().len(), filed.values().len(), "{}", case.name);
        for (found, &expected) in logits.probabilities().iter().zip(filed.values()) {
            assert!((found - expected).abs() <= f32::EPSILON * expected, "{}: {found} {expected}", case.name);
        }
        for (outputs, log_loss) in [(logits, case.log_loss_logits), (filed, case.log_loss_probabilities)] {
            let Report::Classification(report) = evaluate(&predictions(outputs), truth, None, 5).unwrap() else {
                panic!("{}: a classification report", case.name)
            };
            let metric = |metric| report.metrics.get(metric).expect("defined");
            check(&case.name, metric(Metric::Accuracy), case.accuracy);
            check(&case.name, metric(Metric::MacroF1), case.macro_f1);
            check(&case.name, metric(Metric::LogLoss), log_loss);
            for (class, row) in report.classes.iter().enumerate() {
                check(&case.name, row.precision, case.precision[class]);
                check(&case.name, row.recall, case.recall[class]);
                check(&case.name, row.f1, case.f1[class]);
                assert_eq!(row.support, case.support[class], "{}", case.name);
            }
            for (found, expected) in
                [(report.macro_average, case.macro_average), (report.weighted_average, case.weighted_average)]
            {
                check(&case.name, found.precision, expected[0]);
                check(&case.name, found.recall, expected[1]);
                check(&case.name, found.f1, expected[2]);
            }
            assert_eq!(report.confusion.rows(), case.confusion, "{}", case.name);
        }
    }
}

#[test]
fn metrics_and_reports_of_label_sets_are_scikit_learns() {
    for case in golden().label_sets {
        let labels: Vec<String> = (0..case.labels).map(|label| label.to_string()).collect();
        let mut truth = LabelSets::new(case.labels);
        case.truth.iter().for_each(|set| truth.push(set.iter().copied()));
        let logits = Outputs::IndependentLogits { labels: labels.clone(), values: case.logits };
        let filed = Outputs::IndependentProbabilities { labels, values: case.probabilities };
        assert_eq!(logits.probabilities().len(), filed.values().len(), "{}", case.name);
        for (found, &expected) in logits.probabilities().iter().zip(filed.values()) {
            assert!((found - expected).abs() <= f32::EPSILON * expected, "{}: {found} {expected}", case.name);
        }
        for (outputs, log_loss) in [(logits, case.log_loss_logits), (filed, case.log_loss_probabilities)] {
            let Report::MultiLabel(report) = evaluate(&predictions(outputs), Truth::Sets(&truth), None, 5).unwrap()
            else {
                panic!("{}: a report of label sets", case.name)
            };
            let metric = |metric| report.metrics.get(metric).expect("defined");
            check(&case.name, metric(Metric::Accuracy), case.accuracy);
            check(&case.name, metric(Metric::MicroF1), case.micro_f1);
            check(&case.name, metric(Metric::MacroF1), case.macro_f1);
            check(&case.name, metric(Metric::LogLoss), log_loss);
            for (label, row) in report.classes.iter().enumerate() {
                check(&case.name, row.precision, case.precision[label]);
                check(&case.name, row.recall, case.recall[label]);
                check(&case.name, row.f1, case.f1[label]);
                assert_eq!(row.support, case.support[label], "{}", case.name);
                let of = report.decisions[label];
                assert_eq!(
                    [[of.absent, of.false_alarms], [of.missed, of.hits]],
                    case.decisions[label],
                    "{}",
                    case.name
                );
            }
            for (found, expected) in [
                (report.micro_average, case.micro_average),
                (report.macro_average, case.macro_average),
                (report.weighted_average, case.weighted_average),
            ] {
                check(&case.name, found.precision, expected[0]);
                check(&case.name, found.recall, expected[1]);
                check(&case.name, found.f1, expected[2]);
            }
        }
    }
}

#[test]
fn score_metrics_and_residuals_are_scipys() {
    for case in golden().regression {
        let outputs = Outputs::Scores(case.predicted);
        let Report::Regression(report) = evaluate(&predictions(outputs), Truth::Scores(&case.truth), None, 5).unwrap()
        else {
            panic!("{}: a regression report", case.name)
        };
        check(&case.name, report.metrics.get(Metric::Pearson).expect("defined"), case.pearson);
        check(&case.name, report.metrics.get(Metric::Spearman).expect("defined"), case.spearman);
        check(&case.name, report.metrics.get(Metric::Rmse).expect("defined"), case.rmse);
        let residuals = report.residuals.expect("there are rows");
        check(&case.name, residuals.bias, case.bias);
        check(&case.name, residuals.standard_deviation.expect("more than one row"), case.standard_deviation);
        check(&case.name, residuals.mean_absolute, case.mean_absolute);
        check(&case.name, residuals.median_absolute, case.median_absolute);
        check(&case.name, residuals.largest_absolute, case.largest_absolute);
    }
}

#[test]
fn intervals_of_means_and_of_differences_are_scipys() {
    for case in golden().comparison {
        let summary = Summary::of(&case.first).expect("there are scores");
        check(&case.name, summary.mean, case.mean);
        check(&case.name, summary.standard_deviation.expect("several scores"), case.standard_deviation);
        let interval = summary.interval.expect("several scores");
        check(&case.name, interval.low, case.interval[0]);
        check(&case.name, interval.high, case.interval[1]);

        let difference = welch(&case.first, &case.second).expect("several scores");
        check(&case.name, difference.degrees_of_freedom, case.welch_degrees_of_freedom);
        check(&case.name, difference.interval.low, case.welch_interval[0]);
        check(&case.name, difference.interval.high, case.welch_interval[1]);

        let difference = paired(&case.first, &case.second).map(|d| [d.interval.low, d.interval.high]);
        assert_eq!(difference.is_some(), case.paired_interval.is_some(), "{}", case.name);
        for (found, expected) in difference.into_iter().flatten().zip(case.paired_interval.into_iter().flatten()) {
            check(&case.name, found, expected);
        }
    }
}
