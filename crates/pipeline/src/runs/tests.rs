//! The life of runs in a home directory.

use std::{collections::HashSet, fs, thread};

use super::{EventKind, Report, RunError, Runs, Status, fold_name, round_name};

pub(super) const RECIPE: &str = "name = \"kcbert\"\n";

pub(super) fn home() -> (tempfile::TempDir, Runs) {
    let dir = tempfile::tempdir().unwrap();
    let runs = Runs::new(dir.path());
    (dir, runs)
}

pub(super) fn started() -> EventKind {
    EventKind::Started {
        metric: "accuracy".into(),
        total_steps: 4,
        isa: None,
        precision: None,
        batch_size: None,
        accumulate: None,
    }
}

pub(super) fn report(score: f64) -> Report {
    Report {
        run: "kcbert-001".into(),
        score: Some(score),
        metric: "accuracy".into(),
        metrics: [("accuracy".to_owned(), Some(score)), ("pearson".to_owned(), None)].into(),
        task: "classification".into(),
        best_step: 3,
        steps: 4,
        train_rows: 90,
        valid_rows: 10,
        train_seconds: 1.5,
        samples_per_second: 60.0,
        tokens_per_second: 900.0,
        peak_rss_bytes: Some(1 << 20),
        threads: 2,
        isa: "avx2".into(),
        precision: "f32".into(),
        data_fingerprint: "d".into(),
        text_fingerprint: "t".into(),
        recipe_fingerprint: "r".into(),
        warnings: vec!["2 empty texts".into()],
        ..Report::default()
    }
}

#[test]
fn runs_of_a_recipe_are_counted_from_one() {
    let (_dir, runs) = home();
    let names: Vec<String> = (0..3).map(|_| runs.create("kcbert", RECIPE).unwrap().run().name().to_owned()).collect();
    assert_eq!(names, ["kcbert-001", "kcbert-002", "kcbert-003"]);
    assert_eq!(runs.create("kcbert-001", RECIPE).unwrap().run().name(), "kcbert-001-001");
    assert_eq!(runs.create("kcbert", RECIPE).unwrap().run().name(), "kcbert-004");
    assert_eq!(runs.list().unwrap().len(), 5);
}

