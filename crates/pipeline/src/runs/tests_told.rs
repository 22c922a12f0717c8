//! What is told of runs, written beside them, and removed.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use super::tests::{RECIPE, home, report, started};
use super::{Event, EventKind, MadeFor, Notes, Report, Run, RunError, Runs, Sink, fold_name};

/// Remembers what it is told.
#[derive(Debug, Default)]
struct Memory(Mutex<Vec<String>>);

impl Memory {
    fn add(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }
}

impl Sink for Memory {
    fn opened(&self, run: &Run) {
        assert!(run.recipe_path().is_file() && run.is_running().unwrap());
        self.add(format!("opened {}", run.name()));
    }

    fn recorded(&self, run: &Run, event: &Event) {
        assert_eq!(run.journal().unwrap().events.last(), Some(event));
        self.add(format!("recorded {}", run.name()));
    }

    fn reported(&self, run: &Run, report: &Report) {
        assert_eq!(run.report().unwrap().as_ref(), Some(report));
        self.add(format!("reported {}", run.name()));
    }

    fn closed(&self, run: &Run) {
        assert!(run.is_running().unwrap());
        self.add(format!("closed {}", run.name()));
    }
}

#[test]
fn a_sink_is_told_of_new_and_resumed_runs_after_their_files_are_written() {
    let (_dir, runs) = home();
    let memory = Arc::new(Memory::default());
    let runs = runs.told_to(memory.clone());
    let mut run = runs.create("kcbert", RECIPE).unwrap();
    run.record(started()).unwrap();
    run.write_report(&report(0.5)).unwrap();
    drop(run);
    drop(runs.unfinished("kcbert", RECIPE).unwrap().unwrap().resume().unwrap());
    drop(runs.create_named(&fold_name("kcbert-001", 1), RECIPE).unwrap());
    let told = [
        "opened kcbert-001",
        "recorded kcbert-001",
        "reported kcbert-001",
        "closed kcbert-001",
        "opened kcbert-001",
        "closed kcbert-001",
        "opened kcbert-001-fold-1",
        "closed kcbert-001-fold-1",
    ];
    assert_eq!(*memory.0.lock().unwrap(), told);
}

#[test]
fn what_a_killed_removal_leaves_is_no_run_and_goes_with_the_next() {
    let home = tempfile::tempdir().unwrap();
    let runs = Runs::new(home.path());
    drop(runs.create("kcbert", RECIPE).unwrap());
    let leftover = runs.root().join(".removing-kcbert-001-7");
    fs::rename(runs.root().join("kcbert-001"), &leftover).unwrap();
    assert!(runs.list().unwrap().is_empty() && runs.directories().unwrap().is_empty());
    runs.remove_leftovers().unwrap();
    assert!(!leftover.exists());
}

#[cfg(unix)]
#[test]
fn of_a_linked_run_the_link_alone_is_removed() {
    let (home, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (runs, others) = (Runs::new(home.path()), Runs::new(elsewhere.path()));
    drop(others.create("kcbert", RECIPE).unwrap());
    fs::create_dir_all(runs.root()).unwrap();
    std::os::unix::fs::symlink(others.root().join("kcbert-001"), runs.root().join("kcbert-001")).unwrap();
    runs.open("kcbert-001").unwrap().remove().unwrap();
    assert!(runs.list().unwrap().is_empty());
    assert!(others.open("kcbert-001").unwrap().recipe_path().is_file());
}

#[test]
fn a_run_says_what_it_was_made_for_if_for_anything() {
    let (_dir, runs) = home();
    let plain = runs.create("kcbert", RECIPE).unwrap().run().clone();
    assert_eq!(plain.made_for().unwrap(), MadeFor::default());
    assert!(!plain.dir().join("made_for.toml").exists());
    let made_for = MadeFor { sweep: Some("night".into()), trial: Some(3), job: None };
    let runs = runs.made_for(made_for.clone());
    let trial = runs.create("kcbert", RECIPE).unwrap().run().clone();
    let fold = runs.create_named(&fold_name(trial.name(), 1), RECIPE).unwrap().run().clone();
    assert_eq!((trial.made_for().unwrap(), fold.made_for().unwrap()), (made_for.clone(), made_for));
    assert_eq!(runs.for_all().create("kcbert", RECIPE).unwrap().run().made_for().unwrap(), MadeFor::default());
}

#[test]
fn notes_are_read_back_as_written_and_damaged_ones_are_an_error() {
    let (_dir, runs) = home();
    let run = runs.create("kcbert", RECIPE).unwrap().run().clone();
    assert_eq!(run.notes().unwrap(), Notes::default());
    let notes = Notes {
        note: Some("두 줄\n\"메모\"".into()),
        tags: ["b".to_owned(), "a".to_owned()].into(),
        public: Some(0.8278),
        private: None,
    };
    run.write_notes(&notes).unwrap();
    assert_eq!(run.notes().unwrap(), notes);
    std::fs::write(run.dir().join("notes.toml"), "tags = 3").unwrap();
    let error = run.notes().unwrap_err();
    assert!(error.is_user_error() && error.to_string().contains("notes.toml"), "{error}");
}

#[test]
fn a_run_is_removed_unless_it_is_being_written() {
    let (_dir, runs) = home();
    let mut active = runs.create("kcbert", RECIPE).unwrap();
    active.record(EventKind::Finished { score: None }).unwrap();
    let run = active.run().clone();
    std::fs::create_dir_all(run.checkpoints_dir().join("state")).unwrap();
    assert!(matches!(run.clone().remove(), Err(RunError::Busy { .. })));
    assert!(matches!(run.remove_checkpoints(), Err(RunError::Busy { .. })));
    drop(active);
    run.remove_checkpoints().unwrap();
    assert!(!run.checkpoints_dir().exists() && run.events_path().exists());
    let dir = run.dir().to_owned();
    run.remove().unwrap();
    assert!(!dir.exists() && runs.list().unwrap().is_empty());
}
