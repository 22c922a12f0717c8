//! Opening files of every kind.

use std::{fs, sync::Barrier, thread};

use super::*;
use crate::{Goal, RunStatus, TrialState};

/// The file of schema 1 that `tests/old/write_v1.py` made.
const V1: &[u8] = include_bytes!("../../tests/old/v1.db");

#[test]
fn processes_that_open_a_fresh_store_together_all_succeed() {
    for _ in 0..8 {
        let dir = tempfile::tempdir().unwrap();
        let together = Barrier::new(8);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    together.wait();
                    assert_eq!(Store::open(dir.path()).unwrap().runs().unwrap(), []);
                });
            }
        });
    }
}

#[test]
fn a_file_of_the_first_version_opens_with_all_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILE), V1).unwrap();
    for _ in 0..2 {
        let store = Store::open(dir.path()).unwrap();
        let version: u32 = store.connection().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, migrations::LATEST);
        let runs = store.runs().unwrap();
        assert_eq!(runs.iter().map(|run| &*run.name).collect::<Vec<_>>(), ["kcbert-001", "kcbert-002"]);
        assert_eq!((runs[0].status, runs[0].score), (RunStatus::Finished, Some(0.8125)));
        assert_eq!(runs[0].tags, ["baseline", "한글"]);
        assert_eq!((runs[1].status, &runs[1].sweep), (RunStatus::Interrupted, &Some("night".to_owned())));
        assert_eq!(store.events("kcbert-001").unwrap().len(), 3);
        assert_eq!(store.metrics("kcbert-001").unwrap()[0].value, Some(0.75));
        assert_eq!(store.scores().unwrap()["kcbert-001"]["pearson"], None);
        assert_eq!(store.artifacts("kcbert-001").unwrap()[0].bytes, 4096);
        assert_eq!(store.sweep("night").unwrap().unwrap().goal, Goal::Maximize);
        let trial = &store.trials("night").unwrap()[0];
        assert_eq!((trial.state, &trial.assignment["train.learning_rate"]), (TrialState::Paused, &3e-5.into()));
        store.check().unwrap();
    }
}

#[test]
fn a_damaged_file_is_told_and_can_be_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    for number in 1..3 {
        fs::write(dir.path().join(FILE), "this is no database at all, however long one reads".repeat(99)).unwrap();
        let error = Store::open(dir.path()).unwrap_err();
        assert!(error.is_user_error());
        assert!(error.to_string().contains("store.db: damaged (") && error.to_string().contains("gyeol runs rebuild"));
        let aside = Store::put_aside(dir.path()).unwrap().unwrap();
        assert_eq!(aside, dir.path().join(format!("store.db.damaged-{number}")));
        assert!(aside.exists() && Store::open(dir.path()).unwrap().runs().unwrap().is_empty());
    }
}

#[test]
fn damage_in_the_middle_is_found_by_a_check() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let mut bytes = V1.to_vec();
    // The schema is in front.
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xA5);
    fs::write(&path, bytes).unwrap();
    let found = Store::open(dir.path()).and_then(|store| store.check()).unwrap_err();
    assert!(matches!(found, StoreError::Damaged { .. }), "{found}");
}

#[test]
fn the_file_of_a_later_version_is_refused_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.connection().pragma_update(None, "user_version", 9000).unwrap();
    drop(store);
    let error = Store::open(dir.path()).unwrap_err();
    assert!(error.is_user_error() && error.to_string().contains("schema 9000"), "{error}");
}

#[test]
fn nothing_is_put_aside_where_there_is_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Store::put_aside(dir.path()).unwrap(), None);
}