#[test]
fn what_a_killed_process_did_not_rename_is_removed_by_the_next() {
    let (_dir, runs) = home();
    let run = runs.create("kcbert", RECIPE).unwrap().run().clone();
    for name in [".tmp-a1b2", ".predictions-c3.tmp", "valid.csv"] {
        fs::write(run.dir().join(name), "half").unwrap();
    }
    let active = run.resume().unwrap();
    let mut names: Vec<_> = fs::read_dir(active.run().dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort_unstable();
    assert_eq!(names, ["events.jsonl", "recipe.toml", "run.lock", "valid.csv"]);
}

#[test]
fn processes_starting_together_get_a_run_each() {
    let (_dir, runs) = home();
    let names: HashSet<String> = thread::scope(|scope| {
        let workers: Vec<_> =
            (0..8).map(|_| scope.spawn(|| runs.create("kcbert", RECIPE).unwrap().run().name().to_owned())).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    assert_eq!(names.len(), 8);
}

#[test]
fn a_run_being_written_is_refused_to_others_by_the_id_of_its_writer() {
    let (_dir, runs) = home();
    let active = runs.create("kcbert", RECIPE).unwrap();
    let run = runs.open("kcbert-001").unwrap();
    assert_eq!(run.status().unwrap(), Status::Running);
    let error = run.clone().resume().unwrap_err();
    assert!(matches!(error, RunError::Busy { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
    drop(active);
    assert!(run.resume().is_ok());
}

#[test]
fn the_status_follows_the_lock_and_then_the_events() {
    let (_dir, runs) = home();
    let run = runs.create("kcbert", RECIPE).unwrap().run().clone();
    assert_eq!(run.status().unwrap(), Status::Interrupted);
    let endings = [
        (started(), Status::Interrupted),
        (EventKind::Failed { error: "disk full".into() }, Status::Failed),
        (EventKind::Resumed { step: 0 }, Status::Interrupted),
        (EventKind::Interrupted { step: 1 }, Status::Interrupted),
        (EventKind::Finished { score: Some(0.5) }, Status::Finished),
    ];
    for (event, status) in endings {
        let mut active = run.clone().resume().unwrap();
        active.record(event.clone()).unwrap();
        active.record(EventKind::Warning { message: "said after".into() }).unwrap();
        drop(active);
        assert_eq!(run.status().unwrap(), status, "{event:?}");
    }
}

#[test]
fn the_latest_unfinished_run_of_the_same_recipe_is_found() {
    let (_dir, runs) = home();
    assert!(runs.unfinished("kcbert", RECIPE).unwrap().is_none());
    runs.create("kcbert", RECIPE).unwrap().record(started()).unwrap();
    runs.create("kcbert", "name = \"kcbert\"\nseed = 7\n").unwrap();
    runs.create("kcbert", RECIPE).unwrap().record(EventKind::Finished { score: None }).unwrap();
    assert_eq!(runs.unfinished_of_any_recipe("kcbert").unwrap().unwrap().name(), "kcbert-002");
    let found = runs.unfinished("kcbert", RECIPE).unwrap().unwrap();
    assert_eq!(found.name(), "kcbert-001");
    found.resume().unwrap().record(EventKind::Finished { score: None }).unwrap();
    assert!(runs.unfinished("kcbert", RECIPE).unwrap().is_none());
}

#[test]
fn an_unknown_run_is_an_error_that_suggests_the_nearest() {
    let (_dir, runs) = home();
    assert!(runs.open("kcbert-001").unwrap_err().to_string().contains("no runs yet"));
    runs.create("kcbert", RECIPE).unwrap();
    let error = runs.open("kcbret-001").unwrap_err();
    assert!(error.is_user_error());
    assert!(error.to_string().ends_with("did you mean \"kcbert-001\"?"), "{error}");
    assert!(runs.open("../kcbert-001").is_err());
}

#[test]
fn a_report_is_read_back_as_written_and_a_damaged_one_is_an_error() {
    let (_dir, runs) = home();
    let active = runs.create("kcbert", RECIPE).unwrap();
    assert_eq!(active.run().report().unwrap(), None);
    active.write_report(&report(0.75)).unwrap();
    active.write_report(&report(0.8125)).unwrap();
    assert_eq!(active.run().report().unwrap(), Some(report(0.8125)));
    fs::write(active.run().report_path(), "{").unwrap();
    assert!(active.run().report().unwrap_err().is_user_error());
}

#[test]
fn a_damaged_report_leaves_the_rest_of_the_summary() {
    let (_dir, runs) = home();
    let mut active = runs.create("kcbert", RECIPE).unwrap();
    active.record(started()).unwrap();
    active.record(EventKind::Finished { score: Some(0.5) }).unwrap();
    fs::write(active.run().report_path(), "{").unwrap();
    let run = active.run().clone();
    drop(active);
    let summary = run.summary().unwrap();
    assert_eq!((summary.status, summary.metric.as_deref()), (Status::Finished, Some("accuracy")));
    assert!(summary.unreadable_report.unwrap().contains("report.json: not a report of this version"));
}

#[test]
fn a_summary_tells_the_score_so_far_and_then_the_final_one() {
    let (_dir, runs) = home();
    let mut active = runs.create("kcbert", RECIPE).unwrap();
    active.record(started()).unwrap();
    let evaluation = EventKind::Evaluation { step: 2, epoch: 1.0, metrics: [("accuracy".to_owned(), 0.5)].into() };
    active.record(evaluation).unwrap();
    let so_far = active.run().summary().unwrap();
    assert_eq!((so_far.status, so_far.score, so_far.steps), (Status::Running, Some(0.5), 2));
    assert_eq!((so_far.metric.as_deref(), so_far.total_steps), (Some("accuracy"), Some(4)));
    active.write_report(&report(0.75)).unwrap();
    active.record(EventKind::Finished { score: Some(0.75) }).unwrap();
    let run = active.run().clone();
    drop(active);
    let last = run.summary().unwrap();
    assert_eq!((last.status, last.score, last.steps), (Status::Finished, Some(0.75), 4));
    assert!(last.seconds.is_some_and(|seconds| (0.0..60.0).contains(&seconds)));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_that_names_the_file() {
    use super::journal::JournalWriter;

    let mut writer = JournalWriter::open("/dev/full".into()).unwrap();
    let error = writer.append(started()).unwrap_err();
    assert!(!error.is_user_error());
    assert!(error.to_string().starts_with("cannot append an event to /dev/full: "), "{error}");
}

#[test]
fn the_run_of_a_fold_is_named_for_its_parent_and_is_not_counted_among_its_runs() {
    let (_dir, runs) = home();
    runs.create("kcbert", RECIPE).unwrap();
    assert!(runs.find("kcbert-001-fold-2").unwrap().is_none());
    runs.create_named(&fold_name("kcbert-001", 2), RECIPE).unwrap();
    let fold = runs.find("kcbert-001-fold-2").unwrap().unwrap();
    assert_eq!(fold.fold_of(), Some(("kcbert-001", 2)));
    assert_eq!(runs.open("kcbert-001").unwrap().fold_of(), None);
    assert_eq!(runs.create("kcbert", RECIPE).unwrap().run().name(), "kcbert-002");
    // A recipe may have such a name of its own.
    assert_eq!(runs.create("other-001-fold", RECIPE).unwrap().run().fold_of(), None);
}

#[test]
fn the_run_of_a_round_belongs_to_its_parent_as_that_of_a_fold_does() {
    let (_dir, runs) = home();
    runs.create("kcbert", RECIPE).unwrap();
    runs.create_named(&round_name("kcbert-001", 12), RECIPE).unwrap();
    let rounds = runs.rounds_of("kcbert-001", 20).unwrap();
    assert_eq!(rounds.len(), 1);
    let round = &rounds[0];
    assert_eq!((round.round_of(), round.part_of()), (Some(("kcbert-001", 12)), Some(("kcbert-001", 12))));
    assert_eq!((round.fold_of(), round.summary().unwrap().fold_of.as_deref()), (None, Some("kcbert-001")));
    assert_eq!(runs.open("kcbert-001").unwrap().part_of(), None);
}
