//! Ensembles from the files of their members.

use std::{fs, path::Path};

use gyeol_eval::{
    Metric,
    ensemble::{Fitted, Method, Rule},
};

use super::*;

/// Writes a file of predictions.
fn file(dir: &Path, name: &str, text: &str) -> PredictionsFile {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    PredictionsFile { path, fingerprint: file_fingerprint(text.as_bytes()) }
}

fn member(name: &str, source: Source, test: PredictionsFile) -> SavedMember {
    SavedMember { name: name.to_owned(), source, renamed: Vec::new(), valid: test.clone(), test: Some(test) }
}

/// One of our runs, and a foreign file with the classes under other names and in another order; weights 3/4 and 1/4.
fn saved(dir: &Path) -> Saved {
    let ours = file(dir, "ours.csv", "id,prediction,p_no,p_yes\na,no,1.0,0.0\nb,yes,0.25,0.75\n");
    let theirs = file(dir, "theirs.csv", "score,id,prob_1,prob_0\n7,b,0.5,0.5\n7,a,0.25,0.75\n");
    let renamed = vec![("0".to_owned(), "no".to_owned()), ("1".to_owned(), "yes".to_owned())];
    let members = vec![
        member("run-001", Source::Run("run-001".to_owned()), ours),
        SavedMember { renamed, ..member("theirs", Source::Foreign, theirs) },
    ];
    Saved {
        format: 1,
        task: Task::Classification,
        metric: Metric::Accuracy,
        id_column: "id".to_owned(),
        labels: vec!["yes".to_owned(), "no".to_owned()],
        label_names: None,
        score_range: None,
        fitted: Fitted {
            members: members.iter().map(|member| member.name.clone()).collect(),
            method: Method::Weighted,
            temperatures: Vec::new(),
            rule: Rule::Mean { weights: vec![0.75, 0.25] },
        },
        members,
    }
}

#[test]
fn files_are_matched_by_id_and_label_and_combined_as_fitted() {
    let dir = tempfile::tempdir().unwrap();
    let combined = combine_files("both-001", &saved(dir.path()), &Runs::new(dir.path())).unwrap();
    assert_eq!(combined.ids(), ["a", "b"]);
    assert_eq!(combined.outputs().labels(), ["yes", "no"]);
    assert_eq!(combined.outputs().values(), [0.0625, 0.9375, 0.6875, 0.3125]);
}

#[test]
fn scores_stay_within_their_range() {
    let dir = tempfile::tempdir().unwrap();
    let one = file(dir.path(), "one.csv", "id,prediction\na,-1.0\nb,4.5\n");
    let mut saved = saved(dir.path());
    saved.members = vec![member("one", Source::Run("one".to_owned()), one)];
    saved.fitted.members = vec!["one".to_owned()];
    saved.fitted.rule = Rule::Mean { weights: vec![1.0] };
    (saved.task, saved.labels, saved.score_range) = (Task::Regression, Vec::new(), Some([0.0, 5.0]));
    assert_eq!(combine_files("one-001", &saved, &Runs::new(dir.path())).unwrap().outputs().values(), [0.0, 4.5]);
}

#[test]
fn a_member_whose_file_is_gone_changed_or_never_was_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut saved = saved(dir.path());
    let message = |saved: &Saved| {
        let error = combine_files("both-001", saved, &Runs::new(dir.path())).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    };
    fs::write(dir.path().join("theirs.csv"), "id,prob_1,prob_0\na,0.5,0.5\nb,0.5,0.5\n").unwrap();
    let changed = message(&saved);
    assert!(changed.starts_with("ensemble both-001: member theirs: its predictions "), "{changed}");
    assert!(changed.contains("have changed since the ensemble was made"), "{changed}");
    fs::remove_file(dir.path().join("theirs.csv")).unwrap();
    assert!(message(&saved).contains("theirs.csv are gone"));
    saved.members[1].test = None;
    assert!(message(&saved).contains("member theirs: it has no predictions of a test table"));
    saved.labels[0] = "perhaps".to_owned();
    assert!(message(&saved).contains("member run-001: its classes are no, yes; those of the ensemble are perhaps, no"));
}
