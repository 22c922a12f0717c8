//! Submissions kept, listed and made again.

use std::{fs, path::Path};

use gyeol_eval::{
    Metric, Outputs, Predictions, Truth,
    submission::{Adjustment, AdjustmentKind, Sample},
};

use super::*;
use crate::runs::{Notes, Runs};

const SAMPLE: &str = "\u{feff}ID;label\r\n\"b\";0\r\n\"a\";0\r\n\"c\";0";

fn sample() -> Sample {
    Sample::from_bytes(SAMPLE.as_bytes().to_vec(), Path::new("sample.csv")).unwrap()
}

fn predictions() -> Predictions {
    let labels = vec!["0".to_owned(), "1".to_owned()];
    let outputs = Outputs::Probabilities { labels, values: vec![0.25, 0.75, 0.625, 0.375, 0.75, 0.25] };
    Predictions::new("ID", ["a", "b", "c"].map(str::to_owned).to_vec(), outputs).unwrap()
}

/// One that makes a class of 0.375 likely enough.
fn adjustment() -> Adjustment {
    let outputs = predictions().outputs().clone();
    Adjustment::fit(AdjustmentKind::Prior, &outputs, Truth::Classes(&[1, 1, 0])).unwrap()
}

fn submission(adjustment: Option<Adjustment>, time: f64) -> Submission {
    Submission::new(&sample(), &predictions(), adjustment, (Metric::Accuracy, Some(0.75)), time).unwrap()
}

#[test]
fn a_submission_is_kept_and_made_again_to_the_byte() {
    let home = tempfile::tempdir().unwrap();
    let runs = Runs::new(home.path());
    let active = runs.create("best", "seed = 42\n").unwrap();
    let made = submission(Some(adjustment()), 100.0);
    assert_eq!(made.bytes, "\u{feff}ID;label\r\n\"b\";1\r\n\"a\";1\r\n\"c\";0".as_bytes());
    assert_ne!(submission(None, 100.0).bytes, made.bytes);
    made.write(active.run().dir(), &sample()).unwrap();
    assert_eq!(fs::read(active.run().dir().join("submission.csv")).unwrap(), made.bytes);
    let kept = SubmissionRecord::of(active.run()).unwrap().unwrap();
    assert_eq!(kept, made.record);
    let copy = fs::read(sample_path(active.run())).unwrap();
    assert_eq!(rebuild(&kept, &copy, &predictions()).unwrap(), made.bytes);
}

#[test]
fn another_sample_or_other_predictions_are_no_rebuilding() {
    let made = submission(None, 100.0);
    let message = |sample: &str, predictions: &Predictions| {
        let error = rebuild(&made.record, sample.as_bytes(), predictions).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    };
    assert!(
        message(&SAMPLE.replace(';', ","), &predictions()).contains("its sample (sample_submission.csv) has changed")
    );
    let labels = vec!["0".to_owned(), "1".to_owned()];
    let outputs = Outputs::Probabilities { labels, values: vec![1.0, 0.0, 1.0, 0.0, 1.0, 0.0] };
    let others = Predictions::new("ID", predictions().ids().to_vec(), outputs).unwrap();
    assert!(message(SAMPLE, &others).contains("gives other bytes now"));
}

#[test]
fn the_ledger_is_in_order_of_time_and_one_damaged_record_hides_no_other() {
    let home = tempfile::tempdir().unwrap();
    let runs = Runs::new(home.path());
    for (name, time) in [("late", 86_400.0), ("early", 86_399.0), ("damaged", 0.0)] {
        let active = runs.create(name, "seed = 42\n").unwrap();
        submission(None, time).write(active.run().dir(), &sample()).unwrap();
    }
    runs.create("none", "seed = 42\n").unwrap();
    let early = runs.open("early-001").unwrap();
    early.write_notes(&Notes { public: Some(0.5), private: Some(0.625), ..Notes::default() }).unwrap();
    fs::write(runs.open("damaged-001").unwrap().dir().join("submission.json"), "{").unwrap();
    let ledger = Ledger::read(&runs).unwrap();
    let of = |entry: &Entry| (entry.run.clone(), entry.gap, entry.members.clone());
    assert_eq!(
        of(&ledger.entries[0]),
        ("early-001".to_owned(), Some(-0.125), Some(vec![("early-001".to_owned(), None)]))
    );
    assert_eq!((ledger.entries[1].run.as_str(), ledger.entries[1].gap), ("late-001", None));
    assert_eq!(ledger.entries.len(), 2);
    assert!(ledger.unreadable[0].1.contains("submission.json is damaged"), "{:?}", ledger.unreadable);
    assert_eq!([0.0..86_400.0, 86_400.0..172_800.0].map(|day| ledger.on(&day)), [1, 1]);
}

#[test]
fn a_damaged_ensemble_or_note_takes_no_submission_off_the_count() {
    let home = tempfile::tempdir().unwrap();
    let runs = Runs::new(home.path());
    for (name, file, text) in [("ensemble", "ensemble.json", "{"), ("noted", "notes.toml", "public = [")] {
        let active = runs.create(name, "seed = 42\n").unwrap();
        submission(None, 60.0).write(active.run().dir(), &sample()).unwrap();
        fs::write(active.run().dir().join(file), text).unwrap();
    }
    let ledger = Ledger::read(&runs).unwrap();
    assert_eq!((ledger.on(&(0.0..86_400.0)), ledger.unreadable.len()), (2, 0));
    let of = |entry: &Entry| (entry.run.clone(), entry.members.clone());
    assert_eq!(of(&ledger.entries[0]), ("ensemble-001".to_owned(), None));
    assert_eq!(of(&ledger.entries[1]), ("noted-001".to_owned(), Some(vec![("noted-001".to_owned(), None)])));
    let of: Vec<&str> = ledger.incomplete.iter().map(|(run, _)| run.as_str()).collect();
    assert_eq!(of, ["ensemble-001", "noted-001"]);
    assert!(ledger.incomplete[0].1.contains("ensemble.json is damaged"), "{:?}", ledger.incomplete);
}

#[test]
fn a_damaged_adjustment_is_a_damaged_record() {
    let home = tempfile::tempdir().unwrap();
    let runs = Runs::new(home.path());
    let active = runs.create("best", "seed = 42\n").unwrap();
    let mut made = submission(Some(adjustment()), 100.0);
    let Some(Adjustment::Prior(prior)) = &mut made.record.adjustment else { unreachable!() };
    prior.factors.clear();
    made.write(active.run().dir(), &sample()).unwrap();
    let error = SubmissionRecord::of(active.run()).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let message = error.to_string();
    assert!(message.contains("submission.json") && message.contains("0 factors for 2 classes"), "{message}");
}

#[test]
fn the_quota_is_kept_and_a_damaged_file_is_named() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().join("new");
    assert_eq!(quota(&home).unwrap(), None);
    set_quota(&home, 10).unwrap();
    assert_eq!(quota(&home).unwrap(), Some(10));
    fs::write(home.join("submissions.toml"), "quota = \"ten\"\n").unwrap();
    let error = quota(&home).unwrap_err();
    assert!(error.to_string().contains("submissions.toml"), "{error}");
    assert_eq!(error.exit_code(), 2);
}
