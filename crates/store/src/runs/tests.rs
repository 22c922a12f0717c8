//! The life of runs in a store.

use std::thread;

use proptest::prelude::*;

use super::*;
use crate::{Store, StoreError};

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

fn event(kind: &str, step: Option<u64>) -> EventRow {
    EventRow { time: 1.5, kind: kind.to_owned(), step, body: format!("{{\"event\":\"{kind}\"}}") }
}

fn record(name: &str) -> RunRecord {
    let row = RunRow {
        recipe: Some("kcbert".into()),
        metric: Some("accuracy".into()),
        score: Some(0.75),
        steps: 12,
        total_steps: Some(12),
        started: Some(100.0),
        heartbeat: Some(110.0),
        seconds: Some(10.0),
        pid: Some(4_000_000_000),
        sweep: Some("night".into()),
        trial: Some(3),
        job: Some(2),
        fold_of: Some("kcbert-001".into()),
        data_fingerprint: Some("d".into()),
        text_fingerprint: Some("t".into()),
        cleaning_fingerprint: Some("c".into()),
        base_fingerprint: Some("b".into()),
        code_version: Some("0.1.0".into()),
        note: Some("the one with \"quotes\"".into()),
        tags: vec!["good".into(), "한글".into()],
        unreadable_report: Some("torn".into()),
        journal_bytes: 99,
        ..RunRow::new(name, RunStatus::Finished)
    };
    RunRecord {
        row,
        events: vec![event("started", None), event("evaluation", Some(6))],
        metrics: vec![
            MetricRow { step: 6, name: "accuracy".into(), value: Some(0.5) },
            MetricRow { step: 6, name: "pearson".into(), value: None },
        ],
        scores: vec![("accuracy".into(), Some(0.75)), ("pearson".into(), None)],
        artifacts: vec![ArtifactRow { name: "model".into(), path: "model".into(), bytes: 1 << 40 }],
    }
}

#[test]
fn a_run_comes_back_as_it_was_written() {
    let (_dir, mut store) = store();
    let record = record("kcbert-001");
    store.replace_run(&record).unwrap();
    assert_eq!(store.run("kcbert-001").unwrap(), Some(record.row.clone()));
    assert_eq!(store.runs().unwrap(), [record.row]);
    assert_eq!(store.events("kcbert-001").unwrap(), record.events);
    assert_eq!(store.metrics("kcbert-001").unwrap(), record.metrics);
    assert_eq!(store.scores().unwrap()["kcbert-001"], record.scores.into_iter().collect());
    assert_eq!(store.artifacts("kcbert-001").unwrap(), record.artifacts);
    assert_eq!(store.run("kcbert-002").unwrap(), None);
}

#[test]
fn a_replaced_run_leaves_nothing_of_before_and_an_extended_one_all() {
    let (_dir, mut store) = store();
    store.replace_run(&record("a")).unwrap();
    store.replace_run(&record("b")).unwrap();
    let mut later = record("a");
    later.events = vec![event("finished", None)];
    later.metrics = vec![MetricRow { step: 6, name: "accuracy".into(), value: Some(0.625) }];
    later.row.steps = 18;
    store.extend_run(&later).unwrap();
    let kinds = |store: &Store| store.events("a").unwrap().into_iter().map(|event| event.kind).collect::<Vec<_>>();
    assert_eq!(kinds(&store), ["started", "evaluation", "finished"]);
    let metrics = store.metrics("a").unwrap();
    assert_eq!((metrics.len(), metrics[0].value), (2, Some(0.625)));
    assert_eq!(store.run("a").unwrap().unwrap().steps, 18);
    store.replace_run(&later).unwrap();
    assert_eq!(kinds(&store), ["finished"]);
    assert_eq!(store.metrics("a").unwrap().len(), 1);
    assert_eq!(store.events("b").unwrap().len(), 2);
}

#[test]
fn a_heartbeat_never_goes_back() {
    let (_dir, mut store) = store();
    let mut record = record("a");
    store.replace_run(&record).unwrap();
    store.heartbeat("a", 500.0).unwrap();
    store.heartbeat("nobody", 500.0).unwrap();
    store.replace_run(&record).unwrap();
    assert_eq!(store.run("a").unwrap().unwrap().heartbeat, Some(500.0));
    record.row.heartbeat = None;
    store.extend_run(&record).unwrap();
    assert_eq!(store.run("a").unwrap().unwrap().heartbeat, Some(500.0));
}

#[test]
fn a_forgotten_run_takes_along_what_belongs_to_it() {
    let (_dir, mut store) = store();
    store.replace_run(&record("a")).unwrap();
    store.replace_run(&record("b")).unwrap();
    store.forget_runs(&["a", "nobody"]).unwrap();
    assert_eq!(store.runs().unwrap().len(), 1);
    assert!(store.events("a").unwrap().is_empty() && store.metrics("a").unwrap().is_empty());
    assert!(store.artifacts("a").unwrap().is_empty() && !store.scores().unwrap().contains_key("a"));
    assert!(matches!(store.append_events("a", &[event("warning", None)]), Err(StoreError::UnknownRun { .. })));
}

/// As many writers as threads, each with a store of its own, as processes have.
#[test]
fn writers_at_once_lose_no_event_and_meet_no_lock() {
    const EACH: usize = 500;
    let dir = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        for writer in 0..2 {
            let home = dir.path();
            scope.spawn(move || {
                let mut store = Store::open(home).unwrap();
                store.extend_run(&RunRecord { events: Vec::new(), ..record(&format!("own-{writer}")) }).unwrap();
                store.extend_run(&RunRecord { events: Vec::new(), ..record("shared") }).unwrap();
                for number in 0..EACH as u64 {
                    let own = event("warning", Some(number));
                    assert_eq!(store.append_events(&format!("own-{writer}"), &[own]).unwrap(), number);
                    store.append_events("shared", &[event("warning", None)]).unwrap();
                }
            });
        }
    });
    let store = Store::open(dir.path()).unwrap();
    store.check().unwrap();
    for run in ["own-0", "own-1"] {
        let steps: Vec<_> = store.events(run).unwrap().into_iter().filter_map(|event| event.step).collect();
        assert_eq!(steps, (0..EACH as u64).collect::<Vec<_>>());
    }
    assert_eq!(store.events("shared").unwrap().len(), 2 * EACH);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// However they are cut into batches, events keep their order.
    #[test]
    fn events_keep_their_order(batches in prop::collection::vec(0usize..5, 0..8)) {
        let (_dir, mut store) = store();
        store.replace_run(&RunRecord { events: Vec::new(), ..record("a") }).unwrap();
        let mut written = 0;
        for size in batches {
            let events: Vec<EventRow> = (written..written + size as u64).map(|at| event("warning", Some(at))).collect();
            prop_assert_eq!(store.append_events("a", &events).unwrap(), written);
            written += size as u64;
        }
        let steps: Vec<u64> = store.events("a").unwrap().into_iter().filter_map(|event| event.step).collect();
        prop_assert_eq!(steps, (0..written).collect::<Vec<_>>());
    }
}
